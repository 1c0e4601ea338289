"""A chat model as a generator of steps."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from uniscale_integrations.cost.price import Price
from uniscale_integrations.cost.price_list import Endpoint, HasEndpoint
from uniscale_integrations.cost.usage import MAX_TOKENS, Usage
from uniscale_integrations.deprecation import former_attribute, member
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.models.chat.client import (
    ChatClient,
    Completion,
    CompletionRequest,
    Continuation,
    ContinuesSome,
    CutsReplies,
    InterruptedReply,
    LimitsReplies,
    TellsRepeats,
)
from uniscale_integrations.models.chat.completion_length import CompletionLengths
from uniscale_integrations.models.chat.probe import probe_continuation, probe_trimming
from uniscale_integrations.models.chat.sending import Sender
from uniscale_integrations.models.chat.session import ChatSession
from uniscale_integrations.models.chat.slots import Queue, Slots
from uniscale_integrations.models.chat.watch import note_reply
from uniscale_integrations.redaction import redacted_message
from uniscale_integrations.search.conversation import Conversation, Emit, Turn
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.segmenter import Segmenter, Units
from uniscale_integrations.space import Configuration
from uniscale_integrations.tokens import VOCABULARIES, count_conversation, count_tokens, vocabulary_of

UNKNOWN_PARAMETERS = 1e10
"""Parameters that a model is taken to have where neither it nor its name tells."""

PROFILE_FIELDS = {"tools": "tool_calling", "structure": "structured_output", "images": "image_inputs"}
"""The fields of a model's profile that say what it can do."""

_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?([bm])(?![a-z])", re.IGNORECASE)


