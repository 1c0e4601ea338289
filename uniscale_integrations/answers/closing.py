"""The answer in the closing line of a text that announces none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from uniscale_integrations.answers.question import about
from uniscale_integrations.answers.sentences import CITED, EXPLAINED, SENTENCE_END, cleaned, stated
from uniscale_integrations.answers.units import DIMENSIONS, UNITS, unit
from uniscale_integrations.answers.value import Value
from uniscale_integrations.answers.values import read_value

LONGEST_BARE_ANSWER = 40
"""Characters up to which a last line without a number is taken for an answer."""

LONGEST_COUNT = 80
"""Characters up to which a sentence is about what it counts; longer ones only mention numbers."""

LONGEST_SENTENCE = 300
"""Characters up to which what stands out in a sentence is its answer."""

LONGEST_LINE = 2_000
"""Characters at the end of a line that are looked at."""

MOST_LINES = 60
"""At the end of a text that are looked at."""

MOST_WORDS = 6
"""Of a date, an amount or another value that is looked for in a sentence."""

MOST_VALUES = 8
"""Of a sentence that are looked at, the last ones."""

_OFFER = re.compile(
    r"(?:let me know|feel free|would you like|shall i|do you want|if you (?:need|want|have|would)|please let"
    r"|(?:i )?hope (?:this|that|it|you)|happy to help|good luck|cheers|i'm here|you're welcome|ich hoffe|j'espère|espero que|надеюсь|希望)"
    r"|[^\w$]+$",
    re.IGNORECASE,
)
_SOURCES = re.compile(r"[*_#\s]{0,9}(?:sources?|references?|quellen?|fuentes|note)[*_]{0,4}\s{0,4}:", re.IGNORECASE)
_STATED = re.compile(
    r"(?:(?:so|thus|therefore|hence|then)[, ] ?)?(?:(?:it|this|that|they) |(?:the|our) (?:\w+ ){1,6})"
    r"(?:is|was|are|were|equals|will be) (?P<it>\S.*)",
    re.IGNORECASE,
)
_CONCLUSION = re.compile(
    r"(?:(?:so|thus|therefore|hence|altogether|overall|finally|consequently|in (?:total|all|conclusion|short|other words)"
    r"|as a result|that is"
    r"|(?:this|that|which) (?:means|gives|leaves)|also|daher|somit|folglich|insgesamt|por (?:lo )?tanto|así que|en total|donc|ainsi"
    r"|au total|portanto|logo|em total|quindi|поэтому|итого|значит)[ ,:]{1,2}(?:that )?"
    r"|(?:所以|因此|总共|一共|したがって|よって|だから)[ ,:，、]{0,2})(\S.*)",
    re.IGNORECASE,
)
_COMES_TO = re.compile(r"=|\b(?:equals|is equal to|comes to|amounts to|adds up to)\b")
_YES_NO = re.compile(r"(?:yes|no|ja|nein|sí|si|oui|non|sim|não|да|нет)(?=[,.;:!—–]| [-—–])", re.IGNORECASE)
_CALL = re.compile(r"[A-Za-z_][\w.]{0,60}\([^()\n]{0,80}\)")
_SPELLED = re.compile(r"(?:[^\W\d_]+ ){1,8}`([^`\n]{1,80})`[.!]?")
_REFERRED = re.compile(
    r"\b(?:page|p\.|pp\.|chapter|section|step|figure|fig\.|table|equation|line|item|note|question|problem|part|seite|schritt|kapitel|página|étape)"
    r" {0,3}#?[0-9][0-9.]*",
    re.IGNORECASE,
)


def closing_answer(text: str, question: str = "") -> str | None:
    r"""The answer in the last line that says something of the matter; that of the first line where it is one as a whole.

    What stands out, in bold or as a formula, is taken before what does not; what an equation or "is" comes to, before what stands before
    it; and values as a whole: "12:35 PM", "$3.2 billion", "75 km/h", "192.168.1.10". Prose, which names several or none, has no answer.

    Args:
        text: of at most some ten thousand characters.
        question: what was asked, where it is known: numbers that are mentioned answer neither who nor whether.

    Example:
        >>> closing_answer("The flight costs **£120**, since it is late."), closing_answer("It arrives at 12:35 PM.")
        ('£120', '12:35 PM')
        >>> closing_answer("So $x = \\frac{4}{2} = 2$."), closing_answer("It has 40 rooms on 4 floors and was built in 1902.")
        ('x = 2', None)
    """
    lines = _lines(text)
    if not lines:
        return None
    found = _of_line(lines[-1], about(question).names)
    return _answered_first(lines[0]) if found is None and len(lines) > 1 else found


def _lines(text: str) -> list[str]:
    """The lines of a text without sources, offers, questions back, checks and rules behind the last one that matters."""
    lines = [stripped[-LONGEST_LINE:] for line in text.strip().splitlines()[-MOST_LINES:] if (stripped := line.strip())]
    sources = next((place for place in range(len(lines) - 1, 0, -1) if _SOURCES.match(lines[place])), None)
    lines = lines if sources is None else lines[:sources]
    asks = ("?", "\N{FULLWIDTH QUESTION MARK}")
    while len(lines) > 1 and (lines[-1].endswith(asks) or _OFFER.match(lines[-1]) or _ASIDE.match(lines[-1])):
        lines.pop()
    return [CITED.sub("", line).strip() for line in (lines[0], lines[-1])] if len(lines) > 1 else [CITED.sub("", each) for each in lines]


_ASIDE = re.compile(
    r"[*_(]{0,3}(?:check|verification|verify|proof|probe|hinweis|kontrolle|comprobación|vérification"
    r"|verificação|nota|проверка|验证|验算|検算)\b[^\n:]{0,20}[:\N{FULLWIDTH COLON}]"
    r"|[-*_=|\s]+$|\[\^?\w{1,20}\]:"
    r"|[*_(>\s]{0,4}(?:word count|sources?|references?|disclaimer|disclosure|caveat|confidence|tl;?dr|note|the end|end of)\b"
    r"|(?:best|kind|warm)? ?regards\b|sincerely\b|yours\b|assistant$",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    r"(?:so |thus |therefore,? )?(?:the )?(?:option|choice|answer|statement) [*(]{0,3}([A-J])[)*]{0,3} is (?:the )?(?:only )?"
    r"(?:correct|right|best|true)(?: (?:one|answer|option|choice|statement))?\.?",
    re.IGNORECASE,
)


def _answered_first(line: str) -> str | None:
    """A first line that is an answer as a whole, which what follows explains."""
    bare = cleaned(line)
    if bare is None or len(line) > LONGEST_COUNT:
        return None
    value = read_value(bare)
    return bare if value.kind in ("choice", "yes or no", "truth", "date", "time") or (value.kind == "number" and _known(value)) else None


def _of_line(line: str, names: bool) -> str | None:
    if yes_no := _YES_NO.match(line):
        return yes_no[0]
    if chosen := _CHOSEN.fullmatch(line):
        return chosen[1].upper()
    bare = cleaned(line)
    if bare is None or not re.search(r"\w", bare):
        return None
    if formula := _whole_formula(line):
        return _result(formula)
    if (found := _outstanding(line)) is not None:
        return found
    if len(line) <= LONGEST_COUNT and not _TELLS.match(bare) and _of_a_kind(bare):
        return bare
    if (subject := _SUBJECT.fullmatch(bare)) and len(line) <= LONGEST_COUNT:
        it = _PLACED.sub("", (subject["it"] or subject["it2"]).strip())
        if _of_a_kind(it):
            return it
    if _CALL.fullmatch(line):
        return line
    if spelled := _SPELLED.fullmatch(line):
        return spelled[1]
    said = [each.strip() for each in SENTENCE_END.split(line) if each and each.strip()]
    while len(said) > 1 and _OFFER.match(said[-1]):
        said.pop()
    *earlier, sentence = said
    if concluded := _CONCLUSION.match(sentence):
        earlier, sentence = [], concluded[1] or concluded[2]
    if _HENCE.search(sentence):
        earlier = []
    found = of_sentence(sentence, [line, *earlier] if earlier and len(line) > LONGEST_COUNT else earlier, names=names)
    chosen = _CHOICE_FIRST.match(line) if found is None else None
    return chosen[1] if chosen else found


def of_sentence(sentence: str, earlier: Sequence[str] = (), *, names: bool = False) -> str | None:
    """The answer in a sentence in which nothing stands out."""
    if complexity := _COMPLEXITY.findall(sentence):
        return str(complexity[-1])
    if formula := _plain_formula(_PARENTHESIS.sub("", sentence)):
        return _result(formula)
    said = _HENCE.split(_without_asides(sentence))[-1]
    values = [] if names else list(_values(said))
    *before, after = _COMES_TO.split(said)
    if before and (results := list(_values(after))):
        return results[0].text if len(results) == 1 or len(sentence) > LONGEST_COUNT else results[-1].text
    if values:
        if earlier:
            clause = said.rsplit(", ", 1)[-1]
            counted = [each for each in _values(clause) if not _YEAR.search(clause[: clause.find(each.text) + len(each.text)])]
            return counted[0].text if len(counted) == 1 and len(clause.split()) <= MOST_WORDS + 2 else None
        different = {(value.value.kind, value.value.unit, value.value.key) for value in values}
        if len(different) == 1:
            return values[-1].text
        *before, after = (_IS if len(different) == 2 else _IS_NOW).split(said)
        if before and len(sentence) <= LONGEST_COUNT and (results := list(_values(after))):
            return results[0].text
        return values[-1].text if len(different) == 2 and len(sentence) <= LONGEST_COUNT else None
    if len(sentence) > LONGEST_COUNT or earlier or (not names and re.search(r"(?<![A-Za-z])[0-9]", said)):
        return None
    stated_it = _STATED.fullmatch(said)
    if stated_it and len(stated_it["it"].split()) <= MOST_WORDS - 1:
        return stated(stated_it["it"])
    return cleaned(said) if len(said) <= LONGEST_BARE_ANSWER else None


_YEAR = re.compile(r"\b(?:in|since|by|until) [12][0-9]{3}$", re.IGNORECASE)
_TELLS = re.compile(r"(?:[^\W\d_]{2,},? ){3}[^=]*=")
"""A sentence before an equation, which is not the equation's name."""

