"""`UniScaleLLM`: an LLM of LlamaIndex that decides, request by request, which model answers and how hard it searches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Self, cast

from llama_index.core.base.llms.generic_utils import messages_to_prompt as generic_messages_to_prompt
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM, ToolSelection, default_completion_to_prompt
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import BaseTool
from llama_index.core.types import Model, PydanticProgramMode
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.span import active_span_id
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from uniscale_integrations.adapters.call import answered, divided, request, weighing
from uniscale_integrations.adapters.parts import LEFT_OUT, engine_from, refuse_parts, with_settings
from uniscale_integrations.adapters.stamp import KEY, search_on, stamp
from uniscale_integrations.concurrency.loop import DEFAULT_LOOP
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.llama_index.calling import Completions, Prompt, completion_of
from uniscale_integrations.llama_index.client import LlamaIndexClient
from uniscale_integrations.llama_index.instrumentation import SPANS, Place, UniScaleDecisionEvent, abehind_objects, behind_objects
from uniscale_integrations.llama_index.judging import judged_by
from uniscale_integrations.llama_index.messages import conversation_of, response_of
from uniscale_integrations.llama_index.metadata import metadata_of
from uniscale_integrations.llama_index.offers import Offer
from uniscale_integrations.llama_index.quiet import isolated
from uniscale_integrations.llama_index.streaming import responses_of
from uniscale_integrations.llama_index.structured import aobjects, formatted, objects
from uniscale_integrations.llama_index.tool_calls import calls_by, calls_of, unreadable
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.policy.objective import weights
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Call, Conversation
from uniscale_integrations.search.ports import Generator
from uniscale_integrations.search.run import Answer
from uniscale_integrations.space import ConfigurationSpace

SETTINGS = ("temperature", "max_tokens", "top_p")
"""Fields that the inner models are asked with, where they are given and the model knows them."""

PROMPTING: Mapping[str, Any] = {
    "completion_to_prompt": default_completion_to_prompt,
    "messages_to_prompt": generic_messages_to_prompt,
    "query_wrapper_prompt": None,
    "output_parser": None,
    "pydantic_program_mode": PydanticProgramMode.DEFAULT,
}
"""Fields by which LlamaIndex fills in prompts and asks for objects, with what it puts there where nobody says anything."""

_log = logging.getLogger(__name__)

_dispatcher = get_dispatcher(__name__)


class UniScaleLLM(FunctionCallingLLM):
    """Which model answers, and how hard it searches, decided for every request and learned from feedback.

    Args:
        engine: what decides and learns; several LLMs, and chat models of LangChain, may share one.
        models: LLMs of LlamaIndex, generators, or names of local models, where there is no engine; the embedded family by default.
        log: address of the engine's log where there is no engine; likewise `verifier` and `space`.
        prices: of the models by name, in dollars per million tokens read and sampled. Without, costs are eFLOPs of the size that a model's
            name tells ("8b"), or of ten billion parameters.
        mode: "cost-sensitive", "balanced", "quality-first", or three weights; the engine's by default, which is "balanced" where it is
            made here.
        temperature: of the inner models, where given; likewise `max_tokens`, `top_p`, `timeout` and `max_retries`. Otherwise each is asked
            as it is set up, except that one whose temperature was left low draws at the engine's when its candidates compete.
        budget: what each request may spend: a `Budget`, or eFLOPs (dollars for models with a price).
        deadline: seconds that each request may take.
        max_concurrency: requests that each inner model is sent at once; no limit by default.
        api_key: of inner models that are given by their names, such as "openai:gpt-5-mini"; others bring their own.
        engine_settings: what else an engine takes, such as `mean_budget` and `store_queries`, may be given as if it were a field.

    A call may bring its own `mode`, `weights`, `budget` and `deadline` (seconds) beside its messages; `model` restricts it to the
    configurations of one model. Everything else that it says goes to the model that answers, as it is.

    Example:
        >>> llm = UniScaleLLM(models=["uniscale-0.3m"], mode="cost-sensitive")
        >>> response = llm.complete("What is 12 + 30 - 7?")
        >>> sorted(response.additional_kwargs["uniscale"])
        ['configuration', 'cut', 'decision_id', 'ledger', 'notes', 'score']
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    engine: UniScale | None = Field(default=None, exclude=True)
    models: Sequence[Any] | None = Field(default=None, exclude=True)
    log: str | None = Field(default=None, exclude=True, repr=False)
    verifier: Any = Field(default="auto", exclude=True)
    space: ConfigurationSpace | None = Field(default=None, exclude=True)
    prices: Mapping[str, tuple[float, float]] | None = None
    mode: str | Sequence[float] | None = None
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

    @model_validator(mode="before")
    @classmethod
    def _of_the_engine(cls, given: Any) -> Any:
        return with_settings(given, cls.model_fields)

    @model_validator(mode="after")
    def _with_engine(self) -> Self:
        if self.engine is not None:
            refuse_parts(self)
        if self.mode is not None:
            weights(weighing(self.mode))
        if self.engine is None:
            self.engine = engine_from(self)
            for name, default in LEFT_OUT.items():
                setattr(self, name, default)
        self._take_system_prompt()
        self._take_prompting()
        return self

    def _take_system_prompt(self) -> None:
        """LlamaIndex gives its prompt to whom it asks; what the inner LLMs say of theirs it does not see."""
        clients = [getattr(model, "client", None) for model in self._engine.models.values()]
        prompts = {client.llm.system_prompt for client in clients if isinstance(client, LlamaIndexClient)}
        if self.system_prompt is None and prompts != {None} and len(prompts) == 1:
            self.system_prompt = prompts.pop()
        elif prompts - {None, self.system_prompt}:
            _log.warning("the inner LLMs have system prompts of their own, which are not used; give the UniScaleLLM one")

    def _take_prompting(self) -> None:
        """Whoever fills in a prompt does it by what the LLM says that it is given; where all inner ones say the same, so does this one."""
        inner = list(self._inner().values())
        for name, default in PROMPTING.items():
            own = [getattr(llm, name) for llm in inner]
            if getattr(self, name) == default and own and all(each is own[0] or each == own[0] for each in own):
                setattr(self, name, own[0])
            elif any(each is not None and each != getattr(self, name) and each != default for each in own):
                _log.warning("the inner LLMs differ in %s, and none is used; give the UniScaleLLM one", name)

    def _inner(self) -> dict[str, LLM]:
        """The inner LLMs that are of LlamaIndex, by name."""
        clients = {name: getattr(model, "client", None) for name, model in self._engine.models.items()}
        return {name: client.llm for name, client in clients.items() if isinstance(client, LlamaIndexClient)}

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
        if kwargs.get("engine") is None and kwargs.get("models") is None:
            raise ConfigurationError(
                "what was stored of a UniScaleLLM are its settings; give the engine as well, or models to make one of"
            )
        return super().from_dict({name: value for name, value in data.items() if name != "engine"}, **kwargs)

    @model_serializer(mode="wrap")
    def custom_model_dump(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        """Its settings with the names of what it chooses from, by which LlamaIndex tells it from others, also within another component."""
        space = [str(configuration) for configuration in self._engine.space]
        return {**handler(self), "class_name": self.class_name(), "engine": {"models": list(self._engine.models), "space": space}}

    def __getstate__(self) -> dict[str, Any]:
        # What holds it would lose it, if it could not be pickled at all; so its settings go, and who reads them is told.
        return {"settings": self.to_dict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise TypeError(
            "a UniScaleLLM holds models and an open log, which stay in their process; make one in each, on the same log"
        )

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        # Settings of its own around the same engine, which is there to be shared.
        return self.model_copy()

    @property
    def model_name(self) -> str:
        """The names of the inner models, in one."""
        return "+".join(self._engine.models)

    @property
    def metadata(self) -> LLMMetadata:
        """What all models can do together: the smallest limits, and tools where all take them."""
        return metadata_of(self._engine.models, self.max_tokens)

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
            told = Completions()
            for response in responses:
                yield told.of(response)
            told.end()

        return stream()

    @llm_completion_callback()
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """As of every LLM; the model that answers completes the prompt as it is."""
        responses = await self._astream_chat(self._prompt(prompt, formatted), **kwargs)

        async def stream() -> CompletionResponseAsyncGen:
            told = Completions()
            async with aclosing(responses):
                async for response in responses:
                    yield told.of(response)
            told.end()

        return stream()

    def structured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Model:
        """As of every LLM; by a `response_format` where all models that may answer would ask for it so."""
        form = self._form(output_cls, llm_kwargs)
        if form is None:
            made: Model = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return made
        response = self.chat(self._extend_messages(prompt.format_messages(**prompt_args)), **form)
        return output_cls.model_validate_json(str(response.message.content))

    async def astructured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Model:
        """As of every LLM; by a `response_format` where all models that may answer would ask for it so."""
        form = self._form(output_cls, llm_kwargs)
        if form is None:
            made: Model = await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return made
        response = await self.achat(self._extend_messages(prompt.format_messages(**prompt_args)), **form)
        return output_cls.model_validate_json(str(response.message.content))

    def stream_structured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        """As of every LLM; feedback may be about the last object."""
        return behind_objects(iter(super().stream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)))

    async def astream_structured_predict(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        """As of every LLM; feedback may be about the last object."""
        return abehind_objects(aiter(await super().astream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)))

    def _structured_stream_call(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> Any:
        form = self._form(output_cls, llm_kwargs)
        if form is None:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return objects(self.stream_chat(self._extend_messages(prompt.format_messages(**prompt_args)), **form), output_cls)

    async def _structured_astream_call(
        self, output_cls: type[Model], prompt: PromptTemplate, llm_kwargs: dict[str, Any] | None = None, **prompt_args: Any
    ) -> AsyncGenerator[Any, None]:
        form = self._form(output_cls, llm_kwargs)
        if form is None:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        responses = await self.astream_chat(self._extend_messages(prompt.format_messages(**prompt_args)), **form)
        return aobjects(responses, output_cls)

    def _form(self, output_cls: type[BaseModel], llm_kwargs: Mapping[str, Any] | None) -> dict[str, Any] | None:
        inner, by_default = self._inner(), self.pydantic_program_mode is PydanticProgramMode.DEFAULT
        return (
            formatted(inner.values(), llm_kwargs, output_cls) if by_default and len(inner) == len(self._engine.models) else None
        )

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The tools that a response calls, as the LLM that gave it reads them.

        Arguments that nobody can read are empty, which the tool will complain of to the model; `logging` tells what they were.

        Raises:
            ValueError: it calls none, unless that is no error.
            Exception: what the LLM that gave the response raised.
        """
        reads = getattr(self._answering(response), "get_tool_calls_from_response", None)
        calls = self._calls(response) if reads is None else calls_of(response.message)
        # What is still being streamed cannot all be read yet.
        if KEY in response.additional_kwargs and (wrong := unreadable(calls)) is not None:
            _log.warning("%s", wrong)
        if reads is not None:
            selected: list[ToolSelection] = reads(response, error_on_no_tool_call=error_on_no_tool_call, **kwargs)
            return selected
        if not calls and error_on_no_tool_call:
            raise ValueError(f"Expected at least one tool call, but got {len(calls)} tool calls.")
        return [
            ToolSelection(tool_id=call.id, tool_name=call.name, tool_kwargs={} if unreadable([call]) else dict(call.arguments))
            for call in calls
        ]

    def _calls(self, response: ChatResponse) -> tuple[Call, ...]:
        answered_by = self._answering(response)
        if answered_by is not None:
            return calls_by(answered_by, response)
        if calls := calls_of(response.message):
            return calls
        # A piece of a stream does not say whose it is.
        kinds = {type(llm): llm for llm in self._inner().values()}
        return next((calls for llm in kinds.values() if (calls := calls_by(llm, response))), ())

    def _answering(self, response: ChatResponse) -> LLM | None:
        """The inner LLM that gave a response, where it is one of LlamaIndex and the response says so."""
        found = search_on(response.additional_kwargs) or search_on(response.message.additional_kwargs)
        return self._inner().get(found[0].model) if found is not None else None

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
        """What `chat` takes for a call with tools; the LLM that answers prepares it for its API with the same arguments."""
        asked = ChatMessage(role=MessageRole.USER, content=user_msg) if isinstance(user_msg, str) else user_msg
        messages = [*(chat_history or ()), *([asked] if asked is not None else ())]
        arguments: dict[str, Any] = {"allow_parallel_tool_calls": allow_parallel_tool_calls, "tool_required": tool_required}
        if tool_choice is not None:
            arguments["tool_choice"] = tool_choice
        return {"messages": messages, "tools": Offer(tools or (), arguments), **kwargs}

    def _validate_chat_with_tools_response(
        self, response: ChatResponse, tools: Sequence[BaseTool], allow_parallel_tool_calls: bool = False, **kwargs: Any
    ) -> ChatResponse:
        inner = self._answering(response)
        if isinstance(inner, FunctionCallingLLM):
            more = {"allow_parallel_tool_calls": allow_parallel_tool_calls, **kwargs}
            return inner._validate_chat_with_tools_response(response, tools, **more)
        if not allow_parallel_tool_calls:
            message = response.message
            first = next((place for place, block in enumerate(message.blocks) if isinstance(block, ToolCallBlock)), None)
            message.blocks = [
                block for place, block in enumerate(message.blocks) if place == first or not isinstance(block, ToolCallBlock)
            ]
            if message.additional_kwargs.get("tool_calls"):
                message.additional_kwargs["tool_calls"] = message.additional_kwargs["tool_calls"][:1]
        return response

    def _chat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
        asked, wanted = self._request(messages, options, synchronous=True)
        place = Place.here()
        answer = DEFAULT_LOOP.run(lambda: self._answered(asked, wanted, place), isolated())
        self._tell(answer, place)
        return response_of(answer, asked)

    async def _achat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponse:
        asked, wanted = self._request(messages, options)
        place = Place.here()
        answer = await asyncio.create_task(self._answered(asked, wanted, place), context=isolated())
        self._tell(answer, place)
        return response_of(answer, asked)

    def _stream_chat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponseGen:
        asked, wanted = self._request(messages, options, synchronous=True, streaming=True)
        place, context = Place.here(), isolated()

        def stream() -> ChatResponseGen:
            for response, answer in DEFAULT_LOOP.iterate(lambda: self._responses(asked, wanted, place), context):
                self._tell(answer, place)
                if response is not None:
                    yield response

        return stream()

    async def _astream_chat(self, messages: Sequence[ChatMessage], **options: Any) -> ChatResponseAsyncGen:
        asked, wanted = self._request(messages, options, streaming=True)
        place = Place.here()

        async def stream() -> ChatResponseAsyncGen:
            async for response, answer in self._responses(asked, wanted, place):
                self._tell(answer, place)
                if response is not None:
                    yield response

        return stream()

    def _responses(
        self, asked: Conversation, wanted: Mapping[str, Any], place: Place
    ) -> AsyncIterator[tuple[ChatResponse | None, Answer | None]]:
        return responses_of(asked, lambda **watch: self._answered(asked, wanted, place, **watch))

    def _prompt(self, prompt: str, formatted: bool) -> Prompt:
        """A prompt for the model that answers, which has a template of its own; unless this LLM was given another one."""
        own = {default_completion_to_prompt, None, *(llm.completion_to_prompt for llm in self._inner().values())}
        if formatted or self.completion_to_prompt is None or self.completion_to_prompt in own:
            return Prompt(prompt, formatted)
        return Prompt(self.completion_to_prompt(prompt), True)

    def _request(
        self, messages: Sequence[ChatMessage], options: Mapping[str, Any], *, synchronous: bool = False, streaming: bool = False
    ) -> tuple[Conversation, dict[str, Any]]:
        """What is asked, and what this request says about how to answer it."""
        own, rest = divided(options)
        stop = rest.get("stop") or ()
        if not isinstance(stop, (str, list, tuple)):
            raise ConfigurationError(f"stop must be a text or a list of texts, got {stop!r}")
        settings = {name: value for name in SETTINGS if (value := getattr(self, name)) is not None}
        span = active_span_id.get()
        about = None if span is None else SPANS.about(span)
        ends = (stop,) if isinstance(stop, str) else stop
        asked = conversation_of(messages, rest, ends, about, settings=settings, synchronous=synchronous, streaming=streaming)
        return asked, request(self._engine, asked, own, self.mode, self.budget, self.deadline)

    async def _answered(self, asked: Conversation, wanted: Mapping[str, Any], place: Place, **watch: Any) -> Answer:
        answer = await answered(self._engine, asked, wanted, **watch)
        if answer.decision_id is not None:
            # At once: who reads a stream may have read enough before its last piece.
            place.note(answer.decision_id)
        return answer

    def _tell(self, answer: Answer | None, place: Place) -> None:
        """Tell everybody of the decision behind an answer, once it is there."""
        if answer is not None and answer.decision_id is not None:
            judged_by(self._engine, answer.decision_id)
            _dispatcher.event(
                UniScaleDecisionEvent(
                    decision_id=answer.decision_id,
                    configuration=stamp(answer)["configuration"],
                    score=answer.score,
                    cost=self._engine.cost(answer),
                    seconds=answer.ledger.seconds,
                    span_id=place.span_id,
                    tags=dict(place.tags),
                )
            )

    @property
    def _engine(self) -> UniScale:
        assert self.engine is not None
        return self.engine


def as_generator(model: LLM, **settings: Any) -> Generator:
    """An LLM of LlamaIndex as a generator.

    Args:
        model: the LLM.
        settings: of the `ChatStepModel` around it.

    Raises:
        ConfigurationError: a `UniScaleLLM` inside itself.
    """
    if isinstance(model, UniScaleLLM):
        raise ConfigurationError("a UniScaleLLM cannot be one of the models that another one chooses from; give it those models")
    return cast(Generator, ChatStepModel(LlamaIndexClient(model), **settings))
