"""Numbers, amounts of money and quantities, in digits and in words."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from uniscale_integrations.answers.arithmetic import value_of
from uniscale_integrations.answers.plain import CLOSE, OPEN
from uniscale_integrations.answers.question import About
from uniscale_integrations.answers.units import CURRENCIES, DIMENSIONS, unit
from uniscale_integrations.answers.value import Value

_SPACE_GROUPS = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:[ '_][0-9]{3})+(?![0-9])")
_COMMA_GROUPS = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,]|\.[0-9]+,)")
_INDIAN = re.compile(r"(?<![0-9.,])[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?![0-9,])")
GERMAN = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?|[0-9]+,[0-9]+")
_THOUSANDS = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?![0-9.])")
DOTTED_GROUPS = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,}(?![0-9.])")
_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_SIGN = "[" + re.escape(CURRENCIES) + "]"
_MEASUREMENT = re.compile(
    rf"([-+]?) ?({_SIGN}|us\$|r\$)? ?([-+]?)({_NUMBER}(?:e[-+]?[0-9]{{1,4}}(?![0-9a-z]))?(?: ?/ ?{_NUMBER})?|[0-9]+ [0-9]+ ?/ ?[0-9]+"
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


def read_number(text: str, hints: About) -> Value | None:
    """The number that a text in plain characters is as a whole, with its unit.

    >>> from uniscale_integrations.answers.question import about
    >>> read_number("1,250 km", about("")).key, read_number("twelve", about("")).key, read_number("about 5", about(""))
    (1250000, 12, None)
    """
    wording = _INDIAN.sub(_digits, _COMMA_GROUPS.sub(_digits, _SPACE_GROUPS.sub(_digits, text)))
    wording = DOTTED_GROUPS.sub(lambda match: match[0].replace(".", ""), wording)
    if hints.comma:
        # Where a comma stands before decimals, a point stands between thousands.
        wording = _THOUSANDS.sub(lambda match: match[0].replace(".", ""), wording)
    if hints.comma or _DECIMAL_COMMA.search(wording):
        wording = GERMAN.sub(lambda match: match[0].replace(".", "").replace(",", "."), wording) if "," in wording else wording
    if "^-" in wording or "*" in wording:
        wording = _INVERSE.sub(
            lambda unit: f"/{unit[1]}" if unit[2] == "1" else f"/{unit[1]}^{unit[2]}", _TIMES.sub(" ", wording)
        )
    if rate := _RATE.fullmatch(wording):
        return _rate(rate[1], rate[2], hints)
    if (
        (minus := _MINUS.match(wording))
        and (opposite := read_number(wording[minus.end() :], hints))
        and opposite.unit != "percent"
    ):
        return replace(opposite, key=-opposite.key, bare=tuple(-each for each in opposite.bare))  # type: ignore[operator]  # numbers
    match = _MEASUREMENT.fullmatch(wording)
    if match is None:
        return _in_words(wording, hints) or _compute(wording) or _together(wording, hints)
    sign, currency, other_sign, number, name = match.groups()
    value = _read_number(number)
    if value is None or (sign and other_sign):
        return None
    value = -value if "-" in (sign, other_sign) else value
    return _measurement(value, currency or "", (name or "").strip(), hints) or _compute(wording)


def _measurement(value: Fraction, currency: str, name: str, hints: About) -> Value | None:
    word, _, rest = name.partition(" ")
    if word.casefold() in _SCALES:
        value, name = value * 10 ** _SCALES[word.casefold()], rest
    if currency and name and unit(name).dimension != unit(currency).dimension:
        if len(name.split()) > 3:
            return None
        name = ""
    if not currency and not name:
        return Value("number", _exact(value))
    quantity, _, suffix = name.rpartition(" ")
    if suffix in _PLACE_WORDS and unit(quantity).dimension in DIMENSIONS:
        name = quantity
    if name == "pi" or (name and not _names_a_unit(name)):
        return None
    measure = unit(currency or name)
    base = value * measure.factor
    if measure.dimension == "percent":
        return Value("number", base, "percent", (base / 100, *((base,) if hints.percent else ())))
    return Value("number", _exact(base), measure.dimension, (_exact(value),))


_DECIMAL_COMMA = re.compile(
    r"[0-9]\.[0-9]{3},[0-9]|[0-9],[0-9]{2} ?(?:€|eur)|(?:€|r\$) ?[0-9.]+,[0-9]{2}(?![0-9])", re.IGNORECASE
)
_INVERSE = re.compile(r" ?(?<![a-zA-Z^])([a-zA-Z]{1,4}) ?\^\(?-([123])\)?")
_TIMES = re.compile(r"(?<=[a-zA-Z]) ?\* ?(?=[a-zA-Z])")
_RATE = re.compile(
    rf"((?=[^/]*(?:{_SIGN}|dollars?|euros?|usd|eur|gbp|cents?)).{{1,60}}?) ?(?:/ ?|\b(?:per|a|an|each|pro|por|par"
    rf"|al) )([a-z]+(?: [a-z]+)?)",
    re.IGNORECASE,
)
_PERIODS = {"mo": "month", "mth": "month", "yr": "year", "annum": "year", "hr": "hour", "h": "hour", "wk": "week", "d": "day"}


def _rate(amount: str, each: str, hints: About) -> Value | None:
    """An amount of money for each month, person or the like; "£12 per month" is not "£12 per year", and either may be said as "£12"."""
    price = read_number(amount.strip(), hints)
    if price is None or not price.unit:
        return None
    each = each.casefold()
    each = _PERIODS.get(each, each.removesuffix("s") if len(each) > 3 else each)
    return replace(price, unit=f"{price.unit}/{each}")


_PLACE_WORDS = frozenset("away long high tall wide deep thick old apart later earlier ago left total altogether".split())  # noqa: SIM905
_MINUS = re.compile(r"(?:minus|negative|moins|menos) (?=[0-9$€£])", re.IGNORECASE)
_NONE = frozenset("none nobody nothing keine keiner aucun aucune ninguno ninguna nenhum nenhuma".split())  # noqa: SIM905
_CLOCK = re.compile(
    r"([0-9]{1,4}) ?h(?:ours?|rs?)?\.? ?([0-9]{1,3}) ?m(?:in(?:ute)?s?)?\.?(?: ?([0-9]{1,3}) ?s(?:ec)?)?", re.IGNORECASE
)
_PARTS = re.compile(
    r"([0-9.]+ ?[a-z]+)(?:, | and | und | y | et | )([0-9.]+ ?[a-z]+)(?:(?:,? and |, | )([0-9.]+ ?[a-z]+))?", re.IGNORECASE
)
_OUT_OF = re.compile(r"([0-9]{1,9}) (?:out )?of (?:the )?([0-9]{1,9})(?: [a-z]+)?", re.IGNORECASE)


def _together(text: str, hints: About) -> Value | None:
    """What parts of one dimension add up to, as in "2 hours and 15 minutes"; and "18 out of 20"."""
    if match := _OUT_OF.fullmatch(text):
        over = int(match[1]), int(match[2])
        return Value("score", over) if hints.score else _compute(f"{over[0]}/{over[1]}")
    if match := _CLOCK.fullmatch(text):
        return Value("number", 3600 * int(match[1]) + 60 * int(match[2]) + int(match[3] or 0), "time")
    match = _PARTS.fullmatch(text)
    parts = [read_number(part, hints) for part in match.groups() if part] if match else []
    if not parts or any(part is None or part.unit not in ("time", "length", "mass") for part in parts):
        return None
    terms = [part for part in parts if part is not None]
    if len({part.unit for part in terms}) > 1:
        return None
    total = sum(Fraction(part.key) for part in terms if isinstance(part.key, (int, Fraction)))
    return Value("number", _exact(Fraction(total)), terms[0].unit)


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


def _digits(match: re.Match[str]) -> str:
    return re.sub("[ ,'_]", "", match[0])


def _read_number(number: str) -> Fraction | None:
    match = re.fullmatch(r"([0-9]+) ([0-9]+) ?/ ?([0-9]+)", number)
    if match:
        whole, over, under = (int(part) for part in match.groups()) if len(number) < 60 else (0, 0, 0)
        return whole + Fraction(over, under) if under else None
    return value_of(re.sub(r"(?<=[0-9]) +(?=10 ?\^)", "*", number))


def _in_words(text: str, hints: About) -> Value | None:
    wording = text.casefold().replace("-", " ")
    if hints.count and wording in _NONE:
        return Value("number", 0)
    if wording in _FRACTIONS:
        return Value("number", _FRACTIONS[wording])
    first, *others = wording.split() or [""]
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


def _compute(text: str) -> Value | None:
    """A number that is written as arithmetic."""
    value = value_of(text) if re.search(r"[0-9]", text) and not text.startswith("+-") else None
    return None if value is None else Value("number", _exact(value))
