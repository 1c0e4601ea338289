"""Making an outcome table: every configuration on every question, several times, going on where it was stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import Any

from uniscale_integrations.engine.outcomes import FIELDS, OutcomeRow, read_objects, write_outcomes
from uniscale_integrations.errors import ConfigurationError, TableError
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.answers import same_answer
from uniscale_integrations.search.many import arun_many
from uniscale_integrations.search.ports import Generator, Verifier
from uniscale_integrations.search.request import Request
from uniscale_integrations.space import Configuration, ConfigurationSpace

Load = Callable[[str], Generator]
"""Loads a base model by its name; called once per model that has work left."""

CHUNK = 256
"""Searches whose paths are in memory at once."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question to run.

    Attributes:
        id: stable name.
        text: what a model is asked.
        reference: the right answer; it never reaches a generator or a verifier.
        extra: what else the table's rows shall say of it.
    """

    id: str
    text: str
    reference: str
    extra: Mapping[str, Any] = field(default_factory=dict)


Search = tuple[Configuration, Query, int]
"""A configuration, a question, and which sample of them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a table holds.

    Attributes:
        queries: the questions, each id once.
        space: the configurations.
        samples: repetitions of each configuration on each question.
        request: everything that stays the same; its question and configuration are only a place to put those.
            The seed of a search is made from its sampling's seed, the question's id and the sample.
        prices: of models that have one, USD per 1M input and output tokens; rows of other prices do not stand beside these.

    Raises:
        ConfigurationError: no questions, an id that comes twice, or fewer than one sample.
    """

    queries: Sequence[Query]
    space: ConfigurationSpace
    samples: int
    request: Request
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.queries:
            raise ConfigurationError("a table needs at least one question")
        if self.samples < 1:
            raise ConfigurationError(f"samples must be at least 1, got {self.samples}")
        ids: set[str] = set()
        for query in self.queries:
            if query.id in ids:
                raise ConfigurationError(f"two questions have the id {query.id!r}; give each one its own")
            ids.add(query.id)

    @property
    def rows(self) -> int:
        """How many rows the table will have."""
        return len(self.queries) * len(self.space) * self.samples

    def searches(self) -> Iterator[Search]:
        """All there is to run, model by model, so that each has to be in memory only once."""
        models = (self.space.tts_only(model) for model in self.space.models)
        return ((c, query, sample) for space in models for c in space for sample in range(self.samples) for query in self.queries)

    def request_for(self, search: Search) -> Request:
        """The request of one row, with a seed of its own."""
        configuration, query, sample = search
        sampling = self.request.sampling
        digest = blake2b(f"{sampling.seed}|{query.id}|{sample}".encode(), digest_size=6).digest()
        seed_sampling = replace(sampling, seed=int.from_bytes(digest, "little"))
        return replace(self.request, question=query.text, configuration=configuration, sampling=seed_sampling)


def collect(
    plan: Plan,
    load: Load,
    verifier: Verifier | None,
    target: str | Path,
    *,
    at_once: int = 32,
    done: Callable[[OutcomeRow], None] = lambda outcome: None,
) -> Path:
    """Run what is missing and write the table.

    Every row is kept in `<target>.part` as soon as it is there, so that the same call goes on where an earlier one was stopped.

    Args:
        plan: what to run.
        load: see `Load`.
        verifier: scores the steps; without one only plain samples and votes by count can be run.
        target: the table; gzipped where the name ends in .gz.
        at_once: searches side by side.
        done: told of each row, those of earlier calls first.

    Returns:
        the table's path.

    Raises:
        TableError: the table exists, or what was begun beside it was begun with other settings.
        UniScaleError: what a search failed with; the rows before it are kept.
    """
    target = Path(target)
    if target.exists():
        raise TableError(f"{target} exists; remove it or give the table another name")
    part = target.with_name(f"{target.name}.part")
    settings = _settings(plan, verifier)
    keys = {_key(search) for search in plan.searches()}
    queries = {(query.id, query.text, query.reference) for query in plan.queries}
    # A question's id may be its place in a file, which has changed since.
    same = (row for row in _earlier_rows(part, settings) if (row.query_id, row.query, row.reference) in queries)
    rows = {outcome.key: outcome for outcome in same if outcome.key in keys}
    for outcome in rows.values():
        done(outcome)
    target.parent.mkdir(parents=True, exist_ok=True)
    with part.open("a", encoding="utf-8") as file:
        if not file.tell():
            file.write(json.dumps({"settings": settings}) + "\n")

        def keep(outcome: OutcomeRow) -> None:
            file.write(json.dumps(outcome.as_dict(), ensure_ascii=False) + "\n")
            file.flush()
            rows[outcome.key] = outcome
            done(outcome)

        missing = [search for search in plan.searches() if _key(search) not in rows]
        for model, searches in groupby(missing, key=lambda search: search[0].model):
            _run(plan, load(model), verifier, list(searches), at_once, keep)
    order = {query.id: place for place, query in enumerate(plan.queries)}
    places = {configuration: place for place, configuration in enumerate(plan.space)}
    write_outcomes(target, sorted(rows.values(), key=lambda o: (order[o.query_id], places[o.configuration], o.sample)))
    part.unlink()
    return target


def _run(
    plan: Plan,
    generator: Generator,
    verifier: Verifier | None,
    searches: Sequence[Search],
    at_once: int,
    keep: Callable[[OutcomeRow], None],
) -> None:
    for start in range(0, len(searches), CHUNK):
        chunk = searches[start : start + CHUNK]
        requests = [plan.request_for(search) for search in chunk]
        finished = partial(_finished, chunk, keep)
        asyncio.run(arun_many(requests, generator, verifier, at_once=at_once, done=finished))


def _finished(chunk: Sequence[Search], keep: Callable[[OutcomeRow], None], index: int, answer: Answer) -> None:
    _, query, sample = chunk[index]
    keep(outcome_of(query, sample, answer))


def _key(search: Search) -> tuple[str, Configuration, int]:
    configuration, query, sample = search
    return query.id, configuration, sample


def outcome_of(query: Query, sample: int, answer: Answer) -> OutcomeRow:
    """The table's row of one answer."""
    input_tokens, output_tokens = answer.ledger.tokens
    dollars = answer.ledger.usd or None
    return OutcomeRow(
        query.id,
        query.text,
        answer.configuration,
        float(answer.answer is not None and same_answer(answer.answer, query.reference)),
        sample,
        query.reference,
        answer.answer,
        answer.score,
        # What a verifier of this process takes has no place beside dollars.
        answer.ledger.eflops if dollars is None else None,
        dollars,
        round(input_tokens),
        round(output_tokens),
        query.extra,
    )


