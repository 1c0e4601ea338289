"""What a policy for episodes has learned of some configurations, as it is of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from uniscale_integrations.errors import StateError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.conversion import converted_head
from uniscale_integrations.policy.heads import head_of
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.policy import State
from uniscale_integrations.policy.transfer import ArmsDescription, Transfer
from uniscale_integrations.rounds.context import SCORE, STATE


def converted_rounds(state: State, old: ArmsDescription, arms: Arms, head: Array, trust: Array) -> dict[str, Array]:
    """The heads and the average question of a state, as they are of other configurations.

    Args:
        state: what was learned.
        old: of what.
        arms: what there is now.
        head: prior precisions of the coefficients of the head over rounds, shape (d,).
        trust: those of what learns what a score means, shape (d',).

    Raises:
        StateError: arrays that do not fit what they are said to be of.
    """
    new = ArmsDescription.of(arms, own=len(arms.models) < len(arms))
    rounds = Transfer(_with(old, (*STATE, *_kept(old))), _with(new, (*STATE, *_kept(new))))
    scores = Transfer(_with(old, SCORE), _with(new, SCORE))
    parts: dict[str, tuple[Transfer, Array]] = {"rounds": (rounds, head)}
    parts |= {f"trust {number}": (scores, trust) for number in range(len(state["verifiers"]))}
    result: dict[str, Array] = {}
    for part, (transfer, precision) in parts.items():
        arrays = converted_head(head_of(state, part), transfer, arms, precision, part)
        result |= {f"{part}.{name}": array for name, array in arrays.items()}
    average = np.asarray(state["average"], dtype=np.float64)
    if average.shape != (len(old.query),):
        raise StateError(f"the average question has {average.shape} numbers, its features are {len(old.query)}")
    known: Mapping[str, float] = dict(zip(old.query, average.tolist(), strict=True))
    models = len(dict.fromkeys(old.models))
    sums = Transfer(old, new).per_model(np.asarray(state["sums"], dtype=np.float64).reshape(models, -1))
    return result | {"average": np.array([known.get(name, 0.0) for name in arms.schema.names]), "sums": sums.reshape(-1, 2)}


def _with(arms: ArmsDescription, beside: Sequence[str]) -> ArmsDescription:
    return replace(arms, query=(*arms.query, *beside))


def _kept(arms: ArmsDescription) -> list[str]:
    """Names of the features that tell whose answer is kept."""
    return [f"kept: {model}" for model in dict.fromkeys(arms.models)]
