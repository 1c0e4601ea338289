"""What a chat model's client must be able to do: send a conversation and give back one reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.search.conversation import Conversation, Emit

CUT_SHORT = ("length", "max_tokens", "max_output_tokens", "MAX_TOKENS", "incomplete")
"""What providers give as the reason where a reply ran out of tokens."""

CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}
"""What tells an OpenAI-compatible server to go on with the last message."""


class Continuation(StrEnum):
    """How a partial answer is continued, the surest way first."""

    FLAG = "flag"
    """The server continues the last message when told to (vLLM, SGLang, transformers)."""
    RAW = "raw"
    """Text completion of the rendered conversation."""
    PREFILL = "prefill"
    """The provider continues an assistant's message that stands last."""
    WHOLE = "whole"
    """Not at all: whole answers are sampled and cut into steps afterwards."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One reply that is wanted.

    Attributes:
        conversation: what is asked.
        prefix: the answer so far, which the reply is to continue.
        continuation: how; only looked at where there is a prefix.
        stop: texts that end the reply and are not part of it.
        max_tokens: most tokens; the model's own limit by default.
        temperature: the model's own by default.
        top_p: likewise.
        seed: tells draws of the same request apart, where the provider knows seeds.
        emit: takes the reply's pieces as they come.
    """

    conversation: Conversation
    prefix: str = ""
    continuation: Continuation = Continuation.WHOLE
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    emit: Emit | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        text: of the reply; tool calls as JSON in canonical form, so that equal ones are equal texts.
        ended: whether the model had said all it wanted, or met one of the texts that end a reply; false where it ran out of tokens.
        usage: tokens, as the provider counted them.
        log_probability: mean over the reply's tokens, where the provider tells it.
        message: the framework's own message.
    """

    text: str
    ended: bool = True
    usage: Usage = NOTHING
    log_probability: float | None = None
    message: object = None


class ChatClient(Protocol):
    """Sends requests to one chat model."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    @property
    def abilities(self) -> frozenset[str]:
        """What it can do, of what a `Conversation` may need."""
        ...

    @property
    def stop(self) -> Sequence[str]:
        """Texts that end every answer of it, where the conversation names none."""
        ...

    @property
    def continuations(self) -> Sequence[Continuation]:
        """The ways of continuing an answer that are worth trying with it, the surest first; `WHOLE` need not be named."""
        ...

    async def complete(self, asked: Asked) -> Reply:
        """Get one reply. Must raise what the provider raised."""
        ...


def mean_log_probability(told: object) -> float | None:
    """The mean over a reply's tokens, of what OpenAI's API tells as `logprobs` of chat and of text completions; `None` for nothing.

    Example:
        >>> mean_log_probability({"content": [{"token": "4", "logprob": -0.5}, {"token": ".", "logprob": -0.1}]})
        -0.3
    """
    if not isinstance(told, Mapping):
        return None
    tokens = told.get("content") or ()
    values = [token.get("logprob") for token in tokens if isinstance(token, Mapping)] or told.get("token_logprobs") or []
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None
