"""What a question says about how its answers are to be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from uniscale_integrations.answers.plain import fold_wording

MAX_QUESTION_LENGTH = 4_000
"""Characters at the end of a question that are read."""


@dataclass(frozen=True, slots=True, eq=False)
class About:
    """What a question says about how its answers are to be read; there is one of each, which is told by its identity."""

    percent: bool = False
    version: bool = False
    score: bool = False
    interval: bool = False
    comma: bool = False
    unordered: bool = False
    year: bool = False
    count: bool = False
    names: bool = False
    indexed: bool = False
    point: bool = False
    term: bool = False
    alternatives: tuple[str, ...] = ()
    subject: Subject | None = None
    kinds: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    options: tuple[tuple[str, str], ...] = ()


_PERCENT = re.compile(r"per ?cent|%|prozent|pour ?cent|por ?ci?ento|процент|百分|パーセント")
_VERSION = re.compile(r"\bversion|\brelease|versión|versão|версия|版本|バージョン")
_SCORE = re.compile(r"\bmatch\b|\bscore\b|\bgame end|of how many|out of how|spiel|partido|jogo|счёт|счет|比分")
_INTERVAL = re.compile(
    r"for (?:which|what) [a-z]\b|interval|domain|\brange\b|inequalit|intervall|für welche|区间|[<>≤≥]|\\[lg](?:eq?|t)\b"
)
_COMMA = re.compile(
    r"\b(?:wie|wieviel|welche[rs]?|combien|quel(?:le)?s?|cuánt[oa]s?|cuál|quant[oa]s?|qual|ile)\b|сколько|как(?:ой|ая)"
)
_UNORDERED_LIST = re.compile(
    r"\bsolve\b|\bsolutions?\b|\broots?\b|\bzeros?\b|\ball\b|\bwhich\b|\bwhat are\b"
    r"|\bname (?:the|two|three|four|five|all|some)\b|lösung|lösen?\b|nullstelle|\bwelche\b"
    r"|solucion|raíces|\bcuáles\b|racines|\bquel(?:le)?s\b|решен|корн|解|哪些|どれ"
)
_ORDERED_LIST = re.compile(
    r"\border|\bsort|\brank|\bfirst\b|\blast\b|sequence|\bsteps?\b|alphabet|chronolog|ascending|descending"
    r"|reihenfolge|sortier|ordn|ordena|排序|順"
)
_YEAR = re.compile(r"\b(?:what|which) year\b|welche[mns] jahr|qué año|que ano\b|quelle année|哪一?年|何年|како[йм] год")
_COUNT = re.compile(r"\bhow many\b|\bwie ?viele\b|combien|cuánt[oa]s|quant[oa]s|сколько|多少|几个|いくつ|何[個人枚]")
_NAMES = re.compile(
    r"(?:^|[.!?\n] {0,3})(?:who|whose|whom|where|why|is|are|was|were|do|does|did|can|could|should|will|would|has|have|wer|wo|warum|ist|sind"
    r"|qui|où|pourquoi|est-ce|quién|dónde|por qué|quem|onde|por que|кто|где|почему)\b[^.!?\n]*\??\s*$|谁|哪里|为什么|誰|どこ|なぜ|吗"
)
_INDEXED_VARIABLE = re.compile(r"\b[a-z](?:_\{?)?[0-9]\b|[a-z][₀-₉]")
_POINT = re.compile(
    r"\bsolve|\bsystem|\bintersect|\bcoordinates?\b|\bpoint\b|\bpair\b|\b[a-z] (?:and|und|y|et|e|и) [a-z]\b"
    r"|\(x, ?y|löse|gleichungssystem|schnittpunkt|sistema|système|систем|方程组|連立"
)
_TERM = re.compile(
    r"\b(?:which|what) (?:\w+ ){0,2}(?:keyword|command|function|method|operator|tool|library|package|module|flag|option|statement"
    r"|clause|class"
    r"|attribute|property|tag|decorator|hook|annotation|symbol|type|header|port|file|variable)\b"
)
_OR = re.compile(r"\b([^\W\d_]{3,20})((?:, [^\W\d_]{3,20}){0,6}),? (?:or|oder|ou|или) (?:an? )?([^\W\d_]{3,20})\b")
_COPULA = r"(?:is|was|are|were|ist|war|sind|est|sont|es|son|é|são|era)"
_ASKED_FOR = re.compile(
    r"(?:^|[.!?\n] {0,3})(?:what|who|which [^.?!\n]{1,40}?|was|wer|welche[rs]? [^.?!\n]{1,40}?|quel(?:le)?s? |qui|cuál(?:es)?"
    r"|quién|qual|quem)"
    rf" ?{_COPULA} (?:the |a |an |der |die |das |la |le |les |el |los |las |o |os |as |l')?([^?.!\n]{{3,100}}?) ?\?\s*$",
    re.IGNORECASE,
)


_AMOUNT = re.compile(
    _COUNT.pattern + r"|\bhow (?:much|long|far|old|tall|high|deep|wide|heavy|fast|large|big)\b"
    r"|\bwhat (?:number|percent|percentage|fraction|share)"
    r"|\bby (?:how much|what percent)|wie ?viel|wie (?:lange|weit|alt|hoch|schwer|schnell)|cuánt|quant[oa]|多长|多远|多大|多高|いくら"
)
_WHEN = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:date|day|year)\b|\bwann\b|welche[mns] (?:tag|jahr|datum)"
    r"|\bquand\b|\bcuándo\b|\bquando\b|когда|什么时候|いつ"
)
_CLOCK = re.compile(r"\b(?:what|which) time\b|\bwhen\b|um wie ?viel uhr|\bwann\b|quelle heure|qué hora|que horas|何時|几点")
_KINDS = (("number", _AMOUNT), ("date", _WHEN), ("time", _CLOCK), ("version", _VERSION), ("score", _SCORE))
"""The kinds of values that a question may ask for, each with the words in which it does."""

_WORD = re.compile(r"[^\W\d_]{4,}")


def content_words(text: str) -> frozenset[str]:
    """The longer words of a text, their first letters in small, which tell whether two texts speak of the same."""
    return frozenset(word.casefold()[:5] for word in _WORD.findall(text))


def _alternatives(question: str) -> tuple[str, ...]:
    """The words that a question offers, as in "positive, negative or neutral?"."""
    choices = _OR.findall(question.casefold())
    if len(choices) != 1:
        return ()
    first, between, last = choices[0]
    return (first, *(each for each in between.split(", ") if each), last)


_ASKED_FOR_CJK = re.compile(r"([^。？?\s]{2,40}?)[是は](?:什么|谁|哪[^？?]{0,6}|何|誰|いつ|どこ|どれ)[^？?。]{0,8}[？?]?$")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question asks for, as an answer repeats it: "the capital of Canada".

    Attributes:
        text: as the question has it.
        cjk: whether in Chinese or Japanese.

    Example:
        >>> Subject("capital of Canada").match("The capital of Canada is Ottawa.")["behind"]
        'Ottawa.'
    """

    text: str
    cjk: bool = False

    def match(self, sentence: str) -> re.Match[str] | None:
        """A sentence that says it of something, which is the group `before` or `behind`."""
        # To make a pattern takes longer than all else about an answer, most of which do not repeat what was asked.
        if self.text.split()[0].casefold() not in sentence.casefold():
            return None
        return _pattern_of(self).match(sentence)


