"""Stage 1, `python -m training.corpus`: the training problems, the tokenizer, and both as token ids on disk."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from training.tasks import FAMILIES, LEVELS, Problem, sample

WORK = Path(__file__).parent / ".work"
VOCABULARY = 512
BOS, EOS, PAD = "<s>", "</s>", "<pad>"
CHAT_TEMPLATE = "{{ bos_token }}{{ messages[-1]['content'] | trim }}{{ '\\n' }}"
"""The family answers one question and has no memory: its template is the last turn and a line break."""


@dataclass(frozen=True)
class Corpus:
    """Token ids of all problems end to end.

    Attributes:
        tokens: shape (total,), int32.
        starts: shape (problems + 1,), int64, offsets into `tokens`.
        prompts: shape (problems,), int32, how many leading tokens of each are the question.
        families: shape (problems,), int8, places in `FAMILIES`.
    """

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    prompts: NDArray[np.int32]
    families: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.prompts)

    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts)

    @classmethod
    def load(cls, path: Path) -> Corpus:
        with np.load(path) as file:
            return cls(file["tokens"], file["starts"], file["prompts"], file["families"])

    def practice(self, focus: Sequence[str], share: float) -> NDArray[np.int64]:
        """Rows for a specialist: every problem of some families, about this share of the whole; all rows without any.

        Args:
            focus: names of the families.
            share: above 0 and at most 1.
        """
        rows = np.arange(len(self))
        if not focus:
            return rows
        within = np.isin(self.families, [FAMILIES.index(family) for family in focus])
        others = rows[~within]
        wanted = within.sum() * (1 - share) / share
        kept = others[:: max(1, round(len(others) / wanted))] if wanted else others[:0]
        return np.concatenate([rows[within], kept])


def train_tokenizer(texts: Iterator[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE in which every digit is a token of its own, so that numbers of any length are spelt alike."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r" ?\d"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD)
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def prompt_text(question: str) -> str:
    return f"{BOS}{question.strip()}\n"


def solution_text(problem: Problem) -> str:
    return "".join(f"{step}\n" for step in problem.steps)


def encode(tokenizer: PreTrainedTokenizerFast, problems: list[Problem]) -> Corpus:
    """The corpus of the problems: question, solution, end of text."""
    questions = tokenizer([prompt_text(p.question) for p in problems], add_special_tokens=False)["input_ids"]
    solutions = tokenizer([solution_text(p) for p in problems], add_special_tokens=False)["input_ids"]
    rows = [q + s + [tokenizer.eos_token_id] for q, s in zip(questions, solutions, strict=True)]
    starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    prompts = np.array([len(q) for q in questions], dtype=np.int32)
    families = np.array([FAMILIES.index(p.family) for p in problems], dtype=np.int8)
    return Corpus(np.concatenate([np.array(row, dtype=np.int32) for row in rows]), starts, prompts, families)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=7000, help="problems of each family and level")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    columns = [(family, level) for family in FAMILIES for level in LEVELS]
    found = [
        problem
        for family, level in track(columns, description="problems")
        for problem in sample(family, level, 1_000_000 * arguments.seed + 10_000_000 * level, "train", arguments.count)
    ]
    with (WORK / "problems.jsonl").open("w") as file:
        file.writelines(json.dumps([p.family, p.level, p.key, p.question, list(p.steps)]) + "\n" for p in found)
    tokenizer = train_tokenizer(prompt_text(p.question) + solution_text(p) for p in found[:: max(1, len(found) // 40_000)])
    tokenizer.save_pretrained(WORK / "tokenizer")
    corpus = encode(tokenizer, found)
    np.savez(WORK / "corpus.npz", **vars(corpus))
    print(
        f"{len(corpus)} problems, {len(corpus.tokens)} tokens, {corpus.lengths().mean():.1f} a problem, longest {corpus.lengths().max()}"
    )


if __name__ == "__main__":
    main()
