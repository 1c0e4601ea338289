"""Outcome tables as files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.engine.outcomes import OutcomeRow, read_outcomes, write_outcomes
from uniscale_integrations.errors import TableError

ROW = {"query_id": "q", "query": "2 + 2?", "model": "m", "qp": 2, "cp": 4, "bs": 2, "correct": 0.5}
UNIT = st.floats(0, 1)
COUNT = st.none() | st.floats(0, 1e18)
TEXT = st.text(st.characters(codec="utf-8"))

rows = st.fixed_dictionaries(
    {
        "query_id": TEXT,
        "query": TEXT,
        "reference": st.none() | TEXT,
        "model": TEXT.filter(bool),
        "qp": st.integers(1, 64),
        "cp": st.integers(4, 8),
        "bs": st.integers(1, 4),
        "sample": st.integers(0, 9),
        "answer": st.none() | TEXT,
        "correct": UNIT,
        "score": st.none() | UNIT,
        "prompt_tokens": COUNT,
        "completion_tokens": COUNT,
        "source": TEXT,
    },
    optional={"eflops": st.floats(0, 1e18), "cost_usd": st.floats(0, 10)},
)


@given(rows)
def test_a_row_survives_being_read_and_written(row: dict[str, Any]) -> None:
    assert OutcomeRow.parse(json.loads(json.dumps(row))).as_dict() == row


@pytest.mark.parametrize("name", ["table.jsonl", "table.jsonl.gz"])
def test_a_table_survives_being_written_and_read(tmp_path: Path, name: str) -> None:
    outcomes = [OutcomeRow.parse(ROW | {"query_id": str(number), "query": "Zoë has 3 ducks"}) for number in range(20)]
    write_outcomes(tmp_path / name, outcomes)
    first = (tmp_path / name).read_bytes()
    assert list(read_outcomes(tmp_path / name)) == outcomes
    write_outcomes(tmp_path / name, outcomes)
    assert (tmp_path / name).read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct": 1.5}, r"`correct` of query 'q' is 1.5; it must be a number in \[0, 1\]"),
        ({"correct": float("nan")}, "`correct` of query 'q' is nan"),
        ({"correct": None}, "a row lacks correct"),
        ({"score": -0.1}, "`score` of query 'q' is -0.1"),
        ({"eflops": float("inf")}, "`eflops` of query 'q' is inf; it must be a number of at least 0"),
        ({"cost_usd": "cheap"}, "`cost_usd` of query 'q' is 'cheap'"),
        ({"bs": 9}, "query 'q': BS=9 is larger than the CP=4"),
        ({"qp": "2"}, "query 'q': QP must be a whole number"),
        ({"sample": -1}, "`sample` of query 'q' is -1"),
        ({"model": None}, "a row lacks model"),
        ({"eflops": 10**400}, "`eflops` of query 'q' is 1000"),
        ({"correct": 10**400}, "`correct` of query 'q' is 1000"),
        ({"cost_usd": -(10**400)}, "`cost_usd` of query 'q' is -1000"),
    ],
)
def test_a_row_that_cannot_be_used_names_its_field_and_query(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = tmp_path / "table.jsonl"
    file.write_text(json.dumps(ROW) + "\n\n" + json.dumps(ROW | change) + "\n")
    with pytest.raises(TableError, match=message) as caught:
        list(read_outcomes(file))
    assert "line 3" in str(caught.value)


def test_files_that_are_no_tables_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"cannot read .*none.jsonl"):
        list(read_outcomes(tmp_path / "none.jsonl"))
    (tmp_path / "text.jsonl").write_text("hello\n")
    with pytest.raises(TableError, match="line 1: not JSON"):
        list(read_outcomes(tmp_path / "text.jsonl"))
    for number, text in enumerate(
        ("[" * 100_000, '{"a":' * 100_000, json.dumps(ROW)[:-1] + ', "x": ' + "[" * 101 + "]" * 101 + "}")
    ):
        (tmp_path / f"deep{number}.jsonl").write_text(f"{json.dumps(ROW)}\n{text}\n")
        with pytest.raises(TableError, match=rf"deep{number}.jsonl, line 2: not JSON \(it is nested"):
            list(read_outcomes(tmp_path / f"deep{number}.jsonl"))
    (tmp_path / "list.jsonl").write_text("[1]\n")
    with pytest.raises(TableError, match="line 1: a row must be a JSON object"):
        list(read_outcomes(tmp_path / "list.jsonl"))
    whole = gzip.compress(json.dumps(ROW).encode() * 50)
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TableError, match="cannot read"):
        list(read_outcomes(tmp_path / "cut.jsonl.gz"))
