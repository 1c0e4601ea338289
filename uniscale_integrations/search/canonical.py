"""An answer as text, tool calls included, equal for answers that say the same."""

from __future__ import annotations

import json
from collections.abc import Sequence

from uniscale_integrations.search.conversation import ToolCall


def canonical(text: str, calls: Sequence[ToolCall]) -> str:
    """An answer as text, tool calls included; equal for answers that say the same.

    Example:
        >>> canonical("", [ToolCall("add", {"b": 2, "a": 1}, "x")])
        '{"content": "", "tool_calls": [{"args": {"a": 1, "b": 2}, "name": "add"}]}'
    """
    if not calls:
        return text
    tool_calls = [{"name": call.name, "args": call.arguments} for call in calls]
    return json.dumps({"content": text, "tool_calls": tool_calls}, sort_keys=True, ensure_ascii=False, default=str)
