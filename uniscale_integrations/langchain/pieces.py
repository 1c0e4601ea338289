"""A streamed answer put together again, for whoever judges the whole of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langchain_core.runnables import Runnable

VALUES = "values"
"""The stream mode of a graph of LangGraph that gives its whole state, of which the last is its answer."""


class Pieces:
    """The pieces of one answer, and what they come to.

    Pieces of most chains add up. Those of a graph, as agents are, do not, depending on its `stream_mode`; so its state is asked for beside
    what the caller wants to see, and kept from them.

    Args:
        chain: gives the answer.
        arguments: that it is streamed with.

    Attributes:
        arguments: that it is to be streamed with.
        whole: the answer so far.
    """

    def __init__(self, chain: Runnable[Any, Any], arguments: Mapping[str, Any]) -> None:
        self.arguments, self.whole = dict(arguments), None
        self._subgraphs = bool(arguments.get("subgraphs"))
        modes = arguments.get("stream_mode") or getattr(chain, "stream_mode", None)
        self._graph = modes is not None
        self._several = not isinstance(modes, str)
        self._modes = [modes] if isinstance(modes, str) else list(modes or ())
        if self._graph:
            self.arguments["stream_mode"] = [*self._modes, *([] if VALUES in self._modes else [VALUES])]

    def visible(self, piece: Any) -> Iterator[Any]:
        """What the caller is to see of a piece: the piece as the chain alone would stream it, or nothing."""
        if not self._graph:
            self.whole = piece if self.whole is None else _sum(self.whole, piece)
            yield piece
            return
        namespace, mode, data = self._parts(piece)
        if mode == VALUES and not namespace:
            self.whole = data
        if mode not in self._modes:
            return
        if self._several or isinstance(piece, Mapping):
            yield piece
        else:
            yield (namespace, data) if self._subgraphs else data

    def _parts(self, piece: Any) -> tuple[Any, Any, Any]:
        """The namespace, mode and data of a piece of a graph."""
        if isinstance(piece, Mapping):
            return piece.get("ns"), piece.get("type"), piece.get("data")
        return tuple(piece) if self._subgraphs else ((), *piece)


def sum_of_pieces(pieces: Iterable[Any]) -> Any:
    """What pieces add up to; `None` for none."""
    whole: Any = None
    for piece in pieces:
        whole = piece if whole is None else _sum(whole, piece)
    return whole


def _sum(whole: Any, piece: Any) -> Any:
    if isinstance(whole, (int, float, list, tuple)):
        # Each is what a parser has understood so far.
        return piece
    try:
        return whole + piece
    except TypeError:
        return piece
