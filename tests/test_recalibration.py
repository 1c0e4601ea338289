"""A verifier's scores calibrated to the feedback that comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path as File

import numpy as np
import pytest

from benchmarks.instant import InstantVerifier
from tests.engine.two_models import Saying
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.engine import UniScale, recalibration
from uniscale_integrations.engine.recalibration import Pair, Recalibration, pairs
from uniscale_integrations.engine.retention import forget
from uniscale_integrations.errors import StateError
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.space import ConfigurationSpace
from uniscale_integrations.verifiers.calibration import Calibration, brier


class Knowing(InstantVerifier):
    """A verifier that knows which answers are right, and says so as it likes."""

    def __init__(self, right: float, wrong: float, name: str = "knowing") -> None:
        self.right, self.wrong, self.name = right, wrong, name
        self._score = 0.0

    def open(self, question: str) -> Knowing:
        self._score = self.right if right(question) else self.wrong
        return self

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> list[tuple[tuple[float, ...] | None, Usage]]:
        return [((self._score,), NOTHING) for _ in items]


def right(question: str) -> bool:
    return int(question.split()[2]) % 3 != 0


def engine(verifier: Knowing, address: str = "sqlite://", recalibrate: bool = True) -> UniScale:
    models, space = [Saying("small", 1e6), Saying("large", 1e8)], ConfigurationSpace.default(["small", "large"], ((1, 1, 1),))
    return UniScale(models, verifier, space, log=address, recalibrate=recalibrate, sync_interval=0.0)


def serve(made: UniScale, first: int, count: int) -> float:
    """Ask and judge, and give the Brier score of the scores that were learned from."""

    async def judged() -> None:
        for number in range(first, first + count):
            question = f"What is {number} + 1?"
            await made.afeedback(await made.arun(question), float(right(question)))

    # One event loop for all: to make one for every question takes as long as to answer it.
    asyncio.run(judged())
    newest = pairs(made.log, count)
    return brier([pair.score for pair in newest], [pair.correct for pair in newest])


def test_after_a_verifier_was_swapped_it_recovers() -> None:
    verifier = Knowing(0.9, 0.1)
    made = engine(verifier)
    serve(made, 0, 200)
    before = serve(made, 200, 100)
    assert before < 0.01
    # The new one is sure of everything, by the same name.
    verifier.right, verifier.wrong = 0.99, 0.95
    shocked = serve(made, 300, 20)
    assert shocked > 0.2
    serve(made, 320, 1000)
    assert serve(made, 1320, 100) < 0.01


def test_without_being_asked_for_scores_stay_as_they_are() -> None:
    made = engine(Knowing(0.99, 0.95), recalibrate=False)
    assert serve(made, 0, 150) == pytest.approx(0.3, abs=0.02)
    assert made.log.load_calibration("knowing") is None
    assert all(pair.raw == pair.score for pair in pairs(made.log))


def test_workers_share_the_versions(tmp_path: File) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    one, other = engine(Knowing(0.99, 0.95), address), engine(Knowing(0.99, 0.95), address)
    serve(one, 0, 120)
    version, body = one.log.load_calibration("knowing") or (0, {})
    assert version >= 1
    assert body["method"] == "platt"
    assert serve(other, 500, 30) < 0.2


def test_a_verifier_of_another_name_begins_anew(tmp_path: File) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    serve(engine(Knowing(0.99, 0.95), address), 0, 120)
    assert Recalibration(open_log(address), "knowing").version >= 1
    assert Recalibration(open_log(address), "another").version == 0
    made = engine(Knowing(0.8, 0.2, "another"), address)
    serve(made, 200, 10)
    assert {(pair.verifier, pair.raw == pair.score) for pair in pairs(made.log, 10)} == {("another", True)}


def test_a_version_that_another_worker_was_first_to_write_is_taken_over(tmp_path: File) -> None:
    log = open_log(f"sqlite:///{tmp_path / 'log.db'}")
    body = {"scores": [0.0, 1.0], "values": [0.2, 0.7], "pairs": 30, "method": "platt"}
    assert log.save_calibration("knowing", 1, body)
    assert not log.save_calibration("knowing", 1, body)
    found = Recalibration(log, "knowing")
    assert [found(score) for score in (0.0, 0.5, 1.0)] == pytest.approx([0.2, 0.45, 0.7])
    log.save_calibration("knowing", 2, {"scores": [0.0, 1.0], "values": [0.9, np.nan], "pairs": 30, "method": "platt"})
    with pytest.raises(StateError, match="ascending"):
        found.refresh(0)
    log.close()
    with pytest.raises(StateError, match="ascending"):
        engine(Knowing(0.99, 0.95), log.url)
    # The last one to close a log takes its journal away.
    assert [file.name for file in tmp_path.iterdir()] == ["log.db"]


def judged_by_a_liar(made: UniScale, honest: int, lies: int) -> None:
    """Some answers judged as they are, and some as wrong whatever they are."""

    async def judge() -> None:
        for number in range(honest + lies):
            question = f"What is {number} + 1?"
            correct, source = (float(right(question)), "exact") if number < honest else (0.0, "liar")
            await made.afeedback(await made.arun(question), correct, source=source)

    asyncio.run(judge())
    made.sync()


def recalibration_of(made: UniScale) -> Recalibration:
    return Recalibration(made.log, "knowing")


@pytest.mark.parametrize("honest", [0, 60])
def test_what_was_learned_of_judgements_that_are_forgotten_goes_out_of_the_calibration(tmp_path: File, honest: int) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    made = engine(Knowing(0.9, 0.2), address)
    judged_by_a_liar(made, honest, 90)
    lied, version = recalibration_of(made)(0.9), recalibration_of(made).version
    assert version > 0
    assert lied < 0.5
    with closing(open_log(address)) as log:
        forget(log, source="liar")
        assert [(name, body["pairs"]) for name, _, body in log.calibrations()] == [("knowing", 0)]
        outcomes = [entry.event for entry in log.everything() if isinstance(entry.event, Outcome)]
        # The row that stands for the last one has none.
        scored = [outcome for outcome in outcomes if outcome.score is not None]
        assert {outcome.score for outcome in scored} == {0.9, 0.2}
        assert all(outcome.score == outcome.extra["raw"] for outcome in scored)
    made.sync()
    left = [pair for pair in pairs(made.log) if pair.verifier == "knowing"]
    expected = Calibration.fit([pair.raw for pair in left], [pair.correct for pair in left]) if honest else None
    later = engine(Knowing(0.9, 0.2), address)
    for known in (recalibration_of(made), recalibration_of(later)):
        assert known.version > version
        assert known(0.9) == pytest.approx(expected(0.9) if expected else 0.9)
    # Whoever runs already gives the same scores as who opens the log later.
    for each in (made, later):
        answer = asyncio.run(each.arun("What is 1000 + 1?"))
        assert answer.decision_id is not None
        [outcome] = [entry.event for entry in each.log.of_decisions([answer.decision_id]) if isinstance(entry.event, Outcome)]
        assert outcome.score == pytest.approx(expected(0.9) if expected else 0.9)
    made.close()
    later.close()


def test_a_calibration_that_is_fitted_while_its_judgements_are_forgotten_is_not_used(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    made = engine(Knowing(0.9, 0.2), address, recalibrate=False)
    judged_by_a_liar(made, 0, 60)
    worker = recalibration_of(made)

    def forgotten_meanwhile(log: EventStore) -> list[Pair]:
        found = pairs(log)
        with closing(open_log(address)) as other:
            forget(other, source="liar")
        return found

    monkeypatch.setattr(recalibration, "pairs", forgotten_meanwhile)
    worker.refresh(60)
    assert (worker(0.9), recalibration_of(made)(0.9)) == (0.9, 0.9)
    made.close()
