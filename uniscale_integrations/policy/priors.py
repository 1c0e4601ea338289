"""How much has to be seen before the policy believes what it sees: the prior precision of every coefficient.

In units of the noise of one observation, which for an answer that is right or wrong is about 0.4: a coefficient with precision 60 is
expected to be about 0.4 / sqrt(60) = 0.05. What all actions have in common (a question is hard for every model) is believed soonest, since
it costs nothing to learn; what one action has of its own is held small, since a wrong belief there sends questions to the wrong model.

An action that was never tried is expected to be as good as hoped, less a part of what those that were tried fell short: `level / (level +
common)` after the first, more after several. Where nothing is common a poor table costs a hope for every action; where too much is, the
first that disappoints takes the hope for all others with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.policy.kernels import Array


@dataclass(frozen=True, slots=True)
class Precisions:
    """Prior precisions by kind of coefficient.

    Attributes:
        common: of how good all actions are together.
        level: of how good a model is on the average question.
        search: of what an amount of search (a unit of log QP) is worth on it.
        lexical: of what each lexical feature of a question changes in that.
        kind: of what each kind of question changes in it.
        shared_lexical: of what a lexical feature changes for all actions together.
        shared_kind: of what a kind changes for all together.
        own: of what a configuration has beside its model and its amounts of search.
    """

    common: float = 100.0
    level: float = 16.0
    search: float = 60.0
    lexical: float = 1000.0
    kind: float = 50.0
    shared_lexical: float = 150.0
    shared_kind: float = 60.0
    own: float = 30.0

    def diagonal(self, search: NDArray[np.bool_], kinds: NDArray[np.bool_], own: int) -> Array:
        """The precision of every coefficient of a product `a (x) q` and K indicators, shape (m n + K,).

        Args:
            search: for each action feature whether it is an amount of search, shape (m,), bool; the first is what all have in common.
            kinds: for each query feature after the first whether it is a kind, shape (n - 1,), bool.
            own: K, or 0 without indicators.
        """
        grid = np.empty((len(search), len(kinds) + 1))
        grid[0, 0], grid[0, 1:] = self.common, np.where(kinds, self.shared_kind, self.shared_lexical)
        grid[1:, 0], grid[1:, 1:] = np.where(search[1:], self.search, self.level), np.where(kinds, self.kind, self.lexical)
        return np.concatenate([grid.ravel(), np.full(own, self.own)])


HOSTED = Precisions(common=50.0, level=8.0, search=150.0, own=100.0)
"""Of models behind an API, whose searches are votes over whole answers: what those add is small and alike, and the models differ more."""