def _settings(plan: Plan, verifier: Verifier | None) -> dict[str, Any]:
    """What must be the same for rows to stand in one table."""
    request, sampling = plan.request, plan.request.sampling
    return {
        "verifier": None if verifier is None else verifier.name,
        "sampling": {name: getattr(sampling, name) for name in sampling.__slots__} | {"votes": str(sampling.votes)},
        "early_stopping": request.early_stopping,
        "schedule": request.schedule,
        "aggregation": request.aggregation.name,
        "hardware": request.hardware.name,
    } | ({"prices": {name: list(price) for name, price in plan.prices.items()}} if plan.prices else {})


def _earlier_rows(part: Path, settings: Mapping[str, Any]) -> list[OutcomeRow]:
    """The rows of an earlier call; a last line that was cut in the middle is taken off the file."""
    if not part.exists():
        return []
    content = part.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        part.write_bytes(whole)
    lines = whole.split(b"\n")[:-1]
    if len(lines) < 2:
        # Nothing was run with the settings on its first line.
        part.unlink()
        return []
    try:
        stored_settings = json.loads(lines[0])["settings"]
        outcomes = [OutcomeRow.parse(json.loads(line)) for line in lines[1:]]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise TableError(f"{part} is not what an earlier run left behind ({error}); remove it to begin anew") from error
    if stored_settings != settings:
        names = dict.fromkeys((*settings, *stored_settings))
        different = ", ".join(name for name in names if stored_settings.get(name) != settings.get(name))
        raise TableError(f"{part} was begun with another {different}; go on with the same settings, or remove it to begin anew")
    return outcomes


def read_queries(path: str | Path) -> list[Query]:
    """Questions from JSON Lines: `query` (or `question`), `reference` (or `answer`), and `query_id` (or `id`, or its place in the file).

    Raises:
        TableError: a file that cannot be read, or a line without a question or its answer; names file and line.
    """
    return [_query(row, where, number) for number, (where, row) in enumerate(read_objects(path), 1)]


def _query(row: object, where: str, number: int) -> Query:
    if not isinstance(row, Mapping):
        raise TableError(f"{where}: a question must be a JSON object, got {row!r:.80}")
    rest = dict(row)
    fields: dict[str, str] = {}
    for name, other, default in (("query", "question", None), ("reference", "answer", None), ("query_id", "id", str(number))):
        value = rest.pop(name, None)
        value = rest.pop(other, None) if value is None else value
        value = default if value is None else value
        if value is None:
            raise TableError(f"{where}: no `{name}` (or `{other}`); a question needs both its text and its right answer")
        fields[name] = str(value)
    return Query(fields["query_id"], fields["query"], fields["reference"], {k: v for k, v in rest.items() if k not in FIELDS})
