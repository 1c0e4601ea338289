"""A reply put together from what a server sends of it, whole or piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uniscale_integrations.cost.usage import Usage, token_count
from uniscale_integrations.errors import GenerationError
from uniscale_integrations.models.chat.client import Completion, CompletionRequest, incompleteness, mean_log_probability
from uniscale_integrations.search.segmenter import Boundary


class CompletionBuilder:
    """A reply while it comes.

    Args:
        request: the request: where its segmenter says, the reply is over.
    """

    def __init__(self, request: CompletionRequest) -> None:
        self._request = request
        self._boundary = Boundary(request.segmenter) if request.segmenter is not None else None
        self._texts: list[str] = []
        self._pieces = 0
        self._log_probabilities: list[float] = []
        self._reason: object = None
        self._usage: Mapping[str, Any] = {}
        self._said = self._cut = False

    def take(self, event: Any) -> bool:
        """Add what came; returns whether no more is wanted.

        Raises:
            GenerationError: an error of the server, or nothing that belongs to a reply.
        """
        if not isinstance(event, Mapping):
            raise GenerationError(f"the server gave no reply: {event!r:.200}")
        if event.get("error"):
            raise GenerationError(f"the server failed: {event['error']!r:.300}")
        if isinstance(event.get("usage"), Mapping):
            self._usage = event["usage"]
        choices = event.get("choices")
        if not choices:
            if choices is None and "usage" not in event:
                raise GenerationError(f"the server gave no reply: {event!r:.200}")
            return False
        try:
            choice, self._said = choices[0], True
            message = choice.get("delta") or choice.get("message") or choice
            text = message.get("content") or message.get("text") or ""
            self._reason = choice.get("finish_reason") or self._reason
        except (AttributeError, KeyError, TypeError) as error:
            raise GenerationError(f"the server gave no reply: {event!r:.200}") from error
        log_probability = mean_log_probability(choice.get("logprobs"))
        if log_probability is not None:
            self._log_probabilities.append(log_probability)
        return self._add(text)

    def _add(self, text: str) -> bool:
        if not text:
            return False
        self._pieces += 1
        if self._boundary is not None and self._boundary(text):
            # Blank lines belong to the unit before them; what else comes with its end is drawn again.
            rest = self._boundary.rest
            text, self._cut = text[: len(text) - len(rest.lstrip())], True
        self._texts.append(text)
        if self._request.emit is not None:
            self._request.emit(text)
        return self._cut

    def reply(self) -> Completion:
        """What came, as one reply.

        Raises:
            GenerationError: nothing came.
        """
        if not self._said:
            raise GenerationError("the server gave no reply: its stream held none")
        log_probabilities = self._log_probabilities
        return Completion(
            "".join(self._texts),
            "" if self._cut else incompleteness(self._reason),
            Usage(
                prompt_tokens=token_count(self._usage.get("prompt_tokens")),
                # A stream that was cut short tells no usage; most servers send a piece for every token.
                completion_tokens=token_count(self._usage.get("completion_tokens")) or float(self._pieces),
            ),
            sum(log_probabilities) / len(log_probabilities) if log_probabilities else None,
            cut=self._cut,
        )
