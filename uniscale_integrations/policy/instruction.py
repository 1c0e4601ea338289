"""Where a long prompt asks: what tells kinds of requests apart in prompts that carry documents.

Prompts of retrieval-augmented generation, summaries and extraction hold pages of text and a line that says what to do with it. Word
statistics of the whole are those of the pages, alike for all that is asked of them. The line stands at the beginning or the end.
"""

from __future__ import annotations

import re

from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.lexical import ASKING, NAMES, TELLING, lexical_features, vocabulary

LONG = 1000
"""Characters up to which a text is all question."""

PART = 400
"""Characters of the first and the last paragraph that are looked at."""

SPARE = 50
"""Characters beside them, of a blank line and of labels."""

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_QUESTION_MARK = re.compile("[?\uff1f\u061f](?:\\W|$)")
_PIECES = re.compile("(?<=[.!?:\u3002\uff1f\uff01])\\s+|\n")
_FIRST_WORD = re.compile(r"\W*([^\W\d_]+)")
_LABEL = re.compile(r"\n\W*\w[\w' ]{0,30}:\W*$")
"""A last line such as "Answer:", after which the model is to go on."""

_BEGINNINGS = (
    ASKING
    | TELLING
    | vocabulary(
        "is are does do did can could should would please question q task instruction instructions query extract answer fix classify "
        "return read compare convert identify tell name rewrite refactor review use based according analyze analyse tldr tl"
    )
)
"""First words of questions and commands."""

OF_ALL = tuple(map(NAMES.index, ("characters", "lines")))
"""Features that tell how long a text is."""

MOST_OF_ALL = tuple(map(NAMES.index, ("signs of code", "signs of mathematics")))
"""Features that tell what else than prose is in a text."""


def instruction(text: str) -> str:
    r"""The part of a text that says what is asked: the text itself, and of a long one its first paragraph, its last one, or both.

    Of the two it is the one that has a question mark or begins as questions and commands do; both where each does or neither.

    Args:
        text: of any length; what lies between the first and the last paragraph is not looked at.

    Example:
        >>> document = "The council met on Tuesday. It was late. " * 50
        >>> instruction(f"{document}\n\nWhat was decided?")
        'What was decided?'
        >>> instruction("What is 2 + 2?")
        'What is 2 + 2?'
    """
    if len(text) <= LONG:
        return text
    text = text.strip()
    first, last = _beginning(text[: PART + SPARE]), _end(text[-PART - SPARE :])
    if _asks(first) == _asks(last):
        return f"{first}\n{last}"
    return first if _asks(first) else last


def _beginning(text: str) -> str:
    """The first paragraph; of a long one its sentences up to the first that asks."""
    paragraph, *more = _BLANK_LINE.split(text, maxsplit=1)
    return (paragraph if more else _up_to_what_asks(paragraph, 1))[:PART].strip()


def _end(text: str) -> str:
    """The last paragraph; of a long one its sentences from the last that asks on."""
    while (label := _LABEL.search(text)) is not None:
        text = text[: label.start()]
    *more, paragraph = _BLANK_LINE.split(text.strip())
    return (paragraph if more else _up_to_what_asks(paragraph, -1))[-PART:].strip()


def _up_to_what_asks(text: str, direction: int) -> str:
    """Sentences and lines from the first on, or from the last one back, up to one that asks; without one all that are whole."""
    pieces = [piece for piece in _PIECES.split(text)[::direction] if piece.strip()]
    asking = next((place for place, piece in enumerate(pieces[:-1]) if _asks(piece)), max(0, len(pieces) - 2))
    return "\n".join(pieces[: asking + 1][::direction])


def features_of_prompt(text: str) -> tuple[Array, Array]:
    r"""Features of a prompt, and those of its `instruction` alone, each of the shape (len(NAMES),).

    They are the same up to `LONG` characters. Of a longer prompt the first are those of its instruction but for its length, and both have
    the signs of code and mathematics that are in the whole.

    Example:
        >>> whole, part = features_of_prompt("def f(x): return [x]\n" * 100 + "\n\nWhat does f do?")
        >>> for name, of_whole, of_part in zip(NAMES, whole.round(1).tolist(), part.round(1).tolist()):
        ...     if name in ("characters", "signs of code", "asks at once"):
        ...         print(name, of_whole, of_part)
        characters 2.5 -3.3
        signs of code 4.8 4.8
        asks at once 2.6 2.6
    """
    part = instruction(text)
    features = lexical_features(part)
    if part is text:
        return features, features
    whole = lexical_features(text)
    for place in MOST_OF_ALL:
        features[place] = max(features[place], whole[place])
    of_prompt = features.copy()
    of_prompt[list(OF_ALL)] = whole[list(OF_ALL)]
    return of_prompt, features


def _asks(paragraph: str) -> bool:
    word = _FIRST_WORD.match(paragraph)
    return bool(_QUESTION_MARK.search(paragraph)) or (word is not None and word[1].lower() in _BEGINNINGS)
