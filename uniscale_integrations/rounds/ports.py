"""What rounds need from outside: a policy that decides again, and learns from whole episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from numpy.random import Generator

from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Assessment, Choice, Context, Mask, State
from uniscale_integrations.rounds.context import RoundContext


class RoundsPolicy(Protocol):
    """What an `Episode` needs of a policy. Nothing is learned in any of these methods."""

    def believe(self, request: Context, action: int, score: float | None, verifier: str = "") -> float:
        """`c^`: how right a configuration's answer is, now that its score is seen, in [0, 1]."""
        ...

    def assess(self, context: RoundContext, objective: Objective, eligible: Mask) -> Assessment:
        """What is expected of the whole episode with every configuration asked next, and, once there is an answer, with stopping.

        Returns:
            arrays of the shape (K,) while no attempt has brought an answer, and (K + 1,) from then on: the last one is to stop, which
            is always eligible. `objective` has all its numbers.
        """
        ...

    def choose(self, assessment: Assessment, rng: Generator) -> Choice:
        """One that is eligible, which a target may have changed since `assess`."""
        ...


@runtime_checkable
class LearnsFromRounds(RoundsPolicy, Protocol):
    """A policy that learns what came of episodes: a fold, as `Policy` is."""

    @property
    def name(self) -> str:
        """As of `Policy`."""
        ...

    def prior_belief(self, action: int, score: float | None) -> float:
        """`c^` as it is before any answer was judged, which what is learned does not change."""
        ...

    def ended(self, episode: str, context: RoundContext) -> None:
        """Learn what is known once nothing further is tried.

        Args:
            episode: its id.
            context: with all attempts.
        """
        ...

    def feedback(
        self, episode: str, context: RoundContext, correct: float, weight: float = 1.0, previous: float | None = None
    ) -> None:
        """Learn how right the kept answer was; arguments as of `ended`, and of `Policy`."""
        ...

    def state(self) -> State:
        """Everything that was learned."""
        ...

    def load(self, state: State) -> None:
        """Take over what `state` gave, of a policy of the same name.

        Raises:
            StateError: arrays that are missing or do not fit; nothing is taken over then.
        """
        ...


RoundsFactory = Callable[[Arms], LearnsFromRounds]
"""Makes such a policy for some configurations; a class whose constructor takes `Arms` is one."""
