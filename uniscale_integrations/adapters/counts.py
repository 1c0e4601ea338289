"""What providers count of a reply, in their own words, added up over the replies of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def sum_of(left: Any, right: Any) -> Any:
    """Numbers added, mappings by name; of everything else the first.

    Example:
        >>> sum_of({"prompt_tokens": 5, "details": {"cached": 2}}, {"prompt_tokens": 6, "details": None})
        {'prompt_tokens': 11, 'details': {'cached': 2}}
    """
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return {name: sum_of(left.get(name), right.get(name)) for name in (*left, *(each for each in right if each not in left))}
    if is_number(left) and is_number(right):
        return left + right
    return right if left is None else left


def is_number(value: object) -> bool:
    """Whether something is counted; true and false are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
