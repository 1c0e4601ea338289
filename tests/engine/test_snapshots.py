"""What was learned, kept beside the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from tests.engine.two_models import QUESTIONS, Half, Saying, engine, state
from tests.logged import learned, store
from uniscale_integrations.engine import Model, UniScale
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.policy import product
from uniscale_integrations.policy.arrowhead import ArrowheadRegression
from uniscale_integrations.policy.default_policy import LearnerSettings


def test_a_snapshot_is_a_shortcut_and_nothing_else(log: str) -> None:
    made = engine(log=log)
    answers = [made.run(QUESTIONS[turn % 2]) for turn in range(30)]
    for answer in answers[:20]:
        made.feedback(answer, float(answer.answer == "4"))
    made.snapshot()
    for answer in answers[10:]:
        made.feedback(answer, 0.5, source="another")
    made.sync()
    resumed, anew = engine(log=log), engine(log=log, sync_interval=5.0)
    assert resumed._knowledge.replica.fold.events == 20, "only what came after the snapshot"
    store(anew)._engine.dispose()
    with store(anew)._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM uniscale_snapshots")
    anew = engine(log=log)
    assert anew._knowledge.replica.fold.events == 100
    for other in (resumed, anew):
        for left, right in zip(state(other), state(made), strict=True):
            np.testing.assert_allclose(left, right, atol=1e-9)
    for each in (made, resumed, anew):
        each.close()


def test_a_snapshot_of_other_settings_is_not_taken(log: str) -> None:
    made = engine(log=log)
    made.run(QUESTIONS[0])
    made.snapshot()
    assert engine(log=log, settings=LearnerSettings(alpha=0.1))._knowledge.replica.fold.events == 2
    assert engine(log=log)._knowledge.replica.fold.events == 0


def test_what_was_learned_of_answers_outlasts_a_change_of_prices(log: str) -> None:
    made = engine(log=log)
    for turn in range(10):
        made.feedback(made.run(QUESTIONS[turn % 2]), float(turn % 3 > 0))
    made.snapshot()
    with store(made)._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM uniscale_events")
    dearer = UniScale(
        [Saying("small", 2e6, "Answer: 4"), Saying("large", 2e9, "Answer: 5")], Half(), made.space, log=log, rounds=1
    )
    assert dearer._knowledge.replica.fold.events == 0
    before, after = made.decide(QUESTIONS[0]).assessment, dearer.decide(QUESTIONS[0]).assessment
    np.testing.assert_allclose(after.correct, before.correct, atol=1e-9)
    np.testing.assert_allclose(after.score, before.score, atol=1e-9)
    told = [engine.brain.estimates for engine in (made, dearer)]
    # By what factor costs differ from what was expected is known still.
    factors = [(costs - each.positions) * each.scale.span for costs, each in zip((before.cost, after.cost), told, strict=True)]
    np.testing.assert_allclose(factors[0], factors[1], atol=1e-9)
    as_large = Outcome("", 0.5, float(made.brain.estimates.costs[1]))
    assert dearer.reward(as_large, 1.0) > made.reward(as_large, 1.0), "the same cost is nearer to the cheap end now"


def damaged(log: str, how: Callable[[bytes], bytes]) -> None:
    """Change what is stored of every snapshot."""
    database = create_engine(log)
    with database.begin() as connection:
        [state] = connection.execute(text("SELECT state FROM uniscale_snapshots")).scalars()
        connection.execute(text("UPDATE uniscale_snapshots SET state = :state"), {"state": how(state)})
    database.dispose()


def poisoned(state: bytes) -> bytes:
    with np.load(BytesIO(state)) as arrays:
        changed = dict(arrays)
    changed["judged.A"][3, 4] = np.nan
    file = BytesIO()
    np.savez(file, **changed)
    return file.getvalue()


def with_verdicts(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """What feedback has come to, changed by somebody who knows the container and not what belongs into it."""

    def damage(state: bytes) -> bytes:
        with np.load(BytesIO(state)) as arrays:
            changed = dict(arrays)
        record = json.loads(changed["fold.verdicts"].tobytes())
        change(record)
        changed["fold.verdicts"] = np.frombuffer(json.dumps(record).encode(), dtype=np.uint8)
        file = BytesIO()
        np.savez(file, **changed)
        return file.getvalue()

    return damage


WRONG_VERDICTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no count": lambda record: record["balance"].update(answers=None),
    "a text": lambda record: record["balance"].update(judged="x"),
    "a list": lambda record: record["balance"].update(run=[]),
    "patterns": lambda record: record["sources"].update(patterns={}),
    "confusions": lambda record: record["sources"].update(confusions=[{}, {}, None]),
    "deadlines": lambda record: record.update(deadlines=[0, 0, [["soon", 1, "thumbs", "a"]]]),
    "learned": lambda record: record.update(learned=[["a", 1.0, None, []]]),
    "spoken": lambda record: record.update(spoken={"thumbs": 1}),
    "nothing": lambda record: record.clear(),
}

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda state: state[: len(state) // 2],
    "empty": lambda state: b"",
    "flipped": lambda state: state[:900] + bytes([state[900] ^ 0xFF]) + state[901:],
    "of something else": lambda state: b"PK" + state[::-1],
    "poisoned": poisoned,
    **{f"verdicts: {name}": with_verdicts(change) for name, change in WRONG_VERDICTS.items()},
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_snapshot_is_dropped_and_the_log_folded(log: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    made = engine(log=log)
    for turn in range(6):
        made.feedback(made.run(QUESTIONS[turn % 2]), 1.0)
    made.snapshot()
    damaged(log, DAMAGES[how])
    again = engine(log=log)
    assert "a snapshot is dropped, and the log folded from its beginning" in caplog.text
    for one, other in zip(state(made), state(again), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
    assert again._knowledge.replica.fold.events == 18
    made.close()
    again.close()


def test_a_snapshot_that_is_ahead_of_its_log_is_dropped(log: str, caplog: pytest.LogCaptureFixture) -> None:
    made = engine(log=log)
    for turn in range(6):
        made.feedback(made.run(QUESTIONS[turn % 2]), 1.0)
    made.snapshot()
    made.close()
    database = create_engine(log)
    with database.begin() as connection:
        # As where the log is put back to what it was some time ago.
        connection.execute(text("DELETE FROM uniscale_events WHERE seq > 9"))
    database.dispose()
    again = engine(log=log)
    assert "it goes further than the log does" in caplog.text
    assert again._knowledge.replica.fold.events == 9
    again.close()


def test_what_was_learned_outlasts_its_events_and_is_learned_on(log: str) -> None:
    made = engine(log=log)
    for turn in range(6):
        made.feedback(made.run(QUESTIONS[turn % 2]), 1.0)
    made.snapshot()
    made.close()
    database = create_engine(log)
    with database.begin() as connection:
        connection.execute(text("DELETE FROM uniscale_events"))
    database.dispose()
    again = engine(log=log)
    before = state(again)
    again.feedback(again.run(QUESTIONS[0]), 1.0)
    again.sync()
    assert again._knowledge.replica.fold.events == 3
    assert float(np.abs(state(again)[0] - before[0]).max()) > 0.1
    again.close()


def test_who_starts_anew_goes_on_from_where_an_update_has_left_it(log: str) -> None:
    made = engine(log=log)
    for turn in range(30):
        made.feedback(made.run(QUESTIONS[turn % 2]), float(turn % 3 > 0))
    heir = Saying("heir", 2e6, "Answer: 4")
    made.update(models=["large", Model(heir, successor_of="small")])
    anew = UniScale([made.models["large"], heir], Half(), made.space, log=log, rounds=1)
    before, after = made.decide(QUESTIONS[0]).assessment, anew.decide(QUESTIONS[0]).assessment
    np.testing.assert_allclose(after.correct, before.correct, atol=1e-9)


def test_what_is_kept_of_many_models_is_a_snapshot_of_its_own_and_those_of_before_are_read(
    log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product, "MAX_SHARE", np.inf)

    def opened(groups: int) -> UniScale:
        monkeypatch.setattr(product, "MIN_GROUPS", groups)
        return engine(log=log)

    def learn(made: UniScale) -> None:
        for turn in range(10):
            made.feedback(made.run(QUESTIONS[turn % 2]), float(turn % 3 > 0))
        made.snapshot()

    together = opened(1 << 30)
    learn(together)
    apart = opened(2)
    assert isinstance(learned(apart).components.correctness_head, ArrowheadRegression)
    assert apart._knowledge.replica.fold.events == 0, "a snapshot of before is read"
    np.testing.assert_allclose(apart.state()["judged.A"], together.state()["judged.A"], atol=1e-12)
    name, before = together._knowledge.replica.fold.name, store(together).snapshots_of("")
    learn(apart)
    after = dict(store(together).snapshots_of(""))
    assert after.pop(name) == dict(before)[name], "who cannot read the new one finds what it could read"
    assert len(after) == 1
    for groups in (2, 1 << 30):
        later = opened(groups)
        assert later._knowledge.replica.fold.events == 0, "the later of the two"
        for left, right in zip(state(later), state(apart), strict=True):
            np.testing.assert_allclose(left, right, atol=1e-9)
        later.close()
