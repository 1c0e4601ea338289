"""What an answer says, by its kind: a number with its unit, a choice, a set, an interval, a date, code, a text."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache

from uniscale_integrations.answers.arithmetic import value_of
from uniscale_integrations.answers.calendar import date_of, time_of
from uniscale_integrations.answers.normal_form import LONGEST_FOLDED, normalise_answer, parse_structure
from uniscale_integrations.answers.plain import CLOSE, OPEN, plain
from uniscale_integrations.answers.units import CURRENCIES, unit

LONGEST = 400
"""Characters of an answer up to which its kind is looked for; what is longer is a text."""

LONGEST_QUESTION = 4_000
"""Characters at the end of a question that are read."""

MOST_ITEMS = 60
"""Of a list or a set."""


@dataclass(frozen=True, slots=True)
class Value:
    """What an answer says.

    Attributes:
        kind: of what sort it is.
        key: what all that say the same share.
        unit: what it is measured in, or the name that it has; empty for neither.
        bare: keys, of answers of its kind without a unit, that say the same where nothing else does.
        expression: in LaTeX, where only algebra can tell what else is the same.
    """

    kind: str
    key: Hashable
    unit: str = ""
    bare: tuple[Hashable, ...] = ()
    expression: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class About:
    """What a question says about how its answers are to be read; there is one of each, which is told by its identity."""

    percent: bool = False
    version: bool = False
    score: bool = False
    interval: bool = False
    comma: bool = False
    options: tuple[tuple[str, str], ...] = ()


_PERCENT = re.compile(r"per ?cent|%|prozent|pour ?cent|por ?ci?ento|процент|百分|パーセント")
_VERSION = re.compile(r"\bversion|\brelease|versión|versão|версия|版本|バージョン")
_SCORE = re.compile(r"\bmatch\b|\bscore\b|\bgame end|of how many|out of how|spiel|partido|jogo|счёт|счет|比分")
_INTERVAL = re.compile(r"for (?:which|what) [a-z]\b|interval|domain|\brange\b|inequalit|intervall|für welche|区间")
_COMMA = re.compile(r"\b(?:wie|wieviel|welche[rs]?|combien|quel(?:le)?s?|cuánt[oa]s?|cuál|quant[oa]s?|qual|ile)\b|сколько|как(?:ой|ая)")
_OPTION = re.compile(r"(?:^|[\s,;])\(?([A-Z])[).:]\s*([^()\n]{1,60}?)(?=[\s,;]*(?:\(?[A-Z][).:]\s|\n|$))")


_About = lru_cache(maxsize=1024)(About)


def about(question: str) -> About:
    """What a question, the end of a long one, says about its answers.

    Example:
        >>> about("Which city? (A) Rome (B) Oslo").options
        (('A', 'rome'), ('B', 'oslo'))
    """
    return _about(question[-LONGEST_QUESTION:])


@lru_cache(maxsize=256)
def _about(question: str) -> About:
    small = question.casefold()
    options = tuple((letter, _folded(text)) for letter, text in _OPTION.findall(question))
    return _About(
        _PERCENT.search(small) is not None,
        _VERSION.search(small) is not None,
        _SCORE.search(small) is not None,
        _INTERVAL.search(small) is not None,
        _COMMA.search(small) is not None,
        options if len(options) > 1 and len({letter for letter, _ in options}) == len(options) else (),
    )


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
    asked = about(question)
    return [_read(answer, asked) if len(answer) <= LONGEST else _long(answer) for answer in answers]


@lru_cache(maxsize=1024)
def _read(answer: str, asked: About) -> Value:
    structure = parse_structure(answer.strip())
    if isinstance(structure, dict) or any(isinstance(each, (dict, list)) for each in structure or ()):
        return Value("json", normalise_answer(answer))
    if code := _code(answer):
        return code
    text = _trimmed(plain(_unwrapped(answer)))
    if not text:
        return Value("text", answer.strip())
    for read in (_choice, _yes_or_no, _moment, _address, _version, _score, _number, _interval, _items, _equation, _algebra):
        value = read(text, asked)
        if value is not None:
            return value
    return _text(text, asked)


def _long(answer: str) -> Value:
    if answer.strip()[:1] in ("{", "["):
        return Value("json", normalise_answer(answer))
    return _code(answer) or Value("text", answer if len(answer) > LONGEST_FOLDED else _folded(answer))


# What stands around an answer.

_FENCE = re.compile(r"\s*```([\w+-]*)[^\S\n]*\n(.*)```\s*", re.DOTALL)
_MARKS = ("**", "__", "$$", "$", "``", "`", "*", "_")
_LATEX_MARKS = ((r"\(", r"\)"), (r"\[", r"\]"))
_PLACED = re.compile(r"(?:in|on|by|since|im jahr|en|em|в) (?=[0-9])", re.IGNORECASE)
_REMARK = re.compile(r"(?<=[0-9%a-z]) \((?:[a-z]{3,}[ ,]?){1,6}\)$")
_SAID = re.compile(r"(?:approximately|approx\.?|about|around|roughly|nearly|exactly|ca\.|circa|etwa|environ|≈|~) ", re.IGNORECASE)


def _unwrapped(answer: str) -> str:
    text = answer.strip()
    while True:
        inner = _unended(text)
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


def _trimmed(text: str) -> str:
    text = _unended(text)
    if text[:1] in "'\"" and len(text) > 2 and text[-1] == text[0] and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    if match := _SAID.match(text) or _PLACED.match(text):
        text = text[match.end() :]
    if match := _REMARK.search(text):
        text = text[: match.start()]
    while text.startswith("(") and text.endswith(")") and _closes_at(text) == len(text) - 1 and "," not in text and len(text) > 3:
        text = text[1:-1].strip()
    return text


def _unended(text: str) -> str:
    """Without what ends a sentence; a factorial stays."""
    ended = text.rstrip(" .;:,。")
    if ended.endswith("!") and not ended[:-1].rstrip("!")[-1:].isdigit():
        ended = ended.rstrip("!").rstrip()
    return ended or text


def _closes_at(text: str) -> int:
    """Where the parenthesis closes that a text begins with."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return place
    return -1


