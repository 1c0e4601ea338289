"""A log that an earlier version wrote: `before/log.db.gz`, and in `before/state.json` what that version had learned from it.

Its engine chose from two embedded models; some answers were judged twice, some judgements revised, and one decision failed.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np

from uniscale_integrations import Configuration, ConfigurationSpace, UniScale

BEFORE = Path(__file__).parent / "before"
SPACE = ConfigurationSpace(
    [
        Configuration("uniscale-0.3m"),
        Configuration("uniscale-0.3m", 2),
        Configuration("uniscale-1m"),
        Configuration("uniscale-1m", 1, 2, 1),
    ]
)


def test_it_opens_and_gives_the_same_state(tmp_path: Path) -> None:
    copy = tmp_path / "log.db"
    copy.write_bytes(gzip.decompress((BEFORE / "log.db.gz").read_bytes()))
    with UniScale(["uniscale-0.3m", "uniscale-1m"], space=SPACE, log=f"sqlite:///{copy}", rounds=1) as engine:
        state = engine.state()
    before = json.loads((BEFORE / "state.json").read_text())
    ridges = {name: np.array(value) for name, value in before.items() if name.endswith("ridge")}
    # Prior precisions are others now, scores have a head of their own, and costs are learned in logarithms. How many answers were right
    # follows what was revised.
    revised = {"observed.b": before["observed.b"][:1], "right": 21.5}
    before = {name: value for name, value in before.items() if not name.endswith("ridge")} | revised
    for name, expected in before.items():
        found = state[name]
        if found.dtype.kind == "U":
            assert len(found) == expected, name
            continue
        if name.endswith(".A"):
            turns = np.cos(np.arange(len(found)))
            learned = found - np.diag(state[name.replace(".A", ".ridge")])
            learned_before = expected - ridges[name.replace(".A", ".ridge")] * turns
            np.testing.assert_allclose(learned @ turns, learned_before, atol=1e-9, err_msg=name)
            continue
        np.testing.assert_allclose(found, expected, atol=1e-9, err_msg=name)


def test_it_opens_with_other_features_of_questions(tmp_path: Path) -> None:
    copy = tmp_path / "log.db"
    copy.write_bytes(gzip.decompress((BEFORE / "log.db.gz").read_bytes()))
    with UniScale(
        ["uniscale-0.3m", "uniscale-1m"], space=SPACE, log=f"sqlite:///{copy}", rounds=1, features="uniscale-0.3m"
    ) as engine:
        # What made the features of its decisions is not told in it.
        assert engine.state()["seen"] == 0
        answer = engine.run("What is 2 + 2?")
        engine.feedback(answer, correct=1.0)
        assert engine.state()["seen"] == 1
