"""Cutting whole answers into steps, and telling whether a model went on where it was told to."""

from __future__ import annotations


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
    told, before = reply.lstrip(), prefix.strip()
    if before and told.startswith(before):
        return told[len(before) :].lstrip("\n")
    first = next((line.strip() for line in before.splitlines() if line.strip()), "")
    # A short first line, such as a number, may well be said again.
    if len(first) >= 8 and told.startswith(first) and before != first:
        return None
    return reply
