"""The driver when something ends a search early: budgets, deadlines, cancellation, calls that became futile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.search.trees import BEAM, LOCKSTEP, PLAIN, WORLD, TreeGenerator, TreeVerifier, World, ask
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.errors import BudgetError, NoAnswerInTime
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.paths import Candidate, Expansion, Fate, Path
from uniscale_integrations.search.ports import Sampling, Verdict
from uniscale_integrations.search.run import SearchRun, arun
from uniscale_integrations.space import Configuration

DEEP = Sampling(max_steps=24)
"""So deep that a budget, which is looked at between steps, breaks before the last one."""


def test_a_token_budget_is_kept_and_the_best_so_far_returned() -> None:
    request = replace(LOCKSTEP, sampling=DEEP)
    full = ask(request, TreeGenerator(WORLD), TreeVerifier(WORLD))
    for share in (0.3, 0.6, 0.9):
        limit = sum(full.ledger.tokens) * share
        answer = ask(replace(request, budget=Budget(tokens=limit)), TreeGenerator(WORLD), TreeVerifier(WORLD))
        assert f"budget of {limit:.4g} tokens" in answer.stop_reason
        assert answer.text
        assert sum(answer.ledger.tokens) < sum(full.ledger.tokens)
        assert any(path.fate is Fate.CANCELLED for path in answer.paths)


def test_an_eflops_budget_is_kept_and_the_best_so_far_returned() -> None:
    request = replace(BEAM, sampling=DEEP)
    full = ask(request, TreeGenerator(WORLD), TreeVerifier(WORLD))
    answer = ask(replace(request, budget=Budget(eflops=full.ledger.eflops / 2)), TreeGenerator(WORLD), TreeVerifier(WORLD))
    assert "eflops" in answer.stop_reason
    assert answer.ledger.eflops < full.ledger.eflops


def test_a_budget_that_is_not_reached_leaves_no_mark() -> None:
    answer = ask(replace(LOCKSTEP, budget=Budget(tokens=1e6, seconds=60)), TreeGenerator(WORLD), TreeVerifier(WORLD))
    assert answer.stop_reason == ""


def test_a_search_that_is_over_when_its_budget_breaks_is_not_cut() -> None:
    request = replace(LOCKSTEP, configuration=Configuration("m"), sampling=Sampling(max_steps=1))
    worlds = [replace(WORLD, seed=seed, ending=0) for seed in range(20)]
    longest = max(worlds, key=lambda world: sum(ask(request, TreeGenerator(world), None).ledger.tokens))
    spent = sum(ask(request, TreeGenerator(longest), None).ledger.tokens)
    answer = ask(replace(request, budget=Budget(tokens=spent - 0.5)), TreeGenerator(longest), None)
    assert sum(answer.ledger.tokens) == spent
    assert answer.stop_reason == "no path finished"


def test_what_the_budget_covers_is_sampled_and_the_rest_declined_and_marked() -> None:
    answer = ask(replace(PLAIN, budget=Budget(tokens=16.0)), TreeGenerator(WORLD), None)
    assert {path.key.tree for path in answer.paths if path.steps} == {0, 1, 2}
    assert "budget of 16 tokens" in answer.stop_reason
    assert answer.text


def test_running_calls_count_against_the_budget() -> None:
    async def tamper(path: Path, index: int, candidate: Candidate) -> Candidate:
        await asyncio.sleep(0.02 * path.key.tree)
        return candidate

    generator = TreeGenerator(WORLD, tamper=tamper)
    request = replace(LOCKSTEP, configuration=Configuration("m", 2, 4, 2), budget=Budget(tokens=100.0))
    answer = ask(request, generator, TreeVerifier(WORLD))
    # The first tree alone has used less than 80, and its next step is estimated at 20, but so is the call still out.
    assert [[expansion.path.key.tree for expansion in call] for call in generator.sessions[0].calls] == [[0], [1]]
    assert answer.stop_reason.startswith("budget of 100 tokens")


@pytest.mark.parametrize("budget", [Budget(tokens=3.0), Budget(eflops=50.0)])
def test_a_budget_smaller_than_the_first_step_is_an_error(budget: Budget) -> None:
    generator = TreeGenerator(WORLD)
    with pytest.raises(BudgetError, match="less than the first step of one sample, raise the budget"):
        ask(replace(PLAIN, budget=budget), generator, None)
    assert generator.sessions[0].calls == []
    assert generator.sessions[0].closed == 1


async def slowly(path: Path, index: int, candidate: Candidate) -> Candidate:
    await asyncio.sleep(0.0 if path.depth == 0 else 5.0)
    return candidate


def test_a_deadline_ends_a_slow_search_with_the_best_so_far_and_cancels_its_calls() -> None:
    generator = TreeGenerator(WORLD, tamper=slowly)
    answer = ask(replace(LOCKSTEP, budget=Budget(seconds=0.4)), generator, TreeVerifier(WORLD))
    assert "deadline of 0.4 s" in answer.stop_reason
    assert max(path.depth for path in answer.paths) == 1
    assert generator.sessions[0].cancelled == 3
    assert answer.ledger.seconds < 2
    assert answer.ledger.by_fate()["cancelled"].compute > 0


def test_a_deadline_before_the_first_step_is_an_error() -> None:
    async def tamper(path: Path, index: int, candidate: Candidate) -> Candidate:
        await asyncio.sleep(5)
        return candidate

    generator = TreeGenerator(WORLD, tamper=tamper)
    with pytest.raises(NoAnswerInTime, match=r"has not answered for 0.\d+ s, as long as the request's deadline let it"):
        ask(replace(PLAIN, budget=Budget(seconds=0.05)), generator, None)
    assert generator.sessions[0].cancelled == 4


def test_a_budget_that_breaks_in_one_tree_cancels_the_calls_of_the_others() -> None:
    async def tamper(path: Path, index: int, candidate: Candidate) -> Candidate:
        await asyncio.sleep(0.0 if path.key.tree == 0 else 5.0)
        return replace(candidate, usage=Usage(completion_tokens=1000.0))

    generator = TreeGenerator(WORLD, tamper=tamper)
    answer = ask(replace(PLAIN, budget=Budget(tokens=500.0)), generator, None)
    assert answer.ledger.seconds < 2
    assert generator.sessions[0].cancelled == 3
    assert answer.stop_reason.startswith("budget of 500 tokens")


def test_cancelling_the_caller_cancels_the_generator_and_is_passed_on() -> None:
    generator = TreeGenerator(WORLD, tamper=slowly)

    async def main() -> None:
        task = asyncio.create_task(arun(LOCKSTEP, generator, TreeVerifier(WORLD)))
        while len(generator.sessions[0].calls if generator.sessions else []) < 6:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert generator.sessions[0].cancelled == 3
    assert generator.sessions[0].closed == 1


def test_cancelling_the_caller_cancels_the_verifier_too() -> None:
    async def judge(items: Sequence[tuple[Path, Candidate]], verdicts: list[Verdict]) -> list[Verdict]:
        await asyncio.sleep(5)
        return verdicts

    verifier = TreeVerifier(WORLD, judge=judge)

    async def main() -> None:
        task = asyncio.create_task(arun(LOCKSTEP, TreeGenerator(WORLD), verifier))
        while len(verifier.sessions[0].calls if verifier.sessions else []) < 3:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert verifier.sessions[0].cancelled == 3
    assert verifier.sessions[0].closed == 1


def test_calls_that_became_futile_are_cancelled_and_charged_and_leave_no_mark() -> None:
    flawless = World(3, palette=(1.0,), ending=256)

    async def tamper(path: Path, index: int, candidate: Candidate) -> Candidate:
        await asyncio.sleep(0.0 if path.key.tree == 0 else 5.0)
        return candidate

    generator = TreeGenerator(flawless, tamper=tamper)
    request = replace(LOCKSTEP, early_stopping=True, budget=Budget(tokens=1e6))
    current = SearchRun(request, generator, TreeVerifier(flawless))
    answer = asyncio.run(current.execute())
    assert generator.sessions[0].cancelled == 2
    assert answer.stop_reason == ""
    assert answer.ledger.by_fate()["cancelled"] == Usage(prompt_tokens=8.0, completion_tokens=32.0, compute=800.0)
    assert current.meter.usage.compute >= 800
    assert {path.fate for path in answer.paths if path.key.tree > 0} == {Fate.PRUNED}


def test_a_call_that_finishes_in_spite_of_its_cancellation_is_charged_what_it_used() -> None:
    flawless = World(3, palette=(1.0,), ending=256)
    generator, verifier = TreeGenerator(flawless), TreeVerifier(flawless)
    current = SearchRun(replace(LOCKSTEP, early_stopping=True), generator, verifier)
    session = generator.sessions[0]
    patient = session.expand

    async def expand(expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        if expansions[0].path.key.tree > 0:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(5)
        return await patient(expansions)

    session.expand = expand  # type: ignore[method-assign]
    spent = asyncio.run(current.execute()).ledger.by_role()
    judge = verifier.sessions[0]
    assert len(session.calls) == len(judge.calls) == 3
    assert spent["generator"] == session.returned.plus(session.shared_usage)
    assert spent["verifier"] == judge.returned.plus(judge.shared_usage)


def test_what_was_sampled_before_its_verifier_was_cancelled_is_charged_as_it_was() -> None:
    flawless = World(3, palette=(1.0,), ending=256)

    async def judge(items: Sequence[tuple[Path, Candidate]], verdicts: list[Verdict]) -> list[Verdict]:
        await asyncio.sleep(0.0 if items[0][0].key.tree == 0 else 5.0)
        return verdicts

    generator, verifier = TreeGenerator(flawless), TreeVerifier(flawless, judge=judge)
    ledger = ask(replace(LOCKSTEP, early_stopping=True), generator, verifier).ledger
    session = generator.sessions[0]
    assert (session.cancelled, verifier.sessions[0].cancelled) == (0, 2)
    assert ledger.by_role()["generator"] == session.returned.plus(session.shared_usage)


def test_a_call_that_ends_while_a_futile_one_is_cleaned_up_is_not_waited_for_again() -> None:
    flawless = World(3, palette=(1.0,), ending=256)
    request = replace(LOCKSTEP, early_stopping=True, configuration=Configuration("m", 3))
    generator = TreeGenerator(flawless)
    current = SearchRun(request, generator, TreeVerifier(flawless))
    session = generator.sessions[0]
    honest = session.expand

    async def expand(expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        tree = expansions[0].path.key.tree
        if tree == 2:
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                await asyncio.sleep(0.1)
                raise
        if tree == 0:
            await asyncio.sleep(0.05)
        return await honest(expansions)

    session.expand = expand  # type: ignore[method-assign]
    answer = asyncio.run(asyncio.wait_for(current.execute(), 3))
    assert answer.best_score == 1.0
