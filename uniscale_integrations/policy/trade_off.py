"""What an objective trades, in words that mean the same to everybody: points of accuracy for which a dearer model is worth its price."""

from __future__ import annotations

from collections.abc import Mapping

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.policy.objective import Objective, Value, Weights


def points_to_pay(objective: Objective, cheapest: float, dearest: float) -> float | None:
    """By how many points of accuracy a dearer answer has to be right more often to be worth its cost; `None` where nothing would do.

    The verifier's score is taken to be the same.

    Args:
        objective: what is sought.
        cheapest: cost of one answer, in dollars or eFLOPs, above 0.
        dearest: of another, likewise.

    Example:
        >>> from uniscale_integrations.policy.objective import weights
        >>> round(points_to_pay(weights("balanced"), 0.001, 0.005))
        26
        >>> round(points_to_pay(Value(right=0.02), 0.001, 0.005))
        20
    """
    if isinstance(objective, Weights):
        scale = CostScale.open(cheapest, dearest)
        return 100.0 * objective.cost * scale.position(dearest) / objective.correct if objective.correct else None
    if isinstance(objective, Value):
        return objective.points if objective.right is None else 100.0 * (dearest - cheapest) / objective.right
    return None


def describe_trade(objective: Objective, costs: Mapping[str, float], unit: str = "") -> str:
    """The same of models as a sentence, at what a plain answer of each is expected to cost; empty of fewer than two.

    Example:
        >>> describe_trade(Value(right=0.02), {"mini": 0.001, "maxi": 0.005}, "$")
        'always asking maxi ($0.005) and not mini ($0.001) is worth it where it is right on 20 more of 100'
    """
    known = {name: cost for name, cost in costs.items() if cost > 0.0}
    if len(known) < 2:
        return ""
    cheapest, dearest = min(known, key=lambda name: known[name]), max(known, key=lambda name: known[name])
    points = points_to_pay(objective, known[cheapest], known[dearest])
    named = f"always asking {dearest} ({unit}{known[dearest]:.3g}) and not {cheapest} ({unit}{known[cheapest]:.3g})"
    if points is None:
        return f"{named} is never worth it"
    return f"{named} is worth it where it is right on {points:.3g} more of 100"
