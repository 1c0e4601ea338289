"""What stands out in a line: in bold, as a formula, as code."""

from __future__ import annotations

import re

from uniscale_integrations.answers.formulae import result_of
from uniscale_integrations.answers.mentioned import MAX_WORDS, WORDS, of_a_kind
from uniscale_integrations.answers.sentences import NAME, SENTENCE_END, clean
from uniscale_integrations.answers.units import unit

MAX_SENTENCE_LENGTH = 300
"""Characters up to which what stands out in a sentence is its answer."""

_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*|(?<!\w)__([^_\n]{1,120})__(?!\w)")
_FORMULA = re.compile(
    r"\$\$([^$\n]{1,300})\$\$|\$(?! )([^$\n]{1,300}(?<! ))\$(?![0-9])|\\\(([^\n]{1,300}?)\\\)|\\\[([^\n]{1,300}?)\\\]"
)
_PRINTS = re.compile(r"\b(?:prints?|outputs?|returns?|gives|displays|shows|yields|is) $")
_CODE = re.compile(r"`([^`\n]{1,120})`")
_BETWEEN = re.compile(r"\s*(?:,|;|,?\s*(?:and|or|und|oder|y|o|et|ou|e|и|или))\s*(?:[a-zA-Z]\s?=\s?)?")


def outstanding(line: str) -> str | None:
    """The last that is in bold, or else the last formula; several of them where only "and" and the like stand between."""
    for pattern in (_BOLD, _FORMULA, _CODE):
        spans = [
            span for span in pattern.finditer(line) if not next(part for part in span.groups() if part).rstrip().endswith(":")
        ]
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
        if len(sentence) > MAX_SENTENCE_LENGTH:
            return None
        results = [result_of(next(part for part in span.groups() if part).strip()) for span in group]
        text = results[0] + "".join(
            line[a.end() : b.start()] + each for a, b, each in zip(group, group[1:], results[1:], strict=False)
        )
        if len(text.split()) > 2 * MAX_WORDS or (pattern is _FORMULA and re.fullmatch(r"\\?[a-zA-Z]+", text)):
            return None
        answer = clean(text + _unit_after(line, end)) or ""
        name = NAME.fullmatch(answer)
        return name[1] if name and of_a_kind(name[1]) else answer or None
    return None


_EXPLAINS = re.compile(r"\b(?:where|with|since|because|for|when|as|if|using|by)\b[^,.]{0,30}$", re.IGNORECASE)
_BEHIND = re.compile(r"\s?(°\s?[CF]|%|€|£|[a-zA-Zµ]{1,3}(?:/[a-z]{1,3})?[²³]?|[a-z]{4,12}s?)(?![\w/])")


def _unit_after(line: str, place: int) -> str:
    """The unit that goes on behind what stands out, where it is one that is known."""
    behind = _BEHIND.match(line, place)
    return behind[0] if behind and unit(behind[1]).dimension != behind[1].casefold() and behind[1].casefold() not in WORDS else ""
