"""From the text of a path to its answer, and when two answers are the same."""

from __future__ import annotations

import re

from uniscale_integrations.search.mathematics import equal_mathematics
from uniscale_integrations.search.normal_form import normalise_answer, parse_structure

__all__ = ["extract_answer", "normalise_answer", "same_answer"]

LONGEST_BARE_ANSWER = 40
"""Characters up to which a last line without a number is taken for an answer."""

_BRACE = re.compile(r"(?P<box>\\f?boxed\s*\{)|\\.|[{}]")
_HASHES = re.compile(r"^\s*####[ \t]*(\S.*)$", re.MULTILINE)
_LABELLED = re.compile(r"\banswer\b[*_`]*\s*(?:is\b\s*:?|:)[*_`]*\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_SENTENCE_END = re.compile(r"(?:(?<=[0-9)\]$*%])|(?<=[a-z]{3}))[.!]\s+(?=[A-Z])")
_FENCED = re.compile(r"```\w*\s*(.*?)\s*```", re.DOTALL)
_NUMBER = re.compile(
    r"(?<!\w)(?:(?<!\))[-\N{MINUS SIGN}])?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)(?:/[0-9]+)?%?"
)
_EMPHASIS = re.compile(r"(\*\*|__|`)(.+?)\1")


def extract_answer(text: str) -> str | None:
    r"""The answer that a text ends with.

    In this order: the whole text where it is a JSON object or list; the last `\boxed{...}` with balanced braces; the last line
    "#### x", unless a labelled answer follows it; the last "Answer: x", "Final answer: x" or "the answer is x", in bold or not; a
    fenced JSON object or list; the last number in the last line; the last line itself where it is short.

    Args:
        text: the whole text of a path.

    Returns:
        The answer as it was written, or `None` where there is none.

    Example:
        >>> extract_answer("3 + 4 = 7\n**Final answer:** 7 apples.")
        '7 apples'
        >>> extract_answer(r"so it is \boxed{\frac{1}{2}} in all")
        '\\frac{1}{2}'
        >>> extract_answer("That makes 1,234 or so") , extract_answer("Paris"), extract_answer("")
        ('1,234', 'Paris', None)
    """
    return _whole(text) or _boxed(text) or _marked(text) or _structured(text) or _last_line(text)


def same_answer(left: str, right: str) -> bool:
    """Whether two answers are the same: in normal form, or as mathematics where math-verify is installed.

    Never raises; what cannot be compared is not the same.

    Example:
        >>> same_answer("$1,234$", "1234.0"), same_answer("12 km", "12 miles")
        (True, False)
    """
    left, right = normalise_answer(left), normalise_answer(right)
    return left == right or equal_mathematics(left, right) is True


def _boxed(text: str) -> str | None:
    if "boxed" not in text:
        return None
    last, answer = -1, None
    opened: list[int] = []
    for token in _BRACE.finditer(text):
        if token["box"]:
            opened.append(token.end())
        elif token[0] == "{":
            opened.append(-1)
        elif token[0] == "}" and opened:
            start = opened.pop()
            content = text[start : token.start()].strip() if start > last else ""
            if content:
                last, answer = start, content
    return answer


def _marked(text: str) -> str | None:
    if "#" not in text and "answer" not in text.lower():
        return None
    hashes, labelled = _last(_HASHES, text), _last(_LABELLED, text)
    if hashes is not None and (labelled is None or labelled.start() < hashes.end()):
        label = _LABELLED.search(hashes[1])
        return _cleaned(label[1] if label else hashes[1])
    if labelled is None:
        return None
    rest = text[labelled.start(1) :].strip()
    if rest[0] in "{[" and parse_structure(rest) is not None:
        return rest
    return _cleaned(_SENTENCE_END.split(labelled[1])[0])


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = None
    for match in pattern.finditer(text):
        last = match
    return last


def _cleaned(answer: str) -> str | None:
    """Without emphasis, whole or torn, and without the full stop."""
    answer = _EMPHASIS.sub(r"\2", answer.strip().rstrip("."))
    for mark in ("**", "__"):
        answer = answer.strip().removeprefix(mark).removesuffix(mark)
    return answer.strip().rstrip(".").strip() or None


def _whole(text: str) -> str | None:
    """The text where it is JSON; what its strings say is a part of the answer, not the answer."""
    whole = text.strip()
    return whole if whole[:1] in ("{", "[") and parse_structure(whole) is not None else None


def _structured(text: str) -> str | None:
    fenced = _last(_FENCED, text) if "```" in text else None
    return fenced[1] if fenced and parse_structure(fenced[1]) is not None else None


def _last_line(text: str) -> str | None:
    lines = text.strip().splitlines()
    if not lines:
        return None
    line = lines[-1].strip()
    numbers = _NUMBER.findall(line)
    if numbers:
        return str(numbers[-1])
    return _cleaned(line) if len(line) <= LONGEST_BARE_ANSWER and re.search(r"\w", line) else None
