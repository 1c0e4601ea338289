"""The answer of a request to which several attempts were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce

from uniscale_integrations.answers.algebra import equal_expressions
from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.rounds.attempt import Answered, Attempt, Decision
from uniscale_integrations.rounds.episode import Episode
from uniscale_integrations.rounds.joint_vote import Voter, joint_vote
from uniscale_integrations.search.answer import Answer, Round
from uniscale_integrations.search.paths import Path, PathKey
from uniscale_integrations.search.result import champions
from uniscale_integrations.search.voting import Ballot
from uniscale_integrations.space import Configuration


def answer_of(
    episode: Episode[Answer],
    lost: Mapping[int, Ledger],
    space: Sequence[Configuration],
    id_of: Callable[[Decision], str],
    notes: Sequence[str],
    *,
    in_rounds: bool,
) -> Answer:
    """The answer that is kept, with what all of them have cost.

    Args:
        episode: the attempts, of which one at least has brought an answer.
        lost: what those have spent that have brought none, by the number of their decision.
        space: the configurations.
        id_of: under which a decision is known.
        notes: what went wrong on the way.
        in_rounds: whether the attempts are told of on the answer.
    """
    result = episode.result()
    answer = result.answer
    if notes:
        answer = replace(answer, warnings=(*answer.warnings, *notes))
    if in_rounds:
        rounds = tuple(
            _round(each, lost.get(each.decision.number), space[each.decision.configuration], id_of(each.decision), result.kept)
            for each in result.attempts
        )
        answer = replace(answer, rounds=rounds)
    answers = [each.came.answer for each in result.attempts if isinstance(each.came, Answered)]
    ledgers = (*lost.values(), *(each.ledger for each in answers))
    if len(ledgers) > 1:
        answer = replace(answer, ledger=reduce(Ledger.plus, ledgers))
    if len(answers) > 1:
        paths, read = _paths_of([result.answer, *(each for each in answers if each is not result.answer)])
        waits = sum(each.wait_seconds for each in answers)
        answer = replace(answer, paths=paths, answers=read, wait_seconds=waits)
    return answer


def vote_over(episode: Episode[Answer], question: str) -> None:
    """Have all attempts say together whose answer is kept.

    Args:
        episode: in which nothing further is tried.
        question: that was asked.
    """
    answers = [each for each in episode.result().attempts if each.complete]
    kept = episode.context.kept
    if len(answers) < 2 or kept is None:
        return
    voters = [
        Voter(each.came.answer.answer, each.belief, _ballots(each.came.answer))
        for each in answers
        if isinstance(each.came, Answered)
    ]
    own = next(number for number, each in enumerate(answers) if each is kept)
    episode.keep(answers[joint_vote(voters, own, question, equal_expressions)].decision.number)


def _ballots(answer: Answer) -> list[Ballot]:
    """Of the paths that took part in an attempt's own vote."""
    return [Ballot(answer.answers.get(path.key), path.value, path.key, text=path.text) for path in champions(answer.paths)]


def _paths_of(answers: Sequence[Answer]) -> tuple[tuple[Path, ...], dict[PathKey, str | None]]:
    """The paths of several answers as of one, with what was read off them: trees are numbered on."""
    paths: list[Path] = []
    read: dict[PathKey, str | None] = {}
    first = 0
    for answer in answers:
        moved = {path.key: PathKey(path.key.tree + first, path.key.lineage) for path in answer.paths}
        paths += [replace(path, key=moved[path.key]) for path in answer.paths]
        read |= {moved[key]: value for key, value in answer.answers.items() if key in moved}
        first += 1 + max((path.key.tree for path in answer.paths), default=-1)
    return tuple(paths), read


def _round(
    attempt: Attempt[Answer], lost: Ledger | None, configuration: Configuration, decision_id: str, kept: Attempt[Answer] | None
) -> Round:
    came = attempt.came
    ledger = came.answer.ledger if isinstance(came, Answered) else lost
    spent = (0.0, 0.0, 0.0) if ledger is None else (ledger.eflops, ledger.usd, ledger.seconds)
    if not isinstance(came, Answered):
        return Round(decision_id, configuration, None, 0.0, *spent, failed=str(came.error) or repr(came.error))
    return Round(decision_id, configuration, came.score, attempt.belief, *spent, kept=attempt is kept)
