"""Text as it can be written and shown, wherever it comes from."""

from __future__ import annotations

import json
import re

_HIDDEN = re.compile(
    # Control characters of both sets;
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    # marks that turn the direction of what follows, and what ends a line or a paragraph;
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f"
    # and what is not to be seen, but for the joiners that some scripts are written with.
    "\u200b\u2060-\u2065\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def utf8_safe(text: str) -> str:
    r"""A text with what UTF-8 cannot say, such as half of a surrogate pair, replaced by a question mark.

    >>> utf8_safe("caf\udce9")
    'caf?'
    """
    return text if text.isascii() else text.encode(errors="replace").decode()


def first_line(error: BaseException) -> str:
    r"""What an error says first, or its kind where it says nothing.

    >>> first_line(OSError("no such file\nlook elsewhere")), first_line(OSError())
    ('no such file', 'OSError')
    """
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def printable(text: str) -> str:
    r"""A text as a terminal may show it: without what could move its cursor or rename its window, and what turns or hides other text.

    >>> printable("\x1b]0;owned\x07two\nlines\x9b2J\u202e")
    ']0;ownedtwo\nlines2J'
    """
    return utf8_safe(_HIDDEN.sub("", text))


def printable_json(text: str) -> str:
    r"""JSON that says the same, with what `printable` leaves out written as escapes.

    >>> printable_json('{"a": "\x9b\u202e\x7f"}')
    '{"a": "\\u009b\\u202e\\u007f"}'
    """
    return utf8_safe(_HIDDEN.sub(_escaped, text))


def _escaped(found: re.Match[str]) -> str:
    return "\\u007f" if found[0] == "\x7f" else json.dumps(found[0])[1:-1]
