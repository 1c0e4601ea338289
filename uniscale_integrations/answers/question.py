"""What a question says about how its answers are to be read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from uniscale_integrations.answers.plain import folded

LONGEST_QUESTION = 4_000
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
    options: tuple[tuple[str, str], ...] = ()


_PERCENT = re.compile(r"per ?cent|%|prozent|pour ?cent|por ?ci?ento|процент|百分|パーセント")
_VERSION = re.compile(r"\bversion|\brelease|versión|versão|версия|版本|バージョン")
_SCORE = re.compile(r"\bmatch\b|\bscore\b|\bgame end|of how many|out of how|spiel|partido|jogo|счёт|счет|比分")
_INTERVAL = re.compile(r"for (?:which|what) [a-z]\b|interval|domain|\brange\b|inequalit|intervall|für welche|区间|[<>≤≥]|\\[lg](?:eq?|t)\b")
_COMMA = re.compile(r"\b(?:wie|wieviel|welche[rs]?|combien|quel(?:le)?s?|cuánt[oa]s?|cuál|quant[oa]s?|qual|ile)\b|сколько|как(?:ой|ая)")
_UNORDERED = re.compile(
    r"\bsolve\b|\bsolutions?\b|\broots?\b|\bzeros?\b|\ball\b|\bwhich\b|\bwhat are\b"
    r"|\bname (?:the|two|three|four|five|all|some)\b|lösung|lösen?\b|nullstelle|\bwelche\b"
    r"|solucion|raíces|\bcuáles\b|racines|\bquel(?:le)?s\b|решен|корн|解|哪些|どれ"
)
_ORDERED = re.compile(
    r"\border|\bsort|\brank|\bfirst\b|\blast\b|sequence|\bsteps?\b|alphabet|chronolog|ascending|descending"
    r"|reihenfolge|sortier|ordn|ordena|排序|順"
)
_YEAR = re.compile(r"\b(?:what|which) year\b|welche[mns] jahr|qué año|que ano\b|quelle année|哪一?年|何年|како[йм] год")
_COUNT = re.compile(r"\bhow many\b|\bwie ?viele\b|combien|cuánt[oa]s|quant[oa]s|сколько|多少|几个|いくつ|何[個人枚]")
_NAMES = re.compile(
    r"(?:^|[.!?\n] {0,3})(?:who|whose|whom|where|why|is|are|was|were|do|does|did|can|could|should|will|would|has|have|wer|wo|warum|ist|sind"
    r"|qui|où|pourquoi|est-ce|quién|dónde|por qué|quem|onde|por que|кто|где|почему)\b[^.!?\n]*\??\s*$|谁|哪里|为什么|誰|どこ|なぜ|吗"
)
_OPTION = re.compile(r"(?:^|[\s,;])\(?([A-Z])[).:]\s{0,9}([^()\s][^()\n]{0,59}?)(?=[\s,;]{0,9}(?:\(?[A-Z][).:]\s|\n|$))")


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
    options = tuple((letter, folded(text)) for letter, text in _OPTION.findall(question))
    return _About(
        _PERCENT.search(small) is not None,
        _VERSION.search(small) is not None,
        _SCORE.search(small) is not None,
        _INTERVAL.search(small) is not None,
        _COMMA.search(small) is not None,
        _UNORDERED.search(small) is not None and _ORDERED.search(small) is None,
        _YEAR.search(small) is not None,
        _COUNT.search(small) is not None,
        _NAMES.search(small) is not None,
        options if len(options) > 1 and len({letter for letter, _ in options}) == len(options) else (),
    )