_CHOICE_FIRST = re.compile(r"\*{0,2}\(?([A-H])[).]\*{0,2}\s+\S")
_COMPLEXITY = re.compile(r"\bO\([^()]{1,30}(?:\([^()]{1,20}\))?[^()]{0,10}\)")
_HENCE = re.compile(r",? (?:so|thus|hence|therefore|also|donc|por lo que) (?=[^,]*[0-9])")
_SUBJECT = re.compile(
    r"(?:(?:so|thus|therefore|hence|then)[, ] ?)?(?:(?:it|this|that) |(?:the|our|its) (?:[^\W\d_]+ ){1,6})"
    r"(?:is|are|was|were|equals)(?: therefore| thus| now| then)? (?P<it>\S.*)"
    r"|[^\W\d_][^\d:=]{0,40}\s?[:\N{FULLWIDTH COLON}]\s*(?P<it2>\S.*)",
    re.IGNORECASE,
)
_PLACED = re.compile(r"^(?:on|in|at|by|about|approximately|exactly) (?=\S*[0-9])")
_IS = re.compile(r"\b(?:is|are|was|were|gives|makes|leaves|needs?|gets?|has|have|ist|sind|es|son|est|sont|é|são)\b", re.IGNORECASE)
_IS_NOW = re.compile(r"\b(?:is|are|gives|makes|leaves|ist|sind|es|son|est|sont|é|são)\b", re.IGNORECASE)
_MENTIONED = re.compile(r",? as (?:was|is|were|are|has been|have been) (?:\w+ ){0,2}\w+ (?:in|by|at|on|since) [^,]{1,40}$", re.IGNORECASE)
_PARENTHESIS = re.compile(r" \([^()]{1,120}\)")


