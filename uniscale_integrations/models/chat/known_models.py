"""What is known of hosted models without asking them: which of them do not continue a partial answer."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

OPENAI_HOSTS = re.compile(r"(?:^|\.)(?:openai\.com|openai\.azure\.com)$")
"""Where an assistant's message that stands last is answered by another message, never continued."""

_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?", re.IGNORECASE)

LAST_CLAUDE_WITH_PREFILL = (4, 5)
"""Version of the last Claude models that continue an assistant's message; later ones refuse a request that ends with one."""


def cannot_continue(model: str, address: str = "") -> bool:
    """Whether a model is known not to continue a partial answer, so that it need not be probed.

    Args:
        model: its name at its provider, which may stand before it.
        address: where requests go, where that is known.

    Example:
        >>> cannot_continue("gpt-5-mini", "https://api.openai.com/v1"), cannot_continue("qwen3-8b", "http://localhost:8080/v1")
        (True, False)
        >>> cannot_continue("claude-opus-4-6"), cannot_continue("claude-haiku-4-5-20251001"), cannot_continue("anthropic/claude-sonnet-5")
        (True, False, True)
    """
    if OPENAI_HOSTS.search(urlsplit(address).hostname or ""):
        return True
    claude = _CLAUDE.search(model)
    return claude is not None and (int(claude[1]), int(claude[2] or 0)) > LAST_CLAUDE_WITH_PREFILL
