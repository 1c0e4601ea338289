"""What several models can do together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def in_common(profiles: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several profiles have in common: abilities that all have, and the smallest of all limits.

    Example:
        >>> in_common([{"tool_calling": True, "max_input_tokens": 8000}, {"tool_calling": False, "max_input_tokens": 4000}])
        {'tool_calling': False, 'max_input_tokens': 4000}
    """
    shared = [name for name in profiles[0] if all(name in profile for profile in profiles)]
    found: dict[str, Any] = {}
    for name in shared:
        values = [profile[name] for profile in profiles]
        if all(isinstance(value, bool) for value in values):
            found[name] = all(values)
        elif all(isinstance(value, (int, float)) for value in values):
            found[name] = min(values)
        elif all(value == values[0] for value in values):
            found[name] = values[0]
    return found
