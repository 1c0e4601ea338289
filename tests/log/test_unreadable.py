"""Rows that this version cannot read: of a later one, of somebody else, or damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from typer.testing import CliRunner

from benchmarks.durability import difference, engine, uninterrupted
from benchmarks.faults import database_of
from uniscale_integrations import UniScale
from uniscale_integrations.cli.app import app
from uniscale_integrations.log.log import open_log

INSERT = "INSERT INTO uniscale_events (kind, decision_id, at, body) VALUES (:kind, :id, :at, :body)"

GOOD = {
    "decision": {
        "configuration": ["small", 1, 1, 1],
        "features": [1.0] * 4,
        "encoder": "e",
        "weights": [0.5, 0.0, 0.5],
        "propensity": 1.0,
        "request_id": "r",
        "round": 0,
        "query_hash": "",
        "query": None,
        "extra": {},
    },
    "outcome": {"score": 0.5, "eflops": 1e6, "usd": 0.0, "seconds": 0.1, "failed": "", "extra": {}},
    "feedback": {"correct": 1.0, "source": "s", "key": "k", "comment": ""},
}

BAD: Mapping[str, tuple[str, str]] = {
    "a kind of a later version": ("dream", "{}"),
    "a field of a later version": ("outcome", json.dumps(GOOD["outcome"] | {"colour": "red"})),
    "a field of a later version's decision": ("decision", json.dumps(GOOD["decision"] | {"colour": "red"})),
    "no JSON": ("feedback", "{"),
    "nothing": ("feedback", ""),
    "a list": ("feedback", "[]"),
    "no number": ("feedback", json.dumps(GOOD["feedback"] | {"correct": float("nan")})),
    "a number without end": ("outcome", json.dumps(GOOD["outcome"] | {"eflops": float("inf")})),
    "a whole number without end": ("outcome", json.dumps(GOOD["outcome"]).replace("1000000.0", "1" + "0" * 400)),
    "features beyond all measure": ("decision", json.dumps(GOOD["decision"] | {"features": [1e300] * 4})),
    "features that are none": ("decision", json.dumps(GOOD["decision"] | {"features": ["a", None]})),
    "a configuration that is none": ("decision", json.dumps(GOOD["decision"] | {"configuration": ["small", 0, -1, 1]})),
    "a model that is none": ("decision", json.dumps(GOOD["decision"] | {"configuration": [["small"], 1, 1, 1]})),
    "a time before all": ("outcome", json.dumps(GOOD["outcome"] | {"seconds": -1e11})),
    "an extra that is none": ("decision", json.dumps(GOOD["decision"] | {"extra": 7})),
    "an objective that is none": ("decision", json.dumps(GOOD["decision"] | {"extra": {"objective": {"weights": "no"}}})),
    "tokens that are none": ("decision", json.dumps(GOOD["decision"] | {"extra": {"input_tokens": "many"}})),
    "brackets without end": ("outcome", "[" * 100_000),
}


def put(address: str, kind: str, body: str, decision_id: str = "d7", at: float = 0.0) -> None:
    database = database_of(address)
    with database.begin() as connection:
        connection.execute(text(INSERT), {"kind": kind, "id": decision_id, "at": at, "body": body})
    database.dispose()


@pytest.mark.parametrize("what", BAD)
def test_it_is_passed_over_and_told_of_and_learning_goes_on(what: str, address: str, caplog: pytest.LogCaptureFixture) -> None:
    with closing(engine(address)) as made:
        first = made.run("What is 1 + 1?")
        put(address, *BAD[what])
        made.feedback(first, 1.0)
        made.feedback(made.run("What is 2 + 1?"), 1.0)
        made.sync()
        put(address, *BAD[what])
        made.sync()
        made.feedback(made.run("What is 3 + 1?"), 1.0)
        made.sync()
        state = made.state()
        assert [entry.event.kind for entry in made.log.since()].count("feedback") == 3
    assert caplog.text.count("it is passed over, and so are others like it") == 1
    assert difference(state, uninterrupted(address)) < 1e-9
    told = CliRunner().invoke(app, ["log", "info", address])
    assert "2 rows cannot be read by this version, and are passed over" in told.output.replace("\n", " ")
    checked = CliRunner().invoke(app, ["log", "verify", address])
    assert checked.exit_code == 1
    assert "9 events of 3 decisions can be read, of 11 that are there" in checked.output.replace("\n", " ")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40)
@given(st.data())
def test_whatever_stands_in_a_row_the_state_stays_sound(data: st.DataObject) -> None:
    with closing(open_log("sqlite://")) as log, closing(engine_on(log)) as made:
        answer = made.run("What is 1 + 1?")
        good = {entry.event.kind: entry.event.body() for entry in log.since()} | {"feedback": GOOD["feedback"]}
        for _ in range(3):
            kind = data.draw(st.sampled_from(sorted(good)))
            body: dict[str, Any] = dict(good[kind])
            name = data.draw(st.sampled_from(sorted(body)))
            if isinstance(body[name], dict) and body[name]:
                inner = data.draw(st.sampled_from(sorted(body[name])))
                body[name] = body[name] | {inner: data.draw(values)}
            else:
                body[name] = data.draw(values)
            decision_id = data.draw(st.sampled_from([str(answer.decision_id), "other"]))
            with log._engine.begin() as connection:
                row = {"kind": kind, "id": decision_id, "at": data.draw(st.floats(0, 1e10)), "body": json.dumps(body)}
                connection.execute(text(INSERT), row)
        made.sync()
        made.feedback(made.run("What is 2 + 1?"), 1.0)
        for name, array in made.state().items():
            if array.dtype.kind == "f" and name != "fold.verdicts":
                assert np.isfinite(array[~np.isnan(array)] if "changes" in name else array).all(), name


def engine_on(log: Any) -> UniScale:
    from benchmarks.durability import MODELS, SHAPES
    from benchmarks.instant import InstantGenerator, InstantVerifier
    from uniscale_integrations.space import ConfigurationSpace

    models = [InstantGenerator(2, name, compute) for name, compute in MODELS.items()]
    return UniScale(models, InstantVerifier(), ConfigurationSpace.default(list(MODELS), SHAPES), log=log, rounds=1)
