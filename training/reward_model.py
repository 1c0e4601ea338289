"""Stage 4, `python -m training.reward_model`: the process reward model, resumable.

It starts from the largest language model with a score head in place of the vocabulary, and reads a score at every step's end: the
probability that all steps so far are right.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification, PreTrainedTokenizerFast

from training.corpus import WORK, prompt_text
from training.corruption import corrupt
from training.loop import batches, fit
from training.rollouts import label
from uniscale_integrations.models.catalog import PRM

BASE = "uniscale-3m"
STEPS = 4000
BATCH = 64
LEARNING_RATE = 1e-3
PRACTICE = 120_000
END_WEIGHT = 4.0
MORE_LAYERS = 2


def new_model(base: str = BASE) -> LlamaForTokenClassification:
    """A token classifier with one output on the body of a trained language model, and two layers on top that begin as nothing.

    The body's last layer knows what the next token should be. The first new layer can hold that against what came instead, the second
    can gather the verdicts of a line at its end.
    """
    trained = LlamaForCausalLM.from_pretrained(WORK / base)
    layers = trained.config.num_hidden_layers
    config = LlamaConfig.from_pretrained(
        WORK / base, num_labels=1, tie_word_embeddings=False, classifier_dropout=0.0, num_hidden_layers=layers + MORE_LAYERS
    )
    model = LlamaForTokenClassification(config)
    model.model.load_state_dict(trained.model.state_dict(), strict=False)
    for layer in model.model.layers[layers:]:
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
        torch.nn.init.zeros_(layer.mlp.down_proj.weight)
    torch.nn.init.zeros_(model.score.weight)
    return model


def token_labels(tokenizer: PreTrainedTokenizerFast, step: str, right: bool, expected: str) -> tuple[list[int], list[int]]:
    """A step's token ids, line break included, and for each whether the solution is still right up to and with it.

    Tokens of a wrong step count as right up to where it leaves the expected one. So every token says something about what is right,
    not only the last of a line, and the model learns to check what it reads digit by digit.
    """
    encoded = tokenizer(f"{step}\n", add_special_tokens=False, return_offsets_mapping=True)
    common = len(step) + 1
    if not right:
        common = next(
            (i for i, (said, meant) in enumerate(zip(step, expected, strict=False)) if said != meant),
            min(len(step), len(expected)),
        )
    return encoded["input_ids"], [int(end <= common) for _, end in encoded["offset_mapping"]]


@dataclass(frozen=True)
class Marked:
    """A solution with marks, whether sampled or made: 1 for every step up to the first wrong one, and what that should have been."""

    question: str
    steps: Sequence[str]
    labels: Sequence[int]
    expected: str


def marked(question: str, steps: Sequence[str], exact: Sequence[str]) -> Marked:
    """A solution held against the exact one."""
    labels = label(steps, exact)
    right = sum(labels)
    return Marked(question, steps, labels, exact[right] if right < min(len(steps), len(exact)) else "")


def sampled(path: Path) -> list[Marked]:
    """The rollouts in a file."""
    records = (json.loads(line) for line in path.open())
    return [Marked(r["question"], r["steps"], r["labels"], r["expected"]) for r in records if r["steps"]]


def practice(path: Path, count: int, seed: int) -> list[Marked]:
    """Exact solutions from a file of training problems, three of four with a slip in them."""
    rng = Random(f"practice {seed}")
    lines = path.read_text().splitlines()
    made = []
    for line in rng.sample(lines, min(count, len(lines))):
        *_, question, exact = json.loads(line)
        steps = corrupt(exact, rng)[0] if rng.random() < 0.75 else exact
        made.append(marked(question, steps, exact))
    return made


class Solutions:
    """Marked solutions as token rows with a label for every token of a solution and the positions of step ends."""

    def __init__(self, records: Sequence[Marked], tokenizer: PreTrainedTokenizerFast) -> None:
        prompts = tokenizer([prompt_text(record.question) for record in records], add_special_tokens=False)["input_ids"]
        self.rows: list[list[int]] = []
        self.marks: list[list[int]] = []
        self.ends: list[list[int]] = []
        for prompt, record in zip(prompts, records, strict=True):
            row, marks, ends = list(prompt), [0] * len(prompt), []
            for i, (step, right) in enumerate(zip(record.steps, record.labels, strict=True)):
                expected = record.expected if i == sum(record.labels) else ""
                ids, still = token_labels(tokenizer, step, bool(right), expected)
                row, marks = row + ids, marks + still
                ends.append(len(row) - 1)
            self.rows.append(row)
            self.marks.append(marks)
            self.ends.append(ends)
        self.prompts = [len(prompt) for prompt in prompts]
        self.lengths: NDArray[np.int64] = np.array([len(row) for row in self.rows])

    def batch(self, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Token ids (rows, longest) int64, labels of the same shape, and weights: 1 for solution tokens, more for step ends."""
        ids = torch.zeros((len(chosen), int(self.lengths[chosen].max())), dtype=torch.int64)
        labels, weights = torch.zeros(ids.shape), torch.zeros(ids.shape)
        for i, row in enumerate(chosen):
            length = len(self.rows[row])
            ids[i, :length] = torch.tensor(self.rows[row])
            labels[i, :length] = torch.tensor(self.marks[row], dtype=torch.float32)
            weights[i, self.prompts[row] : length] = 1.0
            weights[i, self.ends[row]] = END_WEIGHT
        return ids, labels, weights


def train(seed: int, threads: int, steps: int) -> Path:
    """Train the reward model; returns its folder."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(WORK / "tokenizer")
    records = sampled(WORK / "rollouts.train.jsonl") + practice(WORK / "problems.jsonl", PRACTICE, seed)
    data = Solutions(records, tokenizer)
    model = new_model()

    def loss(rows: NDArray[np.int64]) -> Tensor:
        ids, labels, weights = data.batch(rows)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model.model(input_ids=ids).last_hidden_state
        logits = model.score(hidden.float())[..., 0]
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, weights, reduction="sum")
        return losses / weights.sum()

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
