"""The generator's own confidence as a verifier."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from uniscale_integrations.cost.usage import NOTHING
from uniscale_integrations.errors import ConfigurationError, VerifierError
from uniscale_integrations.search.ports import Verdict
from uniscale_integrations.verifiers.session import Item, StatelessSession

ROUNDING = 1e-3
"""How far above 0 a log-probability may lie by rounding in half precision."""

DECIMALS = 4
"""Above the rounding noise of floating point, which differs from batch to batch."""


class SelfCertainty:
    """The geometric mean of the probabilities of a step's tokens, `exp(mean log p / temperature)`.

    It needs no model of its own and costs nothing. It has no opinion where the generator gives no log-probabilities. Scores are
    rounded, so that they are the same in whatever batch a step was sampled.

    Args:
        temperature: above 1 flattens the differences between candidates, below 1 sharpens them.

    Raises:
        ConfigurationError: a temperature that is not above 0.

    Example:
        >>> import asyncio
        >>> from uniscale_integrations.search.paths import Candidate, Path, PathKey
        >>> session = SelfCertainty().open("3 + 4?")
        >>> path = Path(PathKey(0, ()))
        >>> sure, silent = Candidate(("7",), True, log_probabilities=(0.0,)), Candidate(("7",), True)
        >>> [scores for scores, usage in asyncio.run(session.score([(path, sure), (path, silent)]))]
        [(1.0,), None]
    """

    name = "self-certainty"
    upper = 1.0
    path_local = True
    loop_free = True

    def __init__(self, temperature: float = 1.0) -> None:
        if not 0.0 < temperature < float("inf"):
            raise ConfigurationError(f"the temperature of SelfCertainty must be a number above 0, got {temperature!r}")
        self._temperature = temperature

    def open(self, question: str) -> StatelessSession:
        return StatelessSession(self._score)

    async def _score(self, items: Sequence[Item]) -> Sequence[Verdict]:
        return [(self._scores(candidate.steps, candidate.log_probabilities), NOTHING) for _, candidate in items]

    def _scores(self, steps: tuple[str, ...], log_probabilities: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if not steps:
            return ()
        if log_probabilities is None:
            return None
        for step, log_probability in zip(steps, log_probabilities, strict=True):
            if not log_probability <= ROUNDING:
                raise VerifierError(
                    f"the generator gave the mean log-probability {log_probability!r} to {step!r}; it must be at most 0"
                )
        return tuple(round(exp(min(each, 0.0) / self._temperature), DECIMALS) for each in log_probabilities)