# Kinds. Each takes plain text and gives the value where it is of that kind.

_LETTER = re.compile(r"(?:(?:option|choice|answer|antwort|opción|opção|вариант|选项)\s*)?\(?([A-Z])\)?(?:[).:]\s*(\S.*))?", re.IGNORECASE)
_LETTERS = re.compile(r"\(?[A-Z]\)?(?:(?:, ?(?:and |und |y |e |et )?| and | und | & | y | et )\(?[A-Z]\)?)+")


def _choice(text: str, asked: About) -> Value | None:
    if _LETTERS.fullmatch(text):
        return Value("choices", frozenset(re.findall(r"\b[A-Z]\b", text)))
    match = _LETTER.fullmatch(text)
    if match is not None:
        letter = match[1].upper()
        marked = text.startswith("(") or letter in dict(asked.options)
        if marked or match[1] == letter:
            return Value("choice", letter)
    if asked.options:
        said = _folded(text)
        letters = [letter for letter, option in asked.options if option == said]
        if len(letters) == 1:
            return Value("choice", letters[0])
    return None


_YES = frozenset(["yes", "yep", "yeah", "ja", "oui", "sí", "si", "sim", "да", "是", "はい", "是的", "correct"])
_NO = frozenset(["no", "nope", "nein", "non", "não", "nao", "нет", "否", "いいえ", "不是", "incorrect"])


def _yes_or_no(text: str, asked: About) -> Value | None:
    first, _, rest = text.casefold().partition(",")
    first = first.strip(" .!")
    if first in _YES or first in _NO:
        return Value("yes or no", first in _YES)
    return Value("truth", first == "true") if first in ("true", "false") and not rest else None


def _moment(text: str, asked: About) -> Value | None:
    small = text.casefold().removeprefix("on ")
    day = date_of(small)
    if day is not None:
        return Value("date", day)
    time = time_of(small)
    return Value("time", time) if time is not None and not asked.score else None


