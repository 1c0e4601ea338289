"""Labels of the reward model, token by token, and what it is before training."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from training.reward_model import MORE_LAYERS, RESIDUAL, Batch, new_model, out_of_the_way, token_labels
from uniscale_integrations.models.catalog import family


@pytest.mark.parametrize(
    ("step", "right", "expected", "wrong_from"),
    [
        ("12 + 30 = 42", True, "", None),
        ("12 + 30 = 45", False, "12 + 30 = 42", "5\n"),
        ("12 - 30 = -18", False, "12 + 30 = 42", " - 30 = -18\n"),
        ("42 + 1 = 43", False, "", "42 + 1 = 43\n"),
        ("Answer: 421", False, "Answer: 42", "1\n"),
        ("Answer: 4", False, "Answer: 42", "\n"),
    ],
)
def test_tokens_count_as_right_up_to_where_a_step_leaves_the_expected_one(
    step: str, right: bool, expected: str, wrong_from: str | None
) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(family()["uniscale-3m"].folder)
    ids, labels = token_labels(tokenizer, step, right, expected)
    assert tokenizer.decode(ids) == f"{step}\n"
    assert labels == sorted(labels, reverse=True)
    assert tokenizer.decode([token for token, mark in zip(ids, labels, strict=True) if not mark]) == (wrong_from or "")


@pytest.fixture
def trained() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    model.eval()
    return model


@torch.inference_mode()
def test_the_body_computes_what_the_language_model_does_at_a_smaller_scale(trained: LlamaForCausalLM) -> None:
    ids = torch.randint(1, 50, (3, 20))
    before = trained.model(ids, output_hidden_states=True).hidden_states
    after = new_model(trained, torch.eye(32)).eval().model(ids, output_hidden_states=True).hidden_states
    assert len(after) == len(before) + MORE_LAYERS
    torch.testing.assert_close(after[1] / RESIDUAL, before[1], atol=1e-5, rtol=1e-4)
    normed = trained.model.norm(after[2] / RESIDUAL)
    torch.testing.assert_close(normed, before[2], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_the_comparing_layer_begins_by_looking_at_the_token_before(trained: LlamaForCausalLM) -> None:
    model = new_model(trained, torch.eye(32)).eval()
    model.set_attn_implementation("eager")
    attention = model.model(torch.randint(1, 50, (2, 30)), output_attentions=True).attentions[-MORE_LAYERS]
    looked_at = attention[:, :, range(1, 30), range(29)]
    assert looked_at.min() > 0.9


@torch.inference_mode()
def test_what_was_expected_is_turned_to_where_the_states_vary_least(trained: LlamaForCausalLM) -> None:
    ids = torch.randint(1, 50, (20, 30))
    turn = out_of_the_way(trained, Batch(ids, torch.ones(20, 30), torch.ones(20, 30), torch.ones(20, 30)))
    torch.testing.assert_close(turn @ turn.T, torch.eye(32), atol=1e-5, rtol=0)
    states = trained.model(ids).last_hidden_state.flatten(0, 1)
    strongest = torch.linalg.eigh(torch.cov(states.T)).eigenvectors[:, -1]
    assert (states @ (turn @ strongest)).var() < (states @ strongest).var() / 10
