"""Sampling one step of an answer over an API, which knows texts that end a reply but not steps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.chat.client import Completion, CompletionRequest
from uniscale_integrations.search.segmenter import Segmenter, Unit

Ask = Callable[[CompletionRequest], Awaitable[Completion]]


class Joins(Protocol):
    """Tells what replies add to the partial answers that they continue."""

    @property
    def trims(self) -> bool | None:
        """Whether they begin with the white space that a partial answer ends with, since the model is not shown it; `None` if not known."""
        ...

    async def addition(self, prefix: str, reply: str) -> str | None:
        """As of `continuation_text`."""
        ...


MAX_REQUESTS = 64
"""Requests for one step, of which each gives a line of it; what is longer goes on in the next step."""


@dataclass(slots=True)
class Step:
    """A step while it is sampled.

    Attributes:
        text: its text so far.
        ended: whether the model ended the answer with it.
        anew: whether the model began a new answer instead.
        broke: whether a delimiter belongs after it, which the server has left out.
        incomplete: why its last reply is no complete one.
        usage: of all its requests.
        tokens: of its text, as the provider counts them; of a reply that was kept in part, its share.
        log_probability: mean over its tokens, where the provider tells it.
        message: the framework's own, of the last reply.
    """

    text: str = ""
    ended: bool = False
    anew: bool = False
    broke: bool = False
    incomplete: str = ""
    usage: Usage = NOTHING
    tokens: float = 0.0
    message: object = None
    _sum: float = 0.0
    _weight: float = 0.0
    _known: bool = field(default=True)

    @property
    def log_probability(self) -> float | None:
        """Mean over its tokens; `None` where the provider did not tell that of each of its replies."""
        return self._sum / self._weight if self._known and self._weight else None

    def add(self, reply: Completion) -> None:
        """Count what a reply took."""
        self.usage, self.message = self.usage.plus(reply.charge), reply.message
        if reply.log_probability is None:
            self._known = self._known and not reply.text.strip()
            return
        weight = max(1.0, reply.usage.completion_tokens)
        self._sum, self._weight = self._sum + weight * reply.log_probability, self._weight + weight


async def cut_step(ask: Ask, request: CompletionRequest, joins: Joins) -> Step:
    """The next step from a client that ends its replies where steps end.

    Args:
        ask: for a reply.
        request: for the step.
        joins: tells what the reply adds.
    """
    reply, step = await ask(request), Step()
    step.add(reply)
    text, step.tokens = await joins.addition(request.prefix, reply.text), reply.usage.completion_tokens
    if text is None:
        step.anew = True
    else:
        step.text, step.incomplete, step.ended = text, reply.incomplete, reply.ended and not reply.cut
    return step


async def stopped_step(
    ask: Ask, request: CompletionRequest, segmenter: Segmenter, joins: Joins, count: Callable[[str], float]
) -> Step:
    """The next step from a client whose replies end at the delimiter, the first of the texts that end them.

    A reply may end there because a line does, or because the answer does; which one shows with the next request alone. So a step has no
    delimiter at its end until something comes after it.

    Args:
        ask: for a reply.
        request: for the step.
        segmenter: tells where it ends.
        joins: tells what each reply adds.
        count: the tokens of a text, for the share of a reply that is kept.
    """
    step, unit, delimiter = Step(), segmenter.begin(), segmenter.delimiter
    for _ in range(MAX_REQUESTS):
        left = None if request.max_tokens is None else request.max_tokens - round(step.tokens)
        if left is not None and left < 1:
            step.incomplete = "length"
            return step
        further = replace(request, prefix=request.prefix + step.text + (delimiter if step.broke else ""), max_tokens=left)
        # A delimiter that the model says again, since it was not shown it, must not end the reply.
        open_ended = bool(joins.trims) and further.prefix.endswith(delimiter)
        if not open_ended:
            reply = await ask(further)
            step.add(reply)
            text = await joins.addition(further.prefix, reply.text)
            # The end of the answer looks the same as a blank line: what comes is seen where no delimiter ends the reply.
            open_ended = text is not None and not text.strip() and reply.ended and bool(further.prefix)
        if open_ended:
            reply = await ask(replace(further, stop=request.stop[1:]))
            step.add(reply)
            text = await joins.addition(further.prefix, reply.text)
            step.ended = reply.ended
            if text is not None and not text.strip():
                step.ended = True
                return step
        if text is None:
            step.anew = True
            return step
        unit, rest = _add(step, unit, text, delimiter, not reply.incomplete and not step.ended)
        step.tokens += reply.usage.completion_tokens * (1.0 - count(rest) / count(text) if rest else 1.0)
        if unit.complete or step.ended or reply.incomplete:
            if reply.incomplete and not unit.complete:
                step.incomplete = reply.incomplete
            return step
    return step


def _add(step: Step, unit: Unit, text: str, delimiter: str, broke: bool) -> tuple[Unit, str]:
    """Add a reply to a step, up to where its unit is complete; what lies behind that is drawn again.

    Args:
        step: that far.
        unit: likewise.
        text: of the reply.
        delimiter: of steps.
        broke: whether a delimiter ended the reply, which some servers leave in it.

    Returns:
        the unit, and what is drawn again.
    """
    if step.broke:
        step.text, step.broke = step.text + delimiter, False
    if broke:
        text = text.removesuffix(delimiter) + delimiter
    pieces = text.split(delimiter)
    for place, piece in enumerate(pieces[:-1], 1):
        step.text += piece
        unit = unit.after(piece + delimiter)
        if unit.complete:
            step.broke, step.ended = True, False
            return unit, delimiter.join(pieces[place:])
        step.text += delimiter
    step.text += pieces[-1]
    if broke:
        step.text, step.broke = step.text.removesuffix(delimiter), True
    return unit, ""
