"""What is particular to LlamaIndex: a call from messages and options, a `ChatResponse` and chunks from an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse

from uniscale_integrations.adapters.options import Defaults, call_from, split_options
from uniscale_integrations.adapters.service import Call
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.llama_index.instrumentation import current_question
from uniscale_integrations.llama_index.isolation import isolated
from uniscale_integrations.llama_index.messages import conversation_of, response_of
from uniscale_integrations.llama_index.streaming import ResponseChunks
from uniscale_integrations.search.answer import Answer

MODEL_FIELDS = ("temperature", "max_tokens", "top_p")
"""Fields of the outer LLM that are passed to the inner ones, where they are set and the inner LLM has them."""


@dataclass(frozen=True, slots=True)
class LlamaIndexDialect:
    """The `Dialect` of LlamaIndex.

    Attributes:
        defaults: of the LLM that is called; its `MODEL_FIELDS` as well.
    """

    defaults: Defaults

    def call(
        self,
        engine: UniScale,
        messages: Sequence[ChatMessage],
        options: Mapping[str, Any],
        *,
        synchronous: bool = False,
        streaming: bool = False,
    ) -> Call:
        """As of every dialect."""
        for_engine, for_model = split_options(options)
        stop = for_model.get("stop") or ()
        if not isinstance(stop, (str, list, tuple, set, frozenset)):
            raise ConfigurationError(f"stop must be a text or a list of texts, got {stop!r}")
        settings = {name: value for name in MODEL_FIELDS if (value := getattr(self.defaults, name)) is not None}
        conversation = conversation_of(
            messages,
            for_model,
            (stop,) if isinstance(stop, str) else tuple(stop),
            current_question(),
            settings=settings,
            synchronous=synchronous,
            streaming=streaming,
        )
        return call_from(engine, conversation, for_engine, self.defaults)

    def reply(self, answer: Answer, call: Call) -> ChatResponse:
        """As of every dialect."""
        return response_of(answer, call.conversation)

    def chunks(self, call: Call) -> ResponseChunks:
        """As of every dialect."""
        return ResponseChunks(call)

    def context(self) -> Context:
        """As of every dialect."""
        return isolated()
