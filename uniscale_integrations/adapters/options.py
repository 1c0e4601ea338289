"""From the options of a call to a `Call`: what the engine is to do, and what the inner models are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Protocol

from uniscale_integrations.adapters.forms import fits_schema, validator
from uniscale_integrations.adapters.service import Call
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.targets import Mode, Target, sought
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration

ENGINE_OPTIONS = ("mode", "weights", "budget", "deadline", "rounds")
"""Options of a call that are for the engine; all others are for the inner model."""

CONFIG_PREFIX = "uniscale_"
"""What the names of these begin with where the application has names of its own, as in a config of LangChain."""

LOOKALIKES = ("model", "models", "modes", "modalities")
"""Options of inner models that are no misspelling of an engine option, however close they look."""


class Defaults(Protocol):
    """The fields of a framework's model that hold where a call names none.

    Attributes:
        mode: what is sought; `None` is what the engine seeks.
        budget: a `Budget`, or a number in the engine's unit of cost.
        deadline: in seconds.
    """

    mode: Mode | Mapping[str, Any] | None
    budget: Budget | float | None
    deadline: float | None


def split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options for the engine, and those for the inner model.

    Raises:
        ConfigurationError: a misspelt engine option.

    Example:
        >>> split_options({"mode": "balanced", "deadline": None, "temperature": 0.2})
        ({'mode': 'balanced'}, {'temperature': 0.2})
    """
    for name in options:
        if (option := _misspelt(name)) is not None:
            raise ConfigurationError(f"a call has no {name!r}; did you mean {option!r}?")
    for_engine = {name: options[name] for name in ENGINE_OPTIONS if options.get(name) is not None}
    return for_engine, {name: value for name, value in options.items() if name not in ENGINE_OPTIONS}


@lru_cache(maxsize=512)
def _misspelt(name: str) -> str | None:
    """The engine option that a name is likely to mean; `None` of a name that stands for itself."""
    if name in ENGINE_OPTIONS or name in LOOKALIKES:
        return None
    close = get_close_matches(name, ENGINE_OPTIONS, 1, 0.75)
    return close[0] if close and name[0] == close[0][0] else None


def conversation_from(
    turns: Sequence[Turn],
    messages: Any,
    options: Mapping[str, Any],
    stop: Sequence[str],
    *,
    media: int = 0,
    earlier: tuple[Configuration, float | None] | None = None,
    about: str = "",
    schema: Mapping[str, Any] | None = None,
    synchronous: bool = False,
    streaming: bool = False,
) -> Conversation:
    """The conversation of a call, as the search and the policy see it.

    Args:
        turns: its messages as text.
        messages: the same as the framework has them.
        options: for the inner model, such as `tools` and `response_format`, in OpenAI's words.
        stop: texts that end the answer.
        media: how many pictures, recordings and files the messages hold.
        earlier: what gave the previous answer, and its score.
        about: the user's question, where the messages wrap it in more.
        schema: JSON schema of the answer, where each inner model is asked for it in its own way.
        synchronous: as of `Conversation`, likewise `streaming`.
    """
    tools, form = options.get("tools") or [], options.get("response_format")
    if isinstance(form, Mapping) and form.get("type") == "text":
        # Which is no form.
        form = None
    if schema is None:
        needs = {"tools": bool(tools), "structure": form is not None, "images": media > 0}
        valid = validator(tools, options.get("tool_choice"), form)
    else:
        needs = {"form": True, "images": media > 0}
        valid = fits_schema(schema)
    return Conversation(
        tuple(turns),
        messages,
        options,
        bool(tools) or form is not None or schema is not None,
        frozenset(need for need, is_needed in needs.items() if is_needed),
        valid,
        tuple(stop),
        earlier,
        about,
        streaming,
        synchronous,
        media,
    )


def call_from(engine: UniScale, conversation: Conversation, options: Mapping[str, Any], defaults: Defaults | None = None) -> Call:
    """The call of a conversation.

    Args:
        engine: answers it.
        conversation: its options name temperature, `top_p`, seed and length of competing candidates, and the one model that may answer.
        options: of `ENGINE_OPTIONS`.
        defaults: where the options name none.

    Raises:
        ConfigurationError: a budget, a deadline or a sampling parameter that is no number, or an unknown model.
    """
    mode = options.get("weights", options.get("mode", defaults and defaults.mode))
    budget = options.get("budget", defaults and defaults.budget)
    deadline = options.get("deadline", defaults and defaults.deadline)
    return Call(
        conversation,
        mode_of(mode),
        _budget(engine, budget, deadline),
        _sampling(engine.sampling, conversation.options),
        _models(engine, conversation.options.get("model")),
        options.get("rounds"),
    )


def mode_of(mode: Mode | Mapping[str, Any] | None) -> Mode | None:
    """A mode as the engine takes it; frameworks may have turned weights into a list, and an objective into what `record` gives."""
    if isinstance(mode, Mapping):
        return sought(mode)
    # What is no mode at all is refused by name where it is read.
    return tuple(mode) if isinstance(mode, Iterable) and not isinstance(mode, str | Objective | Target) else mode


def _sampling(default: Sampling, options: Mapping[str, Any]) -> Sampling | None:
    params: dict[str, Any] = {}
    for name in ("temperature", "top_p"):
        if (value := options.get(name)) is not None:
            params[name] = _number(name, value, "a number")
    for name in ("seed", "max_tokens"):
        if (value := options.get(name)) is not None:
            params[name] = int(_number(name, value, "a whole number"))
    if params.get("max_tokens", 1) < 1:
        # To some servers it is no limit, and others say themselves what they think of it.
        del params["max_tokens"]
    return replace(default, **params) if params else None


def _models(engine: UniScale, model: object) -> list[str] | None:
    """The models that a call names by `model`, by their name in the space or by that of the model itself; all where it names none."""
    if model is None:
        return None
    brain = engine.brain
    names = [
        name for name in brain.space.models if model in (name, getattr(getattr(brain.models[name], "client", None), "name", None))
    ]
    if not names:
        raise ConfigurationError(f"a call asks for the model {model!r}, but the models are {', '.join(brain.space.models)}")
    return names


def _budget(engine: UniScale, budget: Budget | float | None, deadline: float | None) -> Budget:
    if budget is None:
        limits = Budget()
    elif isinstance(budget, Budget):
        limits = budget
    else:
        unit = "usd" if engine.in_dollars else "eflops"
        limits = Budget(**{unit: _number("budget", budget, f"a number of {unit}, or a Budget")})
    if deadline is None:
        return limits
    return replace(limits, seconds=_number("deadline", deadline, "a number of seconds"))


def _number(name: str, value: object, kind: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigurationError(f"{name} must be {kind}, got {value!r}")
    return float(value)
