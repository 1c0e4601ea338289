"""What an engine is made of, where a model of a framework was given none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, Protocol

from uniscale_integrations.adapters.options import mode_of
from uniscale_integrations.engine import Prices, UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.targets import Mode, sought
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
        prices: of models by name; "auto" takes those that are known.
        timeout: of one request to an inner model, in seconds.
        max_retries: of one request to an inner model.
        max_concurrency: requests that each inner model is sent at once.
        api_key: of models that are given by name; `None` leaves that to their packages.
        engine_settings: what else an engine takes, by name.
        mode: what is sought, as of `UniScale`.
    """

    models: Sequence[Any] | None
    log: str | None
    verifier: Any
    space: ConfigurationSpace | None
    prices: Prices
    timeout: float | None
    max_retries: int | None
    max_concurrency: int | None
    api_key: SecretStr | None
    engine_settings: Mapping[str, Any]
    mode: Mode | Mapping[str, Any] | None


PART_DEFAULTS: Mapping[str, Any] = {
    "models": None, "log": None, "verifier": "auto", "space": None, "prices": "auto", "timeout": None, "max_retries": None,
    "max_concurrency": None, "engine_settings": {},
}  # fmt: skip
"""Parts that are not set; the mode is not among them, since it is that of the calls too and goes along with an engine."""


def kinds_of(models: Sequence[Any]) -> list[str]:
    """Models by their names, or by what they are, for a `repr`: their own may show keys.

    Example:
        >>> kinds_of(["uniscale-1m", object()])
        ['uniscale-1m', 'object']
    """
    return [each if isinstance(each, str) else type(each).__name__ for each in models]


def require_parts(given: Mapping[str, Any], name: str) -> None:
    """Refuse to restore a model around nothing: what is stored of one are its settings.

    Args:
        given: beside the settings.
        name: of the model's class.

    Raises:
        ConfigurationError: neither `engine` nor `models` to make one of.
    """
    if given.get("engine") is None and given.get("models") is None:
        raise ConfigurationError(
            f"what was stored of a {name} are its settings; give the engine as well, or models to make one of"
        )


def refuse_parts(model: Parts) -> None:
    """Refuse parts beside an engine, which they would not reach.

    Raises:
        ValueError: a part is set; pydantic adds whose field it is.
    """
    given = {name: getattr(model, name) for name in PART_DEFAULTS} | ({"prices": "auto"} if model.prices is None else {})
    if any(value != PART_DEFAULTS[name] for name, value in given.items()):
        raise ValueError(f"give an engine, or what one is made of ({', '.join(PART_DEFAULTS)}), not both")


def check_mode(mode: Mode | Mapping[str, Any] | None) -> None:
    """Check a mode where it is set, before a call needs it.

    Raises:
        ConfigurationError: no such mode, or numbers that cannot be weights.
    """
    if mode is not None:
        sought(mode)


def engine_from(parts: Parts) -> UniScale:
    """The engine that the parts make up.

    Raises:
        ConfigurationError: as of `UniScale`.
    """
    clients = {
        "api_key": parts.api_key,
        "timeout": parts.timeout,
        "retries": parts.max_retries or 0,
        "max_concurrency": parts.max_concurrency,
    }
    settings = dict(parts.engine_settings)
    # They hold for models that an update adds, too.
    settings["client_settings"] = clients | dict(settings.get("client_settings") or {})
    return UniScale(
        parts.models,
        parts.verifier,
        parts.space,
        mode_of(parts.mode),
        "sqlite://" if parts.log is None else parts.log,
        prices=parts.prices,
        **settings,
    )


ENGINE_SETTINGS = frozenset(signature(UniScale).parameters) - {"models", "verifier", "space", "mode", "log", "prices"}
"""Parameters of an engine that are no field of a framework's model."""


def with_engine_settings(arguments: Any, fields: Collection[str]) -> Any:
    """The arguments of a framework's model, with those for its engine collected under `engine_settings`.

    Args:
        arguments: anything but a mapping is left as it is.
        fields: the names of the model's own.
    """
    if not isinstance(arguments, Mapping):
        return arguments
    for_engine = {name: value for name, value in arguments.items() if name in ENGINE_SETTINGS and name not in fields}
    if not for_engine:
        return arguments
    settings = {**arguments.get("engine_settings", {}), **for_engine}
    return {name: value for name, value in arguments.items() if name not in for_engine} | {"engine_settings": settings}