@lru_cache(maxsize=256)
def _pattern_of(subject: Subject) -> re.Pattern[str]:
    if subject.cjk:
        return re.compile(rf"{re.escape(subject.text)}(?P<before>)[是はが]、?(?P<behind>[^,，、。]{{1,60}})")
    words = r"\s+".join(map(re.escape, subject.text.split()))
    return re.compile(
        rf"(?:(?:so|thus|therefore),? )?(?:(?P<before>\S.{{0,80}}?) {_COPULA} )?(?:the |a |an |der |die |das |la |le |les |el |los "
        rf"|las |o |os |as |l')?"
        rf"{words}(?(before)(?=\W|$)| {_COPULA} (?P<behind>\S.{{0,200}}))",
        re.IGNORECASE,
    )


def _subject(question: str) -> Subject | None:
    match = _ASKED_FOR.search(question)
    if match is not None:
        return Subject(match[1]) if match[1].strip() else None
    match = _ASKED_FOR_CJK.search(question.strip())
    return Subject(match[1], cjk=True) if match else None


_OPTION = re.compile(r"(?:^|[\s,;])\(?([A-Z])[).:]\s{0,9}([^()\s][^()\n]{0,59}?)(?=[\s,;]{0,9}(?:\(?[A-Z][).:]\s|\n|$))")


_About = lru_cache(maxsize=1024)(About)


def about(question: str) -> About:
    """What a question, the end of a long one, says about its answers.

    Example:
        >>> about("Which city? (A) Rome (B) Oslo").options
        (('A', 'rome'), ('B', 'oslo'))
    """
    return _about(question[-MAX_QUESTION_LENGTH:])


@lru_cache(maxsize=256)
def _about(question: str) -> About:
    small = question.casefold()
    options = tuple((letter, fold_wording(text)) for letter, text in _OPTION.findall(question))
    return _About(
        _PERCENT.search(small) is not None,
        _VERSION.search(small) is not None,
        _SCORE.search(small) is not None,
        _INTERVAL.search(small) is not None,
        _COMMA.search(small) is not None,
        _UNORDERED_LIST.search(small) is not None and _ORDERED_LIST.search(small) is None,
        _YEAR.search(small) is not None,
        _COUNT.search(small) is not None,
        _NAMES.search(small) is not None,
        _INDEXED_VARIABLE.search(small) is not None,
        _POINT.search(small) is not None,
        _TERM.search(small) is not None,
        _alternatives(question),
        _subject(question),
        frozenset(kind for kind, pattern in _KINDS if pattern.search(small)),
        content_words(question),
        options if len(options) > 1 and len({letter for letter, _ in options}) == len(options) else (),
    )
