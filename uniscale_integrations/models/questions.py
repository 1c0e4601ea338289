"""The questions that come with the embedded family; none of them, in any wording, was in its training."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from uniscale_integrations.search.answers import same_answer

FILE = Path(__file__).parent / "family" / "questions.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Question:
    """A held-out question.

    Attributes:
        id: stable name.
        family: the kind of problem.
        level: 1 (easy) to 4.
        text: what a model is asked.
        reference: the right answer, for checking afterwards; it never reaches a generator or a verifier.
    """

    id: str
    family: str
    level: int
    text: str
    reference: str

    def correct(self, answer: str | None) -> bool:
        """Whether an answer is right.

        >>> Question("q", "gcd", 1, "gcd of 8 and 12?", "4").correct("4.0")
        True
        """
        return answer is not None and same_answer(answer, self.reference)


@lru_cache
def questions() -> tuple[Question, ...]:
    """All embedded questions; every prefix holds all families and levels in equal parts, as far as it can."""
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        return tuple(Question(**json.loads(line)) for line in file)
