"""`uniscale log`: what a log holds, and whether it is sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from statistics import fmean
from typing import Annotated, Any

import typer
from rich.table import Table

from uniscale_integrations.cli.console import beginning_needed, out, print_json, quantity, told_plainly
from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.engine import retention
from uniscale_integrations.engine.brain_record import UNREADABLE, rules_of
from uniscale_integrations.engine.recalibration import Pair, pairs
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.feedback_rules import FeedbackRules
from uniscale_integrations.log.judgements import keep_newest
from uniscale_integrations.log.lessons import GivenAnswers, first_id
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.one_sided import FeedbackBalance
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.log.source_shares import SourceShare, source_shares
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.trade_off import describe_trade
from uniscale_integrations.verifiers.calibration import brier, held_out, reliability

app = typer.Typer(name="log", help="Look at the log of decisions, outcomes and feedback.", no_args_is_help=True)

MAX_SOURCES, MAX_SOURCES_TOLD = 20, 1_000
"""Sources of feedback of which a table tells, and the JSON, those that judge most: every user may be one."""

MAX_PAIRS = 10_000
"""Judged answers that a verifier's reliability is told of, the newest ones."""

Address = Annotated[str, typer.Argument(help="sqlite:///file.db, or postgresql://user@host/database.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")]


@app.command()
def info(address: Address, as_json: AsJson = False) -> None:
    """What the log holds, how the configurations have done, and how far the verifiers can be trusted.

    Example: uniscale log info sqlite:///uniscale.db
    """
    with told_plainly(as_json), closing(open_log(address, read_only=True)) as log:
        summary = _summary(log)
        counts = log.counts()
        rows = [arm.as_dict(name) for name, arm in sorted(summary.arms.items(), key=lambda item: -item[1].decisions)]
        table = Table(title=f"{log.name}: {sum(counts.values())} events", title_justify="left")
        unit = "$" if any(arm.dollars for arm in summary.arms.values()) else "eFLOPs"
        for column in ("configuration", "decisions", f"{unit} each", "score", "judged", "correct"):
            table.add_column(column, justify="left" if column == "configuration" else "right")
        for row in rows:
            score, correct = (("" if row[name] is None else f"{row[name]:.3f}") for name in ("score", "correct"))
            cost = "" if row["cost"] is None else quantity(row["cost"])
            table.add_row(str(row["configuration"]), str(row["decisions"]), cost, score, str(row["judged"]), correct)
        out.print(table)
        first, last = summary.first, summary.last
        if last:
            span = " to ".join(map(_when, (first, last)))
            out.print(f"{span}; {', '.join(f'{count} of kind {kind}' for kind, count in counts.items())}")
        out.print(_judged(summary))
        if summary.sources:
            out.print(_sources(summary.sources))
        if unreadable := list(log.unreadable.values()):
            out.print(f"{len(unreadable)} rows cannot be read by this version, and are passed over: {unreadable[0]}")
        trade = _trade(log, summary)
        if trade:
            out.print(trade)
        verifiers = [_trust(log, name, group) for name, group in _by_verifier(pairs(log, MAX_PAIRS)).items()]
        for each in verifiers:
            out.print(_reliability(each))
        if as_json:
            details = {
                "trade": trade or None,
                "configurations": rows,
                "verifiers": verifiers,
                "feedback": summary.balance.summary,
                "sources": [asdict(each) for each in summary.sources[:MAX_SOURCES_TOLD]],
                "unreadable": unreadable[:100],
            }
            print_json({"events": counts, "first": first or None, "last": last or None, **details})


