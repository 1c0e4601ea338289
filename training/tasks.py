"""Questions of the embedded family: seven reasoning-gym generators and our own word problems, at four levels each.

Every question carries a `key`, its problem without the wording. The split into train and test is a hash of that key, so the
two never overlap, however often or with whichever seed questions are generated.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from random import Random
from typing import Any, Literal

import reasoning_gym
from reasoning_gym.arithmetic.leg_counting import ANIMALS

from training import solvers
from training.word_problems import tell

Split = Literal["train", "test"]
TEST_SHARE = 0.1
LARGEST = 99_999
MAX_STEPS = 12


@dataclass(frozen=True)
class Problem:
    """A question with its exact solution; only the question text is ever shown to a model."""

    family: str
    level: int
    key: str
    question: str
    steps: tuple[str, ...]

    @property
    def answer(self) -> str:
        return self.steps[-1].removeprefix(solvers.ANSWER)

    @property
    def split(self) -> Split:
        """Decided by the problem alone: the same problem in another wording falls on the same side."""
        digest = hashlib.sha256(f"{self.family}|{self.key}".encode()).digest()
        return "test" if int.from_bytes(digest[:4], "big") / 2**32 < TEST_SHARE else "train"


Row = Mapping[str, Any]
Reader = Callable[[Row], tuple[str, str, list[str]]]
"""Reads a reasoning-gym row as (key, question, steps)."""


def _expression(row: Row) -> tuple[str, str, list[str]]:
    expression = row["metadata"]["expression"]
    return expression, row["question"], solvers.solve_expression(expression)


def _product(row: Row) -> tuple[str, str, list[str]]:
    expression = row["metadata"]["expression"]
    factors = [int(factor) for factor in expression.split("*")]
    return expression, row["question"].split(". ")[0] + ".", solvers.solve_product(factors)


def _legs(row: Row) -> tuple[str, str, list[str]]:
    animals = row["metadata"]["animals"]
    question = re.sub(r"^Now, how", "How", row["question"].strip().split("\n")[-1])
    return ",".join(f"{n} {a}" for a, n in animals.items()), question, solvers.solve_legs(animals, ANIMALS)


def _sorting(row: Row) -> tuple[str, str, list[str]]:
    numbers = [int(float(number)) for number in row["metadata"]["original_numbers"]]
    direction = row["metadata"]["direction"]
    listed = ", ".join(map(str, numbers))
    steps = solvers.solve_sorting(numbers, direction == "descending")
    return f"{direction} {listed}", f"Sort these numbers in {direction} order: {listed}", steps


def _gcd(row: Row) -> tuple[str, str, list[str]]:
    first, second = row["metadata"]["numbers"]
    question = row["question"].split(". ")[0] + "."
    return f"{max(first, second)} {min(first, second)}", question, solvers.solve_gcd(first, second)


def _equation(row: Row) -> tuple[str, str, list[str]]:
    equation, variable = row["metadata"]["equation"], row["metadata"]["variable"]
    return equation.replace(variable, "x"), row["question"], solvers.solve_linear(equation)


@dataclass(frozen=True)
class Generator:
    """A reasoning-gym data set with its four levels and the reader of its rows."""

    read: Reader
    levels: tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]


def _digits(low: int, high: int) -> dict[str, int]:
    return {"min_digits": low, "max_digits": high}


def _terms(low: int, high: int) -> dict[str, int]:
    return {"min_terms": low, "max_terms": high}


GENERATORS: Mapping[str, Generator] = {
    "chain_sum": Generator(
        _expression,
        (
            _terms(2, 4) | _digits(1, 1),
            _terms(2, 4) | _digits(2, 2),
            _terms(3, 5) | _digits(2, 3),
            _terms(4, 6) | _digits(3, 4),
        ),
    ),
    "basic_arithmetic": Generator(
        _expression,
        (
            _terms(2, 3) | _digits(1, 1),
            _terms(3, 4) | _digits(1, 1),
            _terms(3, 5) | _digits(1, 2),
            _terms(4, 6) | _digits(1, 2),
        ),
    ),
    "products": Generator(
        _product,
        (_terms(2, 3) | _digits(1, 1), _terms(2, 2) | _digits(2, 2), _terms(3, 3) | _digits(1, 2), _terms(2, 2) | _digits(3, 3)),
    ),
    "leg_counting": Generator(
        _legs,
        (
            {"min_animals": 2, "max_animals": 2, "max_instances": 6},
            {"min_animals": 2, "max_animals": 3},
            {"min_animals": 3, "max_animals": 4},
            {"min_animals": 5, "max_animals": 5},
        ),
    ),
    "number_sorting": Generator(
        _sorting,
        (
            {"min_numbers": 3, "max_numbers": 4, "max_decimals": 0, "min_value": 0.0, "max_value": 99.0},
            {"min_numbers": 4, "max_numbers": 6, "max_decimals": 0, "min_value": 0.0, "max_value": 99.0},
            {"min_numbers": 5, "max_numbers": 8, "max_decimals": 0, "min_value": -99.0, "max_value": 99.0},
            {"min_numbers": 7, "max_numbers": 10, "max_decimals": 0, "min_value": -999.0, "max_value": 999.0},
        ),
    ),
    "gcd": Generator(_gcd, ({"max_value": 30}, {"max_value": 100}, {"max_value": 300}, {"max_value": 999})),
    "simple_equations": Generator(
        _equation,
        (
            {"max_value": 9, "max_terms": 2},
            {"max_value": 20, "max_terms": 3},
            {"max_value": 50, "max_terms": 3},
            {"max_value": 99, "max_terms": 4},
        ),
    ),
}
FAMILIES = (*GENERATORS, "word_problems")
LEVELS = (1, 2, 3, 4)


def _acceptable(steps: list[str]) -> bool:
    numbers = (abs(int(number)) for step in steps for number in re.findall(r"-?\d+", step))
    return len(steps) <= MAX_STEPS and max(numbers, default=0) <= LARGEST * 10


def _gym_problems(family: str, level: int, seed: int) -> Iterator[Problem]:
    generator = GENERATORS[family]
    for chunk in range(10**6):
        size = 512
        data = reasoning_gym.create_dataset(family, seed=seed + chunk * size, size=size, **generator.levels[level - 1])
        for row in data:
            try:
                key, question, steps = generator.read(row)
            except solvers.Unsolvable:
                continue
            yield Problem(family, level, key, question, tuple(steps))


def _word_problems(level: int, seed: int) -> Iterator[Problem]:
    rng = Random(f"words {level} {seed}")
    while True:
        kind, question, expression = tell(rng, level)
        try:
            steps = solvers.solve_expression(expression)
        except solvers.Unsolvable:
            continue
        yield Problem("word_problems", level, f"{kind} {expression}", question, tuple(steps))


def problems(family: str, level: int, seed: int, split: Split) -> Iterator[Problem]:
    """Endless problems of one family and level that belong to the split.

    Args:
        family: one of `FAMILIES`.
        level: 1 (easy) to 4.
        seed: the stream; the same seed gives the same problems.
        split: "train" or "test"; decided per problem, not per seed.
    """
    source = _word_problems(level, seed) if family == "word_problems" else _gym_problems(family, level, seed)
    for problem in source:
        if problem.split == split and _acceptable(list(problem.steps)):
            yield problem


def sample(family: str, level: int, seed: int, split: Split, count: int) -> list[Problem]:
    """The first `count` *distinct* problems of the stream; fewer where the space is smaller than that."""
    found: dict[str, Problem] = {}
    patience = 200 * count + 20_000
    for problem in islice(problems(family, level, seed, split), patience):
        found.setdefault(problem.question, problem)
        if len(found) == count:
            break
    return list(found.values())


def everything(seed: int, split: Split, count: int) -> list[Problem]:
    """`count` problems of every family and level, interleaved so that every prefix is balanced."""
    draw = partial(sample, seed=seed, split=split, count=count)
    columns = [draw(family, level) for family in FAMILIES for level in LEVELS]
    return [column[i] for i in range(count) for column in columns if i < len(column)]
