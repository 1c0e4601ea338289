"""What is asked, where that is more than one question: earlier turns, tools, a form that the answer must have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from math import log1p
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.deprecation import former_attribute, former_keywords, former_names, member
from uniscale_integrations.search.ports import GeneratorSession, Sampling
from uniscale_integrations.space import Configuration
from uniscale_integrations.texts import utf8_safe

Role = Literal["system", "user", "assistant", "tool"]

Emit = Callable[[Any], None]
"""Takes a piece of an answer as soon as it is there, in the form in which the generator's framework streams."""

Validator = Callable[[str], Awaitable[bool]]
"""Tells whether a text has a form; raises `NotInTime` where that takes too long."""


class ToolCall(NamedTuple):
    """A tool that an answer calls.

    Attributes:
        name: of the tool.
        arguments: by name.
        id: what its result refers to.
    """

    name: str
    arguments: Mapping[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message.

    Attributes:
        role: who says it.
        text: what.
        calls: the tools that it calls.
        call_id: of a tool's result: the call that it answers.
        model: that gave it, where an engine has written that on the message.
    """

    role: Role
    text: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", utf8_safe(self.text))


@former_keywords(whole="atomic", needs="required_capabilities", valid="validator", earlier="previous", about="user_query")
@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Conversation:
    """A request as a framework makes it.

    Attributes:
        turns: its messages as text, in order.
        messages: the same as a framework has them; generators of that framework send them as they are, others what the turns say.
        options: what else the call said: tools, the form of the answer, and so on, for those generators too.
        atomic: whether an answer cannot be cut into steps, as tool calls and JSON cannot.
        required_capabilities: what a model must be able to do for it, such as "tools" and "images".
        validator: tells whether a text has the form that was asked for; anything goes by default.
        stop: texts that end the answer and are not part of it.
        previous: the configuration that gave the last answer, and its score where it had one, if an engine did.
        user_query: the question as the user has put it, where the last turn wraps it in more, such as retrieved documents.
        streaming: whether the answer is wanted in pieces, so that models are asked for theirs in the same way.
        synchronous: whether who asks does not await, so that models are asked by their synchronous methods, over the clients of those.
        media: how many pictures, recordings and files its messages hold, where that was counted.
    """

    turns: tuple[Turn, ...]
    messages: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    atomic: bool = False
    required_capabilities: frozenset[str] = frozenset()
    validator: Validator | None = None
    stop: tuple[str, ...] = ()
    previous: tuple[Configuration, float | None] | None = None
    user_query: str = ""
    streaming: bool = False
    synchronous: bool = False
    media: int = 0

    whole = former_attribute("atomic")
    needs = former_attribute("required_capabilities")
    valid = former_attribute("validator")
    earlier = former_attribute("previous")
    about = former_attribute("user_query")
    bare = former_attribute("is_single_question")

    @property
    def query(self) -> str:
        """What the features are made from: the question as the user has put it, or else their last turn."""
        return self.user_query or self.question

    @property
    def question(self) -> str:
        """The last turn of the user."""
        return next(
            (turn.text for turn in reversed(self.turns) if turn.role == "user"), self.turns[-1].text if self.turns else ""
        )

    @property
    def may_be_empty(self) -> bool:
        """Whether a question without a word may be sent: a framework's message may hold what is no text, and its model says if not."""
        return self.messages is not None or "images" in self.required_capabilities

    @property
    def is_single_question(self) -> bool:
        """Whether it is one question and nothing else, which any generator can take as such."""
        return len(self.turns) == 1 and self.turns[0].role == "user" and not self.required_capabilities and not self.stop

    @property
    def samples_whole_answers(self) -> bool:
        """Whether its answers are sampled whole: they cannot be cut into steps, or go on with what the caller has begun."""
        # A beginning of ours after the caller's would be another message.
        return self.atomic or (bool(self.turns) and self.turns[-1].role == "assistant")

    @property
    def numbers(self) -> NDArray[np.float64]:
        """What the policy sees beside the question, shape (len(NUMBERS),), all 0 for a first question.

        Instructions, tool output and examples are not counted: they say more about the application than about the question. Each number
        more is one more for every feature of a configuration, which is what deciding costs.
        """
        users = sum(turn.role == "user" for turn in self.turns)
        _, score = self.previous or (None, None)
        return np.array(
            [
                log1p(max(0, users - 1)),
                float(self.atomic),
                float("images" in self.required_capabilities),
                0.0 if score is None else score - 0.5,
            ]
        )


NUMBERS = ("turns", "tools or form", "images", "last score")
"""The names of `Conversation.numbers`."""


@runtime_checkable
class SupportsConversation(Protocol):
    """A generator that takes conversations."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do, of what conversations may need."""
        ...

    def open_conversation(
        self, conversation: Conversation, sampling: Sampling, configuration: Configuration, emit: Emit | None = None
    ) -> GeneratorSession:
        """Begin a conversation.

        Args:
            conversation: what is asked.
            sampling: how to draw.
            configuration: of the search.
            emit: for an answer that nothing competes with: takes its pieces while it is made.
        """
        ...


def capabilities_of(generator: object) -> frozenset[str] | None:
    """What a generator can do, of what conversations may need; `None` for one that takes no conversations."""
    if not hasattr(generator, "open_conversation"):
        return None
    capabilities: frozenset[str] = member(generator, "capabilities", "abilities", frozenset())
    return capabilities


__getattr__ = former_names(__name__, {"Converses": "SupportsConversation", "Valid": "Validator", "Call": "ToolCall"})
