"""Training that goes on where it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from training.loop import fit


def trained(target: Path, steps: int, recipe: object, interrupted_at: int | None = None) -> Tensor:
    """The head of a tiny model after so many steps, or an interruption."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    )

    def rows() -> Iterator[Tensor]:
        for step in range(10**6):
            if step == interrupted_at:
                raise KeyboardInterrupt
            yield torch.tensor([[step % 8, (step + 1) % 8, (step + 2) % 8]])

    fit(
        model,
        rows(),
        lambda ids: model(input_ids=ids, labels=ids).loss,
        steps=steps,
        learning_rate=0.01,
        target=target,
        recipe=recipe,
    )
    weights: Tensor = AutoModelForCausalLM.from_pretrained(target).lm_head.weight.detach()
    return weights


def test_what_was_interrupted_goes_on_from_its_checkpoint_to_the_same_model(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", 120, "a")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", 120, "a", interrupted_at=110)
    assert not (tmp_path / "parts").exists()
    torch.testing.assert_close(trained(tmp_path / "parts", 120, "a"), whole)


@pytest.mark.parametrize(("steps", "recipe"), [(2, "b"), (4, "a")])
def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path, steps: int, recipe: str) -> None:
    trained(tmp_path / "model", 2, "a")
    refused = rf"is of 'a', 2 steps of up to 0.01, not of '{recipe}', {steps} steps of up to 0.01; remove it to begin anew"
    with pytest.raises(SystemExit, match=refused):
        trained(tmp_path / "model", steps, recipe)
