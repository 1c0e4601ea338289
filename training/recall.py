"""Stage 4, `python -m training.recall`: the reward model's body learns to keep in mind which token it is reading, resumable.

A trained language model has no use for the current token once the next one is decided, and its last layer has all but overwritten it:
of the body's tokens, four in five could be told from there. A reward model is to hold each token against what was expected in its place,
and cannot do so with a token that is gone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from training.corpus import WORK, Corpus
from training.language_model import BODY, STAGES, collate
from training.loop import batches, fit

RECALLING = "uniscale-prm-recalling"
STEPS = 500
LEARNING_RATE = 1e-3
WEIGHT = 0.5
"""Of the current token's loss beside the next one's."""


class RecallingModel(LlamaForCausalLM):
    """A language model with a second head, which reads the current token off the same states and is not saved."""

    _keys_to_ignore_on_save = {"recall.weight"}  # noqa: RUF012  # transformers declares it without ClassVar

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.recall = torch.nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]  # transformers leaves it untyped


def loss_of(model: RecallingModel, ids: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy of the solution's next tokens, and beside it of the ones just read."""
    states = model.model(input_ids=ids).last_hidden_state[mask]
    following = torch.nn.functional.cross_entropy(model.lm_head(states).float(), ids.roll(-1, dims=1)[mask])
    current = torch.nn.functional.cross_entropy(model.recall(states).float(), ids[mask])
    return following + WEIGHT * current


def train(seed: int, threads: int) -> Path:
    """Go on with the trained body; returns the new folder."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    corpus = Corpus.load(WORK / "corpus.npz")
    model = RecallingModel.from_pretrained(WORK / BODY)

    def loss(rows: NDArray[np.int64]) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return loss_of(model, *collate(corpus, rows))

    # Another order than the one that the body was trained in.
    stream = batches(corpus.lengths(), STAGES[BODY].batch, seed + 1)
    fit(model, stream, loss, steps=STEPS, learning_rate=LEARNING_RATE, target=WORK / RECALLING, recipe=(WEIGHT, seed))
    return WORK / RECALLING


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    print(train(arguments.seed, arguments.threads))


if __name__ == "__main__":
    main()
