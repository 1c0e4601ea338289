"""The generator's own confidence as a verifier."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from uniscale_integrations.cost.usage import NOTHING
from uniscale_integrations.errors import ConfigurationError, VerifierError
from uniscale_integrations.verifiers.session import Item, Reply, StatelessSession

ROUNDING = 1e-3
"""How far above 0 a log-probability may lie by rounding in half precision."""


class SelfCertainty:
    """The geometric mean of the candidate's token probabilities, `exp(mean log p / temperature)`.

    It needs no model of its own and costs nothing. Every new step of a candidate gets the same score. It has no opinion where the
    generator gives no log-probabilities.

    Args:
        temperature: above 1 flattens the differences between candidates, below 1 sharpens them.

    Raises:
        ConfigurationError: a temperature that is not above 0.

    Example:
        >>> import asyncio
        >>> from uniscale_integrations.search.paths import Candidate, Path, PathKey
        >>> session = SelfCertainty().open("3 + 4?")
        >>> path = Path(PathKey(0, ()))
        >>> sure, silent = Candidate(("7",), True, log_probability=0.0), Candidate(("7",), True)
        >>> [scores for scores, usage in asyncio.run(session.score([(path, sure), (path, silent)]))]
        [(1.0,), None]
    """

    name = "self-certainty"
    upper = 1.0
    path_local = True

    def __init__(self, temperature: float = 1.0) -> None:
        if not 0.0 < temperature < float("inf"):
            raise ConfigurationError(f"the temperature of SelfCertainty must be a number above 0, got {temperature!r}")
        self._temperature = temperature

    def open(self, question: str) -> StatelessSession:
        return StatelessSession(self._score)

    async def _score(self, items: Sequence[Item]) -> Sequence[Reply]:
        return [(self._scores(candidate.steps, candidate.log_probability), NOTHING) for _, candidate in items]

    def _scores(self, steps: tuple[str, ...], log_probability: float | None) -> tuple[float, ...] | None:
        if not steps:
            return ()
        if log_probability is None:
            return None
        if not log_probability <= ROUNDING:
            raise VerifierError(
                f"the generator gave the mean log-probability {log_probability!r} to {steps[0]!r}; it must be at most 0"
            )
        return (exp(min(log_probability, 0.0) / self._temperature),) * len(steps)
