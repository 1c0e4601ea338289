"""What is learned of a log, however it is cut into parts."""

from __future__ import annotations

import random

import numpy as np
import pytest

from benchmarks.instant import InstantGenerator
from uniscale_integrations.engine import UniScale
from uniscale_integrations.log import fold
from uniscale_integrations.log.log import open_log


def test_workers_that_read_it_in_other_parts_learn_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "REMEMBERED", 5)
    rng = random.Random(0)
    log = open_log("sqlite://")
    live = UniScale([InstantGenerator(name="small"), InstantGenerator(name="large")], None, log=log)
    asked = [live.run(f"What is {place} + 1?").decision_id for place in range(40)]
    for place, decision_id in enumerate(asked):
        assert decision_id is not None
        live.feedback(decision_id, rng.random(), source="late")
        if place % 3 == 0:
            live.run(f"And {place}?")
    told = int(live.state()["told"].sum())
    assert told == 40
    anew = UniScale([InstantGenerator(name="small"), InstantGenerator(name="large")], None, log=log)
    for name in ("judged.A", "judged.b", "observed.A", "told"):
        np.testing.assert_allclose(anew.state()[name], live.state()[name], atol=1e-9, err_msg=name)
