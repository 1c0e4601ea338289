"""The answer in a sentence that says again what was asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from uniscale_integrations.answers.mentioned import values_in
from uniscale_integrations.answers.question import About, content_words
from uniscale_integrations.answers.sentences import SENTENCE_END, cleaned, stated
from uniscale_integrations.answers.values import read_value

LONGEST_LOOKED_AT = 600
"""Characters at either end of a text in which such a sentence is looked for."""

MOST_WORDS = 8
"""Of such an answer."""

FEWEST_SHARED = 2
"""Words that a sentence shares with the question where it answers it."""

_SEVERAL = re.compile(r"\b(?:are|were|sind|sont|son|são)\b", re.IGNORECASE)
_NOT = re.compile(r"\b(?:not|n't|neither|nor|rather than|instead of|nicht|kein|no|pas)\b|n't\b", re.IGNORECASE)


def repeated(text: str, asked: About) -> str | None:
    """The answer of a sentence that repeats what was asked, chooses from what was offered, or names the one value that was asked for.

    Args:
        text: of any length; its ends are looked at.
        asked: what the question says.

    Example:
        >>> from uniscale_integrations.answers.question import about
        >>> repeated("Oslo is the capital of Norway. It lies on a fjord.", about("What is the capital of Norway?"))
        'Oslo'
        >>> repeated("The tone is negative. They waited for weeks.", about("Is it positive or negative?"))
        'negative'
    """
    if asked.subject is None and not asked.alternatives and not asked.kinds:
        return None
    sentences = [said.strip() for part in _ends(text) for each in part.splitlines() for said in SENTENCE_END.split(each) if said]
    for read in (_said_of_subject, _chosen):
        for sentence in (*reversed(sentences[-2:]), *sentences[:2]):
            if answer := read(sentence, asked):
                return answer
    return _asked_for(sentences, asked) if asked.kinds else None


def _asked_for(sentences: Sequence[str], asked: About) -> str | None:
    """The one value of the kind that was asked for, in the sentence that shares the most words with the question."""
    shared = [len(content_words(sentence) & asked.words) for sentence in sentences]
    most = max(shared, default=0)
    if most < FEWEST_SHARED or shared.count(most) > 1:
        return None
    values = {value.value: value.text for value in values_in(sentences[shared.index(most)]) if value.value.kind in asked.kinds}
    return values.popitem()[1] if len(values) == 1 else None


def _ends(text: str) -> list[str]:
    text = text.strip()
    return [text] if len(text) <= 2 * LONGEST_LOOKED_AT else [text[:LONGEST_LOOKED_AT], text[-LONGEST_LOOKED_AT:]]


def _said_of_subject(sentence: str, asked: About) -> str | None:
    match = asked.subject.match(sentence.lstrip("*_#> ")) if asked.subject else None
    if match is None or _NOT.search(match[0]):
        return None
    said = stated(match["before"] or match["behind"]) or ""
    if read_value(said).kind in ("text", "list") and not _SEVERAL.search(match[0]):
        said = cleaned(said.split(", ", 1)[0]) or ""
    return said if 0 < len(said.split()) <= MOST_WORDS else None


def _chosen(sentence: str, asked: About) -> str | None:
    """The one word of those that were offered that a sentence says."""
    said = [each for each in asked.alternatives if re.search(rf"\b{re.escape(each)}\b", sentence.casefold())]
    return said[0] if len(said) == 1 and not _NOT.search(sentence) else None
