"""What a model call used, in units that no price list or hardware profile has touched yet."""

from __future__ import annotations

from typing import NamedTuple


class Usage(NamedTuple):
    """Raw consumption of one or more model calls; `plus` sums two of them.

    What a call takes depends on where the model runs. A server computes every candidate by itself, in a batch with other callers': that
    is `compute`, `traffic` and `weights_alone`. This process reads the weights once a pass for all its rows, which is `weights`, and
    computes what candidates have in common once: `compute_saved` and `traffic_saved` are what that left undone.

    Attributes:
        prompt_tokens: tokens read that the model did not write itself.
        completion_tokens: tokens sampled.
        compute: floating point operations.
        traffic: bytes of key-value cache moved.
        weights: bytes of weights moved by the batched passes.
        weights_alone: bytes of weights moved if every row were its own batch.
        passes: layers run one after the other (a pass through a 5-layer model is 5), shared by the rows of a batch.
        usd: currency, for models behind a price list.
        compute_saved: operations not done here, because candidates shared them.
        traffic_saved: bytes of cache not moved here, because candidates shared them.
        cached_tokens: of the tokens read, those that the provider found in its cache, which many charge less for.
    """

    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    compute: float = 0.0
    traffic: float = 0.0
    weights: float = 0.0
    weights_alone: float = 0.0
    passes: float = 0.0
    usd: float = 0.0
    compute_saved: float = 0.0
    traffic_saved: float = 0.0
    cached_tokens: float = 0.0

    def plus(self, other: Usage) -> Usage:
        """The sum, field by field.

        >>> Usage(prompt_tokens=3.0).plus(Usage(prompt_tokens=4.0, usd=0.5))[0]
        7.0
        """
        return Usage(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def scaled(self, share: float) -> Usage:
        """This usage times a share, for splitting one batched call over its rows."""
        return Usage(*(value * share for value in self))


def token_count(value: object) -> float:
    """A number of tokens as a provider tells it; 0 for what no provider has counted: no number, a negative or an absurd one.

    Example:
        >>> token_count(12), token_count(-5), token_count("many"), token_count(10**400)
        (12.0, 0.0, 0.0, 0.0)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_TOKENS:
        return 0.0
    return float(value)


MAX_TOKENS = 10**9
"""Tokens of one request; what a provider says beyond that it has not counted."""

NOTHING = Usage()
