"""The values that a sentence names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from uniscale_integrations.answers.units import DIMENSIONS, UNITS
from uniscale_integrations.answers.value import Value
from uniscale_integrations.answers.values import read_value

MAX_WORDS = 6
"""Of a date, an amount or another value that is looked for in a sentence."""

WORDS = frozenset(["in", "a", "as", "at", "am", "b", "grad"])
"""Names of units that are words as well."""

MAX_VALUES = 8
"""Of a sentence that are looked at, the last ones."""


class Mention(NamedTuple):
    """A value where a text names it."""

    text: str
    value: Value


_SIGNED_NUMBER = re.compile("\\\\?[-+\N{MINUS SIGN}\N{EN DASH}~\N{ALMOST EQUAL TO}]?[$€£¥₹(]?[-\N{MINUS SIGN}]?[0-9.]*[0-9]")
_TYPES = frozenset(["date", "time", "version", "score", "ratio", "address", "telephone"])
_CJK = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
_CJK_DATE = re.compile(r"[0-9]{4} ?年(?: ?[0-9]{1,2} ?月)?(?: ?[0-9]{1,2} ?[日号])?|[0-9]{1,2} ?月 ?[0-9]{1,2} ?[日号]")
_BESIDE_CJK = re.compile(rf"(?<=[0-9%])(?={_CJK})(?![年月日号时時点])|(?<={_CJK})(?<![年月])(?=[0-9])")


def values_in(sentence: str) -> Iterator[Mention]:
    """The values that a sentence names, each as long as it goes."""
    if not re.search("[0-9]", sentence):
        return
    words = _BESIDE_CJK.sub(" ", _CJK_DATE.sub(lambda date: f" {date[0].replace(' ', '')} ", sentence)).split()
    starts = [place for place, word in enumerate(words) if _SIGNED_NUMBER.match(word) or _begins_value(words, place)][
        -MAX_VALUES:
    ]
    end = 0
    for start in starts:
        if start < end:
            continue
        for stop in range(min(len(words), start + MAX_WORDS), start, -1):
            text = " ".join(words[start:stop]).rstrip(".,;:!?").rstrip(")") if "(" not in words[start] else words[start]
            value = read_value(text)
            if _counts(value):
                end, text = _with_list(words, stop, text)
                yield Mention(text, read_value(text))
                break


def _with_list(words: list[str], stop: int, text: str) -> tuple[int, str]:
    """A value with those that follow it in a list, and where the list ends."""
    while stop < len(words):
        comma = words[stop - 1].endswith(",")
        after = stop + (words[stop].casefold() in _AND)
        if not (comma or after > stop) or after >= len(words) or not _counts(read_value(words[after].rstrip(".,;:!?"))):
            break
        text = f"{text}{',' * comma} {' '.join(words[stop : after + 1]).rstrip('.,;:!?')}"
        stop = after + 1
    return stop, text


_AND = frozenset(["and", "und", "y", "et", "e", "и"])


def _begins_value(words: list[str], place: int) -> bool:
    """Whether a word without a digit may begin a value: a month, or a currency."""
    word = words[place].casefold().strip(".,")
    follows = place + 1 < len(words) and words[place + 1][:1].isdigit()
    return follows and (word[:3] in _MONTHS or word in UNITS) and word not in WORDS


_MONTHS = frozenset("jan feb mar apr may jun jul aug sep oct nov dec ene abr ago dic fév avr mai jui aoû déc mär okt dez".split())  # noqa: SIM905


def _counts(value: Value) -> bool:
    if value.kind == "number":
        return measured(value) and ("=" not in value.unit)
    if value.kind in ("list", "set") and isinstance(value.key, Collection):
        return all(isinstance(item, Value) and item.kind == "score" for item in value.key)
    return value.kind in _TYPES


def measured(value: Value) -> bool:
    """Whether a number has no unit, or one that is measured in."""
    return not value.unit or value.unit in DIMENSIONS


def in_words(value: Value) -> bool:
    """Whether an answer is a text, or a list with one."""
    several = value.key if value.kind in ("list", "set") and isinstance(value.key, Collection) else ()
    return value.kind == "text" or any(isinstance(item, Value) and item.kind == "text" for item in several)


def of_a_kind(line: str) -> bool:
    """Whether a line is an answer as a whole, and not about one."""
    value = read_value(line)
    if value.kind in ("list", "set"):
        return not in_words(value)
    if value.kind == "expression":
        return _DEFINITION.fullmatch(line) is not None
    return value.kind not in ("text", "json", "choice")


_DEFINITION = re.compile(r"[^=]*|[a-zA-Z]'{0,2}(?:\w|\([a-z]\))? ?= ?[^=]*")
