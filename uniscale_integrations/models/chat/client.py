"""What a chat model's client must be able to do: send a conversation and give back one reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.deprecation import former_names
from uniscale_integrations.search.conversation import Conversation, Emit
from uniscale_integrations.search.segmenter import Segmenter

CUT_SHORT = ("length", "max_tokens", "max_output_tokens", "MAX_TOKENS", "incomplete", "model_context_window_exceeded")
"""What providers give as the reason where a reply ran out of tokens."""

CONTENT_FILTER_REASONS = (
    "content_filter",
    "refusal",
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "guardrail_intervened",
)
"""What providers give as the reason where they stopped a reply, or the model declined to give one."""

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
class CompletionRequest:
    """One reply that is wanted.

    Attributes:
        conversation: what is asked.
        step: whether one step of an answer is wanted, which one of `stop` ends; otherwise the request is the caller's own, `stop` is what
            the call said, and texts that the model itself is set up with end the reply as well.
        prefix: the answer so far, which the reply is to continue.
        continuation: how; only looked at where there is a prefix.
        stop: texts that end the reply and are not part of it.
        max_tokens: most tokens; the model's own limit by default.
        temperature: the model's own by default.
        top_p: likewise.
        seed: tells draws of the same request apart, where the provider knows seeds.
        emit: takes the reply's pieces as they come.
        segmenter: where a client that `CutsReplies` is to end the reply: with the first unit that it completes.
        log_probabilities: whether they are of use, where the provider tells them when asked.
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
    step: bool = False
    segmenter: Segmenter | None = None
    log_probabilities: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back.

    Attributes:
        text: of the reply; tool calls as JSON in canonical form, so that equal ones are equal texts.
        incomplete: why it is no complete answer: "length" where it ran out of tokens, "content_filter" where the provider stopped it.
        usage: tokens, as the provider counted them.
        log_probability: mean over the reply's tokens, where the provider tells it.
        message: the framework's own message.
        cut: whether the client ended it, where the request's segmenter says.
        shared: whether another candidate has paid for it already, whose request was the same.
    """

    text: str
    incomplete: str = ""
    usage: Usage = NOTHING
    log_probability: float | None = None
    message: object = None
    cut: bool = False
    shared: bool = False

    @property
    def charge(self) -> Usage:
        """What is still to be paid for it."""
        return NOTHING if self.shared else self.usage

    @property
    def ended(self) -> bool:
        """Whether the model had said all it wanted, or met one of the texts that end a reply."""
        return not self.incomplete


class InterruptedReply(Exception):
    """A stream that failed after some of the reply had come.

    Attributes:
        error: what it failed with.
        text: what had come.
        usage: what it took, as far as the provider had told.
    """

    def __init__(self, error: Exception, text: str, usage: Usage = NOTHING) -> None:
        super().__init__(str(error))
        self.error, self.text, self.usage = error, text, usage


class ChatClient(Protocol):
    """Sends requests to one chat model."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do, of what a `Conversation` may need."""
        ...

    @property
    def stop(self) -> Sequence[str]:
        """Texts that end every answer of it, where the conversation names none."""
        ...

    @property
    def continuations(self) -> Sequence[Continuation]:
        """The ways of continuing an answer that are worth trying with it, the surest first; `WHOLE` need not be named.

        None where it is known that its model does not, so that no request is spent on finding out.
        """
        ...

    async def complete(self, request: CompletionRequest) -> Completion:
        """Get one reply. Must raise what the provider raised."""
        ...


@runtime_checkable
class CutsReplies(Protocol):
    """A client that reads replies as they come, and can end them where a step ends, so that no text has to end them beforehand."""

    @property
    def cuts(self) -> bool:
        """Whether it does, as it was set up."""
        ...


@runtime_checkable
class LimitsReplies(Protocol):
    """A client whose model is set up with the most tokens that a reply may have."""

    def limit(self, options: Mapping[str, Any]) -> int | None:
        """How many; `None` for no limit of its own, or where a call says another one.

        Args:
            options: of the call.
        """
        ...


@runtime_checkable
class ContinuesSome(Protocol):
    """A client that can tell calls apart whose answers its model cannot continue, although it does others'."""

    def continues(self, conversation: Conversation) -> bool:
        """Whether partial answers of a call may be continued."""
        ...


@runtime_checkable
class TellsRepeats(Protocol):
    """A client that knows whether asking the same again is of any use."""

    def repeats(self, options: Mapping[str, Any]) -> bool:
        """Whether its model answers a request alike every time, as one that is greedy or has a seed does.

        Args:
            options: of the call.
        """
        ...


def incompleteness(*reasons: object) -> str:
    """Why a reply is no complete answer, by what its provider gives as the reason why it ended; empty where it is one.

    Example:
        >>> incompleteness("stop", None), incompleteness("max_tokens"), incompleteness("content_filter")
        ('', 'length', 'content_filter')
    """
    if any(reason in CONTENT_FILTER_REASONS for reason in reasons):
        return "content_filter"
    return "length" if any(reason in CUT_SHORT for reason in reasons) else ""


def mean_log_probability(logprobs: object) -> float | None:
    """The mean over a reply's tokens, of what OpenAI's API tells as `logprobs` of chat and of text completions; `None` for nothing.

    Example:
        >>> mean_log_probability({"content": [{"token": "4", "logprob": -0.5}, {"token": ".", "logprob": -0.1}]})
        -0.3
    """
    if not isinstance(logprobs, Mapping):
        return None
    tokens = logprobs.get("content") or ()
    values = [token.get("logprob") for token in tokens if isinstance(token, Mapping)] or logprobs.get("token_logprobs") or []
    finite = [float(value) for value in values if value is not None]
    return sum(finite) / len(finite) if finite else None


__getattr__ = former_names(__name__, {"Asked": "CompletionRequest", "Reply": "Completion", "BrokenOff": "InterruptedReply"})
