"""What a log need not keep: old rows whose lessons stay, and rows that are to be forgotten with what they have taught."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from uniscale_integrations.engine.brain_record import duplicates_of, restore, rules_of
from uniscale_integrations.errors import ConfigurationError, LogError, LostBeginning
from uniscale_integrations.log.events import DecisionEvent, Event
from uniscale_integrations.log.exclusion import exclusive
from uniscale_integrations.log.fold import Fold
from uniscale_integrations.log.ports import BEGINNING, Position
from uniscale_integrations.log.removal import Removal, feedback_of
from uniscale_integrations.log.spool import Abandoned, Spool, spool_of
from uniscale_integrations.log.sql import SQLStore

_log = logging.getLogger(__name__)

BRAIN = "brain:"
"""What the keys begin with under which a log describes what has decided."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a log has lost.

    Attributes:
        decisions: how many decisions were looked at for that.
        events: how many events have gone.
        kept: decisions that stay although they are old, since there is more to be learned of them.
        folds: how many states hold what they have taught.
        waiting: how many running workers on this host keep events of which the log knows nothing yet; of these nothing has gone.
    """

    decisions: int
    events: int
    kept: int = 0
    folds: int = 0
    waiting: int = 0


def prune(
    log: SQLStore, before: float, *, keep_learned: bool, spool: Spool | None = None, policies: Collection[str] = ()
) -> Removed:
    """Take out decisions that were taken before some Unix time, with their outcomes and feedback.

    Workers go on meanwhile. Each transaction takes some hundredths of a second at most. Feedback on what has gone is refused.

    Args:
        log: which.
        before: the time.
        keep_learned: whether what they have taught stays. Then a snapshot is taken of every state that an engine of late has, and nothing
            goes that any of them has yet to learn from: decisions that are waiting for their silence, and rows that this version cannot
            read. Otherwise all workers fold what is left.
        spool: where workers that have ended may have left events, beside where they do by default.
        policies: names "module:name" of policies of one's own, which are imported to keep what they have learned; what else the log names
            is not.

    Raises:
        LostBeginning: what was taught is to go as well, and the log has lost its beginning before.
        LogError: there is a state that counts of which no snapshot can be taken here, or a removal was begun that has to be finished
            before; nothing has changed. Or another one is under way for longer than a minute.
    """
    with exclusive(log) as turn:
        waiting, removal = _take_in(log, spool), Removal(log, turn)
        if keep_learned:
            return replace(_prune_rows(log, removal, before, policies), waiting=waiting)
        check_beginning(log)
        old = [each for part in removal.before(before) for each in part]
        return _forget(removal, [each for request in removal.requests_of(old) for each in request], waiting=waiting)


def _prune_rows(log: SQLStore, removal: Removal, before: float, policies: Collection[str]) -> Removed:
    """Take out old decisions whose lessons stay in snapshots."""
    begun, _ = removal.unfinished
    if begun:
        raise LogError(
            f"somebody has begun to take events out of {log.name} with what they had taught, and not come to the end of it; repeat that "
            "`uniscale log forget` or `uniscale log prune` first: once old rows are gone, it could not be finished"
        )
    folds = _folds(log, policies)
    bound = _bound(log, folds, before)
    old = [each for part in removal.before(before, bound) for each in part]
    readable = set(removal.readable(old))
    awaited = {each for each in old if any(fold.verdicts.awaits(each) for fold in folds)}
    # Of a request all goes, or nothing: its decisions are learned from together.
    whole = (each for each in removal.requests_of(old) if readable.issuperset(each) and awaited.isdisjoint(each))
    going = [each for request in whole for each in request]
    if not going:
        return Removed(len(old), 0, len(old), len(folds))
    removal.mark(max(bound, log.retention.pruned))
    events = removal.decisions(going, bound)
    removal.sweep()
    left = len({entry.event.decision_id for entry in log.of_decisions(going)})
    return Removed(len(old), events, len(old) - len(going) + left, len(folds))


def forget(
    log: SQLStore, *, decision: str | None = None, source: str | None = None, tag: str | None = None, spool: Spool | None = None
) -> Removed:
    """Take out decisions, or what a source has said, with all that they have taught, and rewrite the database without them.

    Args:
        log: which.
        decision: the id of a decision; all decisions of its request go.
        source: of feedback; what it says afterwards is taken as before.
        tag: decisions that were taken under it, see `tagged`.
        spool: as of `prune`.

    Raises:
        ConfigurationError: not one of the three.
        LostBeginning: the log has lost its beginning; nothing has changed.
        LogError: the log cannot be written, or another removal is under way for longer than a minute; who repeats the call finishes it.
    """
    if sum(each is not None for each in (decision, source, tag)) != 1:
        raise ConfigurationError("what is to be forgotten is a decision, a source, or a tag, and one of them")
    with exclusive(log) as turn:
        waiting, removal = _take_in(log, spool), Removal(log, turn)
        check_beginning(log)
        if source is not None:
            return _forget(removal, (), feedback_of(removal, source), wipe=True, waiting=waiting)
        if decision is not None:
            return _forget(removal, _request_of(log, removal, decision), wipe=True, waiting=waiting)
        found = removal.found(DecisionEvent.kind, lambda body: tag in _tags(body))
        return _forget(removal, [row.decision_id for row in found], wipe=True, waiting=waiting)


def _forget(
    removal: Removal, decisions: Iterable[str], rows: Iterable[int] = (), *, wipe: bool = False, waiting: int = 0
) -> Removed:
    """Take out events and what they have taught, also what somebody had begun to."""
    decisions, rows, events = list(dict.fromkeys(decisions)), list(rows), 0
    begun, unclean = removal.unfinished
    if decisions or rows or begun:
        removal.begin(wipe=wipe)
        events = removal.decisions(decisions) + removal.rows(rows)
        removal.sweep()
        removal.restore_scores()
        removal.end()
        unclean |= wipe
    if wipe and unclean:
        removal.clean()
    return Removed(len(decisions), events, waiting=waiting)


def _request_of(log: SQLStore, removal: Removal, decision: str) -> list[str]:
    """The decisions of the request that a decision belongs to: they hold the same question."""
    events = [entry.event for entry in log.of_decisions([decision])]
    request = next((each.request_id for each in events if isinstance(each, DecisionEvent)), "")
    others = removal.found(DecisionEvent.kind, lambda body: body.get("request_id") == request) if request else ()
    # Also what cannot be read.
    return [*removal.present(decision), *(row.decision_id for row in others)]


def _tags(body: Mapping[str, Any]) -> Collection[object]:
    extra = body.get("extra")
    tags = extra.get("tags") if isinstance(extra, Mapping) else None
    return tags if isinstance(tags, list) else ()


def rebuild(log: SQLStore) -> int:
    """Drop all snapshots, so that every engine folds its state from the events again; returns how many there were.

    Raises:
        LostBeginning: the events do not tell it all; nothing has changed.
        LogError: as of `forget`.
    """
    with exclusive(log):
        check_beginning(log)
        return log.forget_snapshots()


def check_beginning(log: SQLStore) -> None:
    """That what states have learned can be folded from the log.

    Raises:
        LostBeginning: it cannot.
    """
    if not log.complete:
        raise LostBeginning(
            f"{log.name} has lost its beginning (rows were pruned with --keep-learned, or removed by hand), so that what the others have "
            "taught cannot be told apart from what is to be forgotten; nothing was changed"
        )


def _take_in(log: SQLStore, spool: Spool | None) -> int:
    """Write what workers have left that have ended: it would otherwise come back when the next one begins.

    Returns:
        how many that go on keep something as well.
    """
    if log.in_memory:
        return 0
    own = spool_of(log)
    spools = (own,) if spool is None else (own, spool)
    left = [each for one in spools for each in one.abandoned()]
    try:
        early = [_written(log, each, each.events) for each in left]
        for each, judgements in zip(left, early, strict=True):
            # What they judge may have stood in another's.
            if judgements and (still := _written(log, each, judgements)):
                place = each.shrink(still)
                _log.warning("%d judgements of decisions that are not in %s stay in %s", len(still), log.name, place)
            else:
                each.remove()
    except OSError as error:
        raise LogError(f"what workers have left cannot be taken in: {error}") from error
    finally:
        for each in left:
            each.leave()
    return sum(each.in_use() for each in spools)


def _written(log: SQLStore, left: Abandoned, events: Sequence[Event]) -> list[Event]:
    """Write events that somebody has left; returns judgements of decisions that are not there.

    Raises:
        LogError: the log takes nothing at present.
    """
    try:
        return [events[place] for place in log.write(*events).without_decision]
    except LogError as error:
        if error.passing:
            raise
        if len(events) == 1:
            left.refuse(events)
            _log.warning("%s does not take an event that somebody has left: %s", log.name, error)
            return []
    return [early for each in events for early in _written(log, left, [each])]


def _folds(log: SQLStore, policies: Collection[str]) -> list[Fold]:
    """A fold for every state that engines on the log have, up to its end, each with a snapshot.

    Raises:
        LogError: there is none, or one that cannot be folded here.
    """
    latest: dict[str, Fold] = {}
    for key, record in log.descriptions_of(BRAIN):
        try:
            arms, policy, costs = restore(log, key, record, policies)
        except ConfigurationError as error:
            raise LogError(
                f"the state of a policy counts that cannot be made here, and without it what it has learned could not be kept: {error}"
            ) from error
        fold = Fold(log, policy, arms, record["encoder"], costs, duplicates_of(record), rules_of(record))
        # Of several at different prices the last one.
        latest[fold.name] = fold
    if not latest:
        raise LogError(
            f"nothing in {log.name} says which engines learn from it, so that what was learned could be lost; open it with each of them, "
            "and call its `engine.snapshot()`"
        )
    for fold in latest.values():
        if not fold.resume() and not log.complete:
            raise LogError(
                f"{log.name} has lost its beginning, and there is no snapshot of a state that counts; call `engine.snapshot()` of the "
                "engine that is running on it"
            )
        while not fold.catch_up():
            raise LogError("somebody else takes events out of the log; try again")
        log.save_snapshot(*fold.snapshot())
    return list(latest.values())


def _bound(log: SQLStore, folds: list[Fold], before: float) -> Position:
    """Up to where all states that count have learned.

    Raises:
        LogError: nowhere.
    """
    known = {name for fold in folds for name in fold.names}
    # Of engines that have never decided here, and so are described nowhere; those that have not been back since are past.
    others = [place for name, place, at in log.snapshot_times() if name not in known and at >= before]
    bound = min([*(fold.position for fold in folds), *others])
    if bound <= BEGINNING:
        raise LogError(
            "there is a state of late that has learned nothing yet; call `engine.snapshot()` of the engines on the log"
        )
    return bound
