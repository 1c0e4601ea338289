r"""What a step is: a unit of reasoning, told from a text as it is written.

A unit's end must not depend on what comes after it. Where it did, stopping there to choose between candidates would change what a model
says: a second draw of what had been looked at beforehand is no longer a draw of the model's own distribution. So what a unit lacks is
joined to it from behind, never from the front: a line ending in a colon stays open for the list that it announces, a fence for its
code, a heading for what it heads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, Protocol

LONG_UNIT = 600
"""Characters after which a list is no longer one unit: each of its items may end one."""

_WORD = re.compile(r"[^\W_]")
_OPENING = re.compile(r"[`~\\]|\$\$")
_FENCE = re.compile(r"\s*(`{3,}(?!`)|~{3,}(?!~))([^`]*)$")
_HEADING = re.compile(r"\s*(?:#{1,6}\s.*|\*\*[^*]+\*\*:?)\s*$")
_ITEM = re.compile(r"\s*[-*+\N{BULLET}]\s+\S|(?:\s{2,}|\t)\S")
_MARKER = re.compile(r"\s*(?:[-*+\N{BULLET}]|\(?(?:\d{1,4}|[A-Za-z])[.)])\s*$")
_BEGIN = re.compile(r"\\begin\{(\w+\*?)\}")
_OPEN_ENDED = (":", ",", "=", "\N{FULLWIDTH COLON}")
_EMPHASIS = " \t*_`"


class Unit(Protocol):
    """A unit while it is read, piece by piece."""

    @property
    def complete(self) -> bool:
        """Whether what was read so far is a unit."""
        ...

    def after(self, piece: str) -> Unit:
        """The unit with one more piece, which holds the delimiter at its end and nowhere else; in time linear in the piece."""
        ...


class Segmenter(Protocol):
    r"""Tells where steps end.

    Example:
        >>> first = Units().begin().after("There are two:\n")
        >>> first.complete, first.after("- one\n").after("- two\n").after("\n").complete
        (False, True)
    """

    @property
    def delimiter(self) -> str:
        """The text without which no unit ends, but with the answer."""
        ...

    def begin(self) -> Unit:
        """A unit of which nothing was read yet."""
        ...


@dataclass(frozen=True, slots=True)
class Lines:
    r"""Every line that says anything is a step, as in the embedded family's answers.

    Args:
        delimiter: another text that ends a line.

    Example:
        >>> cut("3 + 4 = 7\n\nAnswer: 7", Lines())
        ('3 + 4 = 7\n\n', 'Answer: 7')
    """

    delimiter: str = "\n"

    def begin(self) -> Unit:
        """As of `Segmenter`."""
        return _Line(self.delimiter)


class _Line(NamedTuple):
    delimiter: str
    complete: bool = False

    def after(self, piece: str) -> _Line:
        return _Line(self.delimiter, self.complete or bool(piece.removesuffix(self.delimiter).strip()))


@dataclass(frozen=True, slots=True)
class Units:
    r"""Steps of prose, markdown and LaTeX, as instruction models write them.

    A unit ends with a line that says something and leaves nothing open. Left open are code fences, displayed equations (`\[`, `$$`,
    `\begin{...}`), headings, list markers and punctuation on a line of their own, lines that end in a colon, a comma or an equals sign, and
    lists and tables that a colon or a row has begun, up to the blank line after them.

    Example:
        >>> cut("Add them:\n\\[\n3 + 4 = 7\n\\]\nSo it is **7**.\n\nSources: none", Units())
        ('Add them:\n\\[\n3 + 4 = 7\n\\]\n', 'So it is **7**.\n\n', 'Sources: none')
    """

    delimiter = "\n"

    def begin(self) -> Unit:
        """As of `Segmenter`."""
        return _Prose()


class _Prose(NamedTuple):
    """What is known of a unit of prose.

    Attributes:
        complete: whether it is one.
        closing: the text that closes what is open; while there is one, nothing else counts.
        spoke: whether anything was said.
        listing: whether items may follow.
        items: whether one did.
        size: characters so far.
    """

    complete: bool = False
    closing: str = ""
    spoke: bool = False
    listing: bool = False
    items: bool = False
    size: int = 0

    def after(self, piece: str) -> _Prose:
        # Written for speed: an answer may have tens of thousands of lines, all of which the event loop waits for.
        line = piece.rstrip()
        _, closing, has_words, listing, items, size = self
        if not line and not items and not self.complete:
            return self
        says = _says(line)
        has_words, size = has_words or says, size + len(piece)
        if closing:
            ends = line.strip().startswith(closing) if closing[0] in "`~" else closing in line
            return _Prose(ends and has_words, "" if ends else closing, has_words, listing, items, size)
        if not line:
            return _Prose(has_words and items, "", has_words, listing, items, size)
        if closing := _closing_of(line):
            return _Prose(False, closing, has_words, listing, items, size)
        if not says or _MARKER.match(line) or _HEADING.match(line):
            return _Prose(False, "", has_words, listing, items, size)
        end = line.rstrip(_EMPHASIS)
        if end.endswith(_OPEN_ENDED):
            return _Prose(False, "", has_words, end.endswith((":", "\N{FULLWIDTH COLON}")), items, size)
        row = line.lstrip().startswith("|")
        if (row or (listing and _ITEM.match(line))) and size < LONG_UNIT:
            return _Prose(False, "", has_words, True, True, size)
        return _Prose(True, "", has_words, listing, items, size)


def _says(text: str) -> bool:
    """Whether a text says anything: has a letter or a digit."""
    return _WORD.search(text) is not None


def _closing_of(line: str) -> str:
    """The text that will close what a line leaves open; empty where it leaves nothing open."""
    if not _OPENING.search(line):
        return ""
    if fence := _FENCE.match(line):
        return fence[1]
    if line.count("$$") % 2:
        return "$$"
    if line.rfind("\\[") > line.rfind("\\]"):
        return "\\]"
    environment = _BEGIN.match(line, line.rfind("\\begin{")) if "\\begin{" in line else None
    if environment and line.find(end := f"\\end{{{environment[1]}}}", environment.end()) < 0:
        return end
    return ""


class Boundary:
    r"""Finds the end of the first unit of a text that comes in pieces.

    Example:
        >>> boundary = Boundary(Units())
        >>> boundary("One"), boundary(" line.\n\nTw")
        (False, True)
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self._delimiter, self._unit, self._piece = segmenter.delimiter, segmenter.begin(), ""

    @property
    def rest(self) -> str:
        """What lies behind the last delimiter, or behind the unit's end once it is complete."""
        return self._piece

    def __call__(self, text: str) -> bool:
        """Whether the unit is complete with this text; nothing may follow once it is."""
        self._piece += text
        while not self._unit.complete and self._delimiter in self._piece:
            piece, _, self._piece = self._piece.partition(self._delimiter)
            self._unit = self._unit.after(piece + self._delimiter)
        return self._unit.complete