def _without_asides(sentence: str) -> str:
    """A sentence without parentheses, references and reasons."""
    said = _MENTIONED.sub("", _REFERRED.sub("", _PARENTHESIS.sub("", sentence)))
    explained = EXPLAINED.search(said)
    return said[: explained.start()] if explained and re.search("[0-9]", said[: explained.start()]) else said


# What stands out.

_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*|(?<!\w)__([^_\n]{1,120})__(?!\w)")
_FORMULA = re.compile(r"\$\$([^$\n]{1,300})\$\$|\$(?! )([^$\n]{1,300}(?<! ))\$(?![0-9])|\\\(([^\n]{1,300}?)\\\)|\\\[([^\n]{1,300}?)\\\]")
_PRINTS = re.compile(r"\b(?:prints?|outputs?|returns?|gives|displays|shows|yields|is) $")
_CODE = re.compile(r"`([^`\n]{1,120})`")
_BETWEEN = re.compile(r"\s*(?:,|;|,?\s*(?:and|or|und|oder|y|o|et|ou|e|и|или))\s*(?:[a-zA-Z]\s?=\s?)?")
_WHOLE_FORMULA = re.compile(r"(?:\$\$([^$\n]+)\$\$|\$([^$\n]+)\$|\\\[(.+)\\\]|\\\((.+)\\\))[.,]?")


