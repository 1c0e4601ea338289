"""`UniScaleChatModel`: a chat model of LangChain that decides, request by request, which model answers and how hard it searches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput, ModelProfile
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from pydantic import AliasChoices, ConfigDict, Field, SecretStr, model_validator

from uniscale_integrations.adapters.call import OURS, PER_CALL, answered, divided, request
from uniscale_integrations.adapters.parts import engine_from, refuse_parts, with_settings
from uniscale_integrations.adapters.stamp import KEY
from uniscale_integrations.adapters.tokens import token_ids
from uniscale_integrations.concurrency.loop import DEFAULT_LOOP
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.langchain.client import LangChainClient
from uniscale_integrations.langchain.isolation import isolated
from uniscale_integrations.langchain.messages import FORM, conversation_of, message_of, metadata_of, shortened
from uniscale_integrations.langchain.offers import OfferedTools, StructuredOutput
from uniscale_integrations.langchain.profiles import in_common
from uniscale_integrations.langchain.streaming import chunks_of
from uniscale_integrations.langchain.structured import structured
from uniscale_integrations.langchain.usage import beside_message, combined, usage_of
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation
from uniscale_integrations.search.ports import Generator
from uniscale_integrations.space import ConfigurationSpace

SETTINGS = ("temperature", "max_tokens", "top_p", "output_version")
"""Fields that the inner models are asked with, where they are given and the model knows them."""


_made_for: WeakKeyDictionary[UniScale, tuple[object, ...]] = WeakKeyDictionary()
"""Engines that chat models made for themselves, and of what."""


class UniScaleChatModel(BaseChatModel):
    """Which model answers, and how hard it searches, decided for every request and learned from feedback.

    Args:
        engine: what decides and learns; several chat models may share one.
        models: chat models of LangChain, generators, or names of local models, where there is no engine; the embedded family by default.
            Two of LangChain that are the same model are told apart by their `name`, or by a number.
        log: address of the engine's log where there is no engine; likewise `verifier` and `space`.
        prices: of the models by name, in dollars per million tokens read and sampled. Without, costs are eFLOPs of the size that a model's
            name tells ("8b"), or of ten billion parameters.
        mode: "cost-sensitive", "balanced", "quality-first", or three weights; the engine's by default, which is "balanced" where it is
            made here.
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

    A call may bring its own `mode`, `weights`, `budget` and `deadline` (seconds), by `bind`, or as `uniscale_mode` and so on under
    `configurable` in its config, where the plain names are the application's. `model` restricts a call to the configurations of one model.

    Example:
        >>> model = UniScaleChatModel(models=["uniscale-0.3m"], mode="cost-sensitive")
        >>> message = model.invoke("What is 12 + 30 - 7?")
        >>> sorted(message.response_metadata["uniscale"])
        ['configuration', 'cut', 'decision_id', 'ledger', 'notes', 'score']
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)

    engine: UniScale | None = Field(default=None, exclude=True)
    models: Sequence[Any] | None = None
    log: str | None = Field(default=None, exclude=True, repr=False)
    verifier: Any = Field(default="auto", exclude=True)
    space: ConfigurationSpace | None = Field(default=None, exclude=True)
    prices: Mapping[str, tuple[float, float]] | None = None
    mode: str | Sequence[float] | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = Field(default=None, validation_alias=AliasChoices("max_tokens", "max_completion_tokens"))
    timeout: float | None = Field(default=None, validation_alias=AliasChoices("timeout", "request_timeout"))
    stop: Sequence[str] | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    max_retries: int | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True)
    streaming: bool = False
    max_concurrency: int | None = None
    budget: Budget | float | None = None
    deadline: float | None = None
    engine_settings: Mapping[str, Any] = Field(default_factory=dict, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _of_the_engine(cls, given: Any) -> Any:
        return with_settings(given, cls.model_fields)

    @model_validator(mode="after")
    def _with_engine(self) -> Self:
        # Made anew with other fields, as `configurable_fields` does, it is given the engine that it made before.
        models = tuple(each if isinstance(each, str) else id(each) for each in self.models or ())
        said = (self.verifier, self.timeout, self.max_retries, self.prices, self.max_concurrency, self.engine_settings)
        wanted = (models, self.log, id(self.space), *map(str, said))
        made = _made_for.get(self.engine) if self.engine is not None else None
        if self.engine is not None and made is None:
            refuse_parts(self)
        if self.engine is None or (made is not None and made != wanted):
            self.engine = engine_from(self)
            _made_for[self.engine] = wanted
            # The base class looked for the profile before there was an engine.
            self.profile = self._resolve_model_profile()
        self._take_habits()
        return self

    def _take_habits(self) -> None:
        """What all inner models do by themselves, so does this one: stream when they are invoked, keep a cache."""
        clients = [getattr(model, "client", None) for model in self._engine.models.values()]
        inner = [client for client in clients if isinstance(client, LangChainClient)]
        if not inner or len(inner) < len(clients):
            return
        if "streaming" not in self.model_fields_set and all(getattr(client.model, "streaming", False) for client in inner):
            self.streaming = True
        if self.cache is None and inner[0].cache is not None and all(client.cache is inner[0].cache for client in inner):
            self.cache = inner[0].cache

    def _resolve_model_profile(self) -> ModelProfile | None:
        """What all inner models can do."""
        if self.engine is None:
            return None
        clients = [getattr(model, "client", None) for model in self.engine.models.values()]
        profiles = [dict(client.model.profile or {}) for client in clients if isinstance(client, LangChainClient)]
        if len(profiles) < len(clients) or not all(profiles):
            return None
        return cast(ModelProfile, in_common(profiles))

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
        # The engine is no part of what is stored, but it decides what is answered.
        return f"{super()._get_llm_string(stop, **kwargs)}---{self._identifying_params}"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {
            "models": sorted(self._engine.models),
            "space": [str(configuration) for configuration in self._engine.space],
            "mode": list(self.mode) if isinstance(self.mode, Sequence) and not isinstance(self.mode, str) else self.mode,
            **self._settings(),
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
        """Ids that stand for tokens, about as many as a text has: which model reads it is not known yet, and no tokenizer is fetched."""
        return token_ids(text)

    def get_num_tokens(self, text: str) -> int:
        """About how many tokens a text is."""
        return len(token_ids(text))

    def invoke(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """As of every chat model."""
        return super().invoke(input, config, stop=stop, **_configured(config, kwargs))

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """As of every chat model."""
        return await super().ainvoke(input, config, stop=stop, **_configured(config, kwargs))

    def stream(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """As of every chat model: tokens where the configuration is plain, otherwise the steps that are agreed on."""
        yield from super().stream(input, config, stop=stop, **_configured(config, kwargs))

    async def astream(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """As of every chat model: tokens where the configuration is plain, otherwise the steps that are agreed on."""
        async for chunk in super().astream(input, config, stop=stop, **_configured(config, kwargs)):
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
        said: dict[str, Any] = {} if tool_choice is None else {"tool_choice": tool_choice}
        said |= kwargs
        self._check(lambda model: model.bind_tools(tools, **said), BaseChatModel.bind_tools)
        return self.bind(tools=OfferedTools(tools, [*said], kwargs.get("strict")), **said)

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
        return structured(self, StructuredOutput(schema, settings), self._inner(), include_raw=include_raw)

    def _inner(self) -> dict[str, BaseChatModel]:
        """The inner models that are of LangChain, by name."""
        clients = {name: getattr(model, "client", None) for name, model in self._engine.models.items()}
        return {name: client.model for name, client in clients.items() if isinstance(client, LangChainClient)}

    def _check(self, binding: Callable[[BaseChatModel], object], missing: object) -> None:
        """Have inner models say now what they would say of a binding with every call; one of them that takes it is enough."""
        inner = [model for model in self._inner().values() if type(model).bind_tools is not missing]
        refused: list[Exception] = []
        for model in inner:
            try:
                binding(model)
            except Exception as error:
                # Whatever it is, it would have come of the model alone as well.
                refused.append(error)
        if inner and len(refused) == len(inner):
            raise refused[0]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return DEFAULT_LOOP.run(lambda: self._result(messages, stop, kwargs, synchronous=True), isolated())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await asyncio.create_task(self._result(messages, stop, kwargs), context=isolated())

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for message in DEFAULT_LOOP.iterate(lambda: self._pieces(messages, stop, kwargs, synchronous=True), isolated()):
            chunk = ChatGenerationChunk(message=message, generation_info=_of_generation(message))
            if run_manager is not None:
                run_manager.on_llm_new_token(str(message.text), chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for message in self._pieces(messages, stop, kwargs):
            chunk = ChatGenerationChunk(message=message, generation_info=_of_generation(message))
            if run_manager is not None:
                await run_manager.on_llm_new_token(str(message.text), chunk=chunk)
            yield chunk

    async def _result(
        self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any], *, synchronous: bool = False
    ) -> ChatResult:
        asked, wanted = self._request(messages, stop, options, synchronous=synchronous)
        answer = await answered(self._engine, asked, wanted)
        message = message_of(answer, shortened(answer, asked.stop), asked)
        message.usage_metadata = usage_of(answer)
        message.response_metadata = metadata_of(answer)
        output, info = beside_message(answer, message.response_metadata, message.usage_metadata)
        return ChatResult(generations=[ChatGeneration(message=message, generation_info=info or None)], llm_output=output)

    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return combined(llm_outputs)

    async def _pieces(
        self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any], *, synchronous: bool = False
    ) -> AsyncIterator[AIMessageChunk]:
        """The answer in pieces as they come; the last one is empty and says what it cost."""
        asked, wanted = self._request(messages, stop, options, synchronous=synchronous, streaming=True)
        async for piece in chunks_of(asked, lambda **watch: answered(self._engine, asked, wanted, **watch)):
            yield piece

    def _request(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        options: Mapping[str, Any],
        *,
        synchronous: bool,
        streaming: bool = False,
    ) -> tuple[Conversation, dict[str, Any]]:
        """What is asked, and what this request says about how to answer it."""
        own, rest = divided(options)
        rest.pop("ls_structured_output_format", None)
        said, ends = {**self._settings(), **rest}, stop or self.stop or ()
        asked = conversation_of(messages, said, ends, synchronous=synchronous, streaming=streaming)
        return asked, request(self._engine, asked, own, self.mode, self.budget, self.deadline)

    def _settings(self) -> dict[str, Any]:
        return {name: value for name in SETTINGS if (value := getattr(self, name)) is not None}

    @property
    def _engine(self) -> UniScale:
        assert self.engine is not None
        return self.engine


def _of_generation(chunk: AIMessageChunk) -> dict[str, Any] | None:
    """What is told of a generation beside its chunk."""
    return {name: value for name, value in chunk.response_metadata.items() if name not in (KEY, *FORM)} or None


def as_generator(model: BaseChatModel | Generator | str, **settings: Any) -> Generator | str:
    """A chat model of LangChain as a generator; everything else as it is.

    Args:
        model: the model.
        settings: of the `ChatStepModel` around it, where it is one of LangChain.

    Raises:
        ConfigurationError: a chat model inside itself.
    """
    if isinstance(model, UniScaleChatModel):
        raise ConfigurationError(
            "a UniScaleChatModel cannot be one of the models that another one chooses from; give it those models"
        )
    return ChatStepModel(LangChainClient(model), **settings) if isinstance(model, BaseChatModel) else model


def _configured(config: RunnableConfig | None, options: dict[str, Any]) -> dict[str, Any]:
    """A call's options, those of its config among them; what was said nearer to the call counts."""
    configurable = ensure_config(config).get("configurable") or {}
    return {name: configurable[OURS + name] for name in PER_CALL if OURS + name in configurable} | options