def _when(at: float) -> str:
    """A Unix time, which may be one that no calendar has."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return f"{at:g} s after 1970"


@dataclass(slots=True)
class _Arm:
    """What a configuration has done: how often, what its answers scored and cost, and what was said of them."""

    decisions: int = 0
    scores: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    verdicts: list[float] = field(default_factory=list)
    dollars: bool = False

    def as_dict(self, name: str) -> dict[str, Any]:
        means = {what: fmean(values) if values else None for what, values in (("score", self.scores), ("cost", self.costs))}
        feedback = {"judged": len(self.verdicts), "correct": fmean(self.verdicts) if self.verdicts else None}
        return {"configuration": name, "decisions": self.decisions, **means, **feedback}


@dataclass(frozen=True, slots=True)
class _Summary:
    """The configurations of a log by name, when its first and last event happened, and how its answers are judged.

    Attributes:
        rules: how the engine that decided last learns from feedback.
        brain: the key of what decided last.
        objective: what its last decision was after.
        sources: who judges how much, the one that judges most first.
    """

    arms: Mapping[str, _Arm]
    first: float
    last: float
    balance: FeedbackBalance
    rules: FeedbackRules
    brain: str
    objective: Objective | None
    sources: Sequence[SourceShare]


def _summary(log: EventStore) -> _Summary:
    configuration_of: dict[str, str] = {}
    arms: dict[str, _Arm] = {}
    judged: dict[str, dict[tuple[str, str], Feedback]] = {}
    answered, given = set[str](), GivenAnswers()
    balance, brain = FeedbackBalance(), ""
    objective: Objective | None = None
    first = last = 0.0
    for entry in log.everything():
        event = entry.event
        first, last = first or event.at, event.at
        if isinstance(event, DecisionEvent):
            name = configuration_of[event.decision_id] = str(event.configuration)
            arms.setdefault(name, _Arm()).decisions += 1
            brain, objective = str(event.extra.get("brain", brain)), event.objective
        elif isinstance(event, Feedback):
            judgements = judged.setdefault(event.decision_id, {})
            balance.judge(event.correct, event.source, {source for source, _ in judgements})
            keep_newest(judgements, event)
        elif isinstance(event, Outcome) and event.decision_id in configuration_of:
            arm = arms[configuration_of[event.decision_id]]
            arm.dollars |= event.in_dollars
            if event.cost:
                arm.costs.append(event.cost)
            if event.score is not None:
                arm.scores.append(event.score)
            given.note(event)
            if not event.failed:
                answered.add(first_id(event.decision_id))
    balance.answers = len(answered)
    rules = rules_of(log.load_description(brain) or {})
    verdicts = {decision: {about: each.correct for about, each in said.items()} for decision, said in judged.items()}
    for decision_id, values in verdicts.items():
        if (judged_one := configuration_of.get(given.of(decision_id))) is not None:
            arms[judged_one].verdicts.append(rules.mean(values) if rules.weights else fmean(values.values()))
    return _Summary(arms, first, last, balance, rules, brain, objective, source_shares(verdicts.values()))


def _trade(log: EventStore, summary: _Summary) -> str:
    """What the objective of late trades, at the prices of late; empty where that is no matter of choosing."""
    record = log.load_description(summary.brain)
    if record is None or summary.objective is None:
        return ""
    try:
        scale = CostScale(*record["scale"])
        rows = zip(record["configurations"], record["costs"], strict=True)
        costs = {str(model): scale.cost(position) for (model, *shape), position in rows if shape == [1, 1, 1]}
        sentence = describe_trade(summary.objective, costs, "$" if record["dollars"] else "")
    except UNREADABLE as error:
        return f"what the engine expected of costs cannot be read: {error!r:.200}"
    return sentence and f"{summary.objective}: {sentence}"


def _judged(summary: _Summary) -> str:
    """How much is judged, and whether all in one sense, in words."""
    balance, share = summary.balance, summary.balance.judged_share
    if share is None:
        return "no answers yet"
    text = f"{share:.1%} of {max(balance.answers, balance.judged)} answers are judged"
    if balance.one_sided and summary.rules.silence:
        return f"{text}, the last {balance.run} alike; silence is learned from"
    return f"{text}; warning: {balance.warning}" if balance.one_sided else text


def _sources(shares: Sequence[SourceShare]) -> Table:
    """How much each source judges, and how far it agrees with the others."""
    more = f", the first {MAX_SOURCES} of {len(shares)}" if len(shares) > MAX_SOURCES else ""
    table = Table(title=f"who judges{more}", title_justify="left")
    for column in ("source", "judgements", "share", "judged by others too", "agreement"):
        table.add_column(column, justify="left" if column == "source" else "right")
    for each in shares[:MAX_SOURCES]:
        agreement = "" if each.agreement is None else f"{each.agreement:.1%}"
        table.add_row(each.source, str(each.judgements), f"{each.share:.1%}", str(each.shared), agreement)
    return table


def _by_verifier(pairs_of_all: Sequence[Pair]) -> dict[str, list[Pair]]:
    groups: dict[str, list[Pair]] = {}
    for pair in pairs_of_all:
        groups.setdefault(pair.verifier, []).append(pair)
    return groups


def _trust(log: EventStore, verifier: str, verifier_pairs: Sequence[Pair]) -> dict[str, Any]:
    """How far a verifier can be trusted as it is, and how far after recalibration, on pairs that the map was not fitted to."""
    raw, correct = [pair.raw for pair in verifier_pairs], [pair.correct for pair in verifier_pairs]
    recalibrated_scores, version = held_out(raw, correct), log.load_calibration(verifier)
    return {
        "verifier": verifier,
        "pairs": len(verifier_pairs),
        "version": version[0] if version else 0,
        "brier": brier(raw, correct),
        "brier_recalibrated": None if recalibrated_scores is None else brier(recalibrated_scores, correct),
        "reliability": [asdict(part) for part in reliability(raw, correct)],
        "reliability_recalibrated": None
        if recalibrated_scores is None
        else [asdict(part) for part in reliability(recalibrated_scores, correct)],
    }


def _reliability(trust: dict[str, Any]) -> Table:
    """The reliability curve of a verifier, before and after."""
    after = trust["brier_recalibrated"]
    after_text = "too few pairs to recalibrate it" if after is None else f"{after:.4f} recalibrated"
    version = f", version {trust['version']} of its calibration in use" if trust["version"] else ""
    title = f"{trust['verifier'] or 'verifier'}: Brier score {trust['brier']:.4f}, {after_text}{version}; {trust['pairs']} judged answers"
    table = Table(title=title, title_justify="left")
    curves = [trust["reliability"], trust["reliability_recalibrated"] or []]
    for column in ("score", "right", "answers") * (2 if curves[1] else 1):
        table.add_column(column, justify="right")
    for parts in zip_longest(*curves[: 2 if curves[1] else 1]):
        cells = []
        for part in parts:
            cells += ["", "", ""] if part is None else [f"{part['score']:.2f}", f"{part['right']:.2f}", str(part["count"])]
        table.add_row(*cells)
    return table


@app.command()
def verify(address: Address, as_json: AsJson = False) -> None:
    """Read every event, and check that all there is can be read and belongs to a decision; exit code 1 where anything does not.

    Example: uniscale log verify sqlite:///uniscale.db
    """
    with told_plainly(as_json), closing(open_log(address, read_only=True)) as log:
        decisions: set[str] = set()
        orphans: list[str] = []
        twice: list[str] = []
        # What workers write meanwhile is no difference.
        there, count = sum(log.counts().values()), 0
        for entry in log.everything():
            count += 1
            decision_id = entry.event.decision_id
            if isinstance(entry.event, DecisionEvent):
                if decision_id in decisions:
                    twice.append(decision_id)
                decisions.add(decision_id)
            elif decision_id and decision_id not in decisions:
                # Without an id it stands in the place of a last row that has gone.
                orphans.append(decision_id)
        unreadable = list(log.unreadable.values())
        out.print(f"{count} events of {len(decisions)} decisions can be read, of {there} that are there")
        problems = {
            "refer to a decision that is not before them": orphans,
            "are decisions that come twice": twice,
            "cannot be read by this version, and are passed over": unreadable,
        }
        for what, found in problems.items():
            if found:
                out.print(f"{len(found)} {what}, the first is {found[0]}")
        if as_json:
            print_json(
                {
                    "events": count,
                    "there": there,
                    "decisions": len(decisions),
                    "lost": orphans[:100],
                    "twice": twice[:100],
                    "unreadable": unreadable[:100],
                }
            )
        if orphans or twice or unreadable or count < there:
            raise typer.Exit(1)


@app.command()
def rebuild(address: Address, as_json: AsJson = False) -> None:
    """Drop the snapshots, so that every engine folds its state from the events again; exit code 1 where the events do not tell it all.

    Example: uniscale log rebuild sqlite:///uniscale.db
    """
    with told_plainly(as_json), beginning_needed(as_json), closing(open_log(address, create=False)) as log:
        count = retention.rebuild(log)
        out.print(f"dropped {count} snapshots; the next engine that opens the log folds its {sum(log.counts().values())} events")
        if as_json:
            print_json({"dropped": count})