def _whole_formula(line: str) -> str | None:
    whole = _WHOLE_FORMULA.fullmatch(line)
    return None if whole is None else next(part for part in whole.groups() if part)


def _outstanding(line: str) -> str | None:
    """The last that is in bold, or else the last formula; several of them where only "and" and the like stand between."""
    for pattern in (_BOLD, _FORMULA, _CODE):
        spans = [span for span in pattern.finditer(line) if not next(part for part in span.groups() if part).rstrip().endswith(":")]
        if not spans:
            continue
        if pattern is _CODE and len({span[0] for span in spans}) > 1 and not _PRINTS.search(line[: spans[-1].start()]):
            return None
        group = [spans[-1]]
        for span in reversed(spans[:-1]):
            if not _BETWEEN.fullmatch(line, span.end(), group[0].start()):
                break
            group.insert(0, span)
        if pattern is _FORMULA and _EXPLAINS.search(line[: group[0].start()]) and len(spans) > len(group):
            # "... is $4$, where $n = 2$"
            group = [spans[len(spans) - len(group) - 1]]
        start, end = group[0].start(), group[-1].end()
        sentence = SENTENCE_END.split(line[:start])[-1] + line[start:end]
        if len(sentence) > LONGEST_SENTENCE:
            return None
        said = [_result(next(part for part in span.groups() if part).strip()) for span in group]
        joined = said[0] + "".join(line[a.end() : b.start()] + each for a, b, each in zip(group, group[1:], said[1:], strict=False))
        if len(joined.split()) > 2 * MOST_WORDS or (pattern is _FORMULA and re.fullmatch(r"\\?[a-zA-Z]+", joined)):
            return None
        found = cleaned(joined + _unit_behind(line, end)) or ""
        named = _SUBJECT.fullmatch(found)
        it = named["it2"] if named else None
        return it if it and _of_a_kind(it) else found or None
    return None


