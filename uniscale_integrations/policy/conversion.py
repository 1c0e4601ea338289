"""The state of a policy that has learned some configurations, as it is of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uniscale_integrations.errors import StateError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.heads import head_of, whole_head
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.policy import State
from uniscale_integrations.policy.ridge import read_arrays
from uniscale_integrations.policy.transfer import ArmsDescription, Transfer, configuration_of, with_successors
from uniscale_integrations.space import Configuration

HEADS = ("judged", "observed")
"""Names of the ridge heads of correctness and score in a state."""

BEGINS = tuple(f"{part}." for part in HEADS)
"""What the names of their arrays begin with."""


def converted(state: State, transfer: Transfer, arms: Arms, precision: Array) -> State:
    """What was learned of other configurations as it is of these.

    Args:
        state: what was learned.
        transfer: from what to what.
        arms: what there is now.
        precision: their prior precisions, shape (d,).

    Raises:
        StateError: arrays that do not fit what they are said to be of.
    """
    result, old = {name: array for name, array in state.items() if not name.startswith(BEGINS)}, transfer.old
    for part in HEADS:
        new = converted_head(head_of(state, part), transfer, arms, precision, part)
        result |= {f"{part}.{name}": array for name, array in new.items()}
    average = dict(zip(old.query, np.asarray(state["average"], dtype=np.float64).tolist(), strict=True))
    waiting = [
        (decision, arm)
        for decision, old_arm in zip(map(str, state["waiting"]), map(int, state["waited"]), strict=True)
        if (arm := transfer.arm(old_arm)) is not None
    ]
    return result | {
        "average": np.array([average.get(name, 0.0) for name in transfer.new.query]),
        "told": transfer.per_arm(np.asarray(state["told"])),
        "judged": _judged(arms, transfer, np.asarray(state["judged"])),
        "answers": np.stack([transfer.per_arm(row) for row in np.asarray(state["answers"])]),
        "waiting": np.array([decision for decision, _ in waiting], dtype=np.str_),
        "waited": np.array([arm for _, arm in waiting], dtype=np.int64),
        "sums": transfer.per_model(np.asarray(state["sums"])),
    }


def converted_head(head: State, transfer: Transfer, arms: Arms, precision: Array, name: str) -> dict[str, Array]:
    """The arrays of one ridge head.

    Args:
        head: those of what was learned.
        transfer: from what to what.
        arms: what there is now.
        precision: prior precisions of its coefficients, shape (d,).
        name: of the head.

    Raises:
        StateError: arrays that do not fit what they are said to be of.
    """
    matrix, sums, ridge, settings = read_arrays(whole_head(head), ("A", "b", "ridge", "settings")).values()
    discount, weight, _ = settings
    if matrix.shape != (transfer.old.dim,) * 2:
        raise StateError(f"the {name} head has {len(matrix)} coefficients, its configurations need {transfer.old.dim}")
    matrix, sums = transfer.head(matrix, sums, ridge, float(weight), precision)
    if successors := _successors(arms, transfer):
        matrix, sums = with_successors(matrix, sums, precision, successors)
    return {"A": matrix, "b": sums, "ridge": precision, "settings": np.array([discount, 1.0, 0.0])}


def ancestors_leaving(arms: Arms, old: ArmsDescription) -> list[Configuration]:
    """Configurations that were there, of models that others succeed here and that are gone."""
    here = set(arms.models)
    ancestors = {
        ancestor for heir, ancestor in arms.successors if heir in here and heir not in old.models and ancestor not in here
    }
    return [configuration for configuration in map(configuration_of, old.configurations) if configuration.model in ancestors]


def _judged(arms: Arms, transfer: Transfer, judged: Array) -> Array:
    """How often each model was judged; one that succeeds another as often as that."""
    counts = transfer.per_model(judged)
    models = arms.models
    for heir, ancestor in arms.successors:
        if heir in models and heir not in transfer.old.models and ancestor in models:
            counts[models.index(heir)] = counts[models.index(ancestor)]
    return counts


def _successors(arms: Arms, transfer: Transfer) -> list[tuple[list[int], list[int]]]:
    """Places of the coefficients of models that succeed one, and were not there before, with those of what they succeed."""
    matches: list[tuple[list[int], list[int]]] = []
    names, n, configurations = arms.names, len(transfer.new.query), arms.configurations
    for heir, ancestor in arms.successors:
        columns = [f"model: {heir}", f"model: {ancestor}"]
        if heir in transfer.old.models or not all(name in names for name in columns):
            continue
        mine, theirs = ([names.index(name) * n + place for place in range(n)] for name in columns)
        if transfer.new.own:
            pairs = [(configurations.index(each), replace(each, model=ancestor)) for each in configurations if each.model == heir]
            mine += [len(names) * n + arm for arm, other in pairs if other in configurations]
            theirs += [len(names) * n + configurations.index(other) for _, other in pairs if other in configurations]
        matches.append((mine, theirs))
    return matches
