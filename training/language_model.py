"""Stage 2, `python -m training.language_model NAME`: one language model of the family, resumable.

Only the solution's tokens carry loss: a model of this size has nothing to spare for predicting questions.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from training.corpus import VOCABULARY, WORK, Corpus
from training.loop import batches, fit


@dataclass(frozen=True)
class Recipe:
    """Shape and schedule of one model, and the families of questions that it is a specialist of, if of any.

    `share` is how much of what a specialist practises on comes from these families.
    """

    hidden: int
    layers: int
    heads: int
    mlp: int
    steps: int
    batch: int = 64
    learning_rate: float = 3e-3
    focus: tuple[str, ...] = ()
    share: float = 0.8

    def config(self) -> LlamaConfig:
        return LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=self.hidden,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads,
            intermediate_size=self.mlp,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )


ARITHMETIC = ("chain_sum", "basic_arithmetic", "products", "simple_equations")

RECIPES = {
    "uniscale-0.3m": Recipe(hidden=96, layers=3, heads=3, mlp=240, steps=4500, focus=("leg_counting", "word_problems")),
    "uniscale-1m": Recipe(hidden=144, layers=4, heads=4, mlp=384, steps=3000, focus=ARITHMETIC, share=0.94),
    "uniscale-3m": Recipe(hidden=192, layers=6, heads=6, mlp=512, steps=2100),
}

BODY = "uniscale-prm-body"
"""What the reward model is built on: the largest shape, trained until it can solve nearly everything. A verifier must know more than
the models that it judges; it is not shipped as a language model."""

STAGES = RECIPES | {BODY: Recipe(hidden=192, layers=6, heads=6, mlp=512, steps=2600)}


def collate(corpus: Corpus, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Token ids (rows, longest) int64, right-padded, and the mask of the positions whose next token carries loss."""
    lengths = corpus.lengths()[rows]
    ids = np.zeros((len(rows), lengths.max()), dtype=np.int64)
    mask = np.zeros_like(ids, dtype=bool)
    for i, row in enumerate(rows):
        start, length = corpus.starts[row], lengths[i]
        ids[i, :length] = corpus.tokens[start : start + length]
        mask[i, corpus.prompts[row] - 1 : length - 1] = True
    return torch.from_numpy(ids), torch.from_numpy(mask)


def loss_of(model: LlamaForCausalLM, ids: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy of the solution tokens; the head runs on those positions only."""
    hidden = model.model(input_ids=ids).last_hidden_state
    targets = ids.roll(-1, dims=1)[mask]
    logits = model.lm_head(hidden[mask])
    return torch.nn.functional.cross_entropy(logits.float(), targets)


def train(name: str, seed: int, threads: int) -> Path:
    """Train one model of the family; returns its folder."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    recipe = STAGES[name]
    corpus = Corpus.load(WORK / "corpus.npz")
    model = LlamaForCausalLM(recipe.config())

    def loss(rows: NDArray[np.int64]) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return loss_of(model, *collate(corpus, rows))

    rows = corpus.practice(recipe.focus, recipe.share)
    stream = (rows[chosen] for chosen in batches(corpus.lengths()[rows], recipe.batch, seed))
    fit(model, stream, loss, steps=recipe.steps, learning_rate=recipe.learning_rate, target=WORK / name, recipe=(recipe, seed))
    return WORK / name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=STAGES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    print(train(arguments.name, arguments.seed, arguments.threads))


if __name__ == "__main__":
    main()
