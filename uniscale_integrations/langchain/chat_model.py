"""`UniScaleChatModel`: a chat model of LangChain that decides, request by request, which model answers and how hard it searches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput, ModelProfile
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import AliasChoices, ConfigDict, Field, SecretStr, model_validator

from uniscale_integrations.adapters.mode_field import ModeField
from uniscale_integrations.adapters.parts import engine_from, kinds_of, refuse_parts, with_engine_settings
from uniscale_integrations.adapters.process_bound import ProcessBound
from uniscale_integrations.adapters.service import answer, answer_blocking, stream, stream_blocking
from uniscale_integrations.adapters.tokens import conversation_tokens, text_token_ids, text_tokens
from uniscale_integrations.deprecation import former_names
from uniscale_integrations.engine import Prices, UniScale
from uniscale_integrations.langchain.dialect import LangChainDialect, model_fields, with_config
from uniscale_integrations.langchain.inner import (
    cache_keys,
    check_tools,
    common_profile,
    common_streaming_and_cache,
    inner_models,
)
from uniscale_integrations.langchain.messages import conversation_of
from uniscale_integrations.langchain.offers import OfferedTools, StructuredOutput, Tool
from uniscale_integrations.langchain.run_ledger import install
from uniscale_integrations.langchain.structured import structured_chain
from uniscale_integrations.langchain.usage import sum_of_outputs
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.space import ConfigurationSpace

_parts_of: WeakKeyDictionary[UniScale, tuple[object, ...]] = WeakKeyDictionary()
"""Engines that chat models built for themselves, and from which parts."""


class UniScaleChatModel(ProcessBound, BaseChatModel):
    """Which model answers, and how hard it searches, decided for every request and learned from feedback.

    Args:
        engine: what decides and learns; several chat models may share one.
        models: chat models of LangChain, generators, or names of local models, where there is no engine; the embedded family by default.
            Two of LangChain that are the same model are told apart by their `name`, or by a number.
        log: address of the engine's log where there is no engine; likewise `verifier` and `space`.
        prices: of the models by name, in dollars per million tokens read and sampled, and perhaps read from a cache; of others, and by
            default, what genai-prices knows. `None` for none. Without, costs are eFLOPs of the size that a model's name tells ("8b"), or
            of ten billion parameters.
        mode: what is sought: `Value(right=0.02)`, `AtLeast(0.9)`, `Within(0.002)`, "cost-sensitive", "balanced", "quality-first", or three
            weights; by default what the engine seeks, or would if it is made here: see `UniScale`.
        temperature: of the inner models, where given; likewise `max_tokens`, `top_p`, `timeout`, `max_retries` and `stop`. Otherwise each
            is asked as it is set up, except that one with temperature 0 draws at the engine's when its candidates compete. A
            `temperature` of 0 given here or with a call asks for the most likely answer, of which there is one, and so for no search.
        max_concurrency: requests that each inner model is sent at once; no limit by default.
        api_key: of inner models that are given by their names, such as "openai:gpt-5-mini"; others bring their own.
        budget: what each request may spend: a `Budget`, or eFLOPs (dollars for models with a price).
        deadline: seconds that each request may take.
        streaming: whether `invoke` streams the inner model's answer.
        cache: as of every chat model of LangChain: `None` follows the global cache, `False` uses none. A hit gives the stored message
            with the id of its decision, so that feedback on it counts once.
        engine_settings: what else an engine takes, such as `mean_budget` and `store_queries`, may be given as if it were a field.

    A call may bring its own `mode`, `weights`, `budget`, `deadline` (seconds) and `rounds`, by `bind`, or as `uniscale_mode` and so on
    under `configurable` in its config, where the plain names are the application's. `model` restricts a call to the configurations of one
    model.

    Example:
        >>> model = UniScaleChatModel(models=["uniscale-0.3m"], mode="cost-sensitive")
        >>> message = model.invoke("What is 12 + 30 - 7?")
        >>> sorted(message.response_metadata["uniscale"])
        ['configuration', 'cut', 'decision_id', 'ledger', 'notes', 'rounds', 'score', 'vote']
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, populate_by_name=True, hide_input_in_errors=True)

    engine: UniScale | None = Field(default=None, exclude=True)
    models: Sequence[Any] | None = None
    log: str | None = Field(default=None, exclude=True, repr=False)
    verifier: Any = Field(default="auto", exclude=True)
    space: ConfigurationSpace | None = Field(default=None, exclude=True)
    prices: Prices = "auto"
    mode: ModeField = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = Field(default=None, validation_alias=AliasChoices("max_tokens", "max_completion_tokens"))
    timeout: float | None = Field(default=None, validation_alias=AliasChoices("timeout", "request_timeout"))
    stop: Sequence[str] | str | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    max_retries: int | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True)
    streaming: bool = False
    max_concurrency: int | None = None
    budget: Budget | float | None = None
    deadline: float | None = None
    engine_settings: Mapping[str, Any] = Field(default_factory=dict, exclude=True, repr=False)

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
        # Rebuilt with other fields, as `configurable_fields` does, it is given the engine that it built before.
        models = tuple(each if isinstance(each, str) else id(each) for each in self.models or ())
        settings = (self.verifier, self.timeout, self.max_retries, self.prices, self.max_concurrency, self.engine_settings)
        parts = (models, self.log, id(self.space), *map(str, settings))
        parts_before = _parts_of.get(self.engine) if self.engine is not None else None
        if self.engine is not None and parts_before is None:
            refuse_parts(self)
        if self.engine is None or parts_before not in (None, parts):
            own = self.profile is not None and (self.engine is None or self.profile != common_profile(self.engine))
            self.engine = engine_from(self)
            _parts_of[self.engine] = parts
            if not own:
                # The base class looked for the profile before there was an engine.
                self.profile = self._resolve_model_profile()
        streaming, cache = common_streaming_and_cache(self.engine)
        if streaming and "streaming" not in self.model_fields_set:
            self.streaming = True
        if cache is not None and self.cache is None:
            self.cache = cache
        return self

    def _resolve_model_profile(self) -> ModelProfile | None:
        """What all inner models can do."""
        return None if self.engine is None else cast(ModelProfile | None, common_profile(self.engine))

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """With its inner models, where they are; what was learned is in the log."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where `load` finds it."""
        return ["uniscale_integrations", "langchain"]

    @property
    def _llm_type(self) -> str:
        return "uniscale"

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        # The engine is no part of what is stored, but it and the models behind it decide what is answered.
        inner = cache_keys(self._engine)
        return f"{super()._get_llm_string(stop, **kwargs)}---{self._identifying_params}---{inner}"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        brain = self._engine.brain
        return {
            "model_name": self.model_name,
            "models": sorted(brain.models),
            "space": [str(configuration) for configuration in brain.space],
            "mode": list(self.mode) if isinstance(self.mode, Sequence) and not isinstance(self.mode, str) else self.mode,
            **model_fields(self),
        }

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "uniscale"
        params["ls_model_name"] = kwargs.get("model") or "+".join(self._engine.models)
        return params

    @property
    def model_name(self) -> str:
        """The names of the inner models, in one."""
        return "+".join(self._engine.models)

    def get_token_ids(self, text: str) -> list[int]:
        """The ids of a text's tokens, by the inner models' vocabulary in which it has most; nothing is fetched, see `tokens`."""
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        return text_token_ids(self._engine, text)

    def get_num_tokens(self, text: str) -> int:
        """How many tokens a text is to the inner model to which it is most."""
        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        return text_tokens(self._engine, text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Tool] | None = None) -> int:
        """How many tokens messages and tools are to the inner model to which they are most, with what the chat format adds to them."""
        if not messages:
            return 0
        if self.custom_get_token_ids is not None:
            return super().get_num_tokens_from_messages(messages, tools)
        return conversation_tokens(self._engine, conversation_of(messages, {"tools": OfferedTools(tools, ())} if tools else {}))

    def invoke(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """As of every chat model."""
        return super().invoke(input, config, stop=stop, **with_config(config, kwargs))

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """As of every chat model."""
        return await super().ainvoke(input, config, stop=stop, **with_config(config, kwargs))

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """As of every chat model: tokens where the configuration is plain, otherwise the steps that are agreed on."""
        yield from super().stream(input, config, stop=stop, **with_config(config, kwargs))

    async def astream(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """As of every chat model: tokens where the configuration is plain, otherwise the steps that are agreed on."""
        async for chunk in super().astream(input, config, stop=stop, **with_config(config, kwargs)):
            yield chunk

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools, whichever inner model answers.

        Args:
            tools: as chat models of LangChain take them.
            tool_choice: which tool must be called, in the words of the inner models.
            kwargs: further settings, such as `strict`.
        """
        settings: dict[str, Any] = {} if tool_choice is None else {"tool_choice": tool_choice}
        settings |= kwargs
        check_tools(self._engine, tools, settings)
        return self.bind(tools=OfferedTools(tools, [*settings], kwargs.get("strict")), **settings)

    def with_structured_output(
        self, schema: dict[str, Any] | type | None = None, *, include_raw: bool = False, method: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | Any]:
        """Answers in a form, as of every chat model; each inner model is asked for it in its own way, and its own parser reads it.

        Args:
            schema: a pydantic class, a typed dict, or a JSON schema; `None` for any JSON, in JSON mode.
            include_raw: whether to give the message and what went wrong in parsing it, too.
            method: "function_calling", "json_schema" or "json_mode"; by default what each inner model takes by default.
            kwargs: what inner models take besides, such as `strict`.

        Raises:
            ConfigurationError: no such method, or no schema where one is needed, and no inner model is one of LangChain.
            Exception: what an inner model raises of a method or a schema that it does not take.
        """
        settings = kwargs if method is None else {"method": method, **kwargs}
        return structured_chain(self, StructuredOutput(schema, settings), inner_models(self._engine), include_raw=include_raw)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        dialect, engine = LangChainDialect(self), self._engine
        call = dialect.call(engine, messages, {**kwargs, "stop": stop}, synchronous=True)
        return dialect.reply(answer_blocking(engine, call, dialect), call)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        dialect, engine = LangChainDialect(self), self._engine
        call = dialect.call(engine, messages, {**kwargs, "stop": stop})
        return dialect.reply(await asyncio.create_task(answer(engine, call), context=dialect.context()), call)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        dialect, engine = LangChainDialect(self), self._engine
        call = dialect.call(engine, messages, {**kwargs, "stop": stop}, synchronous=True, streaming=True)
        for chunk in stream_blocking(engine, call, dialect):
            if run_manager is not None:
                run_manager.on_llm_new_token(str(chunk.message.text), chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        dialect, engine = LangChainDialect(self), self._engine
        call = dialect.call(engine, messages, {**kwargs, "stop": stop}, streaming=True)
        async with aclosing(stream(engine, call, dialect)) as chunks:
            async for chunk in chunks:
                if run_manager is not None:
                    await run_manager.on_llm_new_token(str(chunk.message.text), chunk=chunk)
                yield chunk

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return sum_of_outputs(llm_outputs)

    def __getstate__(self) -> dict[str, Any]:
        # What holds it would be lost, if it could not be pickled at all; whoever uses what comes of it is told.
        return {"settings": repr(self)}


__getattr__ = former_names(__name__, {"as_generator": "uniscale_integrations.langchain.generator:as_generator"})
