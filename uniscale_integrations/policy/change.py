"""Noticing that the world has changed: answers that are right less often, or more often, than was learned.

Page's cumulative sums (1954): of every standardised error the drift that is tolerated is taken off, and the rest is added up while it stays
above 0. Chance rarely carries such a sum far; a change does so in a time that goes with the square of its size.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array


class ChangeDetector:
    """Two sums for each stream of errors, one for falls and one for rises.

    Args:
        streams: how many, one per model.
        tolerance: error that is not counted, in standard deviations of one observation.
        threshold: sum at which a change is reported; greater is slower and errs less often.

    Example:
        >>> detector = ChangeDetector(1, tolerance=0.25, threshold=5.0)
        >>> [detector.observe(0, error) for error in [0.2, -0.4, -2.0, -2.0, -2.0]]
        [False, False, False, False, True]
    """

    def __init__(self, streams: int, tolerance: float = 0.25, threshold: float = 20.0) -> None:
        if streams < 1 or tolerance < 0 or threshold <= 0:
            arguments = f"{streams}, {tolerance}, {threshold}"
            raise ConfigurationError(f"streams must be at least 1, tolerated at least 0 and threshold above 0, got {arguments}")
        self.tolerance, self.threshold = tolerance, threshold
        self.sums = np.zeros((streams, 2))

    def observe(self, stream: int, error: float) -> bool:
        """Count an error, observed minus expected in standard deviations; whether a change is reported, which begins all anew."""
        falls, rises = self.sums[stream]
        falls, rises = max(0.0, falls - error - self.tolerance), max(0.0, rises + error - self.tolerance)
        self.sums[stream] = falls, rises
        if max(falls, rises) < self.threshold:
            return False
        self.sums[:] = 0.0
        return True

    def state(self) -> dict[str, Array]:
        """The sums."""
        return {"sums": self.sums.copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        """Take over sums that `state` gave."""
        self.sums = np.array(state["sums"], dtype=np.float64)
