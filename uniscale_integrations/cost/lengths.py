"""How long questions and answers are, for what something is expected to cost before it was ever run."""

from __future__ import annotations

from typing import NamedTuple


class Lengths(NamedTuple):
    """Tokens of a typical question and of a typical answer to it."""

    prompt: int
    answer: int


TYPICAL = Lengths(40, 60)
"""Of models that tell none of their own."""