_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:[:/][0-9]{1,5})?")
_TELEPHONE = re.compile(r"(?:\+|00|\(0?[0-9]{2,5}\) ?|0(?=[0-9]{2,4}[ /-]))[0-9][0-9 ()/.-]{5,20}[0-9]|[0-9]{3}[-. ][0-9]{3}[-. ][0-9]{4}")
_LINK = re.compile(r"(?:[a-z]+://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)


def _address(text: str, asked: About) -> Value | None:
    if _ADDRESS.fullmatch(text) or _LINK.fullmatch(text):
        return Value("address", text.casefold().rstrip("/"))
    if _TELEPHONE.fullmatch(text):
        return Value("telephone", re.sub(r"[^0-9+]", "", text))
    return None


_VERSION_NUMBER = re.compile(
    r"(?:([A-Za-z][\w+#-]*) )?(?:version )?v? ?([0-9]+(?:\.[0-9]+)*(?:[-.]?(?:rc|beta|alpha|b|a)[0-9]*)?)\+?", re.IGNORECASE
)
_DOTTED = re.compile(r"v ?[0-9]+(?:\.[0-9]+)+|[0-9]+(?:\.[0-9]+){2,}", re.IGNORECASE)


def _version(text: str, asked: About) -> Value | None:
    if asked.version and (match := _VERSION_NUMBER.fullmatch(text)) and (match[1] is None or "." in match[2]):
        name = (match[1] or "").casefold()
        name = "" if name in ("version", "release") else name
        return Value("version", match[2].casefold(), name, (match[2].casefold(),))
    if _DOTTED.fullmatch(text) and not _GERMAN.fullmatch(text) and not _DOTTED_GROUPS.fullmatch(text):
        return Value("version", text.casefold().lstrip("v "))
    return None


_SCORED = re.compile(r"([0-9]{1,4}) ?([-:/]) ?([0-9]{1,4})")
_RATIO = re.compile(r"([0-9]+) ?(?::|to) ?([0-9]+)")


def _score(text: str, asked: About) -> Value | None:
    match = _SCORED.fullmatch(text)
    if match and (asked.score or match[2] == "-"):
        return Value("score", (int(match[1]), int(match[3])))
    if match := _RATIO.fullmatch(text):
        return Value("ratio", (int(match[1]), int(match[2])))
    return None


_SPACED = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:[ '_][0-9]{3})+(?![0-9])")
_GROUPED = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,]|\.[0-9]+,)")
_INDIAN = re.compile(r"(?<![0-9.,])[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?![0-9,])")
_GERMAN = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?|[0-9]+,[0-9]+")
_DOTTED_GROUPS = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,}(?![0-9.])")
_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_SIGN = "[" + re.escape(CURRENCIES) + "]"
_MEASURED = re.compile(
    rf"([-+]?) ?({_SIGN}|us\$)? ?([-+]?)({_NUMBER}(?:e[-+]?[0-9]{{1,4}}(?![0-9a-z]))?(?: ?/ ?{_NUMBER})?|[0-9]+ [0-9]+ ?/ ?[0-9]+"
    rf"|(?:{_NUMBER} ?\*? ?)?10 ?\^ ?[-+]?[0-9]{{1,4}}|(?:{_NUMBER} ?\* ?)10 ?\^ ?\([-+]?[0-9]{{1,4}}\))"
    rf"(?: ?(-?[^0-9=<>+*^()/{OPEN}{CLOSE},.;:\[\]|-][^0-9=<>+*(),;:\[\]]{{0,40}}(?:\^[23])?))?",
    re.IGNORECASE,
)
_SCALES = {"hundred": 2, "thousand": 3, "k": 3, "million": 6, "mio": 6, "billion": 9, "bn": 9, "trillion": 12, "万": 4, "亿": 8}
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: Fraction(number) for number, word in enumerate(_ONES.split())} | {
    word: Fraction(10 * number) for number, word in enumerate(_TENS.split(), 2)
}
_FRACTIONS = {
    "half": Fraction(1, 2), "one half": Fraction(1, 2), "a half": Fraction(1, 2), "a third": Fraction(1, 3), "one third": Fraction(1, 3),
    "two thirds": Fraction(2, 3), "a quarter": Fraction(1, 4), "one quarter": Fraction(1, 4), "three quarters": Fraction(3, 4),
}  # fmt: skip


