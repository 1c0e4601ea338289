"""What a model call used, in units that no price list or hardware profile has touched yet."""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """Raw consumption of one or more model calls; `plus` sums two of them.

    Weights are counted twice, because who pays for reading them depends on where the model runs: `weights` is what this process
    moved (a batch of rows reads them once a pass), `weights_alone` what it would be if every row had its own pass. A profile with a
    serving batch divides the second; a profile of this machine takes the first.

    Attributes:
        prompt_tokens: tokens read that the model did not write itself.
        completion_tokens: tokens sampled.
        compute: floating point operations.
        traffic: bytes of key-value cache moved.
        weights: bytes of weights moved by the batched passes.
        weights_alone: bytes of weights moved if every row were its own batch.
        passes: layers run one after the other (a pass through a 5-layer model is 5), shared by the rows of a batch.
        usd: currency, for models behind a price list.
    """

    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    compute: float = 0.0
    traffic: float = 0.0
    weights: float = 0.0
    weights_alone: float = 0.0
    passes: float = 0.0
    usd: float = 0.0

    def plus(self, other: Usage) -> Usage:
        """The sum, field by field.

        >>> Usage(prompt_tokens=3.0).plus(Usage(prompt_tokens=4.0, usd=0.5))[0]
        7.0
        """
        return Usage(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def scaled(self, share: float) -> Usage:
        """This usage times a share, for splitting one batched call over its rows."""
        return Usage(*(value * share for value in self))


NOTHING = Usage()
