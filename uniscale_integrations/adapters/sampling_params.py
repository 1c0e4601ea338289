"""Sampling parameters as the fields of a framework's model, which all models read.

Some models send what a call says beside its messages on as it is, and their servers refuse it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from uniscale_integrations.models.chat.client import CompletionRequest

FIELDS: Mapping[str, Sequence[str]] = {
    "max_tokens": ("max_tokens", "num_predict", "max_output_tokens", "num_output"),
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "seed": ("seed",),
}
"""Each sampling parameter of a request, with the names of the fields that models have for it."""


class SamplingParams:
    """The sampling parameters of one model.

    Args:
        model: the model.
        fields: the names of all its fields.
        greedy: a temperature at or below this is taken to sample the same every time.
    """

    def __init__(self, model: object, fields: Mapping[str, object], greedy: float = 0.0) -> None:
        candidates = {name: next((each for each in names if each in fields), None) for name, names in FIELDS.items()}
        self._fields = {name: field for name, field in candidates.items() if field is not None}
        self._model, self._passes_on = model, "model_kwargs" in fields
        temperature = getattr(model, "temperature", None)
        self._greedy = isinstance(temperature, (int, float)) and temperature <= greedy

    def __contains__(self, name: str) -> bool:
        """Whether the model has a field for a parameter."""
        return name in self._fields

    def field(self, name: str) -> str | None:
        """The name of the model's field for a parameter, where it has one."""
        return self._fields.get(name)

    def limit(self, options: Mapping[str, Any]) -> int | None:
        """Most tokens of a reply as the model is set up; `None` where it says nothing of them, or the options of a call do."""
        if "max_tokens" in options:
            return None
        most = getattr(self._model, self._fields.get("max_tokens", ""), None)
        return most if isinstance(most, int) and most > 0 else None

    def repeats(self, options: Mapping[str, Any]) -> bool:
        """Whether the model says the same again when it is asked the same with these options of a call.

        So it does where it is greedy, or begins to draw with the same seed.
        """
        temperature = options.get("temperature")
        greedy = self._greedy if temperature is None else temperature == 0
        seed = options.get("seed", getattr(self._model, self._fields.get("seed", ""), None))
        return greedy or seed is not None

    def of(self, request: CompletionRequest, options: Mapping[str, Any], passed_on: Collection[str] = ()) -> dict[str, Any]:
        """The fields that a request sets, with their values.

        Args:
            request: the request.
            options: of the call, which count more.
            passed_on: parameters that go along as options, so that no field says them; see `options`.
        """
        values: dict[str, Any] = {}
        for name, field in self._fields.items():
            if name in passed_on:
                continue
            value, option = getattr(request, name), options.get(name)
            if name == "max_tokens" and value is not None and (request.step or option is None):
                values[field] = _least(value, option, getattr(self._model, field, None))
            elif name == "seed" and value is not None:
                # Samples of the same request are told apart, whatever seed the call begins with.
                values[field] = value
            elif option is not None:
                values[field] = option
            elif value is not None and (name != "temperature" or self._greedy):
                # How a model samples is its owner's choice, unless it samples the same every time and candidates are to differ.
                values[field] = value
        return values

    def options(self, request: CompletionRequest, said: Mapping[str, Any], *, by_itself: bool) -> dict[str, Any]:
        """Those that are passed on as options of the request, and not set as fields.

        So are those that a call says are none, which no field can say, where the model sends all options on as they are; and all of a call
        where the model reads what it is called with.

        Args:
            request: the request.
            said: options of the call.
            by_itself: whether the model reads options, as one of the application's own may.
        """
        values: dict[str, Any] = {}
        for name in (name for name in FIELDS if name in said):
            value, has_field = said[name], name in self._fields
            searched = (name == "seed" and request.seed is not None) or (name == "max_tokens" and request.step)
            is_field = has_field and (searched or not (by_itself or (value is None and self._passes_on)))
            if is_field or not (has_field or by_itself):
                continue
            if searched:
                value = request.seed if name == "seed" else _least(value, request.max_tokens)
            values[name] = value
        return values


def _least(*limits: int | None) -> int:
    """The least of those that limit anything; to some servers -1 is no limit."""
    return min(limit for limit in limits if limit is not None and limit > 0)