def _number(text: str, asked: About) -> Value | None:
    said = _INDIAN.sub(_digits, _GROUPED.sub(_digits, _SPACED.sub(_digits, text)))
    said = _DOTTED_GROUPS.sub(lambda found: found[0].replace(".", ""), said)
    if asked.comma or re.search(r"[0-9]\.[0-9]{3},[0-9]", said):
        said = _GERMAN.sub(lambda found: found[0].replace(".", "").replace(",", "."), said) if "," in said else said
    match = _MEASURED.fullmatch(said)
    if match is None:
        return _in_words(said) or _computed(said)
    sign, currency, other_sign, number, name = match.groups()
    value = _read_number(number)
    if value is None or (sign and other_sign):
        return None
    value = -value if "-" in (sign, other_sign) else value
    return _measured(value, currency or "", (name or "").strip(), asked) or _computed(said)


def _measured(value: Fraction, currency: str, name: str, asked: About) -> Value | None:
    word, _, rest = name.partition(" ")
    if word.casefold() in _SCALES:
        value, name = value * 10 ** _SCALES[word.casefold()], rest
    if currency and name and unit(name).dimension != unit(currency).dimension:
        if len(name.split()) > 3:
            return None
        name = ""
    if not currency and not name:
        return Value("number", _exact(value))
    if name and not _names_a_unit(name):
        return None
    measure = unit(currency or name)
    base = value * measure.factor
    if measure.dimension == "percent":
        return Value("number", base, "percent", (base / 100, *((base,) if asked.percent else ())))
    return Value("number", _exact(base), measure.dimension, (_exact(value),))


def _exact(value: Fraction) -> Fraction | int:
    """The same number in the form that is hashed sooner."""
    return value.numerator if value.denominator == 1 else value


def _names_a_unit(name: str) -> bool:
    """Whether a few words may say what was counted, rather than go on with a sentence."""
    words = name.split()
    if len(words) > 4 or any(word.casefold() in _NO_UNIT for word in words):
        return False
    return all(word[0].isalpha() for word in words) or unit(name).dimension != name


_NO_UNIT = frozenset(
    "and or is are was not but so because which that the see if then und oder ist y o es et ou est и или".split()  # noqa: SIM905
)


def _digits(found: re.Match[str]) -> str:
    return re.sub("[ ,'_]", "", found[0])


def _read_number(number: str) -> Fraction | None:
    mixed = re.fullmatch(r"([0-9]+) ([0-9]+) ?/ ?([0-9]+)", number)
    if mixed:
        whole, over, under = (int(part) for part in mixed.groups()) if len(number) < 60 else (0, 0, 0)
        return whole + Fraction(over, under) if under else None
    return value_of(re.sub(r"(?<=[0-9]) +(?=10 ?\^)", "*", number))


def _in_words(text: str) -> Value | None:
    said = text.casefold().replace("-", " ")
    if said in _FRACTIONS:
        return Value("number", _FRACTIONS[said])
    first, *others = said.split() or [""]
    total = _WORDS.get(first)
    if total is None:
        return None
    if others and total >= 20 and others[0] in _WORDS and 0 < _WORDS[others[0]] < 10:
        total += _WORDS[others.pop(0)]
    while others and others[0] in ("hundred", "thousand", "million"):
        total *= 10 ** _SCALES[others.pop(0)]
    if not others:
        return Value("number", _exact(total))
    name = " ".join(others)
    if len(others) > 2 or not _names_a_unit(name) or others[0] in _WORDS:
        return None
    measure = unit(name)
    return Value("number", total * measure.factor, measure.dimension, (total,))


def _computed(text: str) -> Value | None:
    """A number that is written as arithmetic."""
    value = value_of(text) if re.search(r"[0-9]", text) and not text.startswith("+-") else None
    return None if value is None else Value("number", _exact(value))


_END = r"[-+]? ?(?:inf|[0-9./]+|[a-z0-9./*^()]*sqrt\([0-9]+\)|pi)"
_BETWEEN = re.compile(rf"(?:([a-z]) in )?([\[(\]]) ?({_END}) ?[,;] ?({_END}) ?([\])\[])", re.IGNORECASE)
_BOUND = re.compile(rf"([a-z]) ?(<=?|>=?) ?({_END})", re.IGNORECASE)
_BOUNDS = re.compile(rf"({_END}) ?(<=?|>=?) ?([a-z]) ?(<=?|>=?) ?({_END})", re.IGNORECASE)


