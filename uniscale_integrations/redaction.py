"""Texts without what only their owner may know: passwords in addresses, API keys, whatever a provider or a driver has quoted."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

MASK = "***"

MAPPINGS = ("default_headers", "default_query", "extra_headers", "extra_query", "headers")
"""Fields of clients that hold what goes with every request, keys among it."""

HTTP_CLIENTS = ("http_client", "http_async_client", "async_http_client", "_http_client", "_async_http_client")
"""Fields of clients that hold an HTTP client of the caller's own."""

ORDINARY_HEADERS = frozenset({"accept", "accept-encoding", "connection", "user-agent", "host", "content-type"})
"""Headers that hold no secret, but words that errors are full of."""

SHORTEST = 6
"""Characters of a secret that is looked for: shorter ones, such as the "none" of a local server, are words."""

MAX_MESSAGE = 4_000
"""Characters of what an error says that are kept."""

_LAST_WORD = re.compile(r"\S*$")
_NAMES = r"(?:ssl|pg)?pass(?:word|wd|phrase|file)?|pwd|secret|token|access_token|refresh_token|(?:api[_-]?)?key|signature"
_VALUE = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?:\\.|[^\s&;,'")\\])+)"""
_KEY_NAME = re.compile(r"(?i)(^|[_-])(key|token|secret|password|authorization)$|apikey$")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_USER_INFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^\s/:@?]*:([^\s?#]+)|([^\s/?#@:]+):?)@")
ORDINARY_PARAMETERS = ("api-version", "api_version", "version", "deployment", "model")
"""Parameters of an address that are no secret."""

_RULES = (
    # user:password@, also where the password holds an @ that should have been written otherwise.
    (re.compile(r"(://[^\s/:@?]*):[^\s/?]*@"), rf"\1:{MASK}@"),
    (re.compile(rf"(?i)(?<![A-Za-z0-9])({_NAMES})([ \t]*=[ \t]*)(?!\*){_VALUE}"), rf"\1\2{MASK}"),
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


def redacted_message(text: str, secrets: Iterable[str] = ()) -> str:
    """What an error says, without secrets; of a long one the beginning, up to a whole word.

    A proxy may answer with a page of many megabytes, which nobody reads, and no event loop should.

    Example:
        >>> redacted_message("key=hunter2hunter2 " * 1_000)[-20:]
        'key=*** key=***  ...'
    """
    if len(text) > MAX_MESSAGE:
        # What is cut in two could no longer be told for a secret.
        text = _LAST_WORD.sub("", text[:MAX_MESSAGE]) + " ..."
    return redacted(text, secrets)


def secrets_of(client: object) -> tuple[str, ...]:
    """The secrets that a framework's client was given: its fields that are secret, and those that are named like keys.

    Example:
        >>> class Client:
        ...     api_key = "my-secret"
        >>> secrets_of(Client())
        ('my-secret',)
    """
    names = {*getattr(type(client), "model_fields", ()), "api_key", "openai_api_key", *MAPPINGS, *HTTP_CLIENTS}
    found = list[str]()
    for name in sorted(names):
        value = getattr(client, name, None)
        if name in HTTP_CLIENTS:
            found += _of_http_client(value)
        elif name in MAPPINGS and isinstance(value, Mapping):
            found += [each for each in value.values() if isinstance(each, str)]
        else:
            found += _named_like_keys(name, value)
    return _long_enough(found)


def secrets_of_server(address: str, http: object = None) -> tuple[str, ...]:
    """The secrets of who speaks to an address without a framework's client: those in it, and those of an HTTP client.

    Example:
        >>> secrets_of_server("https://me:hunter2@host/v1")
        ('hunter2',)
    """
    return _long_enough([*_named_like_keys("", address), *_of_http_client(http)])


def shown(value: object) -> str:
    """A client, or whatever else was given in the place of one, as an error may quote it.

    Example:
        >>> shown("small"), shown({"api_key": "my-secret"})
        ("'small'", "{'api_key': '***'}")
    """
    parts = value if isinstance(value, list | tuple) else [value]
    return redacted(repr(value), [secret for each in parts for secret in (*secrets_of(each), *_named_like_keys("", each))])


def _named_like_keys(name: str, value: object) -> list[str]:
    """What is secret, or called like something that is, also within mappings, and what stands before the @ of an address."""
    if callable(reveal := getattr(value, "get_secret_value", None)):
        return [str(reveal())]
    if isinstance(value, Mapping):
        within = [secret for key, each in value.items() for secret in _named_like_keys(str(key), each)]
        return [*within, *(each for each in value.values() if name in MAPPINGS and isinstance(each, str))]
    if isinstance(value, list | tuple):
        return [secret for each in value for secret in _named_like_keys(name, each)]
    if not isinstance(value, str):
        return []
    return [value] if _KEY_NAME.search(name) else _of_address(value)


def _of_address(address: str) -> list[str]:
    """Who is named before the @ of an address, or their password, and what its query and fragment say."""
    if not _ADDRESS.match(address):
        return []
    parts = _USER_INFO.match(address)
    said = "" if parts is None else parts[1] or parts[2]
    found = [said, unquote(said)]
    try:
        split = urlsplit(address)
        found += [value for name, value in parse_qsl(split.query) if name not in ORDINARY_PARAMETERS]
        return [*found, split.fragment]
    except ValueError:
        # It is no address after all.
        return found


def _of_http_client(client: object) -> list[str]:
    """What an HTTP client of httpx sends with every request."""
    found = list[str]()
    for name in ("headers", "params", "cookies"):
        try:
            values: dict[str, Any] = dict(getattr(client, name, None) or {})
        except (TypeError, ValueError):
            continue
        found += [str(each) for key, each in values.items() if str(key).lower() not in ORDINARY_HEADERS]
    found += _held(getattr(client, "auth", None))
    # "Bearer" and the like are no secret.
    found += [each.split(" ", 1)[1] for each in found if " " in each]
    return found + [password for each in found if (password := _basic_password(each))]


def _held(auth: object) -> list[str]:
    """The texts that an object holds which signs requests."""
    slots = [name for kind in type(auth).__mro__ for name in (getattr(kind, "__slots__", ()) or ()) if isinstance(name, str)]
    values = [*getattr(auth, "__dict__", {}).values(), *(getattr(auth, name, None) for name in slots)]
    values += [each for value in values if isinstance(value, Mapping) for each in value.values()]
    return [each for each in values if isinstance(each, str)]


def _basic_password(text: str) -> str:
    """The password in what HTTP's basic authentication sends, or the name where there is none; empty where that is not what it is."""
    if not text.startswith("Basic "):
        return ""
    try:
        name, _, password = b64decode(text.removeprefix("Basic "), validate=True).decode().partition(":")
    except ValueError:
        return ""
    return password or name


def _long_enough(secrets: Iterable[str]) -> tuple[str, ...]:
    return tuple(each for each in dict.fromkeys(secrets) if len(each) >= SHORTEST)
