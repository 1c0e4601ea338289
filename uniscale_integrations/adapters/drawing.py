"""How the model of a framework is told to draw: through its own fields, which all models read.

What a call says beside its messages some models send on as it is, and their servers refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uniscale_integrations.models.chat.client import CompletionRequest

FIELDS: Mapping[str, Sequence[str]] = {
    "max_tokens": ("max_tokens", "num_predict", "max_output_tokens", "num_output"),
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "seed": ("seed",),
}
"""What a request says about drawing, with the names of the fields that models have for it."""


class Drawing:
    """The fields of one model.

    Args:
        model: the model.
        fields: the names of all its fields.
        alike: a temperature at or below this is taken to draw the same every time.
    """

    def __init__(self, model: object, fields: Mapping[str, object], alike: float = 0.0) -> None:
        found = {name: next((each for each in known if each in fields), None) for name, known in FIELDS.items()}
        self._fields = {name: field for name, field in found.items() if field is not None}
        self._model = model
        temperature = getattr(model, "temperature", None)
        self._alike = isinstance(temperature, (int, float)) and temperature <= alike

    def __contains__(self, name: str) -> bool:
        """Whether the model has a field for something."""
        return name in self._fields

    def field(self, name: str) -> str | None:
        """The name of the model's field for something, where it has one."""
        return self._fields.get(name)

    def of(self, asked: CompletionRequest, said: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that a request sets, with their values.

        Args:
            asked: the request.
            said: what the call itself says, which counts more.
        """
        drawn: dict[str, Any] = {}
        for name, field in self._fields.items():
            value, given = getattr(asked, name), said.get(name)
            if name == "max_tokens" and value is not None and (asked.step or given is None):
                drawn[field] = min(filter(None, (value, given, getattr(self._model, field, None))))
            elif name == "seed" and value is not None:
                # Draws of the same request are told apart, whatever seed the call begins with.
                drawn[field] = value
            elif given is not None:
                drawn[field] = given
            elif value is not None and (name != "temperature" or self._alike):
                # How a model draws is its owner's to say, unless it draws the same every time and candidates are to differ.
                drawn[field] = value
        return drawn
