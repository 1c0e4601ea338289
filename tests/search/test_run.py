"""From a request to an answer: what is refused, what is reported, and Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.trees import Tamper, TreeGenerator, TreeGeneratorSession, TreeVerifier, TreeVerifierSession, World
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ConfigurationError, VerifierError
from uniscale_integrations.search.paths import Candidate, Fate, Path
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import SearchRun, arun, run, settings_for
from uniscale_integrations.space import Configuration

WORLD = World(11, ending=50, words=40)
REQUEST = Request("1 + 1?", Configuration("m", 2, 4, 2), Sampling(max_steps=6))


def test_an_answer_tells_what_was_found_and_how() -> None:
    answer = run(REQUEST, TreeGenerator(WORLD), TreeVerifier(WORLD))
    assert answer.configuration == REQUEST.configuration
    finished = [path for path in answer.paths if path.fate is Fate.FINISHED]
    assert answer.best_score == max(path.value for path in finished if path.value is not None)
    assert answer.text in {path.text for path in finished}
    assert answer.answer == answer.text.split(",")[-1].rstrip(".")
    assert answer.decision_id is None
    assert answer.stop_reason == ""


@pytest.mark.parametrize("question", ["", " \n\t"])
def test_an_empty_question_is_refused_before_anything_is_opened(question: str) -> None:
    generator = TreeGenerator(WORLD)
    with pytest.raises(ConfigurationError, match="the question is empty"):
        run(replace(REQUEST, question=question), generator, TreeVerifier(WORLD))
    assert generator.sessions == []


def test_choosing_between_candidates_needs_a_verifier() -> None:
    with pytest.raises(
        ConfigurationError, match=r"chooses between CP=4 candidates, which needs a verifier; name one, or use CP=1"
    ):
        run(REQUEST, TreeGenerator(WORLD))


def test_samples_without_a_verifier_have_no_score_and_are_counted() -> None:
    answer = run(replace(REQUEST, configuration=Configuration("m", 4)), TreeGenerator(World(2, words=2, ending=256)))
    assert answer.score is None
    assert answer.best_score is None
    assert len(answer.paths) == 4
    assert sum(path.text == answer.text for path in answer.paths) >= 2


def test_the_verifiers_greatest_score_must_be_one_that_can_be() -> None:
    with pytest.raises(ConfigurationError, match="upper"):
        run(REQUEST, TreeGenerator(WORLD), TreeVerifier(replace(WORLD, upper=2.0)))


def test_early_stopping_is_off_with_a_note_where_a_verifier_compares_paths() -> None:
    how, notes = settings_for(REQUEST, TreeVerifier(WORLD, path_local=False))
    assert not how.early_stopping
    assert how.schedule == "lockstep"
    assert notes == ["early stopping is off: tree judge scores a path by comparing it with others"]
    how, notes = settings_for(REQUEST, TreeVerifier(WORLD))
    assert how.early_stopping
    assert how.schedule == "leader"
    assert notes == []


def test_notes_of_search_and_generator_are_reported() -> None:
    generator = TreeGenerator(WORLD)
    current = SearchRun(REQUEST, generator, TreeVerifier(WORLD, path_local=False))
    generator.sessions[0].notes.append("smaller batches")
    answer = asyncio.run(current.execute())
    assert answer.warnings[0].startswith("early stopping is off")
    assert answer.warnings[-1] == "smaller batches"


def test_both_sessions_are_closed_once() -> None:
    generator, verifier = TreeGenerator(WORLD), TreeVerifier(WORLD)
    run(REQUEST, generator, verifier)
    assert generator.sessions[0].closed == verifier.sessions[0].closed == 1


def test_a_verifier_that_cannot_be_opened_does_not_leave_the_generator_open() -> None:
    class Closed(TreeVerifier):
        def open(self, question: str) -> TreeVerifierSession:
            raise VerifierError("no weights")

    generator = TreeGenerator(WORLD)
    with pytest.raises(VerifierError, match="no weights"):
        run(REQUEST, generator, Closed(WORLD))
    assert generator.sessions[0].closed == 1


def test_the_verifier_is_closed_also_when_closing_the_generator_fails() -> None:
    generator, verifier = TreeGenerator(WORLD), TreeVerifier(WORLD)
    stuck = TreeGenerator(WORLD)

    class Stuck(TreeGeneratorSession):
        def close(self) -> None:
            raise RuntimeError("stuck")

    def opened(question: str, sampling: Sampling) -> TreeGeneratorSession:
        return Stuck(stuck, sampling)

    generator.open = opened  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="stuck"):
        run(REQUEST, generator, verifier)
    assert verifier.sessions[0].closed == 1


@pytest.fixture(autouse=True)
def ctrl_c_interrupts() -> Iterator[None]:
    """As in a terminal; a process that was started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting(how: str, depth: int) -> Tamper:
    async def tamper(path: Path, index: int, candidate: Candidate) -> Candidate:
        if path.depth >= depth and index == 1:
            if how == "raised":
                raise KeyboardInterrupt
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(5)
        return candidate

    return tamper


