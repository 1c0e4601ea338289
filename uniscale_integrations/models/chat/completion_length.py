"""How long a model's completions are, by those of late: what a further one is expected to take."""

from __future__ import annotations

import time

from uniscale_integrations.cost.lengths import TYPICAL

RECENT = 0.2
"""What the last completion counts in the mean of those of late."""

MEMORY_SECONDS = 60.0
"""Seconds after which the mean keeps nobody from asking: a model that was never asked for being verbose would be thought so for ever."""

MARGIN = 1.25
"""How much longer than expected a further completion may be without breaking the budget that was kept for it."""


class CompletionLengths:
    """The mean length of a model's completions, of whole answers and of single steps apart, the last ones counting most.

    Example:
        >>> lengths = CompletionLengths()
        >>> lengths.expected()
        60.0
        >>> lengths.observe(100.0)
        >>> lengths.expected(), lengths.expected(max_tokens=80), lengths.reserved(max_tokens=110)
        (100.0, 80.0, 110.0)
    """

    def __init__(self) -> None:
        self._means: dict[bool, tuple[float, float]] = {}

    def observe(self, tokens: float, *, step: bool = False) -> None:
        """Note how many tokens a completion had; one without any tells nothing."""
        if tokens > 0:
            mean, _ = self._means.get(step, (tokens, 0.0))
            self._means[step] = mean + RECENT * (tokens - mean), time.monotonic()

    def knows(self, *, step: bool = False) -> bool:
        """Whether any such completion was seen."""
        return step in self._means

    def expected(self, *, step: bool = False, max_tokens: float | None = None) -> float:
        """Tokens of the next completion: the mean of late, or those of a typical answer, never more than `max_tokens`."""
        mean, _ = self._means.get(step) or self._means.get(False) or (float(TYPICAL.answer), 0.0)
        return mean if max_tokens is None else min(mean, float(max_tokens))

    def reserved(self, *, step: bool = False, max_tokens: float | None = None) -> float:
        """Tokens to keep for the next completion beside others: what is expected, with a margin."""
        expected = MARGIN * self.expected(step=step, max_tokens=max_tokens)
        return expected if max_tokens is None else min(expected, float(max_tokens))

    def required(self, *, step: bool = False, max_tokens: float | None = None) -> float:
        """Tokens without which the first completion of a request need not begin: the mean of the last minute, otherwise one."""
        _, at = self._means.get(step) or self._means.get(False) or (0.0, -MEMORY_SECONDS)
        known = time.monotonic() - at < MEMORY_SECONDS
        return self.expected(step=step, max_tokens=max_tokens) if known else 1.0
