r"""Answers in plain characters: without LaTeX, Markdown and typography, which say the same in many ways.

`\dfrac{3}{4}`, `¾` and `3/4` become `3/4`; set braces become `⟨ ⟩`, since braces also group.
"""

from __future__ import annotations

import re
import unicodedata
from math import comb

OPEN, CLOSE = "⟨", "⟩"
"""Braces of a set."""

DEEPEST = 40
"""Braces within braces up to which groups are read; what is deeper stays as it is."""

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_VULGAR = re.compile("(?<=[0-9])(?=[¼½¾⅐-⅞])")
_CHARACTERS = str.maketrans(
    {
        "−": "-", "–": "-", "‒": "-", "‐": "-", "‑": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/", "⁄": "/",
        "≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "≠": "!=", "∞": " inf ", "π": " pi ", "√": "\\sqrt", "∈": " in ", "∪": " u ",
        "±": "+-", "’": "'", "‘": "'", "“": '"', "”": '"', "º": "°", "，": ", ", "、": ", ", "。": ".", "：": ": ", "或": " or ",
    }
)  # fmt: skip
_SPACES = re.compile(r"\s+")
_RAISING = re.compile(r" ?\^ ?")
_DELIMITERS = re.compile(r"\\(?:left|right|[bB]igg?[lrm]?)(?![a-zA-Z])\s*\.?")
_DEGREE = re.compile(r"\s*(?:\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))|\\degree(?![a-zA-Z]))")
_WORDING = re.compile(r"\\(?:text(?:bf|it|rm|sf|tt)?|math(?:rm|bf|it|sf|bb|cal)|operatorname|mbox|hbox|bm|boldsymbol)\s*(?=\{)")
_COMMANDS = {
    "dfrac": "\\frac", "tfrac": "\\frac", "cfrac": "\\frac", "cdot": "*", "times": "*", "div": "/", "pm": "+-", "le": "<=", "leq": "<=",
    "leqslant": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=", "ne": "!=", "neq": "!=", "lt": "<", "gt": ">", "infty": " inf ",
    "pi": " pi ", "in": " in ", "cup": " u ", "quad": " ", "qquad": " ", "ldots": "...", "dots": "...", "cdots": "...",
    "displaystyle": "", "textstyle": "", "lbrace": OPEN, "rbrace": CLOSE, "lbrack": "[", "rbrack": "]", "colon": ":", "log": " log ",
    "ln": " ln ", "sin": " sin ", "cos": " cos ", "tan": " tan ", "euro": "€", "pounds": "£", "sim": "~", "approx": "~",
}  # fmt: skip
_COMMAND = re.compile(r"\\([a-zA-Z]+) ?")
_ESCAPE = re.compile(r"\\([,;:! {}$%#&_])")
_ESCAPE_VALUES = {",": " ", ";": " ", ":": " ", "!": "", " ": " ", "{": OPEN, "}": CLOSE}
_SHORT_FRACTION = re.compile(r"\\frac\s*([0-9])\s*([0-9])(?![0-9])")
_SHORT_OVER = re.compile(r"\\frac\s*([0-9a-zA-Z])\s*(?=\{)")
_SHORT_UNDER = re.compile(r"(\\frac\s*\{[^{}]{1,40}\})\s*([0-9a-zA-Z])")
_BINOMIAL = re.compile(r"\\[dt]?binom\s{0,9}\{\s{0,9}([0-9]{1,3})\s{0,9}\}\s{0,9}\{\s{0,9}([0-9]{1,3})\s{0,9}\}")
_STACKED_FRACTION = re.compile(r"\^\{?([0-9]{1,6})\}?\s?/\s?_\{?([0-9]{1,6})\}?")
_GROUP = re.compile(r"\\(?:frac|sqrt)(?![a-zA-Z])|[{}]")


def plain(answer: str) -> str:
    r"""An answer in plain characters, on one line; what it says stays.

    Args:
        answer: as it was written, of at most a few hundred characters.

    Example:
        >>> plain(r"$\left(\dfrac{3}{4}\right)$"), plain("12\\,500"), plain("10⁻³"), plain("2½"), plain(r"45^{\circ}")
        ('(3/4)', '12 500', '10^-3', '2 1/2', '45°')
        >>> plain(r"\{1, 3\}"), plain(r"\frac{\frac{1}{2}}{3}"), plain(r"12\text{ km}")
        ('⟨1, 3⟩', '(1/2)/3', '12 km')
    """
    text = _STACKED_FRACTION.sub(r"\1/\2", _VULGAR.sub(" ", answer))
    text = _SUPERSCRIPT.sub(lambda match: "^" + match[0].translate(_SUPERSCRIPTS), text)
    text = unicodedata.normalize("NFKC", text).translate(_CHARACTERS).replace("$", "＄")
    if "\\" in text:
        text = _without_marks(text)
    text = _RAISING.sub("^", _SPACES.sub(" ", _dollars(text.replace("{,}", ",")))).strip()
    return text[1:].lstrip() if _PLUS.match(text) else text


