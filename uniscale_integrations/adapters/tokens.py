"""Tokens of a text for whoever only has to count them, without a tokenizer that would have to be fetched."""

from __future__ import annotations

from zlib import crc32

CHARACTERS = 4
"""Of a token, about, in text of the languages and kinds that models are asked in most."""


def token_ids(text: str) -> list[int]:
    """Numbers that stand for the tokens of a text and its end, about as many as a tokenizer makes of it; equal pieces have equal ones.

    Example:
        >>> len(token_ids("How many tokens is this?")), len(token_ids(""))
        (7, 1)
    """
    return [
        crc32(text[place : place + CHARACTERS].encode(errors="surrogatepass")) for place in range(0, len(text) + 1, CHARACTERS)
    ]
