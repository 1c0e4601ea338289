"""The answer in a sentence that says again what was asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from uniscale_integrations.answers.mentioned import values_in
from uniscale_integrations.answers.question import About, content_words
from uniscale_integrations.answers.sentences import SENTENCE_END, bare_statement, clean
from uniscale_integrations.answers.values import read_value

MAX_READ_LENGTH = 600
"""Characters at either end of a text in which such a sentence is looked for."""

MAX_WORDS = 8
"""Of such an answer."""

MIN_COMMON_WORDS = 2
"""Words that a sentence shares with the question where it answers it."""

_SEVERAL = re.compile(r"\b(?:are|were|sind|sont|son|são)\b", re.IGNORECASE)
_NOT = re.compile(r"\b(?:not|n't|neither|nor|rather than|instead of|nicht|kein|no|pas)\b|n't\b", re.IGNORECASE)


def repetition(text: str, hints: About) -> str | None:
    """The answer of a sentence that repeats what was asked, chooses from what was offered, or names the one value that was asked for.

    Args:
        text: of any length; its ends are looked at.
        hints: what the question says.

    Example:
        >>> from uniscale_integrations.answers.question import about
        >>> repetition("Oslo is the capital of Norway. It lies on a fjord.", about("What is the capital of Norway?"))
        'Oslo'
        >>> repetition("The tone is negative. They waited for weeks.", about("Is it positive or negative?"))
        'negative'
    """
    if hints.subject is None and not hints.alternatives and not hints.kinds:
        return None
    sentences = [
        fragment.strip()
        for part in _ends(text)
        for each in part.splitlines()
        for fragment in SENTENCE_END.split(each)
        if fragment
    ]
    for rule in (_of_subject, _choice):
        for sentence in (*reversed(sentences[-2:]), *sentences[:2]):
            if answer := rule(sentence, hints):
                return answer
    return _of_kind(sentences, hints) if hints.kinds else None


def _of_kind(sentences: Sequence[str], hints: About) -> str | None:
    """The one value of the kind that was asked for, in the sentence that shares the most words with the question."""
    overlaps = [len(content_words(sentence) & hints.words) for sentence in sentences]
    largest = max(overlaps, default=0)
    if largest < MIN_COMMON_WORDS or overlaps.count(largest) > 1:
        return None
    values = {
        value.value: value.text for value in values_in(sentences[overlaps.index(largest)]) if value.value.kind in hints.kinds
    }
    return values.popitem()[1] if len(values) == 1 else None


def _ends(text: str) -> list[str]:
    text = text.strip()
    return [text] if len(text) <= 2 * MAX_READ_LENGTH else [text[:MAX_READ_LENGTH], text[-MAX_READ_LENGTH:]]


def _of_subject(sentence: str, hints: About) -> str | None:
    match = hints.subject.match(sentence.lstrip("*_#> ")) if hints.subject else None
    if match is None or _NOT.search(match[0]):
        return None
    predicate = bare_statement(match["before"] or match["behind"]) or ""
    if read_value(predicate).kind in ("text", "list") and not _SEVERAL.search(match[0]):
        predicate = clean(predicate.split(", ", 1)[0]) or ""
    return predicate if 0 < len(predicate.split()) <= MAX_WORDS else None


def _choice(sentence: str, hints: About) -> str | None:
    """The one word of those that were offered that a sentence says."""
    choices = [each for each in hints.alternatives if re.search(rf"\b{re.escape(each)}\b", sentence.casefold())]
    return choices[0] if len(choices) == 1 and not _NOT.search(sentence) else None
