"""Answers that are no arithmetic, however much they look like it: choices, yes and no, dates, times, addresses, versions, scores."""

from __future__ import annotations

import re

from uniscale_integrations.answers.calendar import date_of, time_of
from uniscale_integrations.answers.numbers import DOTTED_GROUPS, GERMAN
from uniscale_integrations.answers.plain import fold_wording
from uniscale_integrations.answers.question import About
from uniscale_integrations.answers.value import Value


def read_literal(text: str, hints: About) -> Value | None:
    """The value of a text in plain characters, where it is of such a kind.

    >>> from uniscale_integrations.answers.question import about
    >>> [read_literal(text, about("")).kind for text in ("(B)", "yes", "1 May 2020", "10:30", "192.168.0.1", "v3.10", "3-2")]
    ['choice', 'yes or no', 'date', 'time', 'address', 'version', 'score']
    """
    for reader in (_choice, _yes_or_no, _moment, _address, _version, _score):
        value = reader(text, hints)
        if value is not None:
            return value
    return None


_LETTER = re.compile(
    r"(?:(?:(?:the|la|le|el|die|der|a) )?(?:option|choice|answer|statement|letter|antwort|buchstabe|opción|respuesta|letra|opção"
    r"|resposta|alternativa"
    r"|réponse|choix|proposition|lettre|risposta|opzione|вариант|ответ|选项)\s*)?\(?([A-Z])\)?(?:[).:]\s*(\S.*))?",
    re.IGNORECASE,
)
_LETTER_BEHIND = re.compile(r"(\S.{0,80}?),? \(?(?:(?:option|choice|answer) )?\(?([A-Z])\)")
_OPTION_BEHIND = re.compile(r"(?:(?:option|choice|answer) )?\(?([A-Z])\)? \((.{1,80})\)", re.IGNORECASE)
_ROMANS = re.compile(
    r"(?:only )?(?:statements? )?(?:VI{0,3}|I{1,3}|IV|IX|X)(?:(?:, ?(?:and )?| and | & )(?:VI{0,3}|I{1,3}|IV|IX|X))*"
    r"(?: only)?(?: (?:is|are)(?: true| correct)?)?",
    re.IGNORECASE,
)
_LETTERS = re.compile(r"\(?[A-Z]\)?(?:(?:, ?(?:and |und |y |e |et )?| and | und | & | y | et )\(?[A-Z]\)?)+")


def _choice(text: str, hints: About) -> Value | None:
    if _LETTERS.fullmatch(text):
        return Value("choices", frozenset(re.findall(r"\b[A-Z]\b", text)))
    if _ROMANS.fullmatch(text) and (romans := re.findall(r"\b[IVX]+\b", text)) and (len(romans) > 1 or "only" in text.casefold()):
        return Value("choices", frozenset(romans))
    match = _LETTER.fullmatch(text)
    if match is not None and not (hints.interval and match[1] == "R"):
        letter = match[1].upper()
        letter_alone = text.startswith("(") or text.endswith(")") or letter in dict(hints.options)
        if letter_alone or match[1] == letter:
            return Value("choice", letter)
    return _of_options(text, hints) if hints.options else None


def _of_options(text: str, hints: About) -> Value | None:
    """The option that is named by its text, or by its text and its letter."""
    wording = fold_wording(text)
    letters = [letter for letter, option in hints.options if option == wording]
    if len(letters) == 1:
        return Value("choice", letters[0])
    for pattern, at, beside in ((_LETTER_BEHIND, 2, 1), (_OPTION_BEHIND, 1, 2)):
        match = pattern.fullmatch(text)
        if match and fold_wording(match[beside]) == dict(hints.options).get(match[at].upper()):
            return Value("choice", match[at].upper())
    return None


_YES = frozenset(["yes", "yep", "yeah", "ja", "oui", "sí", "si", "sim", "да", "是", "はい", "是的", "correct"])
_NO = frozenset(["no", "nope", "nein", "non", "não", "nao", "нет", "否", "いいえ", "不是", "incorrect"])


def _yes_or_no(text: str, hints: About) -> Value | None:
    first, _, rest = text.casefold().partition(",")
    first = first.strip(" .!")
    if first in _YES or first in _NO:
        return Value("yes or no", first in _YES)
    return Value("truth", first == "true") if first in ("true", "false") and not rest else None


def _moment(text: str, hints: About) -> Value | None:
    small = text.casefold().removeprefix("on ")
    day = date_of(small)
    if day is not None:
        return Value("number", day[0]) if hints.year and isinstance(day, tuple) else Value("date", day)
    time = time_of(small)
    return Value("time", time) if time is not None and not hints.score else None


_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:[:/][0-9]{1,5})?")
_TELEPHONE = re.compile(
    r"(?:\+|00|\(0?[0-9]{2,5}\) ?|0(?=[0-9]{2,4}[ /-]))[0-9][0-9 ()/.-]{5,20}[0-9]|[0-9]{3}[-. ][0-9]{3}[-. ][0-9]{4}"
)
_LINK = re.compile(r"(?:[a-z]+://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)


def _address(text: str, hints: About) -> Value | None:
    if _ADDRESS.fullmatch(text) or _LINK.fullmatch(text):
        return Value("address", text.casefold().rstrip("/"))
    if _TELEPHONE.fullmatch(text):
        return Value("telephone", re.sub(r"[^0-9+]", "", text))
    return None


_VERSION_NUMBER = re.compile(
    r"(?:([A-Za-z][\w+#.-]*) )?(?:version )?v? ?([0-9]+(?:\.[0-9]+)*(?:[-.]?(?:rc|beta|alpha|b|a)[0-9]*)?)\+?", re.IGNORECASE
)
_DOTTED_VERSION = re.compile(r"(?:[A-Za-z][\w+#.-]* )?v ?[0-9]+(?:\.[0-9]+)+|[0-9]+(?:\.[0-9]+){2,}", re.IGNORECASE)


def _version(text: str, hints: About) -> Value | None:
    if hints.version and (match := _VERSION_NUMBER.fullmatch(text)) and (match[1] is None or "." in match[2]):
        name = (match[1] or "").casefold()
        name = "" if name in ("version", "release") else name
        return Value("version", match[2].casefold(), name, (match[2].casefold(),))
    if _DOTTED_VERSION.fullmatch(text) and not GERMAN.fullmatch(text) and not DOTTED_GROUPS.fullmatch(text):
        name, _, number = text.casefold().rpartition(" ")
        number = number.lstrip("v")
        return Value("version", number, name.removesuffix("v").strip(), (number,))
    return None


_SCORE_LINE = re.compile(r"([0-9]{1,4}) ?([-:/]) ?([0-9]{1,4})")
_RATIO = re.compile(r"([0-9]+) ?(?::|to) ?([0-9]+)")


def _score(text: str, hints: About) -> Value | None:
    match = _SCORE_LINE.fullmatch(text)
    if match and (hints.score or match[2] == "-"):
        return Value("score", (int(match[1]), int(match[3])))
    if match := _RATIO.fullmatch(text):
        return Value("ratio", (int(match[1]), int(match[2])))
    return None
