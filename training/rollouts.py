"""Stage 3, `python -m training.rollouts`: solutions sampled from the trained models, every step checked exactly.

A rollout starts from the question, or from a random prefix of the exact solution so that late steps see first errors too. A step is
labelled 1 while the solution agrees with the exact one line by line, and 0 from its first wrong line on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import torch
from rich.progress import track
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from training.corpus import WORK, prompt_text
from training.language_model import RECIPES
from training.tasks import Problem, Split, everything

BATCH = 256
MAX_TOKENS = 160


@dataclass(frozen=True)
class Rollout:
    """A sampled solution with its labels.

    Attributes:
        given: how many of its first steps are the exact solution's and were not sampled.
        expected: the exact solution's step in place of the first wrong one; empty where there is none.
    """

    model: str
    family: str
    level: int
    question: str
    steps: list[str]
    labels: list[int]
    given: int
    expected: str


def label(steps: Sequence[str], exact: Sequence[str]) -> list[int]:
    """1 for every step up to the first that is not the exact solution's, 0 from there on.

    >>> label(["1 + 1 = 2", "2 + 2 = 5", "Answer: 5"], ["1 + 1 = 2", "2 + 2 = 4", "Answer: 4"])
    [1, 0, 0]
    """
    labels: list[int] = []
    good = 1
    for i, step in enumerate(steps):
        good = good if i < len(exact) and step == exact[i] else 0
        labels.append(good)
    return labels


@torch.inference_mode()
def sample(
    name: str, problems: Sequence[Problem], prefixes: Sequence[int], temperature: float, tokenizer: PreTrainedTokenizerFast
) -> Iterator[Rollout]:
    """One solution of each problem by one model, continuing after the given number of exact steps."""
    model = LlamaForCausalLM.from_pretrained(WORK / name).eval()
    tokenizer.padding_side = "left"
    order = sorted(range(len(problems)), key=lambda i: len(problems[i].question))
    for first in track(range(0, len(order), BATCH), description=name):
        part = [(problems[i], prefixes[i]) for i in order[first : first + BATCH]]
        texts = [prompt_text(p.question) + "".join(f"{step}\n" for step in p.steps[:given]) for p, given in part]
        inputs = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
        output = model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            do_sample=True,
            temperature=temperature,
            top_k=0,
            max_new_tokens=MAX_TOKENS,
        )
        new = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        for (problem, given), text in zip(part, new, strict=True):
            steps = [*problem.steps[:given], *(line for line in text.split("\n") if line)][:16]
            labels = label(steps, problem.steps)
            right = sum(labels)
            expected = problem.steps[right] if right < min(len(steps), len(problem.steps)) else ""
            yield Rollout(name, problem.family, problem.level, problem.question, steps, labels, given, expected)


def collect(split: Split, count: int, seed: int, target: Path, models: Sequence[str]) -> None:
    """Sample the models on problems of the split and append the rollouts to a file, model by model."""
    torch.manual_seed(seed)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(WORK / "tokenizer")
    finished = set()
    if target.exists():
        finished = {json.loads(line)["model"] for line in target.open()}
    for position, name in enumerate(RECIPES):
        if name in finished or name not in models:
            continue
        rng = Random(f"{seed} {name}")
        problems = everything(1_000_003 * (position + 1) + seed, split, count)
        prefixes = [rng.randrange(len(p.steps)) if rng.random() < 0.3 else 0 for p in problems]
        rollouts = list(sample(name, problems, prefixes, 1.0, tokenizer))
        with target.open("a") as file:
            file.writelines(json.dumps(asdict(rollout)) + "\n" for rollout in rollouts)
        right = sum(r.labels[-1] for r in rollouts if r.labels) / len(rollouts)
        print(f"{split} {name}: {len(rollouts)} rollouts, {right:.3f} right to the end")


def main() -> None:
    logging.disable_progress_bar()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=800, help="problems of each family and level, for each model")
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="+", choices=RECIPES, default=list(RECIPES), help="all by default")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    collect("train", arguments.count, arguments.seed, WORK / "rollouts.train.jsonl", arguments.models)
    collect("test", max(1, arguments.count // 10), arguments.seed, WORK / "rollouts.test.jsonl", arguments.models)


if __name__ == "__main__":
    main()
