"""Texts without what only their owner may know: passwords in addresses, API keys, whatever a provider or a driver has quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

MASK = "***"

MAPPINGS = ("default_headers", "default_query", "extra_headers", "headers")
"""Fields of clients that hold what goes with every request, keys among it."""

SHORTEST = 6
"""Characters of a secret that is looked for: shorter ones, such as the "none" of a local server, are words."""

_NAMES = r"(?:ssl)?pass(?:word|wd|phrase|file)?|pwd|secret|token|access_token|refresh_token|(?:api[_-]?)?key|signature"
_VALUE = r"""(?:'[^']*'|"[^"]*"|[^\s&;,'")]+)"""
_RULES = (
    # user:password@, also where the password holds an @ that should have been written otherwise.
    (re.compile(r"(://[^\s/:@?]*):[^\s/?]*@"), rf"\1:{MASK}@"),
    (re.compile(rf"(?i)(?<![A-Za-z0-9])({_NAMES})=(?!\*){_VALUE}"), rf"\1={MASK}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"\b((?:sk|pk|rk|gsk|xai|hf)[-_]|AIza)[-_A-Za-z0-9]{12,}"), rf"\1{MASK}"),
)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without secrets.

    Args:
        text: to be shown or kept.
        secrets: that are known, wherever they stand in it.

    Example:
        >>> redacted("postgresql://me:hunter2@host/db?sslpassword=x&sslmode=require")
        'postgresql://me:***@host/db?sslpassword=***&sslmode=require'
        >>> redacted("Incorrect API key provided: sk-1234567890abcdef1234. I heard my-secret.", ["my-secret"])
        'Incorrect API key provided: sk-***. I heard ***.'
    """
    for secret in secrets:
        if len(secret) >= SHORTEST:
            text = text.replace(secret, MASK)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def secrets_of(client: object) -> tuple[str, ...]:
    """The secrets that a framework's client was given: its fields that are secret, and those that are named like keys.

    Example:
        >>> class Client:
        ...     api_key = "my-secret"
        >>> secrets_of(Client())
        ('my-secret',)
    """
    names = {*getattr(type(client), "model_fields", ()), "api_key", "openai_api_key", *MAPPINGS}
    found = list[str]()
    for name in sorted(names):
        value = getattr(client, name, None)
        if callable(reveal := getattr(value, "get_secret_value", None)):
            found.append(str(reveal()))
        elif isinstance(value, str) and name.endswith(("api_key", "token", "secret", "password")):
            found.append(value)
        elif isinstance(value, Mapping) and name in MAPPINGS:
            found += [each for each in value.values() if isinstance(each, str)]
    return tuple(each for each in dict.fromkeys(found) if len(each) >= SHORTEST)
