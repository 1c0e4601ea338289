"""Tools and schemas as a caller gave them, under the form in which everybody else reads them.

What is bound to a chat model is read by tracers, caches and agents, who expect OpenAI's words. The model that answers must be handed what
the caller said, and put it into its own API's words: only it knows strict schemas, built-in tools, and what its default is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableParallel, RunnableSequence, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

Tool = dict[str, Any] | type | Callable[..., Any] | BaseTool

FORM_OPTION = "uniscale_structured"
"""The option under which a `StructuredOutput` goes along with a call."""

FUNCTION_KEYS = ("function", "parameters", "input_schema", "properties", "title")
"""A mapping with one of these describes a function; others name a tool that the provider brings."""


class OfferedTools(list[dict[str, Any]]):
    """Tools as OpenAI describes them, made of what `bind_tools` was given.

    Args:
        tools: what it was given.
        settings: the names of what else it was given, which the answering model's `bind_tools` takes.
        strict: as of `bind_tools`.
    """

    def __init__(self, tools: Sequence[Tool], settings: Sequence[str], strict: bool | None = None) -> None:
        super().__init__(_description(tool, strict) for tool in tools)
        self.tools, self.settings = list(tools), tuple(settings)


@dataclass(frozen=True, slots=True)
class FormChain:
    """The parts of what a model's `with_structured_output` gives.

    Attributes:
        before: what stands before the model, such as a prompt.
        asks: the model, with what is bound to it.
        reads: what reads its answers.
    """

    before: Runnable[Any, Any] | None
    asks: Runnable[Any, Any]
    reads: Runnable[Any, Any] | None

    @classmethod
    def of(cls, chain: Runnable[Any, Any]) -> FormChain | None:
        """The parts of a chain; `None` where no model stands in it by itself."""
        steps = chain.steps if isinstance(chain, RunnableSequence) else []
        place = next((place for place, step in enumerate(steps) if _gives_message(step)), None)
        return None if place is None else cls(_in_line(steps[:place]), steps[place], _in_line(steps[place + 1 :]))


def _gives_message(step: Runnable[Any, Any]) -> bool:
    """Whether a step of a chain is a model, whatever is bound to it, or has the message of one among what it gives."""
    if isinstance(step, RunnableParallel):
        return any(_gives_message(part) for branch in step.steps__.values() for part in getattr(branch, "steps", [branch]))
    if isinstance(step, RunnableWithFallbacks):
        return _gives_message(step.runnable)
    return _gives_message(step.bound) if isinstance(step, RunnableBindingBase) else isinstance(step, BaseChatModel)


def raw_check(chain: Runnable[Any, Any]) -> Runnable[Any, Any] | None:
    """What a chain that gives the message beside what it reads does to the message before, such as to refuse one without a call."""
    for step in chain.steps if isinstance(chain, RunnableSequence) else ():
        if isinstance(step, RunnableParallel) and _gives_message(step):
            branches = [FormChain.of(branch) for branch in step.steps__.values()]
            return next((parts.reads for parts in branches if parts is not None), None)
    return None


def _in_line(steps: Sequence[Runnable[Any, Any]]) -> Runnable[Any, Any] | None:
    return RunnableSequence(*steps) if len(steps) > 1 else next(iter(steps), None)


class StructuredOutput(dict[str, Any]):
    """The form of an answer as JSON, made of what `with_structured_output` was given.

    Args:
        schema: what it was given: a pydantic class, a typed dict, a JSON schema, or `None`.
        settings: what else it was given, such as `method` and `strict`.

    Attributes:
        json_schema: of the answer; empty for any JSON.
    """

    def __init__(self, schema: dict[str, Any] | type | None, settings: Mapping[str, Any]) -> None:
        self.json_schema = {} if schema is None else _json_schema(schema)
        super().__init__(schema=self.json_schema, **settings)
        self._schema, self._settings = schema, dict(settings)

    @property
    def method(self) -> str | None:
        """How it is asked for; `None` leaves that to the model."""
        method = self.get("method")
        return method if isinstance(method, str) else None

    @property
    def name(self) -> str:
        """Of the schema, as a function or a format is called."""
        return str(self.json_schema.get("title") or "answer")

    @property
    def pydantic(self) -> type | None:
        """The class that answers are made into, where it is one."""
        return self._schema if isinstance(self._schema, type) and is_basemodel_subclass(self._schema) else None

    def chain(self, model: BaseChatModel, *, include_raw: bool = False) -> Runnable[Any, Any]:
        """What the model itself makes of it.

        Raises:
            Exception: what the model raises where it does not know a method, or a schema.
        """
        return model.with_structured_output(self._schema, include_raw=include_raw, **self._settings)  # type: ignore[arg-type]

    def request_chain(self, model: BaseChatModel) -> tuple[Runnable[Any, Any] | None, Runnable[Any, Any]]:
        """What the model puts before its requests for the form, and itself with the form bound, without the parser of the answer."""
        parts = FormChain.of(self.chain(model))
        # A model that wraps it otherwise is asked with what it made, and gives the message beside what it read.
        return (None, self.chain(model, include_raw=True).pick("raw")) if parts is None else (parts.before, parts.asks)

    def options(self) -> dict[str, Any]:
        """The same as OpenAI's API takes it, for models of other frameworks."""
        strict = self.get("strict")
        if self.method == "function_calling":
            tool = convert_to_openai_tool(self._schema if self._schema is not None else self.json_schema, strict=strict)
            return {"tools": [tool], "tool_choice": {"type": "function", "function": {"name": tool["function"]["name"]}}}
        if not self.json_schema:
            return {"response_format": {"type": "json_object"}}
        json_schema = {"name": self.name, "schema": self.json_schema} | ({} if strict is None else {"strict": strict})
        return {"response_format": {"type": "json_schema", "json_schema": json_schema}}


def _json_schema(schema: dict[str, Any] | type) -> dict[str, Any]:
    """The JSON schema of an answer; of one that has no name, or that refers to its own definitions, as it is."""
    try:
        return convert_to_json_schema(schema)
    except ValueError:
        if not isinstance(schema, Mapping):
            raise
        # OpenAI's words for it, which some models take.
        form = schema.get("json_schema")
        return dict(form.get("schema") or schema) if isinstance(form, Mapping) else dict(schema)


def _description(tool: Tool, strict: bool | None) -> dict[str, Any]:
    if isinstance(tool, Mapping) and not any(name in tool for name in FUNCTION_KEYS):
        return dict(tool)
    return convert_to_openai_tool(tool, strict=strict)
