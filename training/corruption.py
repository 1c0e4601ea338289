"""Exact solutions with one thing wrong: unlimited practice for the reward model, beside what the language models really get wrong.

Most slips change a digit, as the language models do; the rest copy a wrong number, take a wrong sign, or leave out a line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

_NUMBER = re.compile(r"\d+")
_SIGN = re.compile(r" ([-+*]) ")


def corrupt(steps: Sequence[str], rng: Random) -> tuple[list[str], int]:
    """A solution with a slip at a random step, and which step that is; the steps after it are the exact ones.

    >>> steps, wrong = corrupt(["4 + 5 = 9", "9 - 2 = 7", "Answer: 7"], Random(3))
    >>> steps[:wrong] == ["4 + 5 = 9", "9 - 2 = 7", "Answer: 7"][:wrong], steps[wrong] != ["4 + 5 = 9", "9 - 2 = 7", "Answer: 7"][wrong]
    (True, True)
    """
    place = rng.randrange(len(steps))
    kind = rng.random()
    if kind < 0.08 and place + 1 < len(steps) and steps[place] != steps[place + 1]:
        return [*steps[:place], *steps[place + 1 :]], place
    slip = _wrong_sign(steps[place], rng) if kind < 0.15 else None
    return [*steps[:place], slip or _wrong_number(steps[place], rng), *steps[place + 1 :]], place


def _wrong_sign(step: str, rng: Random) -> str | None:
    signs = list(_SIGN.finditer(step))
    if not signs:
        return None
    sign = rng.choice(signs)
    other = rng.choice([each for each in "+-*" if each != sign[1]])
    return f"{step[: sign.start(1)]}{other}{step[sign.end(1) :]}"


def _wrong_number(step: str, rng: Random) -> str:
    """Another number in place of one, the result more often than not."""
    numbers = list(_NUMBER.finditer(step))
    number = numbers[-1] if rng.random() < 0.65 else rng.choice(numbers)
    written = number[0]
    wrong = written
    while wrong == written:
        kind = rng.random()
        if kind < 0.6:
            at = rng.randrange(len(written))
            wrong = written[:at] + rng.choice("0123456789") + written[at + 1 :]
        elif kind < 0.85:
            wrong = str(abs(int(written) + rng.choice((-1, 1)) * rng.choice((1, 1, 2, 10, 100))))
        else:
            wrong = written + rng.choice("0123456789") if rng.random() < 0.5 or len(written) == 1 else written[:-1]
    return f"{step[: number.start()]}{wrong}{step[number.end() :]}"
