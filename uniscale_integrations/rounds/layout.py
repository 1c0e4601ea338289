"""Heads over configurations and a question with something beside it: which features they have, and what is believed beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.policy.amounts import OF_ESTIMATES, OF_TOKENS, Amounts
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.priors import HOSTED, Precisions
from uniscale_integrations.policy.product import Products


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The features of a head, `a (x) [q, f]` and an indicator of each configuration, and the prior precision of every coefficient.

    Attributes:
        products: of the configurations' features and a question's with those beside it.
        precision: shape (d,).
    """

    products: Products
    precision: Array

    @classmethod
    def of(cls, arms: Arms, beside: int, level: float = 1.0) -> Layout:
        """That of some configurations.

        Args:
            arms: with the features of each.
            beside: how many features there are beside a question's; they are believed as slowly as lexical ones.
            level: factor of how slowly it is believed how good a configuration is on the average question.
        """
        several = len(arms.models) < len(arms)
        indicators = len(arms) if several else 0
        products = Products(arms.features, len(arms.schema) + beside, own=several, codes=len(arms.models))
        precisions = HOSTED if arms.rates.in_tokens.all() else Precisions()
        kinds = np.concatenate([_kinds(arms), np.zeros(beside, dtype=np.bool_)])
        precision = precisions.diagonal(_search(arms), kinds, indicators)
        split = len(precision) - indicators
        precision[: split : products.query_dim] *= level
        precision[split:] *= level
        return cls(products, precision)


def amounts_of(arms: Arms) -> Amounts:
    """What learns how much configurations read and sample."""
    settings = OF_TOKENS if arms.rates.in_tokens.all() else OF_ESTIMATES
    products = Layout.of(arms, 0).products
    return Amounts(arms, products, settings.precision(_search(arms), _kinds(arms), len(arms) if products.own else 0))


def _kinds(arms: Arms) -> NDArray[np.bool_]:
    return np.asarray(arms.schema.is_kind, dtype=np.bool_)


def _search(arms: Arms) -> NDArray[np.bool_]:
    """For each feature of the configurations whether it differs between those of one model, as only amounts of search do."""
    models = np.asarray(arms.model_of)
    within = [np.ptp(arms.features[models == model], axis=0) > 0 for model in np.unique(models)]
    varies: NDArray[np.bool_] = np.any(within, axis=0)
    return varies
