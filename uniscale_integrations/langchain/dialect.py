"""What is particular to LangChain: a call from messages and options, a `ChatResult` and chunks from an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Protocol

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config

from uniscale_integrations.adapters.options import CONFIG_PREFIX, ENGINE_OPTIONS, Defaults, call_from, split_options
from uniscale_integrations.adapters.service import Call
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain.isolation import isolated
from uniscale_integrations.langchain.messages import conversation_of, message_of, metadata_of
from uniscale_integrations.langchain.streaming import MessageChunks
from uniscale_integrations.langchain.usage import beside_message, usage_of
from uniscale_integrations.search.answer import Answer

MODEL_FIELDS = ("temperature", "max_tokens", "top_p", "output_version")
"""Fields of the outer model that are passed to the inner ones, where they are set and the inner model has them."""


class ChatDefaults(Defaults, Protocol):
    """The fields of a `UniScaleChatModel` that hold where a call names none; those in `MODEL_FIELDS` as well.

    Attributes:
        stop: texts that end an answer.
    """

    stop: Sequence[str] | str | None


@dataclass(frozen=True, slots=True)
class LangChainDialect:
    """The `Dialect` of LangChain.

    Attributes:
        defaults: of the chat model that is called.
    """

    defaults: ChatDefaults

    def call(
        self,
        engine: UniScale,
        messages: Sequence[BaseMessage],
        options: Mapping[str, Any],
        *,
        synchronous: bool = False,
        streaming: bool = False,
    ) -> Call:
        """As of every dialect."""
        for_engine, for_model = split_options(options)
        # What tracers are told of a form.
        for_model.pop("ls_structured_output_format", None)
        stop = for_model.pop("stop", None)
        if stop is None:
            stop = self.defaults.stop or ()
        elif not stop or isinstance(stop, str):
            # None at all, whatever the inner model is set up with; or a single one, which goes as it is.
            for_model["stop"] = stop
        stop = (stop,) if isinstance(stop, str) else stop
        conversation = conversation_of(
            messages, model_fields(self.defaults) | for_model, stop, synchronous=synchronous, streaming=streaming
        )
        return call_from(engine, conversation, for_engine, self.defaults)

    def reply(self, answer: Answer, call: Call) -> ChatResult:
        """As of every dialect."""
        message = message_of(answer, call.conversation)
        message.usage_metadata = usage_of(answer)
        message.response_metadata = metadata_of(answer)
        output, info = beside_message(answer, message.response_metadata, message.usage_metadata)
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=info or None)], llm_output=output)

    def chunks(self, call: Call) -> MessageChunks:
        """As of every dialect."""
        return MessageChunks(call)

    def context(self) -> Context:
        """As of every dialect."""
        return isolated()


def model_fields(model: object) -> dict[str, Any]:
    """The `MODEL_FIELDS` that are set on a model."""
    return {name: value for name in MODEL_FIELDS if (value := getattr(model, name)) is not None}


def with_config(config: RunnableConfig | None, options: dict[str, Any]) -> dict[str, Any]:
    """The options of a call with those under `configurable` in its config, which count less."""
    configurable = ensure_config(config).get("configurable") or {}
    return {name: configurable[CONFIG_PREFIX + name] for name in ENGINE_OPTIONS if CONFIG_PREFIX + name in configurable} | options
