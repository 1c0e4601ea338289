"""Path-aware early stopping: drop what can no longer win.

A path is stopped when the most it can still reach lies below the best finished path of all trees (UniScale, arXiv 2605.30898,
section 3.3). Three refinements keep the answer with the best value, ties included, exactly what it is without early stopping:

- values within rounding of each other are left alone (`MARGIN`), since a sum of floats is not the same in every order;
- a finished path that has reached `upper` itself cannot be beaten, only equalled, and ties go to the earlier key; so it also
  stops every path that would lose the tie. That is what ends a search at once after a flawless leader;
- beside it, a path with a single lesser step cannot even tie, however small the difference (except under "last").

Why dropping a path cannot let a worse one through: candidates compete at equal depth, where the bound grows with the value.
Whatever a descendant of a dropped path would have outranked has a bound no greater than that descendant's, hence is dropped too.
This asks of a generator that the candidates of one tree are equally long at every depth: one step each, unless CP is 1.
"""

from __future__ import annotations

from uniscale_integrations.deprecation import former_names
from uniscale_integrations.search.aggregation import Aggregation
from uniscale_integrations.search.paths import Path

MARGIN = 1e-9


def prune_reason(path: Path, best: Path | None, aggregation: Aggregation, horizon: int, upper: float) -> str:
    """Why `path` cannot become the best any more, or an empty string while it can.

    Args:
        path: an unfinished path.
        best: the best finished path so far, of any tree.
        aggregation: how step scores become values.
        horizon: `H_max`, the greatest depth.
        upper: `v_sup`, the greatest score of a step.
    """
    if best is None or best.value is None:
        return ""
    depth = len(path.steps)
    if depth == 0:
        limit = upper
    elif path.value is None:
        return ""
    else:
        limit = aggregation.bound(path.value, depth, horizon, upper)
    if limit < best.value - MARGIN:
        return f"can reach {limit:.3f} at most, below the best finished {best.value:.3f}"
    if best.value < upper:
        return ""
    if path.value is not None and path.value < upper and not aggregation.recovers:
        return f"can no longer equal the best finished {best.value:.3f}"
    if best.key < path.key and (best.key.tree != path.key.tree or not aggregation.recovers):
        return f"can at most equal the best finished {best.value:.3f}"
    return ""


def patience(path: Path, best: Path, aggregation: Aggregation, horizon: int, upper: float) -> int:
    """After how many further steps of an unfinished path, at the least, it could be hopeless: 1 up to all that are left.

    Until then there is no use in looking, so that they can be sampled and scored together.
    """
    depth = len(path.steps)
    if best.value is None or (depth and path.value is None):
        return horizon - depth
    if best.value >= upper:
        return 1
    for more in range(1, horizon - depth):
        worst = aggregation.worst(path.value or 0.0, depth, more)
        if aggregation.bound(worst, depth + more, horizon, upper) < best.value - MARGIN:
            return more
    return horizon - depth


__getattr__ = former_names(__name__, {"hopeless": "prune_reason"})
