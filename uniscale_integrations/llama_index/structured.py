"""Structured prediction: the inner LLMs are asked as they ask by themselves.

That is by a `response_format`, on OpenAI's Responses API by a `text.format`, by a method of their own where they have one, and otherwise by
a tool that must be called.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock
from llama_index.core.llms.llm import LLM
from llama_index.core.program.streaming_utils import process_streaming_content_incremental
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import Model, PydanticProgramMode
from pydantic import BaseModel

from uniscale_integrations.llama_index.inner import EngineLLM
from uniscale_integrations.llama_index.instrumentation import abehind_objects, behind_objects
from uniscale_integrations.llama_index.prediction import PREDICTION, Prediction, predicts_by_itself

RESPONSES_MODULE = "llama_index.llms.openai.responses"
"""Where LlamaIndex has its LLM on the Responses API, which asks for whole objects by a `text.format`."""


class StructuredLLM(EngineLLM):
    """Predicts objects by a format of the answer where all models that may answer would ask for the same; otherwise by a tool."""

    def structured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Model:
        """As of every LLM."""
        if self._all_predict("structured_predict"):
            prediction = Prediction(output_cls, prompt, llm_kwargs, prompt_args)
            own: Model = prediction.predicted(self.chat(self._extend_messages(prediction.messages()), **{PREDICTION: prediction}))
            return own
        options = self._format_options(output_cls, llm_kwargs, streaming=False)
        if options is None:
            predicted: Model = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return predicted
        return _object(self.chat(self._asked(prompt, prompt_args), **options), output_cls)

    async def astructured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Model:
        """As of every LLM."""
        if self._all_predict("astructured_predict"):
            prediction = Prediction(output_cls, prompt, llm_kwargs, prompt_args)
            response = await self.achat(self._extend_messages(prediction.messages()), **{PREDICTION: prediction})
            own: Model = prediction.predicted(response)
            return own
        options = self._format_options(output_cls, llm_kwargs, streaming=False)
        if options is None:
            predicted: Model = await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return predicted
        return _object(await self.achat(self._asked(prompt, prompt_args), **options), output_cls)

    def stream_structured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """As of every LLM; feedback may be about the last object."""
        if self._all_predict("stream_structured_predict"):
            return behind_objects(self._predicted(Prediction(output_cls, prompt, llm_kwargs, prompt_args)))
        return behind_objects(iter(super().stream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)))

    async def astream_structured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        """As of every LLM; feedback may be about the last object."""
        if self._all_predict("astream_structured_predict"):
            return abehind_objects(self._apredicted(Prediction(output_cls, prompt, llm_kwargs, prompt_args)))
        return abehind_objects(aiter(await super().astream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)))

    def _predicted(self, prediction: Prediction) -> Generator[Any]:
        for response in self.stream_chat(self._extend_messages(prediction.messages()), **{PREDICTION: prediction}):
            yield prediction.predicted(response)

    async def _apredicted(self, prediction: Prediction) -> AsyncGenerator[Any]:
        responses = await self.astream_chat(self._extend_messages(prediction.messages()), **{PREDICTION: prediction})
        async for response in responses:
            yield prediction.predicted(response)

    def _asked(self, prompt: PromptTemplate, prompt_args: Mapping[str, Any]) -> list[ChatMessage]:
        """The messages that ask for a whole object; on the Responses API LlamaIndex puts no system prompt before them."""
        messages = prompt.format_messages(**prompt_args)
        return messages if self._all_on_responses else list(self._extend_messages(messages))

    @property
    def _all_on_responses(self) -> bool:
        inner = list(self._inner().values())
        return 0 < len(inner) == len(self._engine.models) and all(map(_on_responses, inner))

    def _all_predict(self, method: str) -> bool:
        """Whether all models that may answer predict objects by a method of their own, which the one that answers is asked by."""
        inner = list(self._inner().values())
        return len(inner) == len(self._engine.models) and all(predicts_by_itself(llm, method) for llm in inner)

    def _structured_stream_call(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        options = self._format_options(output_cls, llm_kwargs, streaming=True)
        if options is None:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return _objects(self.stream_chat(self._extend_messages(prompt.format_messages(**prompt_args)), **options), output_cls)

    async def _structured_astream_call(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        options = self._format_options(output_cls, llm_kwargs, streaming=True)
        if options is None:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        responses = await self.astream_chat(self._extend_messages(prompt.format_messages(**prompt_args)), **options)
        return _aobjects(responses, output_cls)

    def _format_options(
        self, output_cls: type[BaseModel], llm_kwargs: Mapping[str, Any] | None, *, streaming: bool
    ) -> dict[str, Any] | None:
        """The options of a chat that ask for an object by a format of the answer; `None` where it takes a tool."""
        if not streaming and self._all_on_responses:
            return _text_format(output_cls) | dict(llm_kwargs or {})
        inner = list(self._inner().values())
        if self.pydantic_program_mode is not PydanticProgramMode.DEFAULT or not inner or len(inner) < len(self._engine.models):
            return None
        for llm in inner:
            decides, prepares = getattr(llm, "_should_use_structure_outputs", None), getattr(llm, "_prepare_schema", None)
            if not callable(decides) or not callable(prepares) or not decides():
                return None
        return dict(inner[0]._prepare_schema(dict(llm_kwargs or {}), output_cls))  # type: ignore[attr-defined]


def _on_responses(llm: LLM) -> bool:
    """Whether an LLM is on OpenAI's Responses API and asks for objects as LlamaIndex does there."""
    kind = next(kind for kind in type(llm).__mro__ if "structured_predict" in vars(kind))
    return kind.__module__ == RESPONSES_MODULE


def _text_format(output_cls: type[BaseModel]) -> dict[str, Any]:
    """The options of the Responses API that ask for an object of a class."""
    from openai import pydantic_function_tool

    function = pydantic_function_tool(output_cls)["function"]
    form = {"type": "json_schema", "strict": True, "name": function["name"], "schema": function["parameters"]}
    return {"text": {"format": form}, "tool_choice": "none"}


def _object(response: ChatResponse, output_cls: type[Model]) -> Model:
    """The object that a response is.

    Raises:
        ValueError: the response is none, such as a refusal.
    """
    content, additional = response.message.content, response.additional_kwargs
    # On the Responses API a reply without any text is told from an empty one.
    silent = "built_in_tool_calls" in additional and not any(isinstance(block, TextBlock) for block in response.message.blocks)
    if not content and ("refusal" in additional or silent):
        raise ValueError("Failed to produce a structured response from the model.")
    return output_cls.model_validate_json(str(content))


def _objects(responses: Iterator[ChatResponse], output_cls: type[BaseModel]) -> Generator[Any]:
    """The object as far as it can be parsed at each response of a stream."""
    current: Any = None
    for response in responses:
        current = process_streaming_content_incremental(response, output_cls, current)
        yield current


async def _aobjects(responses: AsyncIterator[ChatResponse], output_cls: type[BaseModel]) -> AsyncGenerator[Any]:
    current: Any = None
    async for response in responses:
        current = process_streaming_content_incremental(response, output_cls, current)
        yield current
