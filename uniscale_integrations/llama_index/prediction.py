"""Objects that LLMs predict by methods of their own, as answers: what an engine chooses from are their texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.llms.llm import LLM
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

PREDICTION = "uniscale_prediction"
"""The option of a chat under which a `Prediction` goes along."""

METHODS = ("structured_predict", "astructured_predict", "stream_structured_predict", "astream_structured_predict")
"""By which LLMs predict objects."""


class Prediction:
    """What `structured_predict` and its like were asked for, and the objects that came.

    Args:
        output_cls: class of the object.
        prompt: of the call.
        llm_kwargs: likewise.
        prompt_args: likewise.
    """

    def __init__(
        self, output_cls: type[Any], prompt: PromptTemplate, llm_kwargs: Mapping[str, Any] | None, prompt_args: Mapping[str, Any]
    ) -> None:
        self.output_cls, self._prompt = output_cls, prompt
        self._llm_kwargs, self._prompt_args = llm_kwargs, dict(prompt_args)
        self._objects: dict[str, Any] = {}

    def messages(self) -> list[ChatMessage]:
        """The prompt, filled in."""
        return self._prompt.format_messages(**self._prompt_args)

    def ask(self, llm: LLM, method: str) -> Any:
        """What one of an LLM's `METHODS` gives."""
        llm_kwargs = None if self._llm_kwargs is None else dict(self._llm_kwargs)
        return getattr(llm, method)(self.output_cls, self._prompt, llm_kwargs, **self._prompt_args)

    def response(self, predicted: Any) -> ChatResponse:
        """An object as a response; its text is JSON."""
        json_like = isinstance(predicted, BaseModel)
        text = predicted.model_dump_json(by_alias=True, warnings=False, fallback=str) if json_like else json.dumps(str(predicted))
        self._objects[text] = predicted
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=text), raw=None)

    def predicted(self, response: ChatResponse) -> Any:
        """The object that a response is."""
        text = response.message.content or ""
        return self._objects[text] if text in self._objects else self.output_cls.model_validate_json(text)


def predicts_by_itself(llm: LLM, method: str) -> bool:
    """Whether an LLM's class has one of the `METHODS` of its own, and not that of all LLMs or of OpenAI's."""
    kind = next(kind for kind in type(llm).__mro__ if method in vars(kind))
    return not kind.__module__.startswith(("llama_index.core.", "llama_index.llms.openai"))