def _interval(text: str, asked: About) -> Value | None:
    parts = re.split(r" u | or ", text) if " u " in text or " or " in text else [text]
    found = [_one_interval(part.strip(), asked) for part in parts[:MOST_ITEMS]]
    if any(each is None for each in found):
        return None
    names = {each[0] for each in found if each is not None and each[0]}
    ends = frozenset(each[1] for each in found if each is not None)
    name = names.pop() if len(names) == 1 else ""
    return Value("interval", ends, name, (ends,)) if not names else None


Ends = tuple[Hashable, bool, Hashable, bool]


def _one_interval(text: str, asked: About) -> tuple[str, Ends] | None:
    if match := _BETWEEN.fullmatch(text):
        name, opening, low, high, closing = match.groups()
        closed = opening == "[", closing == "]"
        # Two numbers in brackets of one kind may be a point or a list.
        if name or closed[0] != closed[1] or "inf" in text or asked.interval:
            return name or "", (_end(low), closed[0], _end(high), closed[1])
        return None
    if match := _BOUND.fullmatch(text):
        name, relation, end = match.groups()
        if relation[0] == "<":
            return name, (_end("-inf"), False, _end(end), "=" in relation)
        return name, (_end(end), "=" in relation, _end("inf"), False)
    if match := _BOUNDS.fullmatch(text):
        low, first, name, second, high = match.groups()
        if first[0] == second[0]:
            left, right = (_end(low), "=" in first), (_end(high), "=" in second)
            left, right = (left, right) if first[0] == "<" else (right, left)
            return name, (*left, *right)
    return None


def _end(said: str) -> Hashable:
    said = said.replace(" ", "").removeprefix("+")
    value = value_of(said)
    return said.casefold() if value is None else value


_SEPARATED = re.compile(r" ?[,;] ?(?:and |und |y |et |or |oder )?| (?:and|or|und|oder) ")
_SEPARATED_BY_SPACES = re.compile(r" ?(?:[,;] |;|,(?![0-9]{3}(?![0-9]))) ?(?:and |und |y |et |or |oder )?| (?:and|or|und|oder) ")


def _items(text: str, asked: About) -> Value | None:
    if match := re.fullmatch(r"(?:([a-zA-Z]) ?= ?)?\+-(.+)", text):
        value = _number(match[2].strip(), asked)
        if value is not None and isinstance(value.key, (int, Fraction)):
            both = frozenset((replace(value, bare=()), replace(value, key=-value.key, bare=())))
            return Value("set", both, match[1] or "", (both,))
    name, inner = "", text
    if match := re.fullmatch(r"([a-zA-Z]) (?:in|=) ?([⟨{].*)", text):
        name, inner = match[1], match[2]
    pair = inner[:1] + inner[-1:]
    braces = pair in ("⟨⟩", "{}")
    tuples = pair == "()" and _closes_at(inner) == len(inner) - 1
    brackets = pair == "[]"
    if braces or tuples or brackets:
        inner = inner[1:-1].strip()
    if not inner or not re.search(r"[,;]| (?:and|or|und|oder) ", inner):
        return Value("set", frozenset([_item(inner, asked)]), name) if braces and inner else None
    # Where items are set apart by spaces, a comma without one may stand within a number.
    separated = _SEPARATED_BY_SPACES if ", " in inner else _SEPARATED
    parts = [part for part in separated.split(inner) if part.strip()]
    if not 1 < len(parts) <= MOST_ITEMS:
        return None
    values = [_item(part, asked) for part in parts]
    if any(value.kind == "text" and len(str(value.key).split()) > 4 for value in values):
        return None
    if all(value.unit and value.kind == "number" for value in values) and all(re.match(r"[a-zA-Z] ?=", part.strip()) for part in parts):
        # "x = 1, y = 2" says the same in any order, and so does "x = 1 or x = 3".
        alone = frozenset(replace(value, unit="") for value in values)
        names = {value.unit for value in values}
        return Value("set", alone, names.pop(), (alone,)) if len(names) == 1 else Value("set", frozenset(values))
    if braces:
        return Value("set", frozenset(values), name, (frozenset(values),))
    if tuples:
        return Value("tuple", tuple(values))
    if not brackets and all(part.strip() for part in parts) and re.search(r" (?:and|or|und|oder) ", inner) and "," not in inner:
        return Value("set", frozenset(values))
    return Value("list", tuple(values))


