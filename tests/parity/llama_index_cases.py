"""The calls that are made through LlamaIndex, as data."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llama_index.core import PromptTemplate
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock, ToolCallBlock
from llama_index.core.tools import FunctionTool

from tests.parity.comparison import Settings
from tests.parity.forms import STRICT_POINT, Solution
from tests.parity.langchain_cases import BOTH, CUT, FILTERED, NONSENSE, PIXEL, QUESTION, REFUSED
from tests.parity.llama_index_clients import CHAT, CLIENTS, RESPONSES

ALL = tuple(CLIENTS)


@dataclass(frozen=True)
class Case:
    """A call.

    Attributes:
        method: its name in the synchronous form that gives a whole answer.
        arguments: of the call.
        options: of the call.
        settings: of the LLM.
        clients: to which it is made.
        instead: by client, where the client itself refuses the options because its API lacks them: settings of an LLM that does the same,
            which is what the engine asks for.
        refused: as of `AnyCase`, like the others.
        question: the user's.
    """

    method: str = "chat"
    arguments: tuple[Any, ...] = ()
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
    question: str = QUESTION


def user(text: str) -> list[ChatMessage]:
    return [ChatMessage(text)]


def chat(text: str = QUESTION, **more: Any) -> Case:
    return Case("chat", (user(text),), question=text, **more)


def messages(*given: ChatMessage, **more: Any) -> Case:
    return Case("chat", (list(given),), **more)


def complete(text: str = QUESTION, **more: Any) -> Case:
    return Case("complete", (text,), question=text, **more)


def with_tools(text: str = QUESTION, options: Mapping[str, Any] | None = None, **more: Any) -> Case:
    return Case("chat_with_tools", (TOOLS, text), options=options or {}, question=text, **{"clients": CHAT, **more})


def structured(text: str = QUESTION, options: Mapping[str, Any] | None = None, **more: Any) -> Case:
    return Case("structured_predict", (Solution, PromptTemplate(text)), options=options or {}, question=text, **more)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def weather(city: str, unit: str = "C") -> str:
    """The weather in a city."""
    return f"20 {unit} in {city}"


TOOLS = [FunctionTool.from_defaults(weather), FunctionTool.from_defaults(add)]
OFFICIAL = ("openai", "reasoning", *RESPONSES)
COMPLETIONS = ("openai", "reasoning", "like", "completion")
FORMS = ("openai", "reasoning", "like")
"""Clients that ask for objects through `chat`."""

LACKED: Mapping[str, Settings] = {client: {} for client in RESPONSES}
LENGTHS: Mapping[str, Settings] = {client: {"max_output_tokens": 1500} for client in RESPONSES}
CALLED = ChatMessage(
    role=MessageRole.ASSISTANT, blocks=[ToolCallBlock(tool_call_id="call_add", tool_name="add", tool_kwargs={"a": 2, "b": 2})]
)
RESULT = ChatMessage("4", role=MessageRole.TOOL, additional_kwargs={"tool_call_id": "call_add"})
SYSTEM = ChatMessage("Be brief.", role=MessageRole.SYSTEM)
PICTURE = ImageBlock(image=base64.b64decode(PIXEL), image_mimetype="image/png")
TEXT_FORM = {"type": "json_schema", "name": "point", "schema": STRICT_POINT, "strict": True}
FORM = {"type": "json_schema", "json_schema": {"name": "point", "schema": STRICT_POINT, "strict": True}}

MESSAGES: Mapping[str, Case] = {
    "question": chat(),
    "long_answer": chat("Explain at length: what is 2 + 2?"),
    "empty_answer": chat("Say nothing."),
    "cut_answer": chat(CUT),
    "filtered_answer": chat(FILTERED),
    "refusal": chat(REFUSED),
    "empty_message": chat(""),
    "system": messages(SYSTEM, *user(QUESTION)),
    "developer": messages(ChatMessage("Be brief.", role=MessageRole.DEVELOPER), *user(QUESTION), clients=CHAT),
    "conversation": messages(*user("Hello."), ChatMessage("Hi!", role=MessageRole.ASSISTANT), *user(QUESTION)),
    "text_blocks": messages(ChatMessage(role=MessageRole.USER, blocks=[TextBlock(text="Well. "), TextBlock(text=QUESTION)])),
    "picture": messages(ChatMessage(role=MessageRole.USER, blocks=[TextBlock(text=QUESTION), PICTURE]), clients=CHAT),
    "tool_result": messages(*user(QUESTION), CALLED, RESULT, clients=CHAT),
    "orphan_tool_result": messages(*user(QUESTION), RESULT, clients=CHAT, refused=("openai", "reasoning")),
    "unauthorised": chat("You will be unauthorised.", refused=ALL, rests=True),
    "rate_limited": chat("You must wait.", refused=ALL, rests=True),
    "server_error": chat("You will fall over.", refused=ALL, rests=True),
    "complete": complete(),
    "complete_long": complete("Explain at length: what is 2 + 2?"),
    "complete_empty": complete(""),
    "complete_formatted": complete(options={"formatted": True}),
    "complete_nothing": complete("Say nothing."),
    "complete_cut": complete(CUT),
    "complete_rate_limited": complete("You must wait.", refused=ALL, rests=True),
}

SETTINGS: dict[str, Case] = {
    "own_temperature": chat(settings={"temperature": 0.7}),
    "own_temperature_zero": chat(settings={"temperature": 0.0}),
    "own_max_tokens": chat(settings={"max_tokens": 1500}, clients=COMPLETIONS),
    "own_max_output_tokens": chat(settings={"max_output_tokens": 1500}, clients=RESPONSES),
    "own_seed": chat(settings={"additional_kwargs": {"seed": 7}}, refused=RESPONSES),
    "own_stop": chat(settings={"additional_kwargs": {"stop": ["four"]}}, refused=("reasoning", *RESPONSES)),
    "own_user": chat(settings={"additional_kwargs": {"user": "ada"}}),
    "own_logprobs": chat(settings={"logprobs": True, "top_logprobs": 1}, clients=("openai", "like", "completion")),
    "own_effort": chat(settings={"reasoning_effort": "low"}, clients=("openai", "reasoning")),
    "own_system_prompt": chat(settings={"system_prompt": "Be brief."}),
    "own_completion_prompt": complete(settings={"completion_to_prompt": "<s>{}".format}, clients=("like", "completion")),
    "stop": chat(options={"stop": ["four"]}, refused=("reasoning", *RESPONSES)),
    "five_stops": chat(options={"stop": ["four", "five", "six", "seven", "eight"]}, refused=OFFICIAL),
    "seed": chat(options={"seed": 7}, refused=RESPONSES, instead=LACKED),
    "temperature": chat(options={"temperature": 0.5}, refused=("reasoning", "thinking")),
    "temperature_zero": chat(options={"temperature": 0}, refused=("reasoning", "thinking")),
    "max_tokens": chat(options={"max_tokens": 1500}, refused=RESPONSES, instead=LENGTHS),
    "max_output_tokens": chat(options={"max_output_tokens": 1500}, clients=RESPONSES),
    "max_completion_tokens": chat(options={"max_completion_tokens": 1500}, clients=("openai", "reasoning")),
    "top_p": chat(options={"top_p": 0.9}, refused=("reasoning",)),
    "user": chat(options={"user": "ada"}),
    "metadata": chat(options={"metadata": {"topic": "sums"}}, clients=CHAT),
    "extra_body": chat(options={"extra_body": {"top_k": 5}}, refused=OFFICIAL),
    "stream_options": chat(options={"stream_options": {"include_usage": True}}),
    "unknown_option": chat(options={"colour": "red"}, refused=ALL),
    "response_format": chat(options={"response_format": FORM}, clients=FORMS),
    "text_format": chat(options={"text": {"format": TEXT_FORM}}, clients=RESPONSES),
    "complete_stop": complete(options={"stop": ["four"]}, refused=("reasoning", *RESPONSES)),
    "complete_seed": complete(options={"seed": 7}, refused=RESPONSES, instead=LACKED),
    "complete_max_tokens": complete(options={"max_tokens": 1500}, refused=RESPONSES, instead=LENGTHS),
}


def _choices() -> Iterator[tuple[str, Case]]:
    choices = {"auto": "auto", "required": "required", "none": "none", "name": "add", "unknown_name": "subtract"}
    for name, choice in choices.items():
        yield f"tools_{name}", with_tools(options={"tool_choice": choice})
    named = {"type": "function", "function": {"name": "add"}}
    yield "tools_dict", with_tools(options={"tool_choice": named})


TOOL_CASES: dict[str, Case] = {
    "tools": with_tools(),
    **dict(_choices()),
    "tools_required_flag": with_tools(options={"tool_required": True}),
    "tools_parallel": with_tools(BOTH, {"allow_parallel_tool_calls": True}),
    "tools_not_parallel": with_tools(BOTH, {"allow_parallel_tool_calls": False}),
    "tools_strict": with_tools(options={"strict": True}, clients=CHAT, refused=OFFICIAL),
    "tools_not_strict": with_tools(options={"strict": False}),
    "tools_own_strict": Case("chat_with_tools", (TOOLS[1:], QUESTION), settings={"strict": True}, clients=CHAT),
    "tools_history": with_tools(
        options={"chat_history": [SYSTEM, *user("Hello."), ChatMessage("Hi!", role=MessageRole.ASSISTANT)]}
    ),
    "tools_nonsense": with_tools(NONSENSE),
    "tools_stop": with_tools(options={"stop": ["END"]}, refused=("reasoning", *RESPONSES)),
    "no_tools": Case("chat_with_tools", ([], QUESTION), clients=CHAT, refused=RESPONSES),
}

FORM_CASES: Mapping[str, Case] = {
    "structured": structured(clients=FORMS),
    "structured_outputs": structured(settings={"should_use_structured_outputs": True}, clients=("like",)),
    "structured_nonsense": structured(NONSENSE, clients=FORMS, refused_whole=FORMS),
    "structured_refused": structured(REFUSED, clients=FORMS, refused_whole=("openai", "reasoning")),
    "structured_cut": structured(CUT, clients=FORMS, refused_whole=("openai", "reasoning")),
    "structured_options": structured(options={"llm_kwargs": {"seed": 7}}, clients=FORMS),
}

ONCE = {name: replace(case, once=True) for name, case in (SETTINGS | TOOL_CASES).items()}

CASES: Mapping[str, Case] = {**MESSAGES, **ONCE, **FORM_CASES}
