"""What a question looks like, in a few numbers: its length, its figures and symbols, its words' kinds.

Each number varies by about 1 over ordinary questions, so that one prior suits all. None of them asks for a model, and all together take
some tens of microseconds.
"""

from __future__ import annotations

import re
from math import log, log1p

import numpy as np

from uniscale_integrations.policy.kernels import Array

_WORD = re.compile(r"[^\W\d_]+(?:'\w+)?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_CODE_SIGN = re.compile(r"[{}\[\]();=_`\"]")
_MATHS_SIGN = re.compile(r"[+\-*/^=<>\\$%]")


def vocabulary(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


ASKING = vocabulary("what which who whom whose where when why how")
TELLING = vocabulary(
    "write find give list explain describe translate summarize summarise determine compute calculate evaluate solve "
    "create generate complete implement prove check choose select suppose let if"
)
CODE = vocabulary(
    "function def return list string array code python program class int str tuple dictionary import implement method"
)
MATHS = vocabulary(
    "sum equation integer integers number triangle angle probability polynomial prime real positive value solve "
    "compute evaluate expression digits square x y n"
)
PEOPLE = vocabulary("he she his her they their him them i my we our")
AMOUNTS = vocabulary("many much total each more less than times half twice cost costs dollars per hours minutes days")
COMMON = vocabulary("the a an of to in is are was and or for on with by that this it as at from be")

NAMES = (
    "bias",
    "characters",
    "numbers",
    "lines",
    "word length",
    "sentence length",
    "signs of code",
    "signs of mathematics",
    "commas",
    "capitals",
    "ends with ?",
    "asks at once",
    "tells to do",
    "words of code",
    "words of mathematics",
    "people",
    "common words",
    "amounts",
    "begins with a capital",
    "questions a sentence",
)


SPREADS = (0.57, 0.85, 0.58, 0.59, 0.46, 0.42, 0.31, 0.46, 0.22, 0.5, 0.39, 0.28, 0.17, 0.21, 0.21, 0.29, 0.26, 0.26, 0.42)
"""By how much the features after the bias vary over questions of many kinds: schoolbook, trivia, science, code, puzzles."""


def lexical_features(text: str) -> Array:
    """The features of a text, shape (len(NAMES),), the first of which is 1; finite for every text.

    Example:
        >>> found = dict(zip(NAMES, lexical_features("How many apples are 3 and 4 apples?").round(2).tolist()))
        >>> found["bias"], found["ends with ?"], found["numbers"]
        (1.0, 2.0, 0.12)
    """
    characters = max(len(text), 1)
    words = _WORD.findall(text.lower())
    count = max(len(words), 1)
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    question_words = sum(map(ASKING.__contains__, words))
    trimmed_text = text.strip()
    begins = trimmed_text[:1]

    def share(kind: frozenset[str]) -> float:
        return sum(map(kind.__contains__, words)) / count

    features = np.array(
        [
            1.0,
            (log(characters) - 5.5) / 1.5,
            log1p(len(_NUMBER.findall(text))) - 1.0,
            log1p(text.count("\n")) / 1.5,
            min(sum(map(len, words)) / count, 12.0) - 4.5,
            log(count / sentences) - 2.5,
            min(20.0 * len(_CODE_SIGN.findall(text)) / characters, 2.0),
            min(20.0 * len(_MATHS_SIGN.findall(text)) / characters, 2.0),
            min(10.0 * text.count(",") / count, 2.0),
            min(10.0 * sum(map(str.isupper, text)) / characters, 2.0) - 0.4,
            float(trimmed_text.endswith("?")),
            float(not ASKING.isdisjoint(words[:3])),
            float(bool(words) and words[0] in TELLING),
            min(5.0 * share(CODE), 1.5),
            min(5.0 * share(MATHS), 1.5),
            min(5.0 * share(PEOPLE), 1.5),
            3.0 * (share(COMMON) - 0.3),
            min(5.0 * share(AMOUNTS), 1.5),
            float(begins.isupper()) if begins.isalpha() else 0.5,
            min(question_words / sentences, 2.0),
        ]
    )
    features[1:] /= SPREADS
    return features
