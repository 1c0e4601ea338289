"""The answer of a request to which several attempts were made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce

from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.rounds.attempt import Answered, Attempt, Decision
from uniscale_integrations.rounds.episode import Episode
from uniscale_integrations.search.answer import Answer, Round
from uniscale_integrations.space import Configuration


def answer_of(
    episode: Episode[Answer],
    space: Sequence[Configuration],
    id_of: Callable[[Decision], str],
    notes: Sequence[str],
    *,
    in_rounds: bool,
) -> Answer:
    """The answer that is kept, with what all of them have cost.

    Args:
        episode: the attempts, of which one at least has brought an answer.
        space: the configurations.
        id_of: under which a decision is known.
        notes: what went wrong on the way.
        in_rounds: whether the attempts are told of on the answer.
    """
    result = episode.result()
    answer = result.answer
    if notes:
        answer = replace(answer, warnings=(*answer.warnings, *notes))
    if not in_rounds:
        return answer
    answers = [each.came.answer for each in result.attempts if isinstance(each.came, Answered)]
    rounds = tuple(
        _round(each, space[each.decision.configuration], id_of(each.decision), is_kept=each is result.kept)
        for each in result.attempts
    )
    if len(answers) == 1:
        return replace(answer, rounds=rounds)
    return replace(
        answer,
        ledger=reduce(Ledger.plus, (each.ledger for each in answers)),
        wait_seconds=sum(each.wait_seconds for each in answers),
        rounds=rounds,
    )


def _round(attempt: Attempt[Answer], configuration: Configuration, decision_id: str, *, is_kept: bool) -> Round:
    came = attempt.came
    if not isinstance(came, Answered):
        return Round(decision_id, configuration, None, 0.0, failed=str(came.error) or repr(came.error))
    ledger = came.answer.ledger
    return Round(decision_id, configuration, came.score, attempt.belief, ledger.eflops, ledger.usd, ledger.seconds, kept=is_kept)
