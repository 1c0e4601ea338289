"""What judgements count, and what it means that there are none: settings of an engine that decide what its log teaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import isfinite
from typing import Any, Self

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.events import plain
from uniscale_integrations.log.silence import ANYBODY, Silence

VERIFIER = "verifier"
"""Among the weights of sources, the verifier, whose scores then bear witness to how far the other sources are right."""

SilenceSetting = Silence | Mapping[str, Silence]
"""What the silence of all sources together means, or that of each source."""


@dataclass(frozen=True, slots=True)
class FeedbackRules:
    """How feedback is learned from.

    Attributes:
        silence: what it means that a source has not judged, by source; that of `ANYBODY` is of all together.
        weights: what each source's judgements count, in (0, 1]; those of others count 1.

    Example:
        >>> rules = FeedbackRules.of(Silence(means=1.0), {"thumbs": 0.3})
        >>> rules.weight("thumbs"), rules.weight("exact-match"), FeedbackRules.restore(rules.record()) == rules
        (0.3, 1.0, True)
    """

    silence: Mapping[str, Silence] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, silence: SilenceSetting | None, weights: Mapping[str, float] | None) -> Self:
        """The rules of what a user gives; parameters as of `UniScale`.

        Raises:
            ConfigurationError: a silence that is none, or a weight out of (0, 1].
        """
        if silence is not None and not isinstance(silence, (Silence, Mapping)):
            raise ConfigurationError(f"silence is a Silence, or one for each source, got {silence!r:.80}")
        by_source = {ANYBODY: silence} if isinstance(silence, Silence) else dict(silence or {})
        for source, each in by_source.items():
            if not isinstance(each, Silence):
                raise ConfigurationError(f"silence is a Silence, or one for each source; got {each!r:.80} of {source!r}")
        given: dict[str, Any] = {source: plain(weight) for source, weight in (weights or {}).items()}
        for source, weight in given.items():
            if not isinstance(weight, int | float) or not isfinite(weight) or not 0 < weight <= 1:
                raise ConfigurationError(f"the weight of the source {source!r} must be a number in (0, 1], got {weight!r}")
        return cls(by_source, {source: float(weight) for source, weight in given.items()})

    def weight(self, source: str) -> float:
        """What a source's judgements count."""
        return self.weights.get(source, 1.0)

    def mean(self, judgements: Mapping[tuple[str, str], float]) -> float:
        """The weighted mean of the judgements of one decision, by source and key; at least one.

        Example:
            >>> FeedbackRules(weights={"thumbs": 0.5}).mean({("thumbs", "correct"): 0.0, ("exact-match", "correct"): 0.9})
            0.6
        """
        shares = [self.weight(source) for source, _ in judgements]
        return sum(share * value for share, value in zip(shares, judgements.values(), strict=True)) / sum(shares)

    @property
    def default(self) -> bool:
        """Whether nothing was set."""
        return not self.silence and not self.weights

    def record(self) -> dict[str, Any]:
        """For the log, JSON-ready; `restore` reads it back, and states of other rules are not taken for each other."""
        silence = {source: [each.means, each.seconds] for source, each in sorted(self.silence.items())}
        return {"silence": silence, "weights": dict(sorted(self.weights.items()))}

    @classmethod
    def restore(cls, record: Mapping[str, Any] | None) -> Self:
        """The rules that were recorded; without a record, none."""
        if record is None:
            return cls()
        silence = {source: Silence(means, timedelta(seconds=after)) for source, (means, after) in record["silence"].items()}
        return cls(silence, dict(record["weights"]))
