"""Requests of several rounds, as a report shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from uniscale_integrations.log.events import DecisionEvent, Outcome
from uniscale_integrations.log.lessons import Rounds


@dataclass(frozen=True, slots=True)
class Request:
    """The attempts at one request.

    Attributes:
        places: of their decisions among all, the first one first.
        rounds: what each one's outcome tells; `None` of one that is not known yet.
    """

    places: tuple[int, ...]
    rounds: tuple[Rounds | None, ...]

    @property
    def end(self) -> Rounds | None:
        """What the last of them tells; `None` while it is under way."""
        return next((each for each in reversed(self.rounds) if each is not None and each.over), None)

    def as_dict(self, numbers: Sequence[int]) -> dict[str, Any]:
        """JSON-ready: the places, how right each answer was believed to be, whose was given, and what was expected of stopping.

        Args:
            numbers: of every decision within its request.
        """
        end = self.end
        kept = None if end is None else next((place for place in self.places if numbers[place] == end.kept), None)
        beliefs = [None if each is None else round(each.belief, 4) for each in self.rounds]
        return {"places": list(self.places), "beliefs": beliefs, "kept": kept, "stop": None if end is None else end.stop}


def requests_of(decisions: Sequence[DecisionEvent], outcomes: Sequence[Outcome | None]) -> Mapping[int, Request]:
    """The request of every decision that an engine took which decides again, by the decision's place.

    Args:
        decisions: all of a log, in their order.
        outcomes: of each.
    """
    told = [None if outcome is None else Rounds.of(outcome) for outcome in outcomes]
    places: dict[str, list[int]] = {}
    for place, decision in enumerate(decisions):
        places.setdefault(decision.request_id or decision.decision_id, []).append(place)
    result: dict[int, Request] = {}
    for group in places.values():
        if any(told[place] is not None for place in group):
            request = Request(tuple(group), tuple(told[place] for place in group))
            result |= dict.fromkeys(group, request)
    return result
