"""`UniScaleChatModel`: a chat model of LangChain that decides, request by request, which model answers and how hard it searches."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import AliasChoices, ConfigDict, Field, SecretStr, model_validator

from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError, SearchFailed
from uniscale_integrations.langchain.client import LangChainClient
from uniscale_integrations.langchain.isolation import isolated
from uniscale_integrations.langchain.loop import SHARED
from uniscale_integrations.langchain.messages import conversation_of, described, message_of, usage_of
from uniscale_integrations.langchain.structured import structured
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.search.agreed import Agreed
from uniscale_integrations.search.beam import BeamSearch
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation
from uniscale_integrations.search.ports import Generator
from uniscale_integrations.search.run import Answer

PER_CALL = ("mode", "weights", "budget", "deadline")
"""What a call may bring along, by `bind` or under `configurable` in its config."""

SETTINGS = ("temperature", "max_tokens", "top_p")
"""Fields that the inner models are asked with, where they are given and the model knows them."""


class UniScaleChatModel(BaseChatModel):
    """Which model answers, and how hard it searches, decided for every request and learned from feedback.

    Args:
        engine: what decides and learns; several chat models may share one.
        models: chat models of LangChain, generators, or names of local models, where there is no engine; the embedded family by default.
        mode: "cost-sensitive", "balanced", "quality-first", or three weights.
        temperature: of the inner models, where given; likewise `max_tokens`, `top_p`, `timeout`, `max_retries` and `stop`.
        budget: what each request may spend: a `Budget`, or eFLOPs (dollars for models with a price).
        streaming: whether `invoke` streams the inner model's answer.

    A call may bring its own `mode`, `weights`, `budget` and `deadline` (seconds), by `bind` or under `configurable` in its config.

    Example:
        >>> model = UniScaleChatModel(models=["uniscale-0.3m"], mode="cost-sensitive")
        >>> message = model.invoke("What is 12 + 30 - 7?")
        >>> sorted(message.response_metadata["uniscale"])
        ['configuration', 'cut', 'decision_id', 'ledger', 'notes', 'score']
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)

    engine: UniScale | None = Field(default=None, exclude=True)
    models: Sequence[Any] | None = None
    mode: str | Sequence[float] = "balanced"
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = Field(default=None, validation_alias=AliasChoices("max_tokens", "max_completion_tokens"))
    timeout: float | None = Field(default=None, validation_alias=AliasChoices("timeout", "request_timeout"))
    stop: Sequence[str] | None = Field(default=None, validation_alias=AliasChoices("stop", "stop_sequences"))
    max_retries: int | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True)
    streaming: bool = False
    budget: Budget | float | None = None
    cache: Any = False

    @model_validator(mode="after")
    def _with_engine(self) -> Self:
        if self.engine is None:
            limits: dict[str, Any] = {"timeout": self.timeout, "retries": self.max_retries or 0}
            models = None if self.models is None else _named([as_generator(model, **limits) for model in self.models])
            self.engine = UniScale(models, mode=_mode(self.mode))
        return self

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

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {
            "models": sorted(self._engine.models),
            "space": [str(configuration) for configuration in self._engine.space],
            "mode": list(self.mode) if not isinstance(self.mode, str) else self.mode,
            **self._settings(),
        }

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "uniscale"
        params["ls_model_name"] = kwargs.get("model") or "+".join(self._engine.models)
        return params

    def get_num_tokens(self, text: str) -> int:
        """About how many tokens a text is, a quarter of its characters: which model is going to read it is not known yet."""
        return len(text) // 4 + 1

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
        made = [convert_to_openai_tool(tool, strict=kwargs.get("strict")) for tool in tools]
        choice = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=made, **choice, **kwargs)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, method: str = "function_calling", **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | Any]:
        """Answers in a form, as of every chat model.

        Args:
            schema: a pydantic class, a typed dict, or a JSON schema.
            include_raw: whether to give the message and what went wrong in parsing it, too.
            method: "function_calling", "json_schema" or "json_mode".
            kwargs: `strict`.

        Raises:
            ConfigurationError: no such method.
        """
        if method == "function_calling":
            strict = kwargs.pop("strict", None)
            bound = self if strict is None else self.bind(strict=strict)
            if bound is self:
                return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
            return structured(self, schema, method=method, include_raw=include_raw, strict=strict)
        return structured(self, schema, method=method, include_raw=include_raw, **kwargs)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> ChatResult:
        return SHARED.run(lambda: self._result(messages, stop, kwargs), isolated())

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await asyncio.create_task(self._result(messages, stop, kwargs), context=isolated())

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for message in SHARED.iterate(lambda: self._pieces(messages, stop, kwargs), isolated()):
            chunk = ChatGenerationChunk(message=message)
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
            chunk = ChatGenerationChunk(message=message)
            if run_manager is not None:
                await run_manager.on_llm_new_token(str(message.text), chunk=chunk)
            yield chunk

    async def _result(self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]) -> ChatResult:
        asked, request = self._request(messages, stop, options)
        answer = await self._answered(asked, request)
        message = message_of(answer, _until(answer.text, asked.stop))
        message.usage_metadata = usage_of(answer)
        message.response_metadata = _told(answer)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _pieces(self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]) -> AsyncIterator[AIMessageChunk]:
        """The answer in pieces as they come; the last one is empty and says what it cost."""
        asked, request = self._request(messages, stop, options)
        pieces: asyncio.Queue[AIMessageChunk | None] = asyncio.Queue()
        agreed, told = Agreed(), ""

        def observe(search: BeamSearch) -> None:
            steps = "".join(agreed.new(search))
            if steps and not search.configuration.plain and not asked.whole:
                pieces.put_nowait(AIMessageChunk(content=steps))

        def emit(chunk: AIMessageChunk) -> None:
            # What it cost and where it comes from is said once, of the whole.
            plain = chunk.model_copy(update={"id": None, "usage_metadata": None, "response_metadata": {}, "chunk_position": None})
            if plain.content or plain.tool_call_chunks or plain.additional_kwargs:
                pieces.put_nowait(plain)

        work = asyncio.create_task(self._answered(asked, request, observe=observe, emit=emit), context=isolated())
        work.add_done_callback(lambda _: pieces.put_nowait(None))
        native = False
        try:
            while (piece := await pieces.get()) is not None:
                native = native or bool(piece.tool_call_chunks)
                piece = _shortened(piece, told, asked.stop)
                told += str(piece.text)
                yield piece
            answer = await work
            for piece in _rest(answer, _until(answer.text, asked.stop), told, native):
                yield piece
            yield _closing(answer)
        finally:
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

    async def _answered(self, asked: Conversation, request: Mapping[str, Any], **watch: Any) -> Answer:
        try:
            return await self._engine.arun(asked, **request, **watch)
        except SearchFailed as error:
            # Who handles a provider's errors expects those.
            if error.errors:
                raise error.errors[0] from error
            raise

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, options: Mapping[str, Any]
    ) -> tuple[Conversation, dict[str, Any]]:
        """What is asked, and what this request says about how to answer it."""
        own = {name: options[name] for name in PER_CALL if options.get(name) is not None}
        rest = {name: value for name, value in options.items() if name not in PER_CALL and name != "ls_structured_output_format"}
        asked = conversation_of(messages, {**self._settings(), **rest}, stop or self.stop or ())
        mode = own.get("weights", own.get("mode", self.mode))
        budget = self._budget(own.get("budget", self.budget), own.get("deadline"))
        said = {name: asked.options.get(name) for name in ("temperature", "top_p")}
        drawn: dict[str, Any] = {name: float(value) for name, value in said.items() if value is not None}
        sampling = replace(self._engine.sampling, **drawn) if drawn else None
        return asked, {"mode": _mode(mode), "budget": budget, "sampling": sampling}

    def _budget(self, budget: Budget | float | None, deadline: float | None) -> Budget:
        if isinstance(budget, Budget):
            found = budget
        elif budget is None:
            found = Budget()
        else:
            found = Budget(**{"usd" if self._engine.in_dollars else "eflops": float(budget)})
        return found if deadline is None else Budget(found.eflops, found.usd, found.tokens, float(deadline))

    def _settings(self) -> dict[str, Any]:
        return {name: value for name in SETTINGS if (value := getattr(self, name)) is not None}

    @property
    def _engine(self) -> UniScale:
        assert self.engine is not None
        return self.engine