_EXPLAINS = re.compile(r"\b(?:where|with|since|because|for|when|as|if|using|by)\b[^,.]{0,30}$", re.IGNORECASE)
_BEHIND = re.compile(r"\s?(°\s?[CF]|%|€|£|[a-zA-Zµ]{1,3}(?:/[a-z]{1,3})?[²³]?|[a-z]{4,12}s?)(?![\w/])")


def _unit_behind(line: str, place: int) -> str:
    """The unit that goes on behind what stands out, where it is one that is known."""
    behind = _BEHIND.match(line, place)
    return behind[0] if behind and unit(behind[1]).dimension != behind[1].casefold() and behind[1].casefold() not in _WORDS else ""


_WORDS = frozenset(["in", "a", "as", "min", "at", "am", "m", "s", "b", "grad"]) - {"m", "s", "min"}
_EQUALS = re.compile(r"(?<![<>!:\\])=(?!=)|≈|\\approx(?![a-z])")
_LEADS_TO = re.compile(r"\\(?:Long)?[Rr]ightarrow|\\implies|⇒|→")
_VARIABLE = re.compile(r"\s*\\?[a-zA-Z]+(?:_\{?\w{1,9}\}?)?'{0,2}(?:\s?\(\s?[a-z]\s?\))?\s*")


def _exact(parts: Sequence[str]) -> str:
    """The last part, or the one before where that is a root or the like and the last one only its decimals."""
    if len(parts) > 1 and re.fullmatch(r"\s*-?[0-9]+\.[0-9]+\.{0,3}\s*", parts[-1]) and re.search(r"√|sqrt|π|\\pi|\\ln|log", parts[-2]):
        return parts[-2]
    return parts[-1]


def _result(formula: str) -> str:
    """What a formula comes to: the last part of "a = b = c", with the name that the first one is."""
    formula = _LEADS_TO.split(formula)[-1].strip()
    first, *others = _EQUALS.split(formula)
    if not others:
        return formula
    last = _exact(others).strip().rstrip(".,")
    if _VARIABLE.fullmatch(first):
        return f"{first.strip()} = {last}"
    solved = len(others) == 1 and re.fullmatch(r"-?[0-9.]+", last) and re.search(r"(?<![\\a-zA-Z])[a-z](?![a-zA-Z])", first)
    return formula if solved else last


_MATHS = re.compile(
    r"[-+*/^=<>≤≥≠≈×·÷−–|]+|[-+−–(\[{|√]*(?:(?:[0-9]+(?:[.,][0-9]+)*)?(?:[a-zA-Z]'{0,2}|π|∞|sin|cos|tan|ln|log|exp|sqrt)?"
    r"(?:[⁰¹²³⁴-⁹₀-₉]|\^-?\{?\w{1,3}\}?|[-+*/×·^−√]|[()\[\]|!]|[0-9]|(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])|\([^()\s]{1,20}\)){0,12}),?"
)
_UNKNOWN = re.compile(r"(?<![a-zA-Z])[a-zA-Z](?:[²³^'(/]|(?![a-zA-Z]))|√|π")
_RELATED = re.compile(r"[=<>≤≥]|[-+−*/^²³√]")


def _plain_formula(sentence: str) -> str | None:
    """The formula that a sentence ends with, where it holds unknowns or relations and is not marked as one."""
    words = sentence.rstrip(".!; ").split()
    start = len(words)
    while start > 0 and (_MATHS.fullmatch(words[start - 1]) or (words[start - 1] in ("and", "or") and start < len(words))):
        start -= 1
    while start < len(words) and (words[start] in ("a", "I", "and", "or", "-", "–", "=")):
        start += 1
    formula = " ".join(words[start:]).rstrip(",")
    relation = re.search("[=<>≤≥]", formula)
    if not (start > 0 or relation) or len(words) - start < 2 or not _UNKNOWN.search(formula) or not _RELATED.search(formula):
        return None
    return formula


# Values in a sentence.


class _Found(NamedTuple):
    text: str
    value: Value


