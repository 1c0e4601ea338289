"""How much has to be seen before the policy believes what it sees: the prior precision of every coefficient.

In units of the noise of one observation, which for an answer that is right or wrong is about 0.4: a coefficient with precision 60 is
expected to be about 0.4 / sqrt(60) = 0.05. What all actions have in common (a question is hard for every model) is believed soonest, since
it costs nothing to learn; what one action has of its own is held small, since a wrong belief there sends questions to the wrong model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uniscale_integrations.policy.kernels import Array

FIXED = 1e4
"""The precision of what is not to be learned."""


@dataclass(frozen=True, slots=True)
class Precisions:
    """Prior precisions by kind of coefficient.

    Attributes:
        level: of how good an action's feature (a model, a unit of log QP) is on the average question.
        lexical: of what each lexical feature of a question changes in that.
        kind: of what each kind of question changes in it.
        shared_lexical: of what a lexical feature changes for all actions together.
        shared_kind: of what a kind changes for all together.
        own: of what a configuration has beside its model and its amounts of search.
    """

    level: float = 12.0
    lexical: float = 1000.0
    kind: float = 60.0
    shared_lexical: float = 3.0
    shared_kind: float = 15.0
    own: float = 12.0

    def diagonal(self, action_features: int, kinds: Array, own: int) -> Array:
        """The precision of every coefficient of a product `a (x) q` and K indicators, shape (m n + K,).

        Args:
            action_features: m; the first is what all actions have in common.
            kinds: for each query feature after the first whether it is a kind, shape (n - 1,), bool.
            own: K, or 0 without indicators.
        """
        grid = np.empty((action_features, len(kinds) + 1))
        # A common level would lower all actions that were never tried with the first that disappoints.
        grid[0, 0], grid[0, 1:] = FIXED, np.where(kinds, self.shared_kind, self.shared_lexical)
        grid[1:, 0], grid[1:, 1:] = self.level, np.where(kinds, self.kind, self.lexical)
        return np.concatenate([grid.ravel(), np.full(own, self.own)])
