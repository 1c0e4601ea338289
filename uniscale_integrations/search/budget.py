"""What a request may spend, watched while it is spent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan
from time import monotonic

from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Budget:
    """Upper limits on one request; `None` is no limit.

    Attributes:
        eflops: equivalent FLOPs, generator and verifier together.
        usd: currency.
        tokens: prompt and completion tokens together.
        seconds: wall time.
    """

    eflops: float | None = None
    usd: float | None = None
    tokens: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, limit in self.limits().items():
            if isnan(limit) or limit <= 0:
                raise ConfigurationError(f"a budget of {name} must be a number above 0, got {limit!r}")

    def limits(self) -> dict[str, float]:
        """The limits that are set."""
        every = {"eflops": self.eflops, "usd": self.usd, "tokens": self.tokens, "seconds": self.seconds}
        return {name: float(limit) for name, limit in every.items() if limit is not None}

    def less(self, usage: Usage, profile: HardwareProfile) -> Budget:
        """What is left once so much was spent; of what is used up, next to nothing. Time is not counted.

        Args:
            usage: that was spent.
            profile: that prices compute.

        Example:
            >>> from uniscale_integrations.cost.hardware import H100
            >>> Budget(usd=0.5, seconds=3.0).less(Usage(usd=0.2), H100)
            Budget(eflops=None, usd=0.3, tokens=None, seconds=3.0)
        """
        spent = {"eflops": profile.eflops(usage), "usd": usage.usd, "tokens": usage.prompt_tokens + usage.completion_tokens}
        left = {name: max(limit - spent.get(name, 0.0), LEAST_SHARE * limit) for name, limit in self.limits().items()}
        return replace(self, **left)


LEAST_SHARE = 1e-9
"""Of a limit, where none of it is left: a budget is above 0."""


class Meter:
    """Adds up usage and says when a budget is spent."""

    def __init__(self, budget: Budget, profile: HardwareProfile) -> None:
        self.budget = budget
        self.profile = profile
        self.usage = NOTHING
        self._limits = budget.limits()
        self.limited = bool(self._limits)
        self._started = monotonic()

    def charge(self, usage: Usage) -> None:
        """Count what was spent."""
        self.usage = self.usage.plus(usage)

    @property
    def seconds(self) -> float:
        """Wall time since the request began."""
        return monotonic() - self._started

    def remaining_seconds(self) -> float | None:
        """Seconds that are left; `None` where there is no deadline."""
        limit = self.budget.seconds
        return None if limit is None else max(0.0, limit - self.seconds)

    def overrun(self, usage: Usage) -> str:
        """By how much a usage breaks the limits that it should have kept to, for whoever asked; empty where it does not, or in time alone.

        Args:
            usage: of the whole request.
        """
        spent = self._amounts(usage)
        broken = [
            f"{spent[name]:.4g} {name} of {limit:.4g}" for name, limit in self._limits.items() if spent.get(name, 0.0) > limit
        ]
        return f"the budget was exceeded: {', '.join(broken)} were spent" if broken else ""

    def _amounts(self, usage: Usage) -> dict[str, float]:
        return {
            "eflops": self.profile.eflops(usage),
            "usd": usage.usd,
            "tokens": usage.prompt_tokens + usage.completion_tokens,
        }

    def excess(self, plan: Usage = NOTHING) -> str:
        """Which limit the usage so far plus `plan` would break, with both numbers; empty while within all."""
        if not self._limits:
            return ""
        amounts = self._amounts(self.usage.plus(plan)) | {"seconds": self.seconds}
        for name, limit in self._limits.items():
            if name == "seconds" and amounts[name] > limit:
                return f"deadline of {limit:.4g} s, {amounts[name]:.4g} s have passed"
            if amounts[name] > limit:
                return f"budget of {limit:.4g} {name}, {amounts[name]:.4g} needed to go on"
        return ""