def as_generator(model: BaseChatModel | Generator | str, **settings: Any) -> Generator | str:
    """A chat model of LangChain as a generator; generators and names of local models as they are.

    Args:
        model: the model.
        settings: of the `ChatStepModel` around it, where it is one of LangChain.

    Raises:
        ConfigurationError: a chat model inside itself.
    """
    if isinstance(model, UniScaleChatModel):
        raise ConfigurationError("a UniScaleChatModel cannot be one of the models that another one chooses from; give it those models")
    return ChatStepModel(LangChainClient(model), **settings) if isinstance(model, BaseChatModel) else model


def _named(models: Sequence[Generator | str]) -> list[Generator | str]:
    """The models, those of LangChain that have the same name told apart by a number: one model may well be there with several settings."""
    seen: Counter[str] = Counter()
    for model in models:
        if isinstance(model, ChatStepModel):
            seen[model.name] += 1
            if seen[model.name] > 1:
                model.name = f"{model.name}#{seen[model.name]}"
    return list(models)


def _configured(config: RunnableConfig | None, options: dict[str, Any]) -> dict[str, Any]:
    """A call's options, those of its config among them; what was said nearer to the call counts."""
    configurable = ensure_config(config).get("configurable") or {}
    return {name: configurable[name] for name in PER_CALL if name in configurable} | options


