"""What belongs together is read from one brain, which does not change."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from tests.engine.two_models import Saying, engine
from uniscale_integrations.engine import UniScale
from uniscale_integrations.space import Configuration


def test_a_brain_stays_what_it_is_when_the_engine_goes_on_with_another() -> None:
    made = engine()
    before = made.brain
    made.update(models=["large", Saying("third", 4e6)])
    assert (list(before.models), before.space.models) == (["small", "large"], ("small", "large"))
    assert (list(made.brain.models), made.brain.space.models) == (["large", "third"], ("large", "third"))
    assert (made.models, made.space, made.verifier) == (made.brain.models, made.brain.space, made.brain.verifier)
    with pytest.raises(AttributeError):
        made.brain.design.space = before.space  # type: ignore[misc]
    with pytest.raises(TypeError):
        made.models["large"] = Saying("other", 1.0)  # type: ignore[index]


def test_every_configuration_of_a_brain_has_its_model_while_models_come_and_go() -> None:
    made = engine()
    stop, lacking, seen = Event(), list[Configuration](), set[tuple[str, ...]]()

    def look() -> None:
        while not stop.wait(0.0005):
            brain = made.brain
            seen.add(tuple(brain.models))
            lacking.extend(each for each in brain.space if each.model not in brain.models)

    looking = Thread(target=look)
    looking.start()
    for turn in range(20):
        update(made, turn)
    stop.set()
    looking.join()
    assert not lacking
    assert len(seen) > 1


def update(made: UniScale, turn: int) -> None:
    made.update(models=["large", Saying(f"model {turn}", 1e6)])
