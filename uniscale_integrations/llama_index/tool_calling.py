"""Tools: the LLM that answers prepares them for its API, checks its response, and reads the calls off it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool

from uniscale_integrations.adapters.stamp import KEY
from uniscale_integrations.llama_index.inner import EngineLLM
from uniscale_integrations.llama_index.offers import Offer
from uniscale_integrations.llama_index.tool_calls import calls_by, calls_of, parse_error
from uniscale_integrations.search.conversation import ToolCall

_log = logging.getLogger(__name__)


class ToolCallingLLM(EngineLLM):
    """Leaves tools to the inner LLM that answers."""

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool | None = None, **kwargs: Any
    ) -> list[ToolSelection]:
        """The tools that a response calls, as the LLM that gave it reads them.

        Arguments that cannot be parsed are empty, so that the tool reports them to the model; a logged warning holds their text.

        Args:
            response: of any LLM; one that names none is of the only one there is, if so.
            error_on_no_tool_call: whether none is an error; by default as for the LLM that gave the response, or else it is.
            kwargs: for that LLM.

        Raises:
            ValueError: it calls none, unless that is no error.
            Exception: what the LLM that gave the response raised.
        """
        reader = getattr(self._author(response) or self._only(), "get_tool_calls_from_response", None)
        calls = self._calls(response) if reader is None else calls_of(response.message)
        # The arguments of a response that is still being streamed need not parse yet.
        if KEY in response.additional_kwargs and (error := parse_error(calls)) is not None:
            _log.warning("%s", error)
        if reader is not None:
            said = {} if error_on_no_tool_call is None else {"error_on_no_tool_call": error_on_no_tool_call}
            selections: list[ToolSelection] = reader(response, **said, **kwargs)
            return selections
        if not calls and error_on_no_tool_call is not False:
            raise ValueError(f"Expected at least one tool call, but got {len(calls)} tool calls.")
        return [
            ToolSelection(tool_id=call.id, tool_name=call.name, tool_kwargs={} if parse_error([call]) else dict(call.arguments))
            for call in calls
        ]

    def _calls(self, response: ChatResponse) -> tuple[ToolCall, ...]:
        author = self._author(response)
        if author is not None:
            return calls_by(author, response)
        if calls := calls_of(response.message):
            return calls
        # A piece of a stream does not name its LLM.
        kinds = {type(llm): llm for llm in self._inner().values()}
        return next((calls for llm in kinds.values() if (calls := calls_by(llm, response))), ())

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The options of `chat` for a call with tools; the LLM that answers prepares it for its API with the same arguments."""
        message = ChatMessage(role=MessageRole.USER, content=user_msg) if isinstance(user_msg, str) else user_msg
        messages = [*(chat_history or ()), *([message] if message is not None else ())]
        arguments: dict[str, Any] = {"allow_parallel_tool_calls": allow_parallel_tool_calls, "tool_required": tool_required}
        if tool_choice is not None:
            arguments["tool_choice"] = tool_choice
        return {"messages": messages, "tools": Offer(tools or (), arguments), **kwargs}

    def _validate_chat_with_tools_response(
        self, response: ChatResponse, tools: Sequence[BaseTool], allow_parallel_tool_calls: bool = False, **kwargs: Any
    ) -> ChatResponse:
        author = self._author(response)
        if isinstance(author, FunctionCallingLLM):
            options = {"allow_parallel_tool_calls": allow_parallel_tool_calls, **kwargs}
            return author._validate_chat_with_tools_response(response, tools, **options)
        if not allow_parallel_tool_calls:
            message = response.message
            first = next((place for place, block in enumerate(message.blocks) if isinstance(block, ToolCallBlock)), None)
            message.blocks = [
                block for place, block in enumerate(message.blocks) if place == first or not isinstance(block, ToolCallBlock)
            ]
            if message.additional_kwargs.get("tool_calls"):
                message.additional_kwargs["tool_calls"] = message.additional_kwargs["tool_calls"][:1]
        return response
