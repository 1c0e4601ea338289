"""What an answer says, by its kind: a number with its unit, a choice, a set, an interval, a date, code, a text."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from uniscale_integrations.answers.compounds import read_compound
from uniscale_integrations.answers.formulae import reaction
from uniscale_integrations.answers.literals import read_literal
from uniscale_integrations.answers.normal_form import MAX_FOLD_LENGTH, normalise_answer, parse_structure
from uniscale_integrations.answers.numbers import read_number
from uniscale_integrations.answers.plain import closes_at, fold_wording, plain
from uniscale_integrations.answers.question import About, about
from uniscale_integrations.answers.value import Value

MAX_CODE_LENGTH = 4_000
"""Characters of code up to which its syntax tree is compared, and not how it is written."""

MAX_LENGTH = 400
"""Characters of an answer up to which its kind is looked for; what is longer is a text."""


def read_value(answer: str, question: str = "") -> Value:
    r"""What an answer says.

    Never raises, and takes time linear in the answer's length.

    Args:
        answer: as `extract_answer` gives it.
        question: that it answers, where it is known; it tells a version from a number, and which options there were.

    Example:
        >>> read_value("12 km").kind, read_value("(B)").key, read_value("3.10", "Which version?").kind
        ('number', 'B', 'version')
    """
    return read_values((answer,), question)[0]


def read_values(answers: Iterable[str], question: str = "") -> list[Value]:
    """`read_value` of each."""
    hints = about(question)
    return [_read(answer, hints) if len(answer) <= MAX_LENGTH else _long(answer) for answer in answers]


@lru_cache(maxsize=1024)
def _read(answer: str, hints: About) -> Value:
    try:
        return _of_kind(answer, hints)
    except (ValueError, OverflowError, RecursionError, MemoryError):
        # Numbers of thousands of digits, brackets in brackets in brackets: no answer that anybody gives.
        return Value("text", fold_wording(answer))


def _of_kind(answer: str, hints: About) -> Value:
    structure = parse_structure(answer.strip())
    if isinstance(structure, dict) or any(isinstance(each, (dict, list)) for each in structure or ()):
        return Value("json", normalise_answer(answer))
    if code := _code(answer):
        return code
    if matrix := _matrix(answer, hints):
        return matrix
    if "\n" in answer and (several := _items(answer, hints)):
        return several
    if sides := reaction(_unwrap(answer)):
        return Value("reaction", sides)
    text = _trim(plain(_unwrap(answer)))
    if not text:
        return Value("text", answer.strip())
    value = read_literal(text, hints) or read_number(text, hints) or read_compound(text, hints, _read)
    if value is None:
        return Value("text", _chemical(answer) or fold_wording(text))
    return replace(value, expression=_source(answer, value)) if value.expression and "\\" in answer else value


def _source(answer: str, value: Value) -> str:
    """An expression in the LaTeX in which it was written, which algebra reads best."""
    # math-verify leaves out what is set in another type, as if it were a unit.
    source = _WORDING.sub("", _unwrap(answer))
    return source.split("=", 1)[1].strip() if value.unit.endswith("=") and "=" in source else source


_WORDING = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt)?|math(?:rm|bf|it|sf|bb|cal)|operatorname|mbox|hbox|bm|boldsymbol)(?![a-zA-Z])\*?"
)
_CHEMICAL = re.compile(r"(?:[A-Z][a-z]?[0-9]{0,3}){2,12}[+-]?")


def _chemical(answer: str) -> str | None:
    """A chemical formula without what its digits are set in."""
    if not re.search(r"[₀-₉]|_|\\ce", answer):
        return None
    bare = re.sub(r"\\(?:text|mathrm|ce)|[{}_$\s]", "", unicodedata.normalize("NFKC", answer))
    return bare.casefold() if _CHEMICAL.fullmatch(bare) else None


_PLAIN_LANGUAGES = frozenset(["", "text", "txt", "plaintext", "output", "console", "bash", "sh", "shell", "latex", "math"])
_MATRIX = re.compile(r"(?:[A-Za-z]{1,3} ?= ?)?\\begin\{([bpvBV]?matrix)\}(.*)\\end\{\1\}", re.DOTALL)


def _matrix(answer: str, hints: About) -> Value | None:
    match = _MATRIX.fullmatch(_unwrap(answer)) if "matrix" in answer else None
    if match is None:
        return None
    rows = [row.split("&") for row in match[2].split("\\\\") if row.strip()]
    return Value("matrix", tuple(tuple(replace(_read(cell.strip(), hints), bare=()) for cell in row) for row in rows))


def _items(answer: str, hints: About) -> Value | None:
    """The list that numbered lines are, or the set that those with bullets are."""
    items = [ITEM.fullmatch(line) for line in answer.splitlines() if line.strip()]
    if len(items) < 2 or not all(items):
        return None
    values = [replace(_read(item[2], hints), bare=()) for item in items if item]
    return Value("set", frozenset(values)) if hints.unordered else Value("list", tuple(values))


def _long(answer: str) -> Value:
    if answer.strip()[:1] in ("{", "["):
        return Value("json", normalise_answer(answer))
    return _code(answer) or Value("text", answer if len(answer) > MAX_FOLD_LENGTH else fold_wording(answer))


ITEM = re.compile(r"[ \t]{0,9}(?:([0-9]{1,2})[.)]|[-*•]) {1,4}(\S.*)")
"""A numbered line, or one with a bullet."""

_FENCE = re.compile(r"\s*```([\w+-]*)[^\S\n]*\n(.*)```\s*", re.DOTALL)
_MARKS = ("**", "__", "$$", "$", "``", "`", "*", "_")
_LATEX_MARKS = ((r"\(", r"\)"), (r"\[", r"\]"))
_PREPOSITION = re.compile(r"(?:in|on|by|since|im jahr|en|em|в) (?=[0-9])", re.IGNORECASE)
_SORT = re.compile(r"(?:the )?(?:set|list|interval|point|number|value|ratio|vector|pair) (?=[⟨\[({0-9])", re.IGNORECASE)
_REMARK = re.compile(r"(?<=[0-9%a-z]) \([a-z]{3,20}(?:(?: |,|, )[a-z]{3,20}){0,5}\)$")
_APPROXIMATION = re.compile(
    r"(?:approximately|approx\.?|about|around|roughly|nearly|exactly|ca\.|circa|etwa|environ|≈|~) ", re.IGNORECASE
)


def _unwrap(answer: str) -> str:
    text = answer.strip()
    while True:
        inner = _without_end(text)
        if inner.startswith("\\boxed{") and inner.endswith("}"):
            inner = inner[len("\\boxed{") : -1].strip()
        for opening, closing in ((mark, mark) for mark in _MARKS):
            if len(inner) > 2 * len(opening) and inner.startswith(opening) and inner.endswith(closing):
                content = inner[len(opening) : -len(closing)]
                inner = content.strip() if opening not in content else inner
        for opening, closing in _LATEX_MARKS:
            if inner.startswith(opening) and inner.endswith(closing):
                inner = inner[len(opening) : -len(closing)].strip()
        if inner == text:
            return text
        text = inner


def _trim(text: str) -> str:
    text = _without_end(text)
    if text[:1] in "'\"" and len(text) > 2 and text[-1] == text[0] and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    if match := _APPROXIMATION.match(text) or _PREPOSITION.match(text):
        text = text[match.end() :]
    if match := _SORT.match(text):
        text = text[match.end() :]
    if match := _REMARK.search(text):
        text = text[: match.start()]
    while text.startswith("(") and text.endswith(")") and closes_at(text) == len(text) - 1 and "," not in text and len(text) > 3:
        text = text[1:-1].strip()
    return text


def _without_end(text: str) -> str:
    """Without what ends a sentence; a factorial stays."""
    ended = text.rstrip(" .;:,。")
    if ended.endswith("!") and not re.search(r"(?:[0-9)]|(?<![^\W_])[a-z])!+$", ended):
        ended = ended.rstrip("!").rstrip()
    return ended or text


def _code(answer: str) -> Value | None:
    match = _FENCE.fullmatch(answer)
    if match is None:
        return None
    language, body = match[1].casefold(), match[2]
    if language in _PLAIN_LANGUAGES and "\n" not in body.strip() and 0 < len(body) <= MAX_LENGTH:
        # One line says the same without a fence.
        return _python(body) or _read(body.strip(), about(""))
    if language in ("", "json"):
        structure = parse_structure(body.strip())
        if structure is not None:
            return Value("json", normalise_answer(body))
    if language in ("", "python", "py", "python3") and (code := _python(body, statements=False)):
        return code
    return Value("code", " ".join(body.split()))


def _python(body: str, *, statements: bool = True) -> Value | None:
    """Code by its syntax tree where it is Python, and more than an expression where that is asked for."""
    if len(body) > MAX_CODE_LENGTH or _ODD_NUMBER.search(body):
        return None
    try:
        tree = ast.parse(body.strip("\n"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if statements and (not tree.body or isinstance(tree.body[0], ast.Expr)):
        return None
    try:
        return Value("code", ast.dump(tree))
    except (RecursionError, ValueError):
        return None


_ODD_NUMBER = re.compile(r"[0-9](?:if|else|and|or|in|is|for|not)\b")
"""Python reads "1if" and warns of it, of each one."""
