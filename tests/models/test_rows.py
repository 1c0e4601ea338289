"""Caches of single paths, and forward passes over many of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.falcon_mamba import FalconMambaConfig, FalconMambaForCausalLM
from transformers.models.mamba import MambaConfig, MambaForCausalLM

from tests.tiny import CONFIGS, causal, tokenizer
from uniscale_integrations.errors import GenerationError
from uniscale_integrations.models.rows import Batch, RowState, empty_state, pad_left, pad_right
from uniscale_integrations.models.transformers import TransformersModel

VOCABULARY = 64


def sequence(length: int, seed: int) -> list[int]:
    return torch.randint(3, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def full(model: PreTrainedModel, tokens: list[int]) -> Tensor:
    """Logits after every token without any cache, shape (tokens, vocabulary)."""
    logits: Tensor = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
    return logits


def read(model: PreTrainedModel, tokens: list[int]) -> RowState:
    batch = Batch.of(model, [empty_state(model)], len(tokens))
    batch.forward(torch.tensor([tokens]))
    return batch.state(0)


@pytest.mark.parametrize("kind", CONFIGS)
@torch.inference_mode()
def test_rows_of_all_lengths_that_come_and_go_see_what_they_would_see_alone(kind: str) -> None:
    model = causal(kind, VOCABULARY)
    texts = [sequence(length, length) for length in (23, 5, 14, 9)]
    batch = Batch.of(model, [read(model, text) for text in texts], 1)
    active = list(range(4))
    for leaving in (None, 0, None, 3, None, None, 1, None):
        if leaving is not None:
            batch.keep([place for place, row in enumerate(active) if row != leaving])
            active.remove(leaving)
        new = [sequence(1, 100 * row + len(texts[row]))[0] for row in active]
        for row, token in zip(active, new, strict=True):
            texts[row].append(token)
        logits = batch.forward(torch.tensor(new)[:, None]).logits[:, -1]
        for place, row in enumerate(active):
            torch.testing.assert_close(logits[place], full(model, texts[row])[-1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", CONFIGS)
@torch.inference_mode()
def test_a_state_taken_out_of_a_batch_goes_on_in_another(kind: str) -> None:
    model = causal(kind, VOCABULARY)
    first, second, more = sequence(4, 1), sequence(17, 2), sequence(6, 3)
    batch = Batch.of(model, [read(model, first), read(model, second)], 3)
    batch.forward(torch.tensor([more[:3], more[:3]]))
    taken = batch.state(0, trailing=1)
    again = Batch.of(model, [read(model, second), taken], 4)
    logits = again.forward(torch.tensor([more[2:], more[2:]])).logits
    torch.testing.assert_close(logits[1], full(model, first + more)[-4:], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", CONFIGS)
@torch.inference_mode()
def test_padding_behind_new_tokens_changes_nothing(kind: str) -> None:
    model = causal(kind, VOCABULARY, context=32)
    olds, news = [sequence(3, 1), sequence(28, 2)], [sequence(20, 3), sequence(2, 4)]
    batch = Batch.of(model, [read(model, old) for old in olds], 20)
    logits = batch.forward(*pad_right(news, 0)).logits
    for row, (old, new) in enumerate(zip(olds, news, strict=True)):
        torch.testing.assert_close(logits[row, : len(new)], full(model, old + new)[len(old) :], atol=1e-4, rtol=0)
        assert batch.state(row, 20 - len(new)).length == len(old) + len(new)


@pytest.mark.parametrize("kind", CONFIGS)
@torch.inference_mode()
def test_the_buffer_grows_when_more_comes_than_there_was_room_for(kind: str) -> None:
    model = causal(kind, VOCABULARY)
    text = sequence(60, 7)
    batch = Batch.of(model, [read(model, text[:3])], 1)
    seen = [batch.forward(torch.tensor([[token]])).logits[0, -1] for token in text[3:]]
    torch.testing.assert_close(torch.stack(seen), full(model, text)[3:], atol=1e-4, rtol=0)
    assert batch.state(0).length == len(text)


def test_padding_stands_before_and_behind_the_tokens() -> None:
    matrix, padding = pad_left([[1, 2, 3], [4]], 0)
    assert matrix.tolist() == [[1, 2, 3], [0, 0, 4]]
    assert padding.tolist() == [0, 2]
    matrix, lengths = pad_right([[1, 2, 3], [4]], 0)
    assert matrix.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert lengths.tolist() == [3, 1]


@pytest.mark.parametrize("build", [MambaForCausalLM, FalconMambaForCausalLM])
def test_a_recurrent_model_is_refused_with_the_reason(build: type[PreTrainedModel]) -> None:
    config = {MambaForCausalLM: MambaConfig, FalconMambaForCausalLM: FalconMambaConfig}[build]
    model = build(config(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=1, state_size=4))
    with pytest.raises(GenerationError, match=r"layers, whose state cannot be kept per path; use a model with attention alone"):
        TransformersModel(model, tokenizer(), "mamba")


def test_layers_of_an_unknown_kind_are_named() -> None:
    model = causal("llama", VOCABULARY)
    model.config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(GenerationError, match="LlamaForCausalLM has linear_attention layers"):
        empty_state(model)


def test_a_model_that_calls_itself_stateful_is_refused() -> None:
    model = causal("llama", VOCABULARY)
    model._is_stateful = True
    with pytest.raises(GenerationError, match="LlamaForCausalLM has recurrent layers"):
        empty_state(model)
