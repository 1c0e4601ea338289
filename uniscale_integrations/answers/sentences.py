"""Sentences, and what stands around an answer in them."""

from __future__ import annotations

import re

NAME = re.compile(r"[^\W\d_][^\d:=]{0,40}\s?[:\N{FULLWIDTH COLON}]\s*(\S.*)")
"""A value behind its name, as in "Total: 12"."""

_GERMAN_MONTH = r"(?:Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez)[a-zä]*\b"
SENTENCE_END = re.compile(
    rf"(?:(?<=[0-9)\]$*%}}])|(?<=[^\W\d_]{{3}}))[.!](?=\s+[A-ZÄÖÜÀ-ÝА-Я*])(?!\s{_GERMAN_MONTH})"
    r"|[。！]|(?<=[0-9)\]$*%}])[.!] (?=[a-z]{2})"
)
REASON = re.compile(
    r"[,;]?\s(?:because|since|weil|denn|da|porque|ya que|puesto que|parce que|puisque|car|pois|perché|потому что|так как|поскольку)\b"
    r"|[,;]\s(?:as (?:it|the|this|we|that|he|she|they|was|is|has|shown|seen)|which|where|so that|not|and not|rather than"
    r"|instead of|nicht|und nicht|no|pas|et non"
    r"|não|e não|а не|see|siehe|given that|meaning|i\.e\.)\b"
    r"|\s(?:rather than|instead of)\b|[，,、]?因为|[，,、]?(?:而)?不是|、?なぜなら|\s[-–—]{1,2}\s(?=[a-z])",
    re.IGNORECASE,
)
CITATION = re.compile(r"(?<=[^\s`(:=\[,])[ \t]?(?:\[[0-9]{1,3}(?:, ?[0-9]{1,3}){0,9}\](?!\()|【[0-9†: ]{1,20}】)")
_EMPHASIS = re.compile(r"(\*\*|__|`)([^*_`\n]{1,200})\1")
_POLITE = re.compile(r"(?:です|である|입니다|이다)$")


def bare_statement(line: str) -> str | None:
    """An answer without what follows it: another sentence, reasons, alternatives, citations."""
    line = CITATION.sub("", line).strip()
    ended = SENTENCE_END.split(line, maxsplit=1)[0]
    reason = REASON.search(ended)
    short = ended[: reason.start()] if reason and reason.start() > 0 else ended
    return clean(short) or clean(ended)


def clean(answer: str) -> str | None:
    """Without emphasis, whole or torn, and without the full stop."""
    answer = _EMPHASIS.sub(r"\2", answer.strip().rstrip("."))
    for mark in ("**", "__"):
        answer = answer.strip().removeprefix(mark).removesuffix(mark)
    if answer.count("`") == 1:
        answer = answer.strip("`")
    answer = answer.strip().rstrip(".").strip()
    return (answer if answer.isascii() else _POLITE.sub("", answer).rstrip()) or None
