"""Texts that end an answer, where it comes in pieces."""

from __future__ import annotations

from collections.abc import Sequence


class Until:
    """Passes on what lies before the first of some texts, and holds back what may be the beginning of one.

    Args:
        stop: the texts.

    Example:
        >>> until = Until(["END"])
        >>> until("so be it. E"), until("very E"), until("ND and more"), until("more")
        ('so be it. ', 'Every ', '', '')
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(filter(None, stop))
        self._buffer = ""
        self._done = False

    def __call__(self, text: str) -> str:
        if self._done:
            return ""
        whole, self._buffer = self._buffer + text, ""
        before = until(whole, self._stop)
        if len(before) < len(whole):
            self._done = True
            return before
        overlap = max((size for end in self._stop for size in range(1, len(end)) if whole.endswith(end[:size])), default=0)
        if overlap:
            whole, self._buffer = whole[:-overlap], whole[-overlap:]
        return whole


def until(text: str, stop: Sequence[str]) -> str:
    """The text up to the first of those that end it."""
    ends = [place for end in stop if end and (place := text.find(end)) >= 0]
    return text[: min(ends)] if ends else text
