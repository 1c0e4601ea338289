"""What was learned, kept beside the log."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.two_models import QUESTIONS, Half, Saying, engine, state
from tests.logged import learned, store
from uniscale_integrations.engine import Model, UniScale
from uniscale_integrations.errors import (
    StateError,
)
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
    dearer = UniScale([Saying("small", 2e6, "Answer: 4"), Saying("large", 2e9, "Answer: 5")], Half(), made.space, log=log)
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


def test_a_poisoned_snapshot_is_refused_with_what_is_wrong(log: str) -> None:
    made = engine(log=log)
    made.run(QUESTIONS[0])
    learned(made).components.correctness_head._stored[3, 4] = np.nan
    made.snapshot()
    with pytest.raises(StateError, match="A holds a value that is not finite in row 3; rebuild the state from its log"):
        engine(log=log)


def test_who_starts_anew_goes_on_from_where_an_update_has_left_it(log: str) -> None:
    made = engine(log=log)
    for turn in range(30):
        made.feedback(made.run(QUESTIONS[turn % 2]), float(turn % 3 > 0))
    heir = Saying("heir", 2e6, "Answer: 4")
    made.update(models=["large", Model(heir, successor_of="small")])
    anew = UniScale([made.models["large"], heir], Half(), made.space, log=log)
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