_SIGNED = re.compile("\\\\?[-+\N{MINUS SIGN}\N{EN DASH}~\N{ALMOST EQUAL TO}]?[$€£¥₹(]?[-\N{MINUS SIGN}]?[0-9.]*[0-9]")
_TYPES = frozenset(["date", "time", "version", "score", "ratio", "address", "telephone"])
_CJK = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
_CJK_DATE = re.compile(r"[0-9]{4} ?年(?: ?[0-9]{1,2} ?月)?(?: ?[0-9]{1,2} ?[日号])?|[0-9]{1,2} ?月 ?[0-9]{1,2} ?[日号]")
_BESIDE_CJK = re.compile(rf"(?<=[0-9%])(?={_CJK})(?![年月日号时時点])|(?<={_CJK})(?<![年月])(?=[0-9])")


def _values(sentence: str) -> Iterator[_Found]:
    """The values that a sentence names, each as long as it goes."""
    if not re.search("[0-9]", sentence):
        return
    words = _BESIDE_CJK.sub(" ", _CJK_DATE.sub(lambda date: f" {date[0].replace(' ', '')} ", sentence)).split()
    starts = [place for place, word in enumerate(words) if _SIGNED.match(word) or _begins_value(words, place)][-MOST_VALUES:]
    end = 0
    for start in starts:
        if start < end:
            continue
        for stop in range(min(len(words), start + MOST_WORDS), start, -1):
            text = " ".join(words[start:stop]).rstrip(".,;:!?").rstrip(")") if "(" not in words[start] else words[start]
            value = read_value(text)
            if _counts(value):
                end, text = _listed(words, stop, text)
                yield _Found(text, read_value(text))
                break


def _listed(words: list[str], stop: int, text: str) -> tuple[int, str]:
    """A value with those that follow it in a list, and where the list ends."""
    while stop < len(words):
        joined = words[stop - 1].endswith(",")
        after = stop + (words[stop].casefold() in _AND)
        if not (joined or after > stop) or after >= len(words) or not _counts(read_value(words[after].rstrip(".,;:!?"))):
            break
        text = f"{text}{',' * joined} {' '.join(words[stop : after + 1]).rstrip('.,;:!?')}"
        stop = after + 1
    return stop, text


_AND = frozenset(["and", "und", "y", "et", "e", "и"])


def _begins_value(words: list[str], place: int) -> bool:
    """Whether a word without a digit may begin a value: a month, or a currency."""
    word = words[place].casefold().strip(".,")
    follows = place + 1 < len(words) and words[place + 1][:1].isdigit()
    return follows and (word[:3] in _MONTHS or word in UNITS) and word not in _WORDS


_MONTHS = frozenset("jan feb mar apr may jun jul aug sep oct nov dec ene abr ago dic fév avr mai jui aoû déc mär okt dez".split())  # noqa: SIM905


def _counts(value: Value) -> bool:
    if value.kind == "number":
        return _known(value) and ("=" not in value.unit)
    if value.kind in ("list", "set") and isinstance(value.key, Collection):
        return all(isinstance(item, Value) and item.kind == "score" for item in value.key)
    return value.kind in _TYPES


def _known(value: Value) -> bool:
    """Whether a number has no unit, or one that is measured in."""
    return not value.unit or value.unit in DIMENSIONS


def _of_a_kind(line: str) -> bool:
    """Whether a line is an answer as a whole, and not about one."""
    value = read_value(line)
    if value.kind in ("list", "set") and isinstance(value.key, Collection):
        return not any(isinstance(item, Value) and item.kind == "text" for item in value.key)
    if value.kind == "expression":
        return _DEFINED.fullmatch(line) is not None
    return value.kind not in ("text", "json", "choice")


_DEFINED = re.compile(r"[^=]*|[a-zA-Z]'{0,2}(?:\w|\([a-z]\))? ?= ?[^=]*")
