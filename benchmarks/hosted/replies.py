"""What simulated models write: texts whose answers are right or wrong as the samples say."""

from __future__ import annotations

import re
from random import Random
from zlib import crc32

from benchmarks.hosted.sampling import RIGHT
from benchmarks.hosted.texts import passage

MOST_WORDS = 200
"""Tokens of text at most; what is sampled beyond that is thinking, which providers count and do not show."""

_ANSWER = re.compile(r"Answer: (\d+)")


def right_answer(question: str) -> int:
    """The answer to a question.

    Example:
        >>> right_answer("What is 2 + 2?") == right_answer("What is 2 + 2?"), 1000 <= right_answer("Why?") < 10_000
        (True, True)
    """
    return 1000 + crc32(question.encode()) % 9000


def reply_text(question: str, value: int, tokens: int, seed: int) -> str:
    """A text of at most so many tokens that ends in the right answer, or in a wrong one.

    Args:
        question: what was asked.
        value: `RIGHT`, or the number of a wrong value.
        tokens: of the reply.
        seed: of the words before the answer.
    """
    answer = right_answer(question) + 7 * (value - RIGHT)
    words = passage(Random(seed), min(tokens, MOST_WORDS) - 6)
    return f"{words} Answer: {answer}".strip()


def is_right(question: str, reply: str) -> bool:
    """Whether a reply gives the right answer to a question.

    Example:
        >>> is_right("Why?", reply_text("Why?", RIGHT, 40, seed=1)), is_right("Why?", reply_text("Why?", 2, 40, seed=1))
        (True, False)
    """
    given = _ANSWER.findall(reply)
    return bool(given) and int(given[-1]) == right_answer(question)
