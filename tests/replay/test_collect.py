"""Making outcome tables, on the embedded models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uniscale_integrations.engine.outcomes import OutcomeRow, read_outcomes
from uniscale_integrations.errors import ConfigurationError, TableError
from uniscale_integrations.models.catalog import load_model
from uniscale_integrations.replay.collect import Plan, Query, collect, read_queries
from uniscale_integrations.search.ports import Generator, Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.space import ConfigurationSpace
from uniscale_integrations.verifiers.load import load_prm
from uniscale_integrations.verifiers.prm import PRMVerifier

QUERIES = (
    Query("a", "What is 12 + 30 - 7?", "35", {"source": "sums"}),
    Query("b", "State the final answer to the following arithmetic problem: 2 - 4 + 1 =", "-1"),
)


@pytest.fixture(scope="module")
def verifier() -> PRMVerifier:
    return load_prm()


def plan(queries: tuple[Query, ...] = QUERIES, samples: int = 2, seed: int = 0) -> Plan:
    space = ConfigurationSpace.default(["uniscale-0.3m", "uniscale-1m"], [(1, 1, 1), (1, 4, 2)])
    return Plan(queries, space, samples, Request("", space[0], Sampling(seed=seed)))


def test_every_configuration_meets_every_question(tmp_path: Path, verifier: PRMVerifier) -> None:
    table = list(read_outcomes(collect(plan(), load_model, verifier, tmp_path / "table.jsonl.gz")))
    keys = [(row.query_id, row.configuration, row.sample) for row in table]
    assert keys == [(q.id, c, s) for q in QUERIES for c in plan().space for s in range(2)]
    assert all(row.eflops and row.score is not None and row.prompt_tokens and row.completion_tokens for row in table)
    assert all(row.correct == (row.answer == row.reference) for row in table)
    assert [row.extra for row in table if row.query_id == "a"] == [{"source": "sums"}] * 8
    assert [file.name for file in tmp_path.iterdir()] == ["table.jsonl.gz"]


class Stop(Exception):
    """Ends a run in the middle."""


def test_a_stopped_run_goes_on_and_ends_with_the_table_of_an_uninterrupted_one(tmp_path: Path, verifier: PRMVerifier) -> None:
    whole = collect(plan(), load_model, verifier, tmp_path / "whole.jsonl")
    target, seen = tmp_path / "table.jsonl", list[OutcomeRow]()

    def stop_after_five(outcome: OutcomeRow) -> None:
        seen.append(outcome)
        if len(seen) == 5:
            raise Stop

    with pytest.raises(Stop):
        collect(plan(), load_model, verifier, target, at_once=1, done=stop_after_five)
    part = tmp_path / "table.jsonl.part"
    assert len(part.read_text().splitlines()) == 1 + 5
    with part.open("a") as file:
        file.write('{"query_id": "a", "que')
    loaded: list[str] = []

    def load(name: str) -> Generator:
        loaded.append(name)
        return load_model(name)

    collect(plan(), load, verifier, target)
    assert loaded == ["uniscale-0.3m", "uniscale-1m"]
    # Rows computed in other batches may differ in the last bits of a score.
    for row, expected in zip(read_outcomes(target), read_outcomes(whole), strict=True):
        assert (row.key, row.answer, row.eflops) == (expected.key, expected.answer, expected.eflops)
    assert not part.exists()


def test_models_whose_rows_are_all_there_are_not_loaded(tmp_path: Path, verifier: PRMVerifier) -> None:
    target = tmp_path / "table.jsonl"

    def only_small(name: str) -> Generator:
        if name == "uniscale-1m":
            raise Stop
        return load_model(name)

    with pytest.raises(Stop):
        collect(plan(), only_small, verifier, target)
    loaded: list[str] = []

    def load(name: str) -> Generator:
        loaded.append(name)
        return load_model(name)

    collect(plan(), load, verifier, target)
    assert loaded == ["uniscale-1m"]


def test_rows_of_other_settings_are_not_mixed_in(tmp_path: Path, verifier: PRMVerifier) -> None:
    def stop(outcome: OutcomeRow) -> None:
        raise Stop

    with pytest.raises(Stop):
        collect(plan(), load_model, verifier, tmp_path / "table.jsonl", done=stop)
    with pytest.raises(TableError, match="was begun with another sampling; go on with the same settings"):
        collect(plan(seed=1), load_model, verifier, tmp_path / "table.jsonl")
    with pytest.raises(TableError, match="was begun with another verifier"):
        collect(plan(), load_model, None, tmp_path / "table.jsonl")


def test_what_is_there_is_not_written_over(tmp_path: Path, verifier: PRMVerifier) -> None:
    (tmp_path / "table.jsonl").write_text("precious")
    with pytest.raises(TableError, match="exists"):
        collect(plan(), load_model, verifier, tmp_path / "table.jsonl")
    (tmp_path / "other.jsonl.part").write_text("precious\nthings\n")
    with pytest.raises(TableError, match="not what an earlier run left behind"):
        collect(plan(), load_model, verifier, tmp_path / "other.jsonl")
    assert (tmp_path / "other.jsonl.part").read_text() == "precious\nthings\n"


def test_a_plan_that_makes_no_table_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one question"):
        plan(())
    with pytest.raises(ConfigurationError, match="samples must be at least 1, got 0"):
        plan(samples=0)
    with pytest.raises(ConfigurationError, match="two questions have the id 'a'"):
        plan((QUERIES[0], QUERIES[0]))


def test_samples_and_questions_draw_from_streams_of_their_own() -> None:
    seeds = {plan().request_for(search).sampling.seed for search in plan().searches()}
    assert len(seeds) == len(QUERIES) * 2


def test_questions_are_read_from_json_lines(tmp_path: Path) -> None:
    rows = [{"question": "2 + 2?", "answer": 4}, {"id": "z", "query": "3?", "reference": "3", "level": 2, "score": 9}]
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    assert read_queries(file) == [Query("1", "2 + 2?", "4"), Query("z", "3?", "3", {"level": 2})]
    file.write_text('{"question": "2 + 2?"}')
    with pytest.raises(TableError, match=r"questions.jsonl, line 1: no `reference` \(or `answer`\)"):
        read_queries(file)


def test_another_question_under_the_same_id_is_asked_anew(tmp_path: Path) -> None:
    def stop(outcome: OutcomeRow) -> None:
        raise KeyboardInterrupt

    first, second = Query("1", "What is 12 + 30 - 7?", "35"), Query("1", "What is 2 + 3\u2028?", "5")
    with pytest.raises(KeyboardInterrupt):
        collect(small_plan(first), load_model, None, tmp_path / "table.jsonl", done=stop)
    kept = (tmp_path / "table.jsonl.part").read_text()
    assert first.text in kept
    with pytest.raises(KeyboardInterrupt):
        collect(small_plan(second), load_model, None, tmp_path / "table.jsonl", done=stop)
    rows = list(read_outcomes(collect(small_plan(second), load_model, None, tmp_path / "table.jsonl")))
    assert {row.query for row in rows} == {second.text}


def small_plan(query: Query) -> Plan:
    space = ConfigurationSpace.default(["uniscale-0.3m"], [(1, 1, 1)])
    return Plan((query,), space, 2, Request("", space[0], Sampling(seed=0)))