def _mode(mode: str | Sequence[float]) -> Any:
    return mode if isinstance(mode, str) else tuple(mode)


def _until(text: str, stop: Sequence[str]) -> str:
    """The text up to the first of those that end it; models of this process do not know them."""
    ends = [place for end in stop if end and (place := text.find(end)) >= 0]
    return text[: min(ends)] if ends else text


def _shortened(piece: AIMessageChunk, told: str, stop: Sequence[str]) -> AIMessageChunk:
    """A piece without what lies behind a text that ends the answer."""
    if not stop or not isinstance(piece.content, str):
        return piece
    whole = _until(told + piece.content, stop)
    return piece if len(whole) == len(told) + len(piece.content) else AIMessageChunk(content=whole[len(told) :])


def _rest(answer: Answer, text: str, told: str, native: bool) -> Iterator[AIMessageChunk]:
    """What has not been told of an answer yet."""
    message = message_of(answer, text)
    if message.tool_calls:
        if not native:
            calls = [
                tool_call_chunk(name=call["name"], args=json.dumps(call["args"], ensure_ascii=False), id=call["id"], index=place)
                for place, call in enumerate(message.tool_calls)
            ]
            yield AIMessageChunk(content="" if told else message.content, tool_call_chunks=calls)
        return
    said = str(message.text)
    if said.startswith(told):
        if len(said) > len(told):
            yield AIMessageChunk(content=said[len(told) :])
    else:
        # A search that a budget ended may fall back on a path that nothing had been shown of.
        yield AIMessageChunk(content=f"\n\n{said}")


def _closing(answer: Answer) -> AIMessageChunk:
    return AIMessageChunk(content="", usage_metadata=usage_of(answer), response_metadata=_told(answer), chunk_position="last")


def _told(answer: Answer) -> dict[str, Any]:
    """What the provider told of its answer, and how that came about."""
    inner = answer.payload.response_metadata if isinstance(answer.payload, AIMessage) else {}
    return {"model_name": answer.configuration.model, **inner, "uniscale": described(answer)}
