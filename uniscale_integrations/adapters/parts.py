"""What an engine is made of, where a model of a framework was given none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, Protocol

from uniscale_integrations.adapters.call import weighing
from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.model_registry import generators
from uniscale_integrations.space import ConfigurationSpace

if TYPE_CHECKING:
    from pydantic import SecretStr


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
        max_concurrency: requests that each inner model is sent at once.
        api_key: of models that are given by name; `None` leaves that to their packages.
        engine_settings: what else an engine takes, by name.
        mode: the engine's weights; `None` is "balanced".
    """

    models: Sequence[Any] | None
    log: str | None
    verifier: Any
    space: ConfigurationSpace | None
    prices: Mapping[str, tuple[float, float]] | None
    timeout: float | None
    max_retries: int | None
    max_concurrency: int | None
    api_key: SecretStr | None
    engine_settings: Mapping[str, Any]
    mode: str | Sequence[float] | None


LEFT_OUT: Mapping[str, Any] = {
    "models": None, "log": None, "verifier": "auto", "space": None, "prices": None, "timeout": None, "max_retries": None,
    "max_concurrency": None, "engine_settings": {},
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
    limits: dict[str, Any] = {
        "timeout": parts.timeout,
        "retries": parts.max_retries or 0,
        "max_concurrency": parts.max_concurrency,
    }
    models, prices = parts.models, parts.prices
    if models is not None:
        models, prices = generators(models, prices, parts.api_key, **limits), None
    log = "sqlite://" if parts.log is None else parts.log
    return UniScale(
        models, parts.verifier, parts.space, weighing(parts.mode) or "balanced", log, prices=prices, **parts.engine_settings
    )


ENGINE = frozenset(signature(UniScale).parameters) - {"models", "verifier", "space", "mode", "log", "prices"}
"""What an engine takes that is no field of a framework's model."""


def with_settings(given: Any, fields: Collection[str]) -> Any:
    """The arguments of a framework's model, those that are meant for its engine together under `engine_settings`.

    Args:
        given: the arguments; anything but a mapping is left as it is.
        fields: the names of the model's own.
    """
    if not isinstance(given, Mapping):
        return given
    meant = {name: value for name, value in given.items() if name in ENGINE and name not in fields}
    if not meant:
        return given
    settings = {**given.get("engine_settings", {}), **meant}
    return {name: value for name, value in given.items() if name not in meant} | {"engine_settings": settings}
