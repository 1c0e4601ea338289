"""The text that is most like all others, which stands for texts that agree on nothing that could be counted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import fsum

MAX_CHARACTERS = 200_000
"""Read of all texts together, of each an equal part."""

MAX_CHARACTERS_EACH = 20_000
"""Read of one text."""

_SYLLABIC = "\N{CJK UNIFIED IDEOGRAPH-3400}-\N{CJK UNIFIED IDEOGRAPH-9FFF}぀-ヿ가-힣"
_WORD = re.compile(rf"[{_SYLLABIC}]|[^\W{_SYLLABIC}]+")


def medoid(texts: Sequence[str]) -> int:
    """The place of the text whose words have most in common with those of the others (mean Jaccard index), the first of equals.

    Args:
        texts: at least one.

    Example:
        >>> medoid(["the fox is quick", "no idea", "the quick brown fox is red", "a red fox is quick and brown"])
        2
    """
    longest = min(MAX_CHARACTERS_EACH, MAX_CHARACTERS // len(texts))
    words = [frozenset(_WORD.findall(text[:longest].casefold())) for text in texts]
    return max(range(len(words)), key=lambda place: (fsum(_alike(words[place], others) for others in words), -place))


def _alike(left: frozenset[str], right: frozenset[str]) -> float:
    return len(left & right) / (len(left | right) or 1)