def _item(text: str, asked: About) -> Value:
    value = _read(text.strip(), asked)
    return replace(value, bare=())


_EQUATION = re.compile(r"([a-zA-Z](?:_[a-zA-Z0-9]+|\([a-z]\))?|[a-z]+(?: [a-z]+){0,2}) ?= ?([^=<>]+)", re.IGNORECASE)


def _equation(text: str, asked: About) -> Value | None:
    match = _EQUATION.fullmatch(text)
    if match is None:
        return None
    inner = _read(match[2].strip(), asked)
    if inner.kind in ("number", "set", "interval", "list", "tuple", "expression") and not (inner.unit and inner.kind != "number"):
        # What has a name as well as a unit is told apart by the name.
        bare = (inner.key,) if not inner.unit else inner.bare
        return Value(inner.kind, inner.key, f"{match[1].casefold()} =", bare, inner.expression)
    return Value("equation", (match[1].casefold(), inner.kind, inner.key))


_COMPLEXITY = re.compile(r"([OΘΩoθω]) ?\((.{1,60})\)")
_ALGEBRA = re.compile(r"[-+*/^=<>()\[\]{}.,|!%_ 0-9a-zA-Z°\\]+")
_LONG_WORD = re.compile(r"[a-zA-Z]{2,}")
_FUNCTIONS = frozenset(["sqrt", "log", "ln", "sin", "cos", "tan", "exp", "pi", "inf", "frac"])


def _algebra(text: str, asked: About) -> Value | None:
    if match := _COMPLEXITY.fullmatch(text):
        return Value("complexity", (match[1], re.sub(r"[\s*\\]|(?<=g)\(|\)$", "", match[2].casefold())))
    if not _ALGEBRA.fullmatch(text) or not re.search(r"[-+*/^=<>]|sqrt|\\|[0-9]\(?[a-z]|pi|log|ln", text):
        return None
    if any(word not in _FUNCTIONS for word in _LONG_WORD.findall(text)) and not re.search(r"[\^=]", text):
        return None
    key = re.sub(r"\s", "", _ARGUMENT.sub(r"\1(\2)", text))
    return Value("expression", key, "", (), _in_latex(key))


_ARGUMENT = re.compile(r"\b(log|ln|sin|cos|tan|exp) ([0-9a-z]+)(?![0-9a-z(])")
_NAMED = re.compile(r"\b(?:pi|log|ln|sin|cos|tan|exp)(?![a-zA-Z])")


def _in_latex(text: str) -> str:
    """Roots and functions in LaTeX, as algebra reads them; the rest is the same in either."""
    while (place := text.find("sqrt(")) >= 0:
        inside = place + len("sqrt")
        closing = inside + _closes_at(text[inside:])
        if closing < inside:
            return text
        text = f"{text[:place]}\\√{{{text[inside + 1 : closing]}}}{text[closing + 1 :]}"
    return _NAMED.sub(lambda found: f"\\{found[0]} ", text.replace("√", "sqrt"))


def _code(answer: str) -> Value | None:
    match = _FENCE.fullmatch(answer)
    if match is None:
        return None
    language, body = match[1].casefold(), match[2]
    if language in ("", "json"):
        structure = parse_structure(body.strip())
        if structure is not None:
            return Value("json", normalise_answer(body))
    if language in ("", "python", "py", "python3") and len(body) <= 20_000:
        try:
            return Value("code", ast.dump(ast.parse(body)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    return Value("code", " ".join(body.split()))


_ARTICLE = re.compile(r"(?:the|a|an|der|die|das|le|la|les|el|los|las|o|os|as|il|lo) (?=\S)")


def _text(text: str, asked: About) -> Value:
    return Value("text", _folded(text))


def _folded(text: str) -> str:
    folded = " ".join(unicodedata.normalize("NFKC", text).replace("`", "").replace("**", "").casefold().split()).strip(" .,;:!?\"'")
    return _ARTICLE.sub("", folded, count=1) if _ARTICLE.match(folded) else folded
