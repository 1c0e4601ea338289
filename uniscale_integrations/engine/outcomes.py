"""Outcome tables as files: JSON Lines, gzipped or not, one object per query, configuration and sample."""

from __future__ import annotations

import gzip
import json
import math
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from uniscale_integrations.deprecation import former_names
from uniscale_integrations.errors import ConfigurationError, TableError
from uniscale_integrations.space import Configuration

MAX_DEPTH = 100
"""Objects and lists within each other that a line may hold. With many more it could be read, and not be shown or written again."""

TOO_DEEP = f"it is nested in more than {MAX_DEPTH} levels"


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """What came of one sample of one configuration on one query.

    Attributes:
        query_id: stable name of the query.
        query: its text.
        configuration: what was run.
        correct: how right the answer was, in [0, 1].
        sample: counts repetitions of the same configuration on the same query, from 0.
        reference: the right answer, where there is one.
        answer: the answer given, where it was kept.
        score: the verifier's value of it in [0, 1]; `None` where nothing scored it.
        eflops: equivalent FLOPs, where known.
        cost_usd: US dollars, where known.
        prompt_tokens: tokens read, where known.
        completion_tokens: tokens sampled, where known.
        extra: all other fields of the row, as they were.

    Example:
        >>> row = {"query_id": "q", "query": "2+2?", "model": "small", "qp": 1, "cp": 1, "bs": 1, "correct": 1, "source": "toy"}
        >>> outcome = OutcomeRow.parse(row)
        >>> outcome.configuration, outcome.correct, outcome.score, outcome.extra
        (Configuration(model='small', qp=1, cp=1, bs=1), 1.0, None, {'source': 'toy'})
        >>> OutcomeRow.parse(row | {"correct": 7})
        Traceback (most recent call last):
        uniscale_integrations.errors.TableError: `correct` of query 'q' is 7; it must be a number in [0, 1]
    """

    query_id: str
    query: str
    configuration: Configuration
    correct: float
    sample: int = 0
    reference: str | None = None
    answer: str | None = None
    score: float | None = None
    eflops: float | None = None
    cost_usd: float | None = None
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, Configuration, int]:
        """What no two rows of a table may share."""
        return self.query_id, self.configuration, self.sample

    @classmethod
    def parse(cls, row: object) -> OutcomeRow:
        """The outcome that a JSON object describes.

        Raises:
            TableError: a field that is missing, of the wrong type or out of range; names it and the query.
        """
        if not isinstance(row, Mapping):
            raise TableError(f"a row must be a JSON object, got {row!r:.80}")
        missing = [name for name in ("query_id", "query", "model", "qp", "cp", "bs", "correct") if row.get(name) is None]
        if missing:
            raise TableError(f"a row lacks {', '.join(missing)}; it has {', '.join(map(str, row)) or 'nothing'}")
        query_id, sample = str(row["query_id"]), row.get("sample", 0)
        if isinstance(sample, bool) or not isinstance(sample, int) or sample < 0:
            raise TableError(f"`sample` of query {query_id!r} is {sample!r}; it must be a whole number of at least 0")
        try:
            configuration = Configuration(str(row["model"]), row["qp"], row["cp"], row["bs"])
        except ConfigurationError as error:
            raise TableError(f"query {query_id!r}: {error}") from error
        number = _Numbers(query_id, row)
        correct = number("correct", 1.0)
        return cls(
            query_id,
            str(row["query"]),
            configuration,
            cast(float, correct),
            sample,
            None if row.get("reference") is None else str(row["reference"]),
            None if row.get("answer") is None else str(row["answer"]),
            number("score", 1.0),
            number("eflops"),
            number("cost_usd"),
            number("prompt_tokens"),
            number("completion_tokens"),
            {name: value for name, value in row.items() if name not in FIELDS},
        )

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON-ready values, in the order of the format; fields that are not known are null, costs are left out."""
        configuration = self.configuration
        costs = {"eflops": self.eflops, "cost_usd": self.cost_usd}
        return {
            "query_id": self.query_id,
            "query": self.query,
            "reference": self.reference,
            "model": configuration.model,
            "qp": configuration.qp,
            "cp": configuration.cp,
            "bs": configuration.bs,
            "sample": self.sample,
            "answer": self.answer,
            "correct": self.correct,
            "score": self.score,
            **{name: cost for name, cost in costs.items() if cost is not None},
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            **self.extra,
        }


FIELDS = frozenset(
    (
        *("query_id", "query", "reference", "model", "qp", "cp", "bs", "sample"),
        *("answer", "correct", "score", "eflops", "cost_usd", "prompt_tokens", "completion_tokens"),
    )
)
"""Names with a meaning of their own in a table."""


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Reads the numbers of one row."""

    query_id: str
    row: Mapping[str, Any]

    def __call__(self, name: str, limit: float = math.inf) -> float | None:
        value = self.row.get(name)
        if value is None:
            return None
        # A whole number may be too great for a float, which comparing finds out.
        if isinstance(value, int | float) and 0 <= value <= min(limit, sys.float_info.max):
            return float(value)
        requirement = f"in [0, {limit:g}]" if limit < math.inf else "of at least 0"
        raise TableError(f"`{name}` of query {self.query_id!r:.80} is {value!r:.80}; it must be a number {requirement}")


def read_outcomes(path: str | Path) -> Iterator[OutcomeRow]:
    """The rows of a table, one at a time.

    Raises:
        TableError: a file that cannot be read, or a row that cannot be used; names file and line.
    """
    for where, row in read_objects(path):
        try:
            yield OutcomeRow.parse(row)
        except TableError as error:
            raise TableError(f"{where}: {error}") from error


def read_objects(path: str | Path) -> Iterator[tuple[str, Any]]:
    """The values of a JSON Lines file, unpacked where its name ends in .gz, each with file and line for messages.

    Raises:
        TableError: a file that cannot be read, or a line that is not JSON, or nested in more than `MAX_DEPTH` levels.
    """
    where = f"{path}, line 1"
    try:
        with gzip.open(path, "rt", encoding="utf-8") if str(path).endswith(".gz") else open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                where = f"{path}, line {number}"
                if line.strip():
                    yield where, _value(line)
    except ValueError as error:
        raise TableError(f"{where}: not JSON ({error})") from error
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"cannot read {path}: {error}") from error


def _value(line: str) -> Any:
    """The value of a line.

    Raises:
        ValueError: it is none that can be read, shown and written again.
    """
    try:
        value = json.loads(line)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return value
    raise ValueError(TOO_DEEP)


def write_outcomes(path: str | Path, outcomes: Iterable[OutcomeRow]) -> None:
    """Write a table, gzipped where the name ends in .gz; a reader never sees half a file, the same rows give the same bytes."""
    target = Path(path)
    partial = target.with_name(f"{target.name}.partial")
    with partial.open("wb") as raw:
        # No time stamp and no name in the header, which would make every file another.
        archive = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if target.suffix == ".gz" else raw
        for outcome in outcomes:
            archive.write(json.dumps(outcome.as_dict(), ensure_ascii=False).encode() + b"\n")
        archive.close()
    partial.replace(target)


__getattr__ = former_names(__name__, {"Outcome": "OutcomeRow"})
