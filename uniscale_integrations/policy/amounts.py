"""How much configurations read and sample on a question: a ridge head on logarithms, which prices make into expected costs.

Amounts are a matter of models and questions, prices one of a list. So amounts are learned and prices applied: a price that changes
changes decisions at once, and nothing that was learned has to be learned again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import StateError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.heads import head_of, whole_head
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.policy import Context, Observation, State
from uniscale_integrations.policy.product import Products
from uniscale_integrations.policy.ridge import read_arrays
from uniscale_integrations.policy.transfer import Transfer

NAN = float("nan")

LOG_RANGE = 11.0
"""Largest logarithm of an amount of tokens, and of the factor by which an estimate may be wrong, either way."""

MEAN_OVER_MEDIAN = 0.08
"""Logarithm of the mean of an amount over its median, which is what a head on logarithms expects."""


@dataclass(frozen=True, slots=True)
class AmountSettings:
    """What is believed of amounts beforehand: standard deviations of natural logarithms.

    Attributes:
        noise: of an amount around what is expected of it.
        level: of what all models have in common on the average question.
        kind: of what a kind of question changes for all of them.
        lexical: of what a lexical feature does.
        own_level: of what a model has beside that.
        own_kind: of what a kind of question changes for one model.
        own_lexical: of what a lexical feature does.
        search: of what an amount of search (a unit of log QP) changes in a path.
        own: of what a configuration has beside its model and its amounts of search.
    """

    noise: float = 0.5
    level: float = 1.5
    kind: float = 0.7
    lexical: float = 0.15
    own_level: float = 0.7
    own_kind: float = 0.4
    own_lexical: float = 0.05
    search: float = 0.3
    own: float = 0.3

    def precision(self, search: NDArray[np.bool_], kinds: NDArray[np.bool_], own: int) -> Array:
        """Of every coefficient of a product `a (x) q` and of K indicators, shape (m n + own,); parameters as of `Precisions.diagonal`."""
        common = [self.level, *np.where(kinds, self.kind, self.lexical)]
        each = [
            [self.search if amount else self.own_level, *np.where(kinds, self.own_kind, self.own_lexical)]
            for amount in search[1:]
        ]
        deviations = np.concatenate([common, np.ravel(each), np.full(own, self.own)])
        precision: Array = np.square(self.noise / deviations)
        return precision


OF_TOKENS = AmountSettings(own_level=0.3, own_kind=0.1, own_lexical=0.01, search=0.1, own=0.1)
"""Of output tokens, of which nothing is known beforehand."""

OF_ESTIMATES = AmountSettings(noise=2.0)
"""Of the factor by which estimates of whole costs are wrong, which are right on average, so that more has to speak against them."""


class Amounts:
    """Learns how much configurations read and sample, and expects what they cost.

    Args:
        arms: with their rates.
        products: of their features and a question.
        precision: prior precision of the coefficients, shape (d,), such as of `AmountSettings`.

    Example:
        >>> from uniscale_integrations.policy.rates import Rates
        >>> from uniscale_integrations.policy.schema import FeatureSchema
        >>> from uniscale_integrations.space import Configuration
        >>> pair, schema = [Configuration("small"), Configuration("large")], FeatureSchema(("bias",))
        >>> arms = Arms.of(pair, schema, [0.0, 0.5], rates=Rates.of_tokens([1, 1], [(0.25, 2.0), (1.25, 10.0)]))
        >>> precision = OF_TOKENS.precision(np.zeros(3, dtype=bool), np.zeros(0, dtype=bool), 0)
        >>> amounts = Amounts(arms, Products(arms.features, 1), precision)
        >>> context = Context(np.ones(1), input_tokens=1000.0)
        >>> for _ in range(50):
        ...     amounts.observe(1, np.ones(1), context, Observation(None, 0.9, output_tokens=800.0, input_tokens=1000.0))
        >>> (amounts.spend(np.ones(1), context) * 1e6).round(-2).tolist()
        [1800.0, 9900.0]
    """

    def __init__(self, arms: Arms, products: Products, precision: Array) -> None:
        self._arms, self._products, self._precision = arms, products, precision
        self._head = products.regression(2, self._precision)
        rates, nothing = arms.rates, np.zeros(len(arms))
        # Of an estimate the logarithm may be anything; of tokens it is that of a number above 1.
        self._least = np.stack([np.where(rates.in_tokens, 0.0, -LOG_RANGE), np.full(len(arms), -LOG_RANGE)])
        self._usual = np.stack([np.log(rates.usual), nothing])
        self._above_median = np.stack([MEAN_OVER_MEDIAN * rates.in_tokens, nothing])
        self._average_question = np.zeros(products.query_dim)
        self._average_question[0] = 1.0

    def spend(self, query: Array, context: Context) -> Array:
        """What each configuration is expected to cost, in dollars or eFLOPs, shape (K,).

        Args:
            query: features of the question, centred, shape (n,).
            context: with its input tokens.
        """
        return self._cost_of(self._products.means(self._head.theta, query), context)

    def spend_and_steady(self, query: Array, context: Context) -> Array:
        """The same, and without what sets a model apart on this kind of question only, of which little is known for long, shape (2, K).

        Between models whose prices lie a tenth apart that would be most of the difference, and noise.
        """
        theta, average = self._head.theta, self._average_question
        common = theta[:, : len(average)].dot(query - average)
        logs = np.empty((2, len(theta), len(self._arms)))
        logs[0] = self._products.means(theta, query)
        logs[1] = self._products.means(theta, average) + common[:, None]
        return self._cost_of(logs, context)

    def _cost_of(self, logs: Array, context: Context) -> Array:
        """What amounts, and what is read beside what was counted, cost, shape (..., K).

        Args:
            logs: natural logarithms of factors of both, shape (..., 2, K).
            context: with its input tokens.
        """
        logs = np.minimum(self._usual + logs, LOG_RANGE)
        factors = np.exp(np.maximum(logs, self._least) + self._above_median)
        return self._arms.rates.spend(factors[..., 0, :], context.input_tokens * factors[..., 1, :])

    def observe(self, action: int, query: Array, context: Context, observation: Observation) -> None:
        """Learn what an answer took.

        Args:
            action: the configuration.
            query: features of the question, centred, shape (n,).
            context: with its input tokens, as they were counted.
            observation: what it took in tokens; where that is not known, or is not what is paid for, its `C~`.
        """
        arms = self._arms
        paths = float(arms.rates.paths[action])
        if arms.rates.in_tokens[action]:
            if observation.output_tokens is None:
                return
            amount = log(max(observation.output_tokens, 1.0) / paths)
            read = observation.input_tokens
            ratio = NAN if not read else log(read / (paths * context.input_tokens))
        else:
            # By what factor it was dearer than expected is what the difference of positions says.
            amount, ratio = (observation.cost - float(arms.costs[action])) * arms.span, NAN
        self._products.observe(self._head, action, query, np.array([amount, ratio]) - self._usual[:, action])

    def forget(self, share: float) -> None:
        """Keep of the weight of everything observed only a share, in (0, 1]."""
        self._head.forget(share)

    def state(self) -> dict[str, Array]:
        """Everything that was learned, as arrays."""
        return {f"amounts.{name}": array for name, array in self._head.state().items()}

    def load(self, state: State, transfer: Transfer | None) -> None:
        """Take over what `state` gave; a state of before there were amounts teaches none.

        Args:
            state: as of `Policy`.
            transfer: from the configurations that it is of, where they are others.

        Raises:
            StateError: arrays that do not fit.
        """
        arrays = head_of(state, "amounts")
        if not arrays:
            return
        if transfer is not None:
            arrays = self._convert(arrays, transfer)
        head = self._products.regression_from(arrays)
        if head.dim != self._products.dim or head.targets != 2:
            raise StateError(f"amounts have {head.dim} coefficients, these configurations need {self._products.dim}")
        self._head = head

    def _convert(self, arrays: Mapping[str, Array], transfer: Transfer) -> dict[str, Array]:
        matrix, sums, ridge, settings = read_arrays(whole_head(arrays), ("A", "b", "ridge", "settings")).values()
        if matrix.shape != (transfer.old.dim,) * 2:
            raise StateError(f"amounts have {len(matrix)} coefficients, their configurations need {transfer.old.dim}")
        matrix, sums = transfer.head(matrix, sums, ridge, float(settings[1]), self._precision)
        return {"A": matrix, "b": sums, "ridge": self._precision, "settings": np.array([settings[0], 1.0, 0.0])}
