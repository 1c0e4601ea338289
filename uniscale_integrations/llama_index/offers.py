"""Tools as a caller of LlamaIndex gave them, under the form in which everybody else reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import BaseTool, ToolMetadata, ToolOutput

from uniscale_integrations.adapters.forms import CHOICES, choice_in
from uniscale_integrations.errors import ConfigurationError

NEUTRAL = ("tools", "tool_choice", "parallel_tool_calls")
"""The options in which models of other frameworks read of tools."""


class Offer(list[dict[str, Any]]):
    """Tools as OpenAI describes functions, made of what `chat_with_tools` and its like were given.

    The LLM that answers is handed the same, and puts it into its API's words itself.

    Args:
        tools: the tools.
        arguments: what was said of them, as `_prepare_chat_with_tools` takes it.
    """

    def __init__(self, tools: Sequence[BaseTool], arguments: Mapping[str, Any]) -> None:
        super().__init__(tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools)
        self.tools, self.arguments = list(tools), dict(arguments)

    def neutral(self) -> dict[str, Any]:
        """The same in OpenAI's words, for models of other frameworks."""
        if not self:
            return {}
        choice = self.arguments.get("tool_choice")
        if choice is None and self.arguments.get("tool_required"):
            choice = "required"
        options: dict[str, Any] = {"tools": self, "parallel_tool_calls": bool(self.arguments.get("allow_parallel_tool_calls"))}
        return options if choice is None else options | {"tool_choice": choice}

    def prepare(
        self, llm: FunctionCallingLLM, messages: list[ChatMessage], options: Mapping[str, Any]
    ) -> tuple[list[ChatMessage], dict[str, Any]]:
        """Messages and options as an LLM prepares them for a call with the tools.

        Args:
            llm: the LLM.
            messages: of the call.
            options: what else it said.
        """
        chat = dict(llm._prepare_chat_with_tools_compat(self.tools, chat_history=list(messages), **self.arguments, **options))
        return list(chat.pop("messages")), chat


def prepare_schemas(
    llm: FunctionCallingLLM, messages: list[ChatMessage], options: Mapping[str, Any]
) -> tuple[list[ChatMessage], dict[str, Any]]:
    """Messages and options with tools that are known only as OpenAI describes them, as an LLM prepares them.

    Raises:
        ConfigurationError: a choice that names none of them.
    """
    rest = {name: value for name, value in options.items() if name not in NEUTRAL}
    tools, choice = [_SchemaTool(tool) for tool in options["tools"]], choice_in(options.get("tool_choice"))
    only = [tool for tool in tools if tool.metadata.name == choice]
    if choice not in CHOICES and not only:
        names = ", ".join(str(tool.metadata.name) for tool in tools)
        raise ConfigurationError(f"tool_choice names {choice!r}, but the tools are {names}")
    # Each API has its own words for one tool that must be called; offering only that one all understand.
    arguments: dict[str, Any] = {
        "tool_required": bool(only) or choice == "required",
        "allow_parallel_tool_calls": bool(options.get("parallel_tool_calls", True)),
    }
    chat = dict(
        llm._prepare_chat_with_tools_compat([] if choice == "none" else only or tools, chat_history=messages, **arguments, **rest)
    )
    return list(chat.pop("messages")), {name: value for name, value in chat.items() if value is not None}


class _SchemaMetadata(ToolMetadata):
    """A tool that is known only as OpenAI describes it."""

    def __init__(self, tool: Mapping[str, Any]) -> None:
        function = tool.get("function", tool)
        super().__init__(str(function.get("description") or ""), str(function["name"]), None)
        self._parameters = dict(function.get("parameters") or {"type": "object", "properties": {}})

    def get_parameters_dict(self) -> dict[str, Any]:
        return self._parameters


class _SchemaTool(BaseTool):
    def __init__(self, tool: Mapping[str, Any]) -> None:
        self._metadata = _SchemaMetadata(tool)

    @property
    def metadata(self) -> ToolMetadata:
        return self._metadata

    def __call__(self, input: Any) -> ToolOutput:  # noqa: A002
        raise NotImplementedError(f"the tool {self.metadata.name} is only described here")
