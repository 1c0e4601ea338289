"""Cutting whole answers into steps, and telling whether a model went on where it was told to."""

from __future__ import annotations

LONG_ENOUGH = 8
"""Characters of a first line that nobody says twice by chance."""


def cut(text: str, delimiter: str) -> tuple[str, ...]:
    r"""The steps of a whole answer, each with the delimiter that ends it; blank ones are part of the step before.

    Example:
        >>> cut("3 + 4 = 7\n\nAnswer: 7", "\n")
        ('3 + 4 = 7\n\n', 'Answer: 7')
    """
    steps: list[str] = []
    for piece in text.split(delimiter):
        if piece.strip() or not steps:
            steps.append(piece)
        else:
            steps[-1] += delimiter + piece
    return (*(step + delimiter for step in steps[:-1]), steps[-1])


def continued(prefix: str, reply: str) -> str | None:
    r"""What a reply adds to a partial answer.

    Some models say the partial answer again before they go on, and some begin a new one.

    Returns:
        the addition, or `None` where the model began anew.

    Example:
        >>> continued("3 + 4 = 7\n", "3 + 4 = 7\nAnswer: 7"), continued("3 + 4 = 7\n", "First, 3 + 4 = 7.")
        ('Answer: 7', 'First, 3 + 4 = 7.')
        >>> continued("First, 3 + 4 = 7.\nThen 7 - 2 = 5.\n", "First, 3 + 4 = 7.") is None
        True
    """
    told, before = reply.strip(), prefix.strip()
    first = before.splitlines()[0].strip() if before else ""
    # A short first line, such as a number, may well be said again.
    anew = len(first) >= LONG_ENOUGH and told.startswith(first)
    if before and told.startswith(before) and (told != before or not anew):
        return reply.lstrip()[len(before) :].lstrip("\n")
    return None if anew else reply
