"""Text as it can be written and shown, wherever it comes from."""

from __future__ import annotations


def utf8_safe(text: str) -> str:
    r"""A text with what UTF-8 cannot say, such as half of a surrogate pair, replaced by a question mark.

    >>> utf8_safe("caf\udce9")
    'caf?'
    """
    return text if text.isascii() else text.encode(errors="replace").decode()


def printable(text: str) -> str:
    r"""A text as a terminal may show it: without control characters, which could move its cursor or rename its window.

    >>> printable("\x1b]0;owned\x07two\nlines\x9b2J")
    ']0;ownedtwo\nlines2J'
    """
    return utf8_safe("".join(each for each in text if each in "\n\t" or not (each < " " or "\x7f" <= each <= "\x9f")))