class ChatStepModel:
    """Any chat model behind a `ChatClient`.

    Where a configuration chooses between steps (CP > 1), a partial answer has to be continued. How the model does that is known of some
    hosted models, and found out once of others. One that does not is asked for whole answers, which are cut into steps afterwards; so are
    tool calls and JSON.

    Args:
        client: what sends requests.
        name: M of its configurations; the client's name by default.
        price: dollars per million tokens read and sampled, and perhaps read from a cache; what a request costs is counted in dollars then.
        parameters: of the model, for eFLOPs where there is no price; read off the name by default ("8b"), or taken to be ten billion.
        continuation: how to continue an answer; known of the model, or found out at the first need, by default.
        segmenter: tells where steps end; by default units of reasoning, see `Units`.
        final_step: a step that matches this ends the answer; `None` leaves that to the model.
        max_concurrency: requests at once; no limit by default. Waiting for others is not counted as the model's slowness.
        timeout: seconds for each candidate, all its tries together.
        retries: further tries after an error that may pass; many clients retry by themselves.

    Raises:
        ConfigurationError: a limit that allows nothing.

    Attributes:
        completion_lengths: how long its completions have been of late, which says what a budget must have left for another one.
        echoes: whether its replies were found to begin with the partial answer that they continue.
        trims: whether they were found to begin with the white space that the partial answer ends with; `None` where that is not known.
        size_unknown: whether neither a price nor the name tells what a token costs.
        model_id: what the model is called where it is served, by which its tokens are counted.
    """

    shapes = ((1, 1, 1), (2, 1, 1), (4, 1, 1), (8, 1, 1), (1, 4, 2))
    """Every candidate is a request, and every step of one: at most eight at once."""

    remote = True
    """It answers from elsewhere, and may not."""

    suits = "consensus"
    """The verifier that costs nothing and needs nothing that only some chat models have."""

    def __init__(
        self,
        client: ChatClient,
        *,
        name: str | None = None,
        price: Sequence[float] | None = None,
        parameters: float | None = None,
        continuation: Continuation | Literal["probe"] = "probe",
        segmenter: Segmenter = Units(),
        final_step: str | None = None,
        max_concurrency: int | None = None,
        timeout: float | None = None,
        retries: int = 0,
    ) -> None:
        self._sender = Sender(client, max_concurrency, timeout, retries)
        self.client, self.name = client, name or client.name
        self.model_id = client.name if self.endpoint is None else self.endpoint.model
        # Before the first request, which is not to wait for it.
        VOCABULARIES.prepare(vocabulary_of(self.model_id))
        self._parameter_count = parameters or _parameters_of(client.name)
        self.parameters = self._parameter_count or UNKNOWN_PARAMETERS
        self.set_price(None if price is None else Price.of(price))
        self.segmenter, self.final = segmenter, re.compile(final_step) if final_step else None
        self.echoes, self.completion_lengths = False, CompletionLengths()
        self.trims: bool | None = None
        self.timeout, self.retries = timeout, retries
        self._way = _known_way(client) if continuation == "probe" else Continuation(continuation)
        self._probed = False
        self.max_concurrency = max_concurrency
        self._finding = Slots(1)

    def redact(self, text: str) -> str:
        """What a provider or a client has said, without the keys that it may have quoted."""
        return redacted_message(text, getattr(self.client, "secrets", ()))

    def set_price(self, price: Price | None) -> None:
        """Count in dollars from now on, or no longer where it is `None`."""
        self.price: Price | None = price
        self.size_unknown = price is None and self._parameter_count is None

    @property
    def context_window(self) -> int | None:
        """Most tokens that it reads, for clients that tell."""
        window: int | None = getattr(self.client, "context_window", None)
        return window

    @property
    def loop_free(self) -> bool:
        """Whether its client says that nothing of it belongs to one event loop where who asks does not await."""
        return bool(getattr(self.client, "loop_free", False))

    @property
    def endpoint(self) -> Endpoint | None:
        """Where its requests go, for clients that tell."""
        return self.client.endpoint if isinstance(self.client, HasEndpoint) else None

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model can do, of what conversations may need."""
        capabilities: frozenset[str] = member(self.client, "capabilities", "abilities", frozenset())
        return capabilities

    @property
    def doubted_capabilities(self) -> frozenset[str]:
        """What only a description of the model says that it cannot do; where no model claims it, it will say itself."""
        doubted: frozenset[str] = getattr(self.client, "doubted_capabilities", frozenset())
        return doubted

    def repeats(self, options: Mapping[str, object]) -> bool:
        """Whether its plain answers to one request are all the same, for clients that tell; see `TellsRepeats`."""
        return isinstance(self.client, TellsRepeats) and self.client.repeats(options)

    @property
    def continues(self) -> bool | None:
        """Whether the model continues a partial answer; `None` as long as that is not known."""
        return None if self._way is None else self._way is not Continuation.WHOLE

    @property
    def continuation_identity(self) -> str:
        """Tells models apart, of which one may continue and another not, in every process alike: the name, and where requests go."""
        return f"{self.client.name}@{getattr(self.client, 'address', '')}"

    def probe_result(self) -> dict[str, object] | None:
        """What a probe has found, JSON-ready, so that no other process probes again; `None` where none has."""
        if not self._probed or self._way is None:
            return None
        return {"way": str(self._way), "echoes": self.echoes, "trims": self.trims}

    def recall_probe(self, result: Mapping[str, object]) -> None:
        """Take over what another process has found, where it is not known here; what cannot be read is probed again."""
        ways = {str(way): way for way in Continuation}
        if self._way is None and (way := ways.get(str(result.get("way")))) is not None:
            trims = result.get("trims")
            self._way, self.echoes = way, bool(result.get("echoes"))
            self.trims = trims if isinstance(trims, bool) else None

    def plain_usage(self, prompt_tokens: int, answer_tokens: int) -> Usage:
        """What one sample of `answer_tokens` after a prompt of `prompt_tokens` takes."""
        return self.with_cost(Usage(prompt_tokens=prompt_tokens, completion_tokens=answer_tokens))

    priced = former_attribute("with_cost")

    def with_cost(self, usage: Usage) -> Usage:
        """Tokens with what they cost: dollars where a price is known, otherwise two operations per parameter and token."""
        if self.price is not None:
            usd = self.price.usd(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens)
            return usage._replace(usd=usage.usd or usd)
        return usage._replace(compute=2.0 * self.parameters * (usage.prompt_tokens + usage.completion_tokens))

    def open(self, question: str, sampling: Sampling) -> ChatSession:
        """Begin a single question."""
        if not question.strip():
            raise ConfigurationError("the question is empty; give it at least one word")
        return ChatSession(self, Conversation((Turn("user", question),)), sampling, None, draws=True, by_steps=True)

    def open_conversation(
        self, conversation: Conversation, sampling: Sampling, configuration: Configuration, emit: Emit | None = None
    ) -> ChatSession:
        """Begin a conversation. One plain sample is drawn as the model is set up to; candidates that compete, as `sampling` says."""
        by_steps = configuration.cp > 1 and not conversation.samples_whole_answers
        if by_steps and isinstance(self.client, LimitsReplies):
            # The provider holds each reply to it, and nobody the answer that several make up.
            limits = (sampling.max_tokens, self.client.limit(conversation.options))
            sampling = replace(sampling, max_tokens=min((each for each in limits if each is not None), default=None))
        return ChatSession(self, conversation, sampling, emit, draws=not configuration.plain, by_steps=by_steps)

    async def continuation(self, session: ChatSession) -> Continuation:
        """How the model continues an answer, found out at the first call; that is charged to the session."""
        if isinstance(self.client, ContinuesSome) and not self.client.continues(session.conversation):
            return Continuation.WHOLE
        if self._way is not None:
            return self._way
        async with self._finding.hold(Queue()):
            if self._way is not None:
                return self._way
            cuts = isinstance(self.client, CutsReplies) and self.client.cuts
            stop = () if cuts else (self.segmenter.delimiter,)
            probe = await probe_continuation(self.client, self._probing(session), stop=stop, like=session.conversation)
            session.charge(self.with_cost(probe.usage))
            session.notes.extend(map(self.redact, probe.notes))
            self.echoes = probe.echoes
            if probe.sure:
                self._way, self._probed = probe.way, True
            return probe.way

    async def find_trims(self, session: ChatSession) -> None:
        """Find out whether replies begin with the white space that the partial answer ends with; that is charged to the session."""
        async with self._finding.hold(Queue()):
            if self.trims is not None or self._way is None:
                return
            if self._way is Continuation.RAW:
                # The text goes there as it is.
                self.trims = False
                return
            self.trims, usage = await probe_trimming(self._probing(session), self._way, session.conversation)
            session.charge(self.with_cost(usage))

    def _probing(self, session: ChatSession) -> Callable[[CompletionRequest], Awaitable[Completion]]:
        """What sends a probe for a session, within the time that its call gives each request."""
        said = session.conversation.options.get("timeout")
        seconds = said if isinstance(said, (int, float)) and said > 0 else None

        async def ask(request: CompletionRequest) -> Completion:
            return await self._sender.send(request, seconds=seconds)

        return ask

    def falls_back(self) -> None:
        """From now on only whole answers are asked for: the model began anew instead of going on."""
        self._way, self._probed = Continuation.WHOLE, False

    async def ask(self, request: CompletionRequest, queue: Queue | None = None) -> Completion:
        """One reply, its usage with what it cost; waits for a free slot, and tries again where that may help.

        Raises:
            TimeoutError: it took too long, all tries together.
            BrokenOff: its stream failed after some of it had come; what that cost is on it.
            Exception: what the client raised.
        """
        try:
            reply = await self._sender.send(request, queue)
        except InterruptedReply as interruption:
            interruption.usage = self.with_cost(
                self._with_token_counts(request, Completion(interruption.text, usage=interruption.usage))
            )
            raise
        note_reply()
        usage = self.with_cost(self._with_token_counts(request, reply))
        return Completion(reply.text, reply.incomplete, usage, reply.log_probability, reply.message, reply.cut)

    def _with_token_counts(self, request: CompletionRequest, reply: Completion) -> Usage:
        """The tokens of a request; counted here where the provider does not, since nothing comes for free."""
        usage = reply.usage
        if not all(0.0 <= each <= MAX_TOKENS for each in (usage.prompt_tokens, usage.completion_tokens)):
            # No provider has counted these.
            usage = usage._replace(prompt_tokens=0.0, completion_tokens=0.0)
        if usage.prompt_tokens:
            return usage
        prompt_tokens = count_conversation(request.conversation, self.model_id) + count_tokens(request.prefix, self.model_id)
        completion_tokens = usage.completion_tokens or max(1.0, count_tokens(reply.text, self.model_id))
        return usage._replace(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)


def _known_way(client: ChatClient) -> Continuation | None:
    """How a client's model continues, where no probe is needed to know: not at all, if no way is worth trying."""
    return None if any(way is not Continuation.WHOLE for way in client.continuations) else Continuation.WHOLE


def _parameters_of(name: str) -> float | None:
    """What a model's name says of its size; `None` where it says nothing."""
    match = _SIZE.search(name)
    if match is None:
        return None
    return float(match[1]) * (1e9 if match[2].lower() == "b" else 1e6)


def profile_capabilities(profile: Mapping[str, object]) -> frozenset[str]:
    """What a model can do as far as its profile does not deny it, in the words of `Conversation.required_capabilities`.

    Profiles are often incomplete, and say nothing of what they lack.
    """
    return frozenset(need for need, field in PROFILE_FIELDS.items() if profile.get(field, True))
