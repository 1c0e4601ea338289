"""What a call through a framework says about how to answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from uniscale_integrations.adapters.forms import filled, validity
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError, SearchFailed
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.run import Answer
from uniscale_integrations.space import Configuration

PER_CALL = ("mode", "weights", "budget", "deadline")
"""What a call may bring along for the engine; everything else is for the inner model."""

OURS = "uniscale_"
"""What the names of these begin with where an application has names of its own, as in a config of LangChain."""

KNOWN = ("model", "models", "modes", "modalities")
"""What is not meant to be one of those, however much it looks like it."""


def divided(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a call brings along for the engine, and the rest.

    Example:
        >>> divided({"mode": "balanced", "deadline": None, "temperature": 0.2})
        ({'mode': 'balanced'}, {'temperature': 0.2})
    """
    for name in options:
        meant = get_close_matches(name, PER_CALL, 1, 0.75)
        if meant and name not in PER_CALL and name not in KNOWN and name[0] == meant[0][0]:
            raise ConfigurationError(f"a call has no {name!r}; did you mean {meant[0]!r}?")
    own = {name: options[name] for name in PER_CALL if options.get(name) is not None}
    return own, {name: value for name, value in options.items() if name not in PER_CALL}


def conversation(
    turns: Sequence[Turn],
    messages: Sequence[Any],
    options: Mapping[str, Any],
    stop: Sequence[str],
    *,
    media: bool,
    earlier: tuple[Configuration, float | None] | None,
    about: str = "",
    fills: Mapping[str, Any] | None = None,
    synchronous: bool = False,
    streaming: bool = False,
) -> Conversation:
    """What a framework asks, as the search and the policy see it.

    Args:
        turns: its messages as text.
        messages: the same as the framework has them.
        options: what the call said beside them, such as `tools` and `response_format`, in OpenAI's words.
        stop: texts that end the answer.
        media: whether any message holds what is not text.
        earlier: what gave the last answer, and its score.
        about: the question that the call is about, where the messages wrap it in more.
        fills: the JSON schema that an answer fills in, where each model is asked for that in its own way.
        synchronous: as of `Conversation`, likewise `streaming`.
    """
    tools, form = options.get("tools") or [], options.get("response_format")
    if fills is None:
        needs = {"tools": bool(tools), "structure": form is not None, "images": media}
        valid = validity(tools, options.get("tool_choice"), form)
    else:
        needs = {"form": True, "images": media}
        valid = filled(fills)
    return Conversation(
        tuple(turns),
        list(messages),
        dict(options),
        bool(tools) or form is not None or fills is not None,
        frozenset(need for need, needed in needs.items() if needed),
        valid,
        tuple(stop),
        earlier,
        about,
        streaming,
        synchronous,
    )


async def answered(engine: UniScale, asked: Conversation, wanted: Mapping[str, Any], **watch: Any) -> Answer:
    """The engine's answer; where every model failed, the provider's own error, which whoever handles those expects.

    Args:
        engine: answers.
        asked: what is asked.
        wanted: of `request`.
        watch: `observe`, `emit` and `has_output`, as `UniScale.arun` takes them.
    """
    try:
        return await engine.arun(asked, **wanted, **watch)
    except SearchFailed as error:
        if error.errors:
            raise error.errors[0] from error
        raise


def request(
    engine: UniScale,
    asked: Conversation,
    own: Mapping[str, Any],
    mode: str | Sequence[float] | None,
    budget: Budget | float | None,
    deadline: float | None = None,
) -> dict[str, Any]:
    """How a call wants to be answered, as `UniScale.arun` takes it.

    Args:
        engine: answers it.
        asked: what is asked; candidates that compete are drawn at the temperature, and all of this process with the seed and up to
            the length, that its options name.
        own: of `PER_CALL`.
        mode: where the call names none.
        budget: likewise.
        deadline: likewise, in seconds.

    Raises:
        ConfigurationError: a budget, a deadline or a way of drawing that is no number, or a model that is not there.
    """
    said = {name: asked.options.get(name) for name in ("temperature", "top_p")}
    drawn: dict[str, Any] = {name: _number(name, value, "a number") for name, value in said.items() if value is not None}
    for name in ("seed", "max_tokens"):
        if (value := asked.options.get(name)) is not None:
            drawn[name] = int(_number(name, value, "a whole number"))
    return {
        "mode": weighing(own.get("weights", own.get("mode", mode))),
        "budget": _limits(engine, own.get("budget", budget), own.get("deadline", deadline)),
        "sampling": replace(engine.sampling, **drawn) if drawn else None,
        "models": _only(engine, asked.options.get("model")),
    }


def weighing(mode: str | Sequence[float] | None) -> Any:
    """A mode as the engine takes it, which frameworks may have made a list of; `None` is the engine's own."""
    return mode if mode is None or isinstance(mode, str) else tuple(mode)


def _only(engine: UniScale, model: object) -> list[str] | None:
    """The models that a call names by `model`, by their name in the space or by that of the model itself; all where it names none."""
    if model is None:
        return None
    named = [
        name
        for name in engine.space.models
        if model in (name, getattr(getattr(engine.models[name], "client", None), "name", None))
    ]
    if not named:
        raise ConfigurationError(f"a call asks for the model {model!r}, but the models are {', '.join(engine.space.models)}")
    return named


def _limits(engine: UniScale, budget: Budget | float | None, deadline: float | None) -> Budget:
    if isinstance(budget, Budget):
        found = budget
    elif budget is None:
        found = Budget()
    else:
        unit = "usd" if engine.in_dollars else "eflops"
        found = Budget(**{unit: _number("budget", budget, f"a number of {unit}, or a Budget")})
    if deadline is None:
        return found
    return Budget(found.eflops, found.usd, found.tokens, _number("deadline", deadline, "a number of seconds"))


def _number(name: str, value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigurationError(f"{name} must be {what}, got {value!r}")
    return float(value)
