"""Questions of a topic, drawn from templates; the features of a text tell topics apart as they do in life."""

from __future__ import annotations

from random import Random

from benchmarks.hosted.templates import TEMPLATES

TOPICS = tuple(TEMPLATES)
"""What there are questions of."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS: dict[str, tuple[str, ...]] = {
    "name": _words("Anna Ben Carla David Elena Frank Grace Henry Ines Jonas Kim Laura Marco Nora Oscar Paula"),
    "other": _words("Quentin Rosa Samir Tara Uma Victor Wendy Xavier Yara Zoe Adam Bella Cora Daniel"),
    "third": _words("Emil Fiona Gustav Hanna Ivan Julia Karl Lena Milo Nina"),
    "surname": _words("Miller Rossi Tanaka Silva Novak Jensen Dubois Weber Kowalski Fischer Okafor Larsen"),
    "person": ("Marie Curie", "Simon Bolivar", "Ada Lovelace", "Johann Strauss", "Frida Kahlo", "Galileo", "Cleopatra"),
    "city": _words("Lisbon Vienna Oslo Toronto Nairobi Lima Kyoto Dublin Prague Geneva Boston Cairo Riga Porto Turin"),
    "country": _words("Portugal Austria Norway Canada Kenya Peru Japan Ireland Hungary Chile Egypt Latvia Spain"),
    "language": ("French", "German", "Spanish", "Italian", "Portuguese", "Dutch", "Polish", "Turkish", "Swedish"),
    "sport": _words("tennis chess hockey rowing football judo cycling fencing handball"),
    "thing": _words("kettle lamp bicycle spoon umbrella mirror basket ladder candle blanket clock jar ticket parcel"),
    "things": _words("apples books pencils tickets bottles chairs stamps shirts plates coins roses boxes maps"),
    "word": _words("orders ledger matrix buffer tokens river batch parser vector stock queue signal cargo metric"),
    "verb": _words("merge count filter rank group split pack trim scan fold match order load"),
}

NUMBERS: dict[str, tuple[int, int]] = {
    "few": (3, 9),
    "k": (2, 15),
    "m": (12, 60),
    "n": (20, 99),
    "big": (120, 990),
    "hour": (7, 21),
    "year": (1850, 2019),
}
"""The range of each slot for a number."""

SENTENCES = (
    "The committee of {city} met on Tuesday to discuss the plans for the new {thing}.",
    "After a long debate, {name} and {other} agreed that the work should be finished within {k} years.",
    "Several residents wrote letters in which they said that the costs of {n} million were too high.",
    "{third} answered that the money had been set aside in {year}, and that nobody would have to pay more.",
    "A second meeting with the delegation from {country} will be held in spring.",
    "In the meantime the office in {city} collects proposals, of which {m} have arrived so far.",
    "According to {surname}, sales of {things} rose by {few} percent, while those of the {thing} fell.",
    "The report says that {name} had warned of delays, but that the warning was not passed on.",
    "Since {year} the town has lost about {big} of its inhabitants to {city}.",
    "{other} told reporters that the club for {sport} would move into the old station.",
    "It is not known yet who will pay for the {things} that were damaged in the storm.",
    "The experts recommend to wait for the results from {country} before anything is signed.",
)
"""What documents are made of."""

CHARACTERS_PER_TOKEN = 4.4


def tokens_in(text: str) -> int:
    """About how many tokens a text in English has.

    Example:
        >>> tokens_in("How many apples are 3 and 4 apples?")
        8
    """
    return max(1, round(len(text) / CHARACTERS_PER_TOKEN))


class Slots(dict[str, str]):
    """What stands in the slots of one text; each is drawn when it is first needed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def __missing__(self, name: str) -> str:
        if name == "Word":
            value = self["word"].capitalize()
        elif name in NUMBERS:
            value = str(self._random.randint(*NUMBERS[name]))
        else:
            value = self._random.choice(WORDS[name])
        self[name] = value
        return value


def question(topic: str, random: Random, passage_tokens: int = 120) -> str:
    """A question of a topic.

    Args:
        topic: one of `TOPICS`.
        random: draws it.
        passage_tokens: length of the passage that comes with it, where one does.

    Example:
        >>> question("trivia", Random(3))
        'which band had a number one hit in Chile in 1989'
    """
    slots, template = Slots(random), random.choice(TEMPLATES[topic])
    if "{passage}" in template:
        slots["passage"] = passage(random, passage_tokens)
    return template.format_map(slots)


def passage(random: Random, tokens: int) -> str:
    """Running text of about so many tokens."""
    sentences, length = list[str](), 0
    while length < tokens:
        sentences.append(random.choice(SENTENCES).format_map(Slots(random)))
        length += tokens_in(sentences[-1])
    return " ".join(sentences)