def cut(text: str, segmenter: Segmenter, limit: int | None = None) -> tuple[str, ...]:
    r"""The steps of a whole answer, in time linear in its length; joined they are the answer again.

    Blank lines belong to the unit before them, and so does an end that says nothing.

    Args:
        text: the answer.
        segmenter: tells where steps end.
        limit: most steps; the last one is what is left then.

    Example:
        >>> cut("one\ntwo\n\n\nthree\n---", Lines(), limit=2)
        ('one\n', 'two\n\n\nthree\n---')
    """
    steps: list[list[str]] = []
    unit, pending = segmenter.begin(), list[str]()
    pieces = _pieces(text, segmenter.delimiter)
    for place, piece in enumerate(pieces):
        if steps and not pending and not piece.strip():
            steps[-1].append(piece)
            continue
        if limit is not None and len(steps) == limit - 1:
            pending += pieces[place:]
            break
        pending.append(piece)
        unit = unit.after(piece)
        if unit.complete and piece.endswith(segmenter.delimiter):
            steps.append(pending)
            unit, pending = segmenter.begin(), []
    if not steps or any(map(_says, pending)):
        steps.append(pending)
    else:
        steps[-1] += pending
    return tuple(map("".join, steps))


def _pieces(text: str, delimiter: str) -> list[str]:
    """A text in pieces, each with the delimiter at its end, the last one perhaps without."""
    pieces = text.split(delimiter)
    rest = pieces.pop()
    ended = [piece + delimiter for piece in pieces]
    return [*ended, rest] if rest else ended
