"""Problems, their exact solutions, and the wall between train and test."""

from __future__ import annotations

from itertools import islice

import pytest
import reasoning_gym

from training.tasks import FAMILIES, GENERATORS, LEVELS, MAX_STEPS, problems, sample
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.answers import same_answer


@pytest.mark.parametrize("family", FAMILIES)
def test_a_problem_falls_on_one_side_whatever_the_seed(family: str) -> None:
    train = {p.key for seed in (1, 2) for level in LEVELS for p in islice(problems(family, level, seed, "train"), 60)}
    test = {p.key for seed in (2, 3) for level in LEVELS for p in islice(problems(family, level, seed, "test"), 8)}
    assert train
    assert test
    assert not train & test


@pytest.mark.parametrize("family", list(GENERATORS))
def test_the_exact_solution_ends_in_the_answer_of_reasoning_gym(family: str) -> None:
    generator = GENERATORS[family]
    checked = 0
    for level, settings in enumerate(generator.levels, start=1):
        for row in reasoning_gym.create_dataset(family, seed=5, size=40, **settings):
            try:
                _, question, steps = generator.read(row)
            except ValueError:
                continue
            expected = row["answer"].replace(".0", "") if family == "number_sorting" else row["answer"]
            assert same_answer(steps[-1].removeprefix("Answer: "), expected), (level, question)
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("level", LEVELS)
def test_word_problems_have_short_integer_solutions(level: int) -> None:
    for problem in islice(problems("word_problems", level, 9, "train"), 200):
        assert problem.answer.lstrip("-").isdigit()
        assert 2 <= len(problem.steps) <= MAX_STEPS


def test_the_questions_that_the_package_ships_are_all_held_out() -> None:
    shipped = {question.text for question in questions()}
    assert len(shipped) >= 1000
    for family in FAMILIES:
        for level in LEVELS:
            seen = {p.question for p in islice(problems(family, level, 10_000_000 * level, "train"), 100)}
            assert not shipped & seen


def test_samples_are_distinct_and_repeatable() -> None:
    first, again = (sample("gcd", 2, 3, "test", 30) for _ in range(2))
    assert first == again
    assert len({problem.question for problem in first}) == 30
