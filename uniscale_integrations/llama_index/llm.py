"""`UniScaleLLM`: an LLM of LlamaIndex that decides, request by request, which model answers and how hard it searches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Self

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from pydantic import (
    ConfigDict,
    Field,
    SecretStr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from uniscale_integrations.adapters.mode_field import ModeField
from uniscale_integrations.adapters.parts import (
    PART_DEFAULTS,
    check_mode,
    engine_from,
    kinds_of,
    refuse_parts,
    require_parts,
    with_engine_settings,
)
from uniscale_integrations.adapters.process_bound import ProcessBound
from uniscale_integrations.adapters.service import answer, answer_blocking, stream, stream_blocking
from uniscale_integrations.deprecation import former_names
from uniscale_integrations.engine import Prices, UniScale
from uniscale_integrations.llama_index.calling import Completions, Prompt, completion_of
from uniscale_integrations.llama_index.client import LlamaIndexClient
from uniscale_integrations.llama_index.dialect import LlamaIndexDialect
from uniscale_integrations.llama_index.hooks import install
from uniscale_integrations.llama_index.inner import common_metadata, digest_of
from uniscale_integrations.llama_index.instrumentation import Place, announce
from uniscale_integrations.llama_index.messages import Inner
from uniscale_integrations.llama_index.prompting import adopt_prompting, prompt_for
from uniscale_integrations.llama_index.structured import StructuredLLM
from uniscale_integrations.llama_index.tool_calling import ToolCallingLLM
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.space import ConfigurationSpace


class UniScaleLLM(ProcessBound, StructuredLLM, ToolCallingLLM):
    """Which model answers, and how hard it searches, decided for every request and learned from feedback.

    Args:
        engine: what decides and learns; several LLMs, and chat models of LangChain, may share one.
        models: LLMs of LlamaIndex, generators, or names of local models, where there is no engine; the embedded family by default.
        log: address of the engine's log where there is no engine; likewise `verifier` and `space`.
        prices: of the models by name, in dollars per million tokens read and sampled, and perhaps read from a cache; of others, and by
            default, what genai-prices knows. `None` for none. Without, costs are eFLOPs of the size that a model's name tells ("8b"), or
            of ten billion parameters.
        mode: what is sought: `Value(right=0.02)`, `AtLeast(0.9)`, `Within(0.002)`, "cost-sensitive", "balanced", "quality-first", or three
            weights; by default what the engine seeks, or would if it is made here: see `UniScale`.
        temperature: of the inner models, where given; likewise `max_tokens`, `top_p`, `timeout` and `max_retries`. Otherwise each is asked
            as it is set up, except that one whose temperature was left low draws at the engine's when its candidates compete.
        budget: what each request may spend: a `Budget`, or eFLOPs (dollars for models with a price).
        deadline: seconds that each request may take.
        max_concurrency: requests that each inner model is sent at once; no limit by default.
        api_key: of inner models that are given by their names, such as "openai:gpt-5-mini"; others bring their own.
        engine_settings: what else an engine takes, such as `mean_budget` and `store_queries`, may be given as if it were a field.

    A call may bring its own `mode`, `weights`, `budget`, `deadline` (seconds) and `rounds` beside its messages; `model` restricts it to the
    configurations of one model. Everything else that it says goes to the model that answers, as it is.

    Example:
        >>> llm = UniScaleLLM(models=["uniscale-0.3m"], mode="cost-sensitive")
        >>> response = llm.complete("What is 12 + 30 - 7?")
        >>> sorted(response.additional_kwargs["uniscale"])
        ['configuration', 'cut', 'decision_id', 'ledger', 'notes', 'rounds', 'score', 'vote']
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)

    engine: UniScale | None = Field(default=None, exclude=True)
    models: Sequence[Any] | None = Field(default=None, exclude=True)
    log: str | None = Field(default=None, exclude=True, repr=False)
    verifier: Any = Field(default="auto", exclude=True)
    space: ConfigurationSpace | None = Field(default=None, exclude=True)
    prices: Prices = "auto"
    mode: ModeField = None
    temperature: float | None = Field(default=None, ge=0.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    max_tokens: int | None = Field(default=None, gt=0)
    timeout: float | None = None
    max_retries: int | None = None
    max_concurrency: int | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True)
    engine_settings: Mapping[str, Any] = Field(default_factory=dict, exclude=True, repr=False)
    budget: Budget | float | None = None
    deadline: float | None = Field(default=None, gt=0.0)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Models by their names or kinds: what they show of themselves may hold keys."""
        for name, value in super().__repr_args__():
            yield name, kinds_of(value) if name == "models" and value is not None else value

    @model_validator(mode="before")
    @classmethod
    def _collect_engine_settings(cls, arguments: Any) -> Any:
        return with_engine_settings(arguments, cls.model_fields)

    @model_validator(mode="after")
    def _build_engine(self) -> Self:
        install()
        if self.engine is not None:
            refuse_parts(self)
        check_mode(self.mode)
        if self.engine is None:
            self.engine = engine_from(self)
            for name, default in PART_DEFAULTS.items():
                setattr(self, name, default)
        adopt_prompting(self, self._inner().values())
        return self

    @classmethod
    def class_name(cls) -> str:
        """As LlamaIndex knows it."""
        return "UniScaleLLM"

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        """Settings that `to_dict` gave, around an engine, which nothing stores.

        Raises:
            ConfigurationError: neither `engine` nor `models` to make one of.
        """
        require_parts(kwargs, cls.class_name())
        return super().from_dict({name: value for name, value in data.items() if name != "engine"}, **kwargs)

    @model_serializer(mode="wrap")
    def custom_model_dump(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        """Its settings with the names of what it chooses from, by which LlamaIndex tells it from others, also within another component.

        Of what inner LLMs are set up with, which decides what they answer, there is a digest.
        """
        brain = self._engine.brain
        parts: dict[str, Any] = {"models": list(brain.models), "space": [str(configuration) for configuration in brain.space]}
        parts["settings"] = {name: digest_of(llm) for name, llm in self._inner().items()}
        return {**handler(self), "class_name": self.class_name(), "engine": parts}

    def __getstate__(self) -> dict[str, Any]:
        # What holds it would lose it, if it could not be pickled at all; so its settings go, and who uses what comes of them is told.
        return {"settings": self.to_dict()}

    @property
    def model_name(self) -> str:
        """The names of the inner models, in one."""
        return "+".join(self._engine.models)

    @property
    def model(self) -> str:
        """The same, by the name that most LLMs of LlamaIndex have for it."""
        return self.model_name

    @property
    def metadata(self) -> LLMMetadata:
        """What all models can do together: the smallest limits, and tools where all take them."""
        return common_metadata(self._engine.models, self.max_tokens)

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """As of every LLM; the decision's id is in `additional_kwargs["uniscale"]`."""
        return self._chat(messages, **kwargs)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """As of every LLM; the decision's id is in `additional_kwargs["uniscale"]`."""
        return await self._achat(messages, **kwargs)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """As of every LLM: tokens where the configuration is plain, otherwise the steps that are agreed on."""
        return self._stream_chat(messages, **kwargs)

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """As of every LLM: tokens where the configuration is plain, otherwise the steps that are agreed on."""
        return await self._astream_chat(messages, **kwargs)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """As of every LLM; the model that answers completes the prompt as it is."""
        return completion_of(self._chat(self._prompt(prompt, formatted), **kwargs))

    @llm_completion_callback()
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """As of every LLM; the model that answers completes the prompt as it is."""
        return completion_of(await self._achat(self._prompt(prompt, formatted), **kwargs))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """As of every LLM; the model that answers completes the prompt as it is."""
        responses = self._stream_chat(self._prompt(prompt, formatted), **kwargs)

        def stream() -> CompletionResponseGen:
            completions = Completions()
            for response in responses:
                yield completions.of(response)
            completions.end()

        return stream()

    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """As of every LLM; the model that answers completes the prompt as it is."""
        responses = await self._astream_chat(self._prompt(prompt, formatted), **kwargs)

        async def stream() -> CompletionResponseAsyncGen:
            completions = Completions()
            async with aclosing(responses):
                async for response in responses:
                    yield completions.of(response)
            completions.end()

        return stream()

    def _chat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
        dialect, engine = LlamaIndexDialect(self), self._engine
        call = dialect.call(engine, messages, options, synchronous=True)
        place = Place.here()
        result = answer_blocking(engine, call, dialect)
        place.note(result.decision_id)
        self._note_answer(result, place)
        return dialect.reply(result, call)

    async def _achat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
        dialect, engine = LlamaIndexDialect(self), self._engine
        call = dialect.call(engine, messages, options)
        place = Place.here()
        result = await asyncio.create_task(answer(engine, call), context=dialect.context())
        place.note(result.decision_id)
        self._note_answer(result, place)
        return dialect.reply(result, call)

    def _stream_chat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponseGen:
        dialect, engine = LlamaIndexDialect(self), self._engine
        call = dialect.call(engine, messages, options, synchronous=True, streaming=True)
        place = Place.here()
        chunks = stream_blocking(engine, call, dialect, observe=place.observe)

        def responses() -> ChatResponseGen:
            for chunk in chunks:
                if chunk.answer is not None:
                    self._note_answer(chunk.answer, place)
                if chunk.response is not None:
                    yield chunk.response

        return responses()

    async def _astream_chat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponseAsyncGen:
        dialect, engine = LlamaIndexDialect(self), self._engine
        call = dialect.call(engine, messages, options, streaming=True)
        place = Place.here()

        async def responses() -> ChatResponseAsyncGen:
            async with aclosing(stream(engine, call, dialect, observe=place.observe)) as chunks:
                async for chunk in chunks:
                    if chunk.answer is not None:
                        self._note_answer(chunk.answer, place)
                    if chunk.response is not None:
                        yield chunk.response

        return responses()

    def _note_answer(self, given: Answer, place: Place) -> None:
        """Tell the LLM whose reply is given so, where it keeps track of them, and everybody of the decision."""
        client = getattr(self._engine.models.get(given.configuration.model), "client", None)
        if isinstance(client, LlamaIndexClient) and isinstance(given.payload, Inner):
            client.goes_on_from(given.payload)
        announce(self._engine, given, place)

    def _prompt(self, prompt: str, formatted: bool) -> Prompt:
        return prompt_for(self, self._inner().values(), prompt, formatted)


__getattr__ = former_names(__name__, {"as_generator": "uniscale_integrations.llama_index.generator:as_generator"})
