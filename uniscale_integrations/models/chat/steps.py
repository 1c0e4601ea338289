"""Telling whether a model went on where it was told to, and with what."""

from __future__ import annotations

LONG_ENOUGH = 8
"""Characters of a first line that nobody says twice by chance."""


def continuation_text(prefix: str, reply: str, echoes: bool = False, trims: bool = False) -> str | None:
    r"""What a reply adds to a partial answer.

    Some servers say the partial answer again before they go on, so that at the end of an answer the reply is that and nothing else. Some
    models do so by themselves, and some begin a new answer.

    Args:
        prefix: the partial answer.
        reply: what came.
        echoes: whether the server is known to say the partial answer again.
        trims: whether its models are known to say white space at the end of the partial answer again, since they are not shown it.

    Returns:
        the addition, or `None` where the model began anew.

    Example:
        >>> continuation_text("3 + 4 = 7\n", "3 + 4 = 7\n\nAnswer: 7"), continuation_text("3 + 4 = 7\n", "First, 3 + 4 = 7.")
        ('\nAnswer: 7', 'First, 3 + 4 = 7.')
        >>> continuation_text("3 + 4 = 7\n", "3 + 4 = 7\n", echoes=True)
        ''
        >>> continuation_text("3 + 4 = 7\n", "\n\nAnswer: 7", trims=True)
        '\nAnswer: 7'
        >>> continuation_text("First, 3 + 4 = 7.\nThen 7 - 2 = 5.\n", "First, 3 + 4 = 7.") is None
        True
    """
    before, reply_text = prefix.strip(), reply.strip()
    if not before:
        return reply
    if echoes:
        return _after(prefix, reply) if reply_text.startswith(before) else None
    first = before.splitlines()[0].strip()
    # A short first line, such as a number, may well be said again.
    anew = len(first) >= LONG_ENOUGH and reply_text.startswith(first)
    if reply_text.startswith(before) and (reply_text != before or not anew or "\n" in before):
        # What begins anew and ends with its first line cannot be all of several.
        return _after(prefix, reply)
    if anew:
        return None
    return _without_end_of(prefix, reply) if trims else reply


def _after(prefix: str, reply: str) -> str:
    """A reply without the prefix that it begins with, whose outer white space the server may have left out."""
    if reply.startswith(prefix):
        return reply[len(prefix) :]
    return _without_end_of(prefix, reply.lstrip()[len(prefix.strip()) :])


def _without_end_of(prefix: str, rest: str) -> str:
    """What comes after a prefix, without the white space at the prefix's end where it begins with that."""
    for space in prefix[len(prefix.rstrip()) :]:
        rest = rest.removeprefix(space)
    return rest
