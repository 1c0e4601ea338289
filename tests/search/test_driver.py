"""The driver: failures, budgets, cancellation, and what goes into one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.search.trees import BEAM, LOCKSTEP, WORLD, Judge, Tamper, TreeGenerator, TreeVerifier, ask
from uniscale_integrations.errors import SearchFailed
from uniscale_integrations.search.driver import GIVEN_UP
from uniscale_integrations.search.events import Sampled, Scored, SearchEvent, Stopped
from uniscale_integrations.search.paths import Candidate, Expansion, Fate, Path
from uniscale_integrations.search.ports import Verdict
from uniscale_integrations.search.run import SearchRun


def spoiled(spoil: Callable[[Path, int], bool], error: Exception) -> Tamper:
    async def tamper(path: Path, index: int, candidate: Candidate) -> Candidate:
        if spoil(path, index):
            raise error
        return candidate

    return tamper


def judged(change: Callable[[tuple[float, ...]], object]) -> Judge:
    """Changes the verdict on every second candidate."""

    async def judge(items: Sequence[tuple[Path, Candidate]], verdicts: list[Verdict]) -> list[Verdict]:
        return [
            verdict if place % 2 or not verdict[0] else (change(verdict[0]), verdict[1])  # type: ignore[misc]
            for place, verdict in enumerate(verdicts)
        ]

    return judge


@pytest.mark.parametrize("reckless", [False, True])
def test_all_candidates_failing_is_an_error_that_names_the_causes(reckless: bool) -> None:
    generator = TreeGenerator(WORLD, tamper=spoiled(lambda *_: True, ConnectionError("refused")), reckless=reckless)
    with pytest.raises(SearchFailed, match=r"\(m,3,4,2\) produced nothing: ConnectionError: refused") as caught:
        ask(LOCKSTEP, generator, TreeVerifier(WORLD))
    assert caught.value.causes == ("ConnectionError: refused",)
    assert generator.sessions[0].closed == 1


def test_some_candidates_failing_leaves_the_others() -> None:
    generator = TreeGenerator(WORLD, tamper=spoiled(lambda path, index: index == 2, TimeoutError("slow")))
    answer = ask(LOCKSTEP, generator, TreeVerifier(WORLD))
    failed = [path for path in answer.paths if path.fate is Fate.FAILED]
    assert failed
    assert all(path.key.lineage[-1] == 2 for path in failed)
    assert all(path.reason == "TimeoutError: slow" for path in failed)
    assert answer.stop_reason == ""
    assert "tree 0: a candidate failed: TimeoutError: slow" in answer.warnings


def test_a_generator_that_raises_in_one_tree_loses_that_tree_only() -> None:
    tamper = spoiled(lambda path, _: path.key.tree == 1 and path.depth == 1, RuntimeError("gone"))
    answer = ask(LOCKSTEP, TreeGenerator(WORLD, tamper=tamper, reckless=True), TreeVerifier(WORLD))
    assert {path.key.tree for path in answer.paths if path.fate is Fate.FINISHED} >= {0, 2}
    assert max(path.depth for path in answer.paths if path.key.tree == 1) == 1


def test_a_generator_whose_own_call_was_cancelled_has_failed() -> None:
    async def tamper(path: Path, index: int, candidate: Candidate) -> Candidate:
        if path.key.tree == 1:
            inner = asyncio.get_running_loop().create_future()
            inner.cancel("the pool was shut down")
            await inner
        return candidate

    answer = ask(LOCKSTEP, TreeGenerator(WORLD, tamper=tamper), TreeVerifier(WORLD))
    assert {path.key.tree for path in answer.paths if path.fate is Fate.FINISHED} == {0, 2}
    assert "tree 1: a candidate failed: CancelledError: the pool was shut down" in answer.warnings


def test_a_generator_that_leaves_out_an_expansion_has_failed() -> None:
    generator = TreeGenerator(WORLD, together=True)
    current = SearchRun(LOCKSTEP, generator, TreeVerifier(WORLD))
    session = generator.sessions[0]
    whole = session.expand

    async def expand(expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        return (await whole(expansions))[:-1]

    session.expand = expand  # type: ignore[method-assign]
    with pytest.raises(SearchFailed, match="answered 2 of 3 expansions"):
        asyncio.run(current.execute())


def test_a_verifier_that_raises_fails_the_candidates_and_names_itself() -> None:
    async def judge(items: Sequence[tuple[Path, Candidate]], verdicts: list[Verdict]) -> list[Verdict]:
        raise RuntimeError("no such model")

    with pytest.raises(SearchFailed, match="verifier tree judge: RuntimeError: no such model"):
        ask(LOCKSTEP, TreeGenerator(WORLD), TreeVerifier(WORLD, judge=judge))


def test_a_verifier_that_raises_later_keeps_what_had_finished() -> None:
    finished: set[str] = set()

    async def judge(items: Sequence[tuple[Path, Candidate]], verdicts: list[Verdict]) -> list[Verdict]:
        if finished:
            raise RuntimeError("gone")
        return verdicts

    def observe(event: SearchEvent) -> None:
        if isinstance(event, Scored):
            finished.update(path.text for path in event.contenders if path.fate is Fate.FINISHED)

    answer = ask(BEAM, TreeGenerator(WORLD), TreeVerifier(WORLD, judge=judge), observe)
    assert {path.text for path in answer.paths if path.fate is Fate.FINISHED} == finished
    assert answer.best_text in finished
    assert any(path.fate is Fate.FAILED and "RuntimeError: gone" in path.reason for path in answer.paths)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda scores: (float("nan"),) * len(scores), "gave nan to step 1"),
        (lambda scores: (1.5,) * len(scores), "gave 1.5 to step 1"),
        (lambda scores: (-0.25,) * len(scores), "gave -0.25 to step 1"),
        (lambda scores: (float("inf"),) * len(scores), "gave inf to step 1"),
        (lambda scores: scores[1:], "gave 0 scores for 1 steps"),
        (lambda scores: (*scores, 0.5), "gave 2 scores for 1 steps"),
        (lambda scores: ("high",), "gave 'high' to step 1"),
        (lambda scores: 0.5, "gave 0.5 for 1 steps"),
    ],
)
def test_a_poisoned_score_fails_its_candidate_and_is_named(change: Callable[[tuple[float, ...]], object], named: str) -> None:
    answer = ask(LOCKSTEP, TreeGenerator(WORLD), TreeVerifier(WORLD, judge=judged(change)))
    failed = [path for path in answer.paths if path.fate is Fate.FAILED]
    assert failed
    assert all("verifier 'tree judge'" in path.reason and named in path.reason for path in failed)
    assert all(path.value is not None for path in answer.paths if path.fate is Fate.FINISHED)
    assert answer.score is not None


def test_scores_may_come_as_a_list() -> None:
    listed = ask(LOCKSTEP, TreeGenerator(WORLD), TreeVerifier(WORLD, judge=judged(list)))
    assert listed.best_score == ask(LOCKSTEP, TreeGenerator(WORLD), TreeVerifier(WORLD)).best_score


def test_a_verifier_that_forgets_candidates_fails_them_all() -> None:
    async def judge(items: Sequence[tuple[Path, Candidate]], verdicts: list[Verdict]) -> list[Verdict]:
        return verdicts[:-1]

    with pytest.raises(SearchFailed, match="verifier tree judge: 3 replies to 4 candidates"):
        ask(BEAM, TreeGenerator(WORLD), TreeVerifier(WORLD, judge=judge))


def test_a_verifier_without_an_opinion_leaves_the_candidate_without_a_value() -> None:
    answer = ask(LOCKSTEP, TreeGenerator(WORLD), TreeVerifier(WORLD, judge=judged(lambda scores: None)))
    assert any(path.value is None and path.fate is not Fate.FAILED for path in answer.paths)
    assert answer.best_score is not None


def test_failed_candidates_are_not_shown_to_the_verifier() -> None:
    verifier = TreeVerifier(WORLD)
    ask(BEAM, TreeGenerator(WORLD, tamper=spoiled(lambda _, index: index == 0, OSError("x"))), verifier)
    assert {len(call) for call in verifier.sessions[0].calls} <= {3, 6}


def test_each_tree_goes_into_a_call_of_its_own_or_all_into_one_as_the_generator_likes() -> None:
    for together in (False, True):
        generator = TreeGenerator(WORLD, together=together)
        ask(LOCKSTEP, generator, TreeVerifier(WORLD))
        trees = {len({expansion.path.key.tree for expansion in call}) for call in generator.sessions[0].calls}
        assert max(trees) == (3 if together else 1)


def test_a_verifier_that_compares_paths_sees_all_trees_of_a_depth_in_one_call() -> None:
    verifier = TreeVerifier(WORLD, path_local=False)
    request = replace(LOCKSTEP, early_stopping=True, schedule="leader")
    answer = ask(request, TreeGenerator(WORLD, together=False), verifier)
    calls = verifier.sessions[0].calls
    assert {path.key.tree for path, _ in calls[0]} == {0, 1, 2}
    assert [{path.key.tree for path, _ in call} for call in calls[1:2]] == [{0, 1, 2}]
    assert all(len({len(path.key.lineage) for path, _ in call}) == 1 for call in calls)
    assert len(calls) == max(len(path.key.lineage) for path in answer.paths)
    assert "early stopping is off: tree judge scores a path by comparing it with others" in answer.warnings
    assert not any(path.fate is Fate.PRUNED for path in answer.paths)


def test_sessions_are_told_what_to_keep_only_while_nothing_else_runs() -> None:
    running = 0

    async def tamper(path: Path, index: int, candidate: Candidate) -> Candidate:
        nonlocal running
        running += 1
        await asyncio.sleep(0.001 * path.key.tree)
        running -= 1
        return candidate

    generator = TreeGenerator(WORLD, tamper=tamper)
    current = SearchRun(LOCKSTEP, generator, TreeVerifier(WORLD))
    session, told = generator.sessions[0], []

    def retain(paths: object) -> None:
        told.append(running)

    session.retain = retain  # type: ignore[method-assign]
    asyncio.run(current.execute())
    assert told
    assert set(told) == {0}


def test_what_is_dropped_from_the_beam_is_not_retained() -> None:
    generator = TreeGenerator(WORLD)
    answer = ask(BEAM, generator, TreeVerifier(WORLD))
    kept = set().union(*generator.sessions[0].retained)
    assert kept == {path.text for path in answer.paths if path.fate is Fate.EXPANDED}


def test_the_observer_sees_every_answer_the_search_took() -> None:
    seen: list[SearchEvent] = []
    generator = TreeGenerator(WORLD)
    answer = ask(LOCKSTEP, generator, TreeVerifier(WORLD), seen.append)
    scored = [event for event in seen if isinstance(event, Scored)]
    assert len(scored) == len(generator.sessions[0].calls)
    assert [event.count for event in scored] == sorted(event.count for event in scored)
    assert scored[-1].best == answer.best_score
    assert sum(len(event.candidates) for event in seen if isinstance(event, Sampled)) == len(answer.paths)
    given_up = [path for event in seen if isinstance(event, Stopped) for path in event.paths]
    assert {path.key for path in given_up} == {path.key for path in answer.paths if path.fate in GIVEN_UP}
    assert len(given_up) == len({path.key for path in given_up})


def test_an_observer_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def observe(event: SearchEvent) -> None:
        raise ValueError("look away")

    answer = ask(BEAM, TreeGenerator(WORLD), TreeVerifier(WORLD), observe)
    assert answer.text == ask(BEAM, TreeGenerator(WORLD), TreeVerifier(WORLD)).text
    assert "an observer raised at Sampled" in caplog.text
