"""Replaying episodes on outcome tables: what deciding again would have brought, with the cost of all attempts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.default_policy import LinUCBPolicy
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Context
from uniscale_integrations.replay.stream import Stream, World
from uniscale_integrations.rounds.attempt import Answered
from uniscale_integrations.rounds.episode import Episode, Limits
from uniscale_integrations.rounds.one_round import OneRound
from uniscale_integrations.rounds.policy import DecidesAgain, RoundsSettings
from uniscale_integrations.rounds.ports import LearnsFromRounds


@dataclass(frozen=True, slots=True)
class Played:
    """The episodes of one stream.

    Attributes:
        parts: correctness and score of the kept answer, and `C~` of all attempts together, shape (3, T).
        costs: of all attempts together, in the table's unit, shape (T,).
        attempts: how many there were, shape (T,).
    """

    parts: Array
    costs: Array
    attempts: NDArray[np.int64]


def rounds_policy(world: World, rounds: int, settings: RoundsSettings | None = None) -> LearnsFromRounds:
    """What decides episodes of so many rounds: of one, the default policy as ever."""
    if rounds > 1:
        return DecidesAgain(world.arms, settings)
    return OneRound(LinUCBPolicy(world.arms), world.arms)


def replay_rounds(
    policy: LearnsFromRounds,
    world: World,
    stream: Stream,
    objective: Objective,
    *,
    rounds: int = 2,
    feedback: float = 1.0,
    seed: int = 0,
) -> Played:
    """Let a policy play episodes, one question after the other, and learn as it goes.

    A configuration that is asked again gives its next sample on the question; where there is none left, it is not eligible.

    Args:
        policy: what decides.
        world: the tables, whose policy knows costs in the tables' unit; see `World.in_money`.
        stream: the order of the questions.
        objective: of every request.
        rounds: answers of an episode at most.
        feedback: share of the episodes whose answer is judged, in [0, 1]; which ones depends on the seed alone.
        seed: of that, and of what the policy draws.

    Raises:
        ConfigurationError: a share out of [0, 1].
    """
    if not 0.0 <= feedback <= 1.0:
        raise ConfigurationError(f"the share of answers that are judged must lie in [0, 1], got {feedback!r}")
    judged = np.random.default_rng([seed, 5]).random(len(stream)) < feedback
    rng, limits, input_tokens = np.random.default_rng(seed), Limits(rounds), world.input_tokens
    parts, costs, attempts = np.empty((3, len(stream))), np.empty(len(stream)), np.empty(len(stream), dtype=np.int64)
    every = np.ones(len(world.configurations), dtype=np.bool_)
    for time, question in enumerate(stream.queries):
        request = Context(world.queries[question], input_tokens=float(input_tokens[question]))
        episode: Episode[tuple[int, int]] = Episode(policy, request, objective, every, world.arms.model_of, limits, rng)
        _play(episode, world, int(question), stream.samples[time])
        policy.ended(str(time), episode.context)
        result = episode.result()
        arm, sample = result.answer
        correct, score, _ = world.parts[:, question, arm, sample]
        if judged[time]:
            policy.feedback(str(time), episode.context, float(correct))
        parts[:, time] = correct, score, world.scale.position(result.spend)
        costs[time], attempts[time] = result.spend, len(result.attempts)
    return Played(parts, costs, attempts)


def _play(episode: Episode[tuple[int, int]], world: World, question: int, first: NDArray[np.int64]) -> None:
    """Answer what is asked by what the tables say, beginning with these samples of each configuration, shape (K,)."""
    asked = np.zeros(len(first), dtype=np.int64)
    while (decision := episode.ask()) is not None:
        arm = decision.configuration
        there = int(world.samples[question, arm])
        sample = int((first[arm] + asked[arm]) % there)
        asked[arm] += 1
        if asked[arm] >= there:
            episode.withdraw([arm])
        score = float(world.parts[1, question, arm, sample])
        tokens = (None, None) if world.tokens is None else world.tokens[:, question, arm, sample].tolist()
        spend = float(world.raw_costs[question, arm, sample])
        episode.tell(decision, Answered((arm, sample), None if score != score else score, spend, tokens[1], tokens[0]))