@pytest.mark.parametrize("how", ["raised", "signalled"])
def test_ctrl_c_gives_the_best_answer_so_far(how: str) -> None:
    generator = TreeGenerator(WORLD, tamper=interrupting(how, 2))
    verifier = TreeVerifier(WORLD)
    answer = run(replace(REQUEST, early_stopping=False), generator, verifier)
    assert answer.stop_reason == "interrupted"
    assert max(path.depth for path in answer.paths) == 2
    assert any(path.fate is Fate.FINISHED for path in answer.paths)
    assert answer.score is not None
    assert generator.sessions[0].closed == verifier.sessions[0].closed == 1


@pytest.mark.parametrize("how", ["raised", "signalled"])
def test_ctrl_c_before_anything_was_found_is_passed_on(how: str) -> None:
    generator = TreeGenerator(WORLD, tamper=interrupting(how, 0))
    with pytest.raises(KeyboardInterrupt):
        run(REQUEST, generator, TreeVerifier(WORLD))
    assert generator.sessions[0].closed == 1


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    shape=st.sampled_from([(1, 1, 1), (4, 1, 1), (1, 4, 2), (3, 4, 2)]),
    early=st.booleans(),
    failing=st.sampled_from([0, 3]),
    together=st.booleans(),
)
def test_the_ledger_is_what_generator_and_verifier_used(
    seed: int, shape: tuple[int, int, int], early: bool, failing: int, together: bool
) -> None:
    world = World(seed, ending=60)

    async def tamper(path: Path, index: int, candidate: Candidate) -> Candidate:
        failed = failing and (index + path.depth + path.key.tree) % failing == 1
        return replace(candidate, steps=(), final=False, error="lost") if failed else candidate

    generator, verifier = TreeGenerator(world, together, tamper), TreeVerifier(world)
    request = Request("1 + 1?", Configuration("m", *shape), Sampling(max_steps=5), early_stopping=early)
    answer = run(request, generator, verifier)
    session, judge = generator.sessions[0], verifier.sessions[0]
    spent = answer.ledger.by_role()
    assert spent["generator"] == session.returned.plus(session.shared_usage).plus(session.lost)
    assert spent["verifier"] == judge.returned.plus(judge.shared_usage)
    by_fate = answer.ledger.by_fate()
    assert by_fate["prompt"] == session.shared_usage.plus(judge.shared_usage)
    if session.cancelled == judge.cancelled == 0:
        assert set(by_fate) <= {path.fate.value for path in answer.paths} | {"prompt"}
        own = NOTHING
        for path in answer.paths:
            own = own.plus(path.usage).plus(path.verifier_usage)
        assert own == session.returned.plus(judge.returned)


def test_cancelled_calls_are_in_the_ledger_at_their_estimate() -> None:
    generator = TreeGenerator(WORLD, tamper=interrupting("signalled", 1))
    verifier = TreeVerifier(WORLD)
    answer = run(replace(REQUEST, early_stopping=False), generator, verifier)
    session = generator.sessions[0]
    assert session.lost != NOTHING
    assert answer.ledger.by_role()["generator"] == session.returned.plus(session.shared_usage).plus(session.lost)
    assert answer.ledger.by_role()["verifier"].compute == verifier.sessions[0].returned.plus(Usage(compute=20.0)).compute


def test_the_same_request_gives_the_same_answer() -> None:
    def once() -> tuple[object, ...]:
        answer = asyncio.run(arun(REQUEST, TreeGenerator(WORLD), TreeVerifier(WORLD)))
        return answer.text, answer.score, answer.warnings, [(p.key, p.text, p.fate) for p in answer.paths], answer.ledger.charges

    assert once() == once()
