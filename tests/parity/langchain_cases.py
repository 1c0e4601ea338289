"""The calls that are made through LangChain, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import Runnable

from tests.parity.forms import OPENAI_TOOL, POINT, SCHEMAS, STRICT_POINT, TOOLS, WEB_SEARCH, Lookup, Solution, add
from tests.parity.langchain_clients import ANTHROPIC, CLIENTS, COMPLETIONS, OPENAI, Settings

QUESTION = "What is 2 + 2?"
IN_JSON = "What is 2 + 2? Answer in JSON."
NONSENSE = "Talk nonsense."
REFUSED = "Please refuse."
FILTERED = "Please be filtered."
CUT = "Please break off."
SPOKEN = "Answer in words."
BOTH = "What is the weather in both cities?"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ALL = tuple(CLIENTS)
FORMS = ("chat", "responses", "anthropic", "ollama")
"""Clients that are told of tools and forms each in its own way; the others are of the same classes."""


@dataclass(frozen=True)
class Case:
    """A call.

    Attributes:
        build: what is called, made of the model.
        input: of the call.
        options: of the call.
        settings: of the model.
        clients: to which it is made.
        refused: those of them where the bare model fails, be it that the client, the provider or a parser refuses.
        refused_whole: those of them where it fails unless it streams.
        refused_streamed: those of them where it fails only when it streams.
        instead: by client, where the client itself refuses the options because its API lacks them: settings of a model that does the same,
            which is what the engine asks for.
        searched: whether it is made under a search, too.
        rests: likewise.
        once: as of `AnyCase`.
    """

    build: Callable[[BaseChatModel], Runnable[Any, Any]] = lambda model: model
    input: Any = QUESTION
    options: Settings = field(default_factory=dict)
    settings: Settings = field(default_factory=dict)
    clients: tuple[str, ...] = ALL
    refused: tuple[str, ...] = ()
    refused_whole: tuple[str, ...] = ()
    refused_streamed: tuple[str, ...] = ()
    instead: Mapping[str, Settings] = field(default_factory=dict)
    searched: bool = True
    rests: bool = False
    once: bool = False

    @property
    def question(self) -> str:
        """The last text of the user."""
        if isinstance(self.input, str):
            return self.input
        users = [message for message in self.input if isinstance(message, HumanMessage)]
        content = users[-1].content if users else ""
        blocks = [content] if isinstance(content, str) else content
        texts = [block if isinstance(block, str) else str(block.get("text", "")) for block in blocks]
        return max(texts, key=len)


def _with_tools(model: BaseChatModel, tools: Any = TOOLS, **options: Any) -> Runnable[Any, Any]:
    return model.bind_tools(tools, **options)


def _structured(model: BaseChatModel, schema: Any, **options: Any) -> Runnable[Any, Any]:
    return model.with_structured_output(schema, **options)


def _bound(model: BaseChatModel, **options: Any) -> Runnable[Any, Any]:
    return model.bind(**options)


def tools(**options: Any) -> Callable[[BaseChatModel], Runnable[Any, Any]]:
    return partial(_with_tools, **options)


def structured(schema: Any, **options: Any) -> Callable[[BaseChatModel], Runnable[Any, Any]]:
    return partial(_structured, schema=schema, **options)


def bound(**options: Any) -> Callable[[BaseChatModel], Runnable[Any, Any]]:
    return partial(_bound, **options)


CALLED = AIMessage("", tool_calls=[{"name": "add", "args": {"a": 2, "b": 2}, "id": "call_add"}])
RESULT = ToolMessage("4", tool_call_id="call_add", name="add")
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
NAMED = {"type": "function", "function": {"name": "add"}}
FORM = {"type": "json_schema", "json_schema": {"name": "point", "schema": STRICT_POINT, "strict": True}}
LOOSE = {"type": "json_schema", "json_schema": {"name": "point", "schema": POINT, "strict": True}}

MESSAGES: Mapping[str, Case] = {
    "question": Case(),
    "long_answer": Case(input="Explain at length: what is 2 + 2?"),
    "empty_answer": Case(input="Say nothing."),
    "cut_answer": Case(input=CUT),
    "filtered_answer": Case(input=FILTERED),
    "refusal": Case(input=REFUSED),
    "system": Case(input=[SystemMessage("Be brief."), HumanMessage(QUESTION)]),
    "developer": Case(input=[ChatMessage(content="Be brief.", role="developer"), HumanMessage(QUESTION)], clients=OPENAI),
    "conversation": Case(input=[HumanMessage("Hello."), AIMessage("Hi! How are you?"), HumanMessage(QUESTION)]),
    "named_user": Case(input=[HumanMessage(QUESTION, name="ada")]),
    "text_blocks": Case(input=[HumanMessage([{"type": "text", "text": "Well. "}, {"type": "text", "text": QUESTION}])]),
    "picture": Case(input=[HumanMessage([{"type": "text", "text": QUESTION}, PICTURE])]),
    "picture_alone": Case(input=[HumanMessage([PICTURE])]),
    "standard_picture": Case(
        input=[HumanMessage([{"type": "text", "text": QUESTION}, {"type": "image", "base64": PIXEL, "mime_type": "image/png"}])]
    ),
    "input_image": Case(
        input=[HumanMessage([{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}])], clients=("responses",)
    ),
    "file": Case(
        input=[
            HumanMessage(
                [
                    {"type": "text", "text": QUESTION},
                    {"type": "file", "base64": "JVBERi0=", "mime_type": "application/pdf", "filename": "a.pdf"},
                ]
            )
        ],
        clients=(*OPENAI, *ANTHROPIC),
    ),
    "tool_result": Case(build=tools(), input=[HumanMessage(QUESTION), CALLED, RESULT]),
    "tool_result_without_tools": Case(input=[HumanMessage(QUESTION), CALLED, RESULT]),
    "tool_result_block": Case(
        build=tools(),
        input=[
            HumanMessage(QUESTION),
            CALLED,
            HumanMessage([{"type": "tool_result", "tool_use_id": "call_add", "content": "4"}]),
        ],
        clients=ANTHROPIC,
    ),
    "orphan_tool_result": Case(input=[HumanMessage(QUESTION), RESULT], refused=(*OPENAI, *ANTHROPIC)),
    "assistant_last": Case(input=[HumanMessage(QUESTION), AIMessage("Two and")], refused=("thinking",)),
    "reasoning_in_history": Case(
        input=[
            HumanMessage("Hello."),
            AIMessage(
                [
                    {"type": "reasoning", "id": "rs_0", "summary": [{"type": "summary_text", "text": "A greeting."}]},
                    {"type": "text", "text": "Hi!", "id": "msg_0", "annotations": []},
                ]
            ),
            HumanMessage(QUESTION),
        ],
        clients=("responses",),
    ),
    "thinking_in_history": Case(
        input=[
            HumanMessage("Hello."),
            AIMessage([{"type": "thinking", "thinking": "A greeting.", "signature": "s"}, {"type": "text", "text": "Hi!"}]),
            HumanMessage(QUESTION),
        ],
        clients=("thinking",),
    ),
    "empty_message": Case(input=[HumanMessage("")], refused=ANTHROPIC),
    "no_messages": Case(input=[], clients=(*OPENAI, *ANTHROPIC), refused=("chat", "reasoning", *ANTHROPIC), searched=False),
    "unauthorised": Case(input="You will be unauthorised.", refused=ALL, rests=True),
    "rate_limited": Case(input="You must wait.", refused=ALL, rests=True),
    "server_error": Case(input="You will fall over.", refused=ALL, rests=True),
}

SETTINGS: dict[str, Case] = {
    "own_temperature": Case(settings={"temperature": 0.7}, refused=("thinking",)),
    "own_temperature_zero": Case(settings={"temperature": 0.0}, refused=("thinking",)),
    "own_seed": Case(settings={"seed": 7}, clients=("chat", "reasoning", "server", "ollama")),
    "own_max_tokens": Case(settings={"max_tokens": 1500}, clients=(*OPENAI, "server", *ANTHROPIC)),
    "own_num_predict": Case(settings={"num_predict": 50}, clients=("ollama",)),
    "own_stop": Case(settings={"stop": ["four"]}, clients=(*OPENAI, "server", "ollama"), refused=("reasoning",)),
    "own_stop_sequences": Case(settings={"stop_sequences": ["four"]}, clients=ANTHROPIC),
    "own_logprobs": Case(settings={"logprobs": True}, clients=("chat", "server")),
    "own_model_kwargs": Case(settings={"model_kwargs": {"user": "ada"}}, clients=(*OPENAI, "server")),
    "own_extra_body": Case(settings={"extra_body": {"top_k": 5}}, clients=("chat", "server"), refused=("chat",)),
    "own_streaming": Case(settings={"streaming": True}),
    "own_disable_streaming": Case(settings={"disable_streaming": True}),
    "own_stream_usage": Case(settings={"stream_usage": True}, clients=("server",)),
    "own_effort": Case(settings={"reasoning_effort": "low"}, clients=("chat", "reasoning"), refused=("chat",)),
    "own_thinking": Case(settings={"reasoning": True}, clients=("ollama",)),
    "own_default_output": Case(settings={"output_version": "v1"}, clients=OPENAI),
    "stop": Case(options={"stop": ["four"]}, refused=("reasoning",)),
    "five_stops": Case(options={"stop": ["four", "five", "six", "seven", "eight"]}, refused=("chat", "reasoning")),
    "seed": Case(
        options={"seed": 7},
        refused=("responses", *ANTHROPIC, "ollama"),
        instead={"responses": {}, "anthropic": {}, "thinking": {}, "ollama": {"seed": 7}},
    ),
    "temperature": Case(
        options={"temperature": 0.5}, refused=("reasoning", "thinking", "ollama"), instead={"ollama": {"temperature": 0.5}}
    ),
    "temperature_zero": Case(
        options={"temperature": 0}, refused=("reasoning", "thinking", "ollama"), instead={"ollama": {"temperature": 0}}
    ),
    "max_tokens": Case(options={"max_tokens": 1500}, refused=("ollama",), instead={"ollama": {"num_predict": 1500}}),
    "max_completion_tokens": Case(options={"max_completion_tokens": 1500}, refused=(*ANTHROPIC, "ollama")),
    "top_p": Case(options={"top_p": 0.9}, refused=("reasoning", "ollama"), instead={"ollama": {"top_p": 0.9}}),
    "logprobs": Case(options={"logprobs": True, "top_logprobs": 2}, clients=("chat", "server", "ollama")),
    "metadata": Case(options={"metadata": {"topic": "sums"}}, clients=(*OPENAI, "server"), refused_whole=ALL),
    "bound_metadata": Case(build=bound(metadata={"user_id": "ada"}), clients=(*OPENAI, "server", *ANTHROPIC), refused_whole=ALL),
    "user": Case(options={"user": "ada"}, clients=(*OPENAI, "server")),
    "service_tier": Case(options={"service_tier": "flex"}, clients=OPENAI),
    "presence_penalty": Case(options={"presence_penalty": 0.5}, clients=OPENAI, refused=("reasoning", "responses")),
    "effort": Case(options={"reasoning_effort": "low"}, clients=OPENAI, refused=("chat", "responses")),
    "extra_body": Case(options={"extra_body": {"top_k": 5}}, clients=(*COMPLETIONS, "anthropic"), refused=("chat", "reasoning")),
    "extra_headers": Case(options={"extra_headers": {"x-test": "1"}}, clients=(*OPENAI, *ANTHROPIC)),
    "ollama_options": Case(options={"options": {"temperature": 0.3, "num_ctx": 512}}, clients=("ollama",)),
    "stream_usage": Case(options={"stream_usage": True}, clients=(*COMPLETIONS, *ANTHROPIC), refused_whole=ALL),
    "no_stream_usage": Case(options={"stream_usage": False}, clients=(*COMPLETIONS, *ANTHROPIC), refused_whole=ALL),
    "unknown_option": Case(options={"colour": "red"}, refused=ALL),
    "json_object": Case(
        input=IN_JSON, options={"response_format": {"type": "json_object"}}, clients=(*OPENAI, "server", "ollama")
    ),
    "json_object_unsaid": Case(options={"response_format": {"type": "json_object"}}, clients=OPENAI, refused=OPENAI),
    "response_format": Case(options={"response_format": FORM}),
    "response_format_refused": Case(options={"response_format": LOOSE}, clients=OPENAI, refused=OPENAI),
    "response_format_pydantic": Case(options={"response_format": Solution}, clients=(*OPENAI, "server")),
    "tool_choice_without_tools": Case(options={"tool_choice": "auto"}, clients=OPENAI, refused=OPENAI),
    "parallel_without_tools": Case(options={"parallel_tool_calls": False}, clients=OPENAI, refused=OPENAI),
}

CHOICES: Mapping[str, Any] = {
    "unset": None,
    "auto": "auto",
    "any": "any",
    "required": "required",
    "none": "none",
    "name": "add",
    "true": True,
    "openai_dict": NAMED,
    "anthropic_dict": {"type": "tool", "name": "add"},
    "unknown_name": "subtract",
}


CHOOSERS = (*FORMS, "thinking")


def _choices() -> Iterator[tuple[str, Case]]:
    for name, choice in CHOICES.items():
        given = {} if choice is None else {"tool_choice": choice}
        clients = {"openai_dict": ("chat", "responses"), "anthropic_dict": ANTHROPIC, "true": ("chat", "responses")}.get(
            name, CHOOSERS
        )
        yield f"tools_{name}", Case(build=tools(**given), clients=clients)


TOOL_CASES: dict[str, Case] = {
    **dict(_choices()),
    "tools_strict": Case(build=tools(strict=True), clients=FORMS),
    "tools_not_strict": Case(build=tools(strict=False), clients=FORMS),
    "tools_strict_any": Case(build=tools(strict=True, tool_choice="any"), clients=FORMS),
    "tools_not_parallel": Case(build=tools(parallel_tool_calls=False), input=BOTH, refused=("ollama",)),
    "tools_parallel": Case(build=tools(parallel_tool_calls=True), input=BOTH, refused=("ollama",)),
    "two_calls": Case(build=tools(), input=BOTH),
    "wrong_calls": Case(build=tools(), input=NONSENSE),
    "tool_of_pydantic": Case(build=tools(tools=[Lookup]), clients=FORMS),
    "tool_of_dict": Case(build=tools(tools=[OPENAI_TOOL]), clients=FORMS),
    "tool_of_dict_strict": Case(build=tools(tools=[OPENAI_TOOL], strict=True), clients=FORMS),
    "tool_with_system": Case(build=tools(), input=[SystemMessage("Use tools."), HumanMessage(QUESTION)]),
    "tools_bound_raw": Case(build=bound(tools=[OPENAI_TOOL]), clients=(*OPENAI, "server", "ollama")),
    "tools_with_stop": Case(build=tools(stop=["END"]), refused=("reasoning",)),
    "tools_response_format": Case(build=tools(tools=[add], response_format=Solution, strict=True), clients=(*OPENAI, "server")),
    "tools_response_format_form": Case(build=tools(tools=[add], response_format=FORM, strict=True), clients=(*OPENAI, "server")),
    "web_search": Case(build=tools(tools=[WEB_SEARCH["openai"]]), clients=OPENAI),
    "web_search_and_tool": Case(build=tools(tools=[WEB_SEARCH["openai"], add]), clients=OPENAI),
    "web_search_chosen": Case(build=tools(tools=[WEB_SEARCH["openai"]], tool_choice="web_search"), clients=OPENAI),
    "claude_web_search": Case(build=tools(tools=[WEB_SEARCH["anthropic"]]), clients=ANTHROPIC),
}


def _forms() -> Iterator[tuple[str, Case]]:
    for method in (None, "function_calling", "json_schema", "json_mode"):
        for kind, schema in SCHEMAS.items():
            for strict in (None, True, False):
                raw = (len(kind) + bool(strict)) % 2 == 0
                given: dict[str, Any] = {"include_raw": True} if raw else {}
                given |= {} if method is None else {"method": method}
                given |= {} if strict is None else {"strict": strict}
                name = "_".join([method or "default", kind, {None: "", True: "strict", False: "loose"}[strict]]).rstrip("_")
                asked = IN_JSON if method == "json_mode" else QUESTION
                clients = ALL if (kind, strict) == ("pydantic", None) else FORMS
                # The client says so, whatever the schema.
                refused = ("chat", "responses") if method == "json_mode" and strict is not None else ()
                once = strict is not None
                yield (
                    name,
                    Case(structured(schema, **given), asked, clients=clients, refused=refused, searched=not once, once=once),
                )


FORM_CASES: Mapping[str, Case] = {
    **dict(_forms()),
    "nonsense_form": Case(
        build=structured(Solution), input=NONSENSE, refused=(*OPENAI, "server"), refused_whole=(*ANTHROPIC, "ollama")
    ),
    "nonsense_form_raw": Case(build=structured(Solution, include_raw=True), input=NONSENSE, refused=(*OPENAI, "server")),
    "nonsense_form_calling": Case(build=structured(Solution, method="function_calling"), input=NONSENSE, refused_whole=ALL),
    "refused_form": Case(build=structured(Solution), input=REFUSED, refused=(*OPENAI, "server"), refused_whole=("ollama",)),
    "refused_form_raw": Case(build=structured(Solution, include_raw=True), input=REFUSED, refused_streamed=(*OPENAI, "server")),
    "filtered_form": Case(build=structured(Solution), input=FILTERED, refused=(*OPENAI, "server"), refused_whole=("ollama",)),
    "cut_form": Case(
        build=structured(Solution, method="json_schema"),
        input=CUT,
        refused=(*OPENAI, "server"),
        refused_whole=(*ANTHROPIC, "ollama"),
    ),
    "spoken_form": Case(build=structured(Solution, method="function_calling"), input=SPOKEN, refused=("thinking",)),
    "spoken_form_raw": Case(
        build=structured(Solution, method="function_calling", include_raw=True), input=SPOKEN, refused=("thinking",)
    ),
    "form_with_tools": Case(build=structured(Solution, tools=[add], strict=True), clients=OPENAI),
    "form_with_stop": Case(build=structured(Solution, stop=["END"]), clients=OPENAI, refused=("reasoning",)),
    "strict_schema": Case(build=structured(STRICT_POINT, strict=True)),
    "any_json": Case(build=structured(None, method="json_mode"), input=IN_JSON, clients=(*OPENAI, "server", "ollama")),
    "unknown_method": Case(build=structured(Solution, method="telepathy"), refused=ALL),
    "no_schema": Case(build=structured(None, method="json_schema"), refused=ALL),
}

UNSAID = {
    "tools": COMPLETIONS,
    "tool_choice": ("ollama",),
    "response_format": (*COMPLETIONS, *ANTHROPIC),
    "stop": (),
    "seed": ("responses", "ollama"),
    "temperature": ("ollama",),
    "max_tokens": (*ANTHROPIC, "ollama"),
    "top_p": ("ollama",),
    "user": ("ollama",),
    "extra_body": ("ollama",),
    "timeout": ("ollama",),
    "logprobs": ("responses",),
    "parallel_tool_calls": ("ollama",),
}
"""Options of which a call says that they are none, as programs do that hand on what they were given, and which models fail then."""

INSTEAD: Mapping[str, Mapping[str, Settings]] = {
    "seed": {"responses": {}, "ollama": {}},
    **{name: {"ollama": {}} for name in ("temperature", "max_tokens", "top_p")},
}
"""As of `Case`, of each of them."""

UNSAID_CASES: dict[str, Case] = {
    f"{name}_none": Case(options={name: None}, refused=refused, instead=INSTEAD.get(name, {})) for name, refused in UNSAID.items()
}

UNSAID_CASES["stream_options_none"] = Case(
    options={"stream_options": None}, clients=COMPLETIONS, refused=("chat", "reasoning"), refused_streamed=("server",)
)

LENGTHS: dict[str, Case] = {
    "no_tokens": Case(options={"max_tokens": 0}, clients=OPENAI, refused=OPENAI),
    "unlimited": Case(
        options={"max_tokens": -1}, refused=(*OPENAI, *ANTHROPIC, "ollama"), instead={"ollama": {"num_predict": -1}}
    ),
    "own_unlimited": Case(settings={"max_tokens": -1}, clients=(*OPENAI, "server"), refused=OPENAI),
    "own_num_predict_unlimited": Case(settings={"num_predict": -1}, clients=("ollama",)),
    "likeliest_tokens": Case(options={"top_p": 0}, refused=("ollama",), instead={"ollama": {"top_p": 0}}),
}
ONCE = {name: replace(case, once=True) for name, case in (SETTINGS | TOOL_CASES | UNSAID_CASES | LENGTHS).items()}

CASES: Mapping[str, Case] = {**MESSAGES, **ONCE, **FORM_CASES}
