"""Stage 4, `python -m training.reward_model`: the process reward model, resumable.

It starts from the largest language model with a score head in place of the vocabulary, and reads a score at every step's end: the
probability that all steps so far are right.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification, PreTrainedTokenizerFast

from training.corpus import WORK, prompt_text
from training.loop import batches, fit
from uniscale_integrations.models.catalog import PRM

BASE = "uniscale-3m"
STEPS = 1000
BATCH = 64
LEARNING_RATE = 1e-3


def new_model(base: str = BASE) -> LlamaForTokenClassification:
    """A token classifier with one output on the body of a trained language model."""
    trained = LlamaForCausalLM.from_pretrained(WORK / base)
    config = LlamaConfig.from_pretrained(WORK / base, num_labels=1, tie_word_embeddings=False, classifier_dropout=0.0)
    model = LlamaForTokenClassification(config)
    model.model.load_state_dict(trained.model.state_dict())
    torch.nn.init.zeros_(model.score.weight)
    return model


class Rollouts:
    """Rollouts as token rows with the positions of step ends and their labels."""

    def __init__(self, path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
        records = [json.loads(line) for line in path.open()]
        self.records = [record for record in records if record["steps"]]
        prompts = tokenizer([prompt_text(r["question"]) for r in self.records], add_special_tokens=False)["input_ids"]
        solutions = tokenizer(["".join(f"{s}\n" for s in r["steps"]) for r in self.records], add_special_tokens=False)["input_ids"]
        [newline] = tokenizer("\n", add_special_tokens=False)["input_ids"]
        self.rows = [p + s for p, s in zip(prompts, solutions, strict=True)]
        self.ends = [
            [len(p) + i for i, token in enumerate(s) if token == newline] for p, s in zip(prompts, solutions, strict=True)
        ]
        self.lengths: NDArray[np.int64] = np.array([len(row) for row in self.rows])

    def batch(self, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Token ids (rows, longest) int64, a mask of step ends of the same shape, and the labels at those ends in order."""
        ids = torch.zeros((len(chosen), int(self.lengths[chosen].max())), dtype=torch.int64)
        mask = torch.zeros_like(ids, dtype=torch.bool)
        labels: list[float] = []
        for i, row in enumerate(chosen):
            ids[i, : len(self.rows[row])] = torch.tensor(self.rows[row])
            ends, marks = self.ends[row], self.records[row]["labels"]
            mask[i, ends[: len(marks)]] = True
            labels.extend(marks[: len(ends)])
        return ids, mask, torch.tensor(labels, dtype=torch.float32)


def train(seed: int, threads: int, steps: int) -> Path:
    """Train the reward model; returns its folder."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(WORK / "tokenizer")
    data = Rollouts(WORK / "rollouts.train.jsonl", tokenizer)
    model = new_model()

    def loss(rows: NDArray[np.int64]) -> Tensor:
        ids, mask, labels = data.batch(rows)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model.model(input_ids=ids).last_hidden_state
        logits = model.score(hidden[mask].float())[:, 0]
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)

    fit(model, batches(data.lengths, BATCH, seed), loss, steps=steps, learning_rate=LEARNING_RATE, target=WORK / PRM)
    return WORK / PRM


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    print(train(arguments.seed, arguments.threads, arguments.steps))


if __name__ == "__main__":
    main()
