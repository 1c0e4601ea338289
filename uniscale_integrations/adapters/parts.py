"""What an engine is made of, where a model of a framework was given none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from uniscale_integrations.adapters.call import weighing
from uniscale_integrations.engine import UniScale
from uniscale_integrations.roster import generators
from uniscale_integrations.space import ConfigurationSpace


class Parts(Protocol):
    """The fields of a framework's model that go into an engine.

    Attributes:
        models: of the framework, generators, or names of local models; `None` is the embedded family.
        log: address of the engine's log; `None` keeps it in memory.
        verifier: scores the steps.
        space: the configurations to choose from; `None` is what suits the models.
        prices: of models by name.
        timeout: of one request to an inner model, in seconds.
        max_retries: of one request to an inner model.
        mode: the engine's weights; `None` is "balanced".
    """

    models: Sequence[Any] | None
    log: str | None
    verifier: Any
    space: ConfigurationSpace | None
    prices: Mapping[str, tuple[float, float]] | None
    timeout: float | None
    max_retries: int | None
    mode: str | Sequence[float] | None


LEFT_OUT: Mapping[str, Any] = {
    "models": None, "log": None, "verifier": "auto", "space": None, "prices": None, "timeout": None, "max_retries": None,
}  # fmt: skip
"""What parts are where nothing is said of them; the mode is that of the calls too, and goes along with an engine."""


def refuse_parts(of: Parts) -> None:
    """Nothing that goes into an engine may be said beside one, which it would not reach.

    Raises:
        ValueError: something was; for pydantic to say whose field it is.
    """
    if any(getattr(of, name) != default for name, default in LEFT_OUT.items()):
        raise ValueError(f"give an engine, or what one is made of ({', '.join(LEFT_OUT)}), not both")


def engine_from(parts: Parts) -> UniScale:
    """The engine that is made of them.

    Raises:
        ConfigurationError: as of `generators` and `UniScale`.
    """
    limits: dict[str, Any] = {"timeout": parts.timeout, "retries": parts.max_retries or 0}
    models, prices = parts.models, parts.prices
    if models is not None:
        models, prices = generators(models, prices, **limits), None
    log = "sqlite://" if parts.log is None else parts.log
    return UniScale(models, parts.verifier, parts.space, weighing(parts.mode) or "balanced", log, prices=prices)