def _without_marks(text: str) -> str:
    text = _DELIMITERS.sub("", _DEGREE.sub("°", text.replace("~", " ")))
    text = text.replace("\\＄", "＄＄")
    text = _REPEATING.sub(_repeating_decimal, text)
    text = _BARE_ROOT.sub(lambda root: f"\\sqrt{{{root[1]}}}" if root[1] else "sqrt(", text)
    text = _BINOMIAL.sub(lambda over: str(comb(int(over[1]), int(over[2]))), text)
    text = _ESCAPE.sub(lambda match: _ESCAPE_VALUES.get(match[1], match[1]), text)
    text = _WORDING.sub(" ", text)
    text = _COMMAND.sub(lambda command: _COMMANDS.get(command[1], command[0]), text)
    text = _SHORT_OVER.sub(r"\\frac{\1}", _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", text))
    return _without_groups(_SHORT_UNDER.sub(r"\1{\2}", text))


def _dollars(text: str) -> str:
    """Without the signs around formulae, but with those of an amount."""
    text = text.replace("＄＄", "$")
    return text.replace("＄", "$") if text.count("＄") == 1 else text.replace("＄", "")


_BARE_ROOT = re.compile(r"\\sqrt\s*([0-9.]*[0-9]|[a-zA-Z])(?![\w])|\\sqrt\s*\(")
_PLUS = re.compile(r"\+ ?(?:inf|[0-9.]{1,6}$|[a-zA-Z\\])")
_REPEATING = re.compile(r"([0-9]*)\.([0-9]{0,9})\\(?:overline|bar|overbar)\s*\{([0-9]{1,9})\}")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?[0-9]{0,3}){1,12}[+-]?")


def _repeating_decimal(match: re.Match[str]) -> str:
    """A repeating decimal as a fraction."""
    whole, once, again = match[1] or "0", match[2], match[3]
    over = int(whole + once + again) - int(whole + once)
    return f"({over}/{10 ** len(once) * (10 ** len(again) - 1)})"


def _without_groups(text: str) -> str:
    """Groups in parentheses where they say anything, and fractions and roots as one writes them on a line."""
    pieces: list[list[str]] = [[]]
    heads: list[list[str]] = []
    last = 0
    waiting: list[str] = []
    for token in _GROUP.finditer(text):
        pieces[-1].append(text[last : token.start()])
        last = token.end()
        if token[0] == "{":
            if len(heads) == DEEPEST:
                return text
            heads.append(waiting)
            waiting = []
            pieces.append([])
        elif token[0] == "}":
            if not heads:
                return text
            inner, waiting = "".join(pieces.pop()).strip(), heads.pop()
            if waiting and waiting[0].startswith("over"):
                pieces[-1].append(f"/{_enclose(inner)}" + ")" * (waiting[0] != "over"))
                waiting = []
            elif waiting and waiting[0] == "frac":
                # After a function or a letter it is one factor, of which nothing may be taken away.
                alone = not re.search(r"[a-zA-Z)]\s*$", "".join(pieces[-1][-3:]))
                before = " " if _after_digit(pieces[-1]) else "" if alone else "("
                pieces[-1].append(f"{before}{_enclose(inner)}")
                waiting = ["over" if alone else "over and close"]
            elif waiting and waiting[0] == "sqrt":
                pieces[-1].append(f"sqrt({inner})")
                waiting = []
            elif _after_raise(pieces[-1]):
                pieces[-1].append(_enclose(inner))
            else:
                pieces[-1].append(f" {inner} " if inner.isalpha() else f"{{{inner}}}" if "," in inner else inner)
        else:
            waiting = [token[0].removeprefix("\\")]
    if heads:
        return text
    pieces[-1].append(text[last:])
    return "".join(pieces[-1])


def _after_digit(pieces: list[str]) -> bool:
    before = next((piece.rstrip() for piece in reversed(pieces) if piece.strip()), "")
    return before[-1:].isdigit()


def _after_raise(pieces: list[str]) -> bool:
    before = next((piece.rstrip() for piece in reversed(pieces) if piece.strip()), "")
    return before.endswith(("^", "_"))


def _enclose(inner: str) -> str:
    return inner if re.fullmatch(r"-?[0-9.]+|[a-zA-Z]+", inner) else f"({inner})"


def closes_at(text: str) -> int:
    """Where the parenthesis closes that a text begins with."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return place
    return -1


_ACCENT = re.compile("([A-Za-z])[\N{COMBINING GRAVE ACCENT}-\N{COMBINING LATIN SMALL LETTER X}]+")
_ARTICLE = re.compile(r"(?:the|a|an|der|die|das|le|la|les|el|los|las|o|os|as|il|lo) (?=\S)")


def fold_wording(text: str) -> str:
    """A text without case, spacing, marks and its first article.

    >>> fold_wording("The  Nile."), fold_wording("**Oslo**")
    ('nile', 'oslo')
    """
    text = unicodedata.normalize("NFKC", text)
    if not text.isascii():
        # Accents on Latin letters are often left out.
        text = unicodedata.normalize("NFKC", _ACCENT.sub(r"\1", unicodedata.normalize("NFKD", text)))
    wording = " ".join(text.replace("`", "").replace("**", "").casefold().split()).strip(" .,;:!?\"'")
    return _ARTICLE.sub("", wording, count=1) if _ARTICLE.match(wording) else wording
