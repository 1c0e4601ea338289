"""Who looks changes nothing."""

from __future__ import annotations

import asyncio

from tests.engine.two_models import QUESTIONS, engine
from tests.logged import decisions
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.telemetry import Decided as Decided_
from uniscale_integrations.telemetry import Ended, Sampled, Scored
from uniscale_integrations.telemetry import Event as Event_


def test_observers_are_told_what_happens_and_change_nothing() -> None:
    seen: list[Event_] = []
    watched, alone = engine(observers=[seen.append], sampling=Sampling(seed=1)), engine(sampling=Sampling(seed=1))
    answer = watched.run(QUESTIONS[0])
    assert answer.text == alone.run(QUESTIONS[0]).text
    kinds = [type(event).__name__ for event in seen]
    assert (kinds[0], kinds[-2:]) == ("Decided", ["Logged", "Ended"])
    assert {"Sampled", "Scored"} <= set(kinds)
    assert {event.decision_id for event in seen if isinstance(event, (Sampled, Scored, Ended))} == {answer.decision_id}


def test_an_observer_that_writes_on_what_it_is_shown_changes_nothing() -> None:
    def meddle(event: Event_) -> None:
        if isinstance(event, Decided_):
            event.decision.assessment.eligible[:] = False
        elif isinstance(event, Sampled):
            for candidate in event.candidates:
                candidate.steps = ("Answer: 666",)
            raise asyncio.CancelledError

    meddled, alone = (engine(observers=observers, sampling=Sampling(seed=1)) for observers in ([meddle], []))
    assert meddled.run(QUESTIONS[0]).text == alone.run(QUESTIONS[0]).text
    [logged] = decisions(meddled)
    assert logged.extra["eligible"] == decisions(alone)[0].extra["eligible"]
