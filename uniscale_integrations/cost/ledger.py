"""The ledger of one request: everything that was spent, on what, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ConfigurationError

Role = Literal["generator", "verifier"]
ROLES: tuple[Role, ...] = ("generator", "verifier")

PROMPT = "prompt"
"""The fate of what was spent on reading the question, before there was any path."""


class Spender(Protocol):
    """What the ledger needs of a search's path."""

    @property
    def usage(self) -> Usage:
        """What sampling the path's last candidate took."""
        ...

    @property
    def verifier_usage(self) -> Usage:
        """What scoring it took."""
        ...

    @property
    def fate(self) -> str:
        """What became of the path."""
        ...


class Charge(NamedTuple):
    """Something spent.

    Attributes:
        role: who spent it.
        model: the name of the generator or verifier.
        usage: how much.
        fate: what became of the path it was spent on, or "prompt".
    """

    role: Role
    model: str
    usage: Usage
    fate: str = PROMPT


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one request cost: prompts, finished answers and everything thrown away, for generator and verifier alike.

    Spending happens under a candidate's path while the search still runs; what became of that path is known only at the end.
    A ledger is therefore made once, of the search's paths, and never changes. Costs are linear in usage, so charges of one role,
    model and fate are summed at once and a ledger stays small however many paths there were.

    Attributes:
        charges: one per role, model and fate, in order of first appearance.
        profile: the hardware that eFLOPs are counted for.
        seconds: wall time of the request.

    Example:
        >>> from uniscale_integrations.cost.hardware import profile
        >>> from uniscale_integrations.search.paths import Fate, Path, PathKey
        >>> paths = [
        ...     Path(PathKey(0, (0,)), fate=Fate.FINISHED, usage=Usage(completion_tokens=7, compute=3e6)),
        ...     Path(PathKey(0, (1,)), fate=Fate.PRUNED, usage=Usage(completion_tokens=5, compute=2e6)),
        ... ]
        >>> paths[1].verifier_usage = Usage(compute=1e6)
        >>> prompt = Charge("generator", "small", Usage(prompt_tokens=20, compute=4e6))
        >>> ledger = Ledger.of(paths, prompts=[prompt], profile=profile("h100"), generator="small", verifier="prm")
        >>> ledger.eflops, ledger.tokens, ledger.verifier_share
        (10000000.0, (20.0, 12.0), 0.1)
        >>> {fate: entry.compute for fate, entry in ledger.by_fate().items()}
        {'finished': 3000000.0, 'pruned': 3000000.0, 'prompt': 4000000.0}
    """

    charges: tuple[Charge, ...]
    profile: HardwareProfile
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise ConfigurationError(f"seconds of a ledger must be a finite number, at least 0, got {self.seconds!r}")
        for charge in self.charges:
            if charge.role not in ROLES:
                raise ConfigurationError(f"a charge's role must be one of {', '.join(ROLES)}, got {charge.role!r}")
            _require_valid(charge.role, charge.model, charge.usage)

    @classmethod
    def of(
        cls,
        paths: Iterable[Spender],
        *,
        profile: HardwareProfile,
        generator: str,
        verifier: str = "",
        prompts: Iterable[Charge] = (),
        seconds: float = 0.0,
    ) -> Ledger:
        """The ledger of a search.

        Args:
            paths: every path the search ever made, dropped ones included; each carries the usage of its own last candidate only.
            profile: the hardware that eFLOPs are counted for.
            generator: name of the model that sampled.
            verifier: name of the one that scored; empty where nothing did.
            prompts: charges outside of paths, such as reading the question.
            seconds: wall time.

        Raises:
            ConfigurationError: a usage or time that is negative or not a number; the message names it.
        """

        def records() -> Iterator[Charge]:
            for path in paths:
                if path.usage is not NOTHING:
                    yield Charge("generator", generator, path.usage, path.fate)
                if path.verifier_usage is not NOTHING:
                    yield Charge("verifier", verifier, path.verifier_usage, path.fate)
            yield from prompts

        return cls(_sum(records()), profile, seconds)

    def plus(self, other: Ledger) -> Ledger:
        """Both ledgers as one, for a request that went on with another model.

        Raises:
            ConfigurationError: ledgers of different hardware, whose eFLOPs are not the same unit.
        """
        if other.profile != self.profile:
            raise ConfigurationError(
                f"cannot add a ledger of {other.profile.name} to one of {self.profile.name}: their eFLOPs weigh bytes differently"
            )
        return Ledger(_sum((*self.charges, *other.charges)), self.profile, self.seconds + other.seconds)

    @property
    def usage(self) -> Usage:
        """Everything."""
        return _total([charge.usage for charge in self.charges])

    @property
    def eflops(self) -> float:
        """Equivalent FLOPs of everything."""
        return self.profile.eflops(self.usage)

    @property
    def usd(self) -> float:
        """US dollars of everything."""
        return self.usage.usd

    @property
    def tokens(self) -> tuple[float, float]:
        """Tokens read and tokens sampled, by generator and verifier."""
        return self.usage.prompt_tokens, self.usage.completion_tokens

    @property
    def verifier_share(self) -> float:
        """The verifier's part of the eFLOPs, in [0, 1]; of the dollars where only prices are known."""
        return self._share(self.by_role()["verifier"], self.usage)

    def by_role(self) -> dict[Role, Usage]:
        """Usage of generator and verifier; both are always there."""
        return {role: _total([charge.usage for charge in self.charges if charge.role == role]) for role in ROLES}

    def by_fate(self) -> dict[str, Usage]:
        """Usage by what became of it, in order of first appearance."""
        return self._by(lambda charge: charge.fate)

    def by_model(self) -> dict[str, Usage]:
        """Usage by model name, in order of first appearance."""
        return self._by(lambda charge: charge.model)

    def as_dict(self) -> dict[str, object]:
        """The ledger as JSON-ready values, for logs and reports.

        Returns:
            `profile`, `seconds`, `eflops`, `usd`, `prompt_tokens`, `completion_tokens`, `verifier_share`, and `by_role`,
            `by_fate`, `by_model`, which map a name to the `eflops`, `usd`, `prompt_tokens`, `completion_tokens` spent under it.
            Tokens are whole.
        """
        everything, roles = self.usage, self.by_role()
        return {
            "profile": self.profile.name,
            "seconds": self.seconds,
            **self._entry(everything),
            "verifier_share": self._share(roles["verifier"], everything),
            "by_role": {role: self._entry(usage) for role, usage in roles.items()},
            "by_fate": {fate: self._entry(usage) for fate, usage in self.by_fate().items()},
            "by_model": {model: self._entry(usage) for model, usage in self.by_model().items()},
        }

    def _share(self, part: Usage, everything: Usage) -> float:
        eflops = self.profile.eflops(everything)
        if eflops > 0:
            return self.profile.eflops(part) / eflops
        return part.usd / everything.usd if everything.usd > 0 else 0.0

    def _entry(self, usage: Usage) -> dict[str, float]:
        return {
            "eflops": self.profile.eflops(usage),
            "usd": usage.usd,
            "prompt_tokens": round(usage.prompt_tokens),
            "completion_tokens": round(usage.completion_tokens),
        }

    def _by(self, key: Callable[[Charge], str]) -> dict[str, Usage]:
        groups: dict[str, list[Usage]] = {}
        for charge in self.charges:
            groups.setdefault(key(charge), []).append(charge.usage)
        return {name: _total(usages) for name, usages in groups.items()}


def _sum(charges: Iterable[Charge]) -> tuple[Charge, ...]:
    groups: dict[tuple[Role, str, str], list[Usage]] = {}
    for role, model, usage, fate in charges:
        if usage is not NOTHING:
            _require_valid(role, model, usage)
            groups.setdefault((role, model, str(fate)), []).append(usage)
    return tuple(Charge(role, model, _total(usages), fate) for (role, model, fate), usages in groups.items())


def _require_valid(role: Role, model: str, usage: Usage) -> None:
    # Two built-ins instead of a look at each field: this runs for every path of every request.
    if min(usage) >= 0 and sum(usage) < math.inf:
        return
    for field, value in zip(Usage._fields, usage, strict=True):
        if not (math.isfinite(value) and value >= 0):
            raise ConfigurationError(f"{field} charged to {role} {model!r} must be a finite number, at least 0, got {value!r}")


def _total(usages: Sequence[Usage]) -> Usage:
    if len(usages) < 2:
        return usages[0] if usages else NOTHING
    columns = zip(*usages, strict=True)
    return Usage(*map(math.fsum, columns))
