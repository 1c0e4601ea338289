"""One attempt at a request: the search that was decided, with what is shown of its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from time import monotonic
from typing import Any

from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.journal import Decision
from uniscale_integrations.engine.request import EngineRequest
from uniscale_integrations.models.chat.watch import Watch, watched
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.conversation import Emit
from uniscale_integrations.search.events import SearchEvent, SearchObserver, tell
from uniscale_integrations.search.ports import Verifier
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.telemetry import Observer
from uniscale_integrations.verifiers.format_gate import FormatGate


async def attempt_search(
    brain: Brain, decision: Decision, request: EngineRequest, output: OwnOutput, ledgers: list[Ledger], watch: Watch
) -> Answer:
    """Run what was decided.

    Args:
        brain: that made the decision.
        decision: names the configuration.
        request: what is asked.
        output: takes what is shown of the answer.
        ledgers: where no answer comes of it, what was spent is added here.
        watch: knows what comes of it meanwhile.

    Raises:
        SearchFailed: every candidate failed.
        RequestRefused: the provider refused the request itself.
    """
    configuration, design = decision.configuration, brain.design
    search = Request(
        request.conversation.question,
        configuration,
        request.sampling,
        request.remaining,
        early_stopping=design.verifier is None or design.verifier.path_local,
        hardware=design.hardware,
        conversation=request.conversation,
        emit=output if request.emit is not None and configuration.plain and decision.shown else None,
        decision_id=decision.id,
    )
    valid = request.conversation.validator
    verifier: Verifier | None = design.verifier if valid is None else FormatGate(design.verifier, valid)
    observe = _of_decision(decision.id, request.observers) if request.observers else None
    watch.ends = inf if search.budget.seconds is None else monotonic() + search.budget.seconds
    with watched(watch):
        return await arun(search, design.models[configuration.model], verifier, observe, ledgers.append, output.has_output)


class Output:
    """What has been shown of a request's answer, all of which comes from one attempt: the first that has shown anything.

    Args:
        emit: takes the pieces.
        has_other_output: whether anything has been shown beside them.
    """

    def __init__(self, emit: Emit | None, has_other_output: Callable[[], bool]) -> None:
        self._emit, self._has_other_output = emit, has_other_output
        self.owner: OwnOutput | None = None

    def show(self, owner: OwnOutput, piece: Any) -> None:
        """Pass a piece on, unless another attempt was first."""
        self.owner = self.owner or owner
        if self.owner is owner and self._emit is not None:
            self._emit(piece)

    def has_output(self) -> bool:
        """Whether anything of an answer has been shown."""
        return self.owner is not None or self._has_other_output()


class OwnOutput:
    """What one attempt shows.

    Args:
        output: of the request.

    Attributes:
        shared: that.
    """

    def __init__(self, output: Output) -> None:
        self.shared = output

    def __call__(self, piece: Any) -> None:
        self.shared.show(self, piece)

    def has_output(self) -> bool:
        """Whether anything of an answer has been shown."""
        return self.shared.has_output()


def _of_decision(decision_id: str, observers: Sequence[Observer]) -> SearchObserver:
    """Passes on what happens in a search, with the decision that it belongs to."""

    def observe(event: SearchEvent) -> None:
        tell(observers, replace(event, decision_id=decision_id))

    return observe
