"""What kind of question a text is: how much it looks like some examples of each.

Models differ by kind of task more than by anything that varies within one. A linear score of lexical features cannot say "better at code,
worse at trivia" where both are short; memberships of kinds can, and every kind needs few observations. The examples are taken from
no benchmark; they stand for what people ask, and tell a reader what the policy takes a question for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.policy.instruction import features_of_prompt
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.lexical import NAMES, lexical_features
from uniscale_integrations.policy.schema import FeatureSchema

EXAMPLES: dict[str, tuple[str, ...]] = {
    "facts": (
        "who wrote the song at the end of the film",
        "when did the first world war start",
        "Which country won the football World Cup in 1998?",
        "What is the capital of Australia?",
    ),
    "common sense and science": (
        "Where would you put a plate after washing it?",
        "If you want to keep food fresh for longer, what should you use?",
        "A plant growing in a dark room will most likely",
        "Which of the following best explains why the Moon appears to change its shape over a month?",
        "Which process in the water cycle turns liquid water into vapor?",
    ),
    "mathematics": (
        "Tom has 12 apples. He gives 5 of them to his sister and buys 8 more. How many apples does Tom have now?",
        (
            "A shop sells notebooks for $3 each and pens for $1.50 each. Maria buys 4 notebooks and twice as many "
            "pens. She pays with a $50 bill. How much change does she get?"
        ),
        "What is the value of $x$ if $3x + 7 = 22$?",
        (
            "Let $f(x) = x^2 - 4x + 3$. Find the sum of all real numbers $a$ such that $f(a) = f(2a)$. Express your "
            "answer as a common fraction."
        ),
        "Compute 12 * (7 - 3) + 18 / 6 =",
    ),
    "code": (
        "Write a function to find the longest common prefix of a list of strings.",
        "Write a python program that reads a file and prints the ten most frequent words.",
        (
            'def add(numbers: list[int]) -> int:\n    """ Return the sum of all numbers that are even.\n    >>> add([1, '
            '2, 4])\n    6\n    """\n'
        ),
        (
            "Fix the following code:\n```python\nfor i in range(len(xs)):\n    print(xs[i + 1])\n```\nIt fails with "
            "IndexError: list index out of range."
        ),
    ),
    "list of words": ("apple, river, dance, blue, window, train, music, paper, stone, garden",),
    "puzzle": (
        (
            "There are four people in a row, numbered 1 to 4 from left to right. Each has a different drink: tea, "
            "coffee, milk, water. Each has a different pet: a cat, a dog, a bird, a fish. 1. The one who drinks tea "
            "lives next to the one who has a cat. 2. The one with the dog drinks milk. 3. The one in place 3 has a "
            "bird. Who drinks water?"
        ),
    ),
    "passage": (
        (
            "The committee met on Tuesday to discuss the plans for the new library. After a long debate, the members "
            "agreed that the building should be finished within two years. Several residents wrote letters in which "
            "they said that the costs were too high. The mayor answered that the money had been set aside long ago, "
            "and that the town needed a place for its young people to read and to learn. A second meeting will be held"
            " in spring. What did the mayor say about the costs?"
        ),
    ),
    "physics and chemistry": (
        (
            "A 2.0 kg block slides down a frictionless incline of 30 degrees from a height of 1.5 m. At the bottom it "
            "meets a spring of constant 400 N/m. By how much is the spring compressed, and what is the maximum "
            "acceleration of the block?"
        ),
        (
            "A compound with the molecular formula C8H10O shows a broad absorption at 3350 cm-1 in its IR spectrum. "
            "Its 1H NMR spectrum has signals at 7.3 (5H, m), 3.8 (2H, t) and 2.8 ppm (2H, t). Which structure is "
            "consistent with these data?"
        ),
    ),
    "writing": (
        "Summarize the following email in two sentences and list the open questions.",
        "Translate into French: The meeting has been moved to next Friday.",
        "Explain how vaccines work to a ten year old.",
        "Hi! Can you help me plan a weekend trip with my kids? We like hiking and good food.",
        ("Extract the name, the date and the amount from this invoice and return JSON with the keys name, date and amount."),
    ),
    "options": (
        (
            "You are a helpful assistant. Answer the question with the letter of the right option.\nQuestion: Which "
            "planet is closest to the Sun?\nA. Venus\nB. Mercury\nC. Mars\nD. Earth\nAnswer:"
        ),
        'Is the following sentence plausible? "The goalkeeper hit a home run."',
        (
            "Q: The concert was planned for 3 March 2021 and took place two days later. What is its date in "
            "MM/DD/YYYY?\nOptions:\n(A) 03/01/2021\n(B) 03/05/2021\n(C) 05/03/2021"
        ),
        "Maria lent the bicycle to Anna because _ had missed the bus.",
    ),
}
"""The kinds, and what questions of each look like."""

"""For each of `TextFeatures` after the first whether it is a kind."""

SOFTNESS = 3.0
"""Squared distance of lexical features by which a further example counts e times less than the nearest."""


@cache
def _examples() -> Array:
    """Lexical features of the examples without the bias, shape (examples, features)."""
    return np.array([lexical_features(example)[1:] for examples in EXAMPLES.values() for example in examples])


@cache
def _starts() -> NDArray[np.intp]:
    """The place of each kind's first example among all, shape (len(EXAMPLES),)."""
    return np.cumsum([0, *map(len, EXAMPLES.values())], dtype=np.intp)[:-1]


def kind_features(lexical: Array) -> Array:
    """How much a text is of each kind, shape (len(EXAMPLES),), of length 1.

    Args:
        lexical: its `lexical_features`.

    Example:
        >>> found = kind_features(lexical_features("Write a function that reverses the words of a sentence."))
        >>> max(zip(found, EXAMPLES))[1]
        'code'
    """
    return memberships(np.square(_examples() - lexical[1:]).sum(axis=1), SOFTNESS)


def memberships(distances: Array, softness: float) -> Array:
    """How much something is of each kind, of length 1, shape (len(EXAMPLES),).

    Args:
        distances: squared distances to all examples, shape (examples,).
        softness: squared distance by which an example counts e times less.
    """
    near = np.square(np.exp((distances.min() - distances) / softness))
    kinds: Array = np.sqrt(np.add.reduceat(near, _starts()) / near.sum())
    return kinds


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """Features of a text: 1, the lexical ones, and the kinds; those of a long text by what it asks, see `instruction`.

    Attributes:
        name: tells apart what was computed in another way; the log keeps it with the numbers. Earlier versions with this name took long
            texts as a whole.
        names: of the features.

    Example:
        >>> features = TextFeatures()
        >>> features("What is 2 + 2?").shape == (features.dim,)
        True
    """

    name: str = "lexical-kinds-2"
    names: tuple[str, ...] = (*NAMES, *EXAMPLES)

    @property
    def dim(self) -> int:
        return len(self.names)

    @property
    def schema(self) -> FeatureSchema:
        """The names of the features, and which are kinds."""
        return FeatureSchema(self.names, frozenset(EXAMPLES))

    def __call__(self, text: str) -> Array:
        """The features of a text, shape (dim,)."""
        whole, part = features_of_prompt(text)
        return np.concatenate([whole, kind_features(part)])
