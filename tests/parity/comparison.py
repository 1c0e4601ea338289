"""Calls of bare models and of the same models behind the engine, each model made once and each bare call made once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import pytest

from tests.parity.bodies import Shape, plain_differences, search_differences
from tests.parity.observed import Observed, observe
from tests.parity.providers.model import ANSWER
from tests.parity.providers.wire import Provider, Wire
from uniscale_integrations.search.ports import Sampling

PLAIN: Shape = (1, 1, 1)
SEARCHES: tuple[Shape, ...] = ((4, 1, 1), (1, 4, 2), (2, 2, 1))

EVERYTHING = os.environ.get("UNISCALE_PARITY") == "full"
"""Whether every case is called in every way under every search, which takes several minutes."""

WHOLE_VOTES = Sampling(votes="full")
"""Of searches whose usage is compared: a request that a decided vote gives up was counted by its provider, and is only estimated here."""

Settings = Mapping[str, Any]


class AnyCase(Protocol):
    """What cases of both frameworks say.

    Attributes:
        settings: of the model.
        clients: to which the call is made.
        refused: those of them where the bare model fails, be it that the client, the provider or a parser refuses.
        refused_whole: those of them where it fails unless it streams.
        refused_streamed: those of them where it fails only when it streams.
        rests: whether the model may be left alone for a while afterwards.
        once: whether one kind of call tells enough, which one goes round.
        searched: whether it is made under a search, too.
        question: the user's.
    """

    @property
    def settings(self) -> Settings: ...
    @property
    def clients(self) -> tuple[str, ...]: ...
    @property
    def refused(self) -> tuple[str, ...]: ...
    @property
    def refused_whole(self) -> tuple[str, ...]: ...
    @property
    def refused_streamed(self) -> tuple[str, ...]: ...
    @property
    def rests(self) -> bool: ...
    @property
    def once(self) -> bool: ...
    @property
    def searched(self) -> bool: ...
    @property
    def question(self) -> str: ...


C = TypeVar("C", bound=AnyCase)


@dataclass(frozen=True)
class Framework(Generic[C]):
    """A framework's models and calls.

    Attributes:
        cases: by name.
        provider: of a client, by name.
        bare: a client's model over a wire, with settings.
        ours: a client's model behind the engine, with one configuration of that shape.
        call: makes a case's call of a kind.
        instead: a case that the engine shall answer as if it were this one; `None` where it is the case itself.
        differences: of results.
        usage: whether a search tells what it took.
    """

    cases: Mapping[str, C]
    provider: Callable[[str], Provider]
    bare: Callable[[str, Wire, Settings], Any]
    ours: Callable[[str, Any, Shape], Any]
    call: Callable[[Any, C, str], Any]
    instead: Callable[[C, str], C | None]
    differences: Callable[..., list[str]]
    usage: Callable[[Observed, Observed], list[str]]

    @property
    def cells(self) -> list[tuple[str, str]]:
        return [(client, name) for name, case in self.cases.items() for client in case.clients]

    @property
    def searches(self) -> list[tuple[str, str, Shape]]:
        """Every case under one search, and every search with every kind of call."""
        cells = [(number, *cell) for number, cell in enumerate(self.cells) if self.cases[cell[1]].searched]
        return [
            (client, name, shape)
            for number, client, name in cells
            for shape in (SEARCHES if EVERYTHING else SEARCHES[number % 3 :][:1])
        ]


@dataclass
class Comparison(Generic[C]):
    """Compares the calls of one framework.

    Attributes:
        framework: the framework.
    """

    framework: Framework[C]
    _models: dict[tuple[str, str, Shape | None], tuple[Wire, Any]] = field(default_factory=dict)
    _seen: dict[tuple[str, str, str, bool], Observed] = field(default_factory=dict)
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def check_bare(self, client: str, name: str) -> None:
        """The providers take what the real ones take, and refuse what those refuse: the yardstick of everything else."""
        case = self.framework.cases[name]
        for call in self._calls(client, name):
            fails = client in case.refused or client in (case.refused_streamed if "stream" in call else case.refused_whole)
            error = self._once(client, name, call, instead=False).error
            if (error is not None) != fails:
                pytest.fail(f"{call}: {error!r}", pytrace=False)

    def check_plain(self, client: str, name: str) -> None:
        """One request, the bare model's, and what the bare model gives."""
        found = []
        for call in self._calls(client, name):
            bare, ours = self._yardstick(client, name, call), self._ours(client, name, call, PLAIN)
            differences = plain_differences(bare, ours) + self.framework.differences(bare, ours, plain=True)
            found += [f"{call}: {difference}" for difference in differences]
        _told(found)

    def check_search(self, client: str, name: str, shape: Shape) -> None:
        """Candidates that differ from the bare model's request in what a search must change, and what the bare model gives."""
        number = self._number(client, name)
        call, *others = self._calls(client, name)[:: 1 if number // 3 % 2 else -1]
        bare, ours = self._yardstick(client, name, call), self._ours(client, name, call, shape)
        yardsticks = list(bare.requests)
        # Candidates are asked for whole answers, however the call is made.
        for other in others if yardsticks else ():
            side = yardsticks[0].side
            yardsticks += [replace(each, side=side) for each in self._yardstick(client, name, other).requests]
        question = self.framework.cases[name].question
        found = search_differences(yardsticks, ours, shape, question=question, failed=bare.error is not None)
        found += self.framework.differences(bare, ours, plain=False)
        if bare.error is None and ours.error is None:
            found += self.framework.usage(bare, ours)
        _told([f"{call}: {difference}" for difference in found])

    def check_steps(self, client: str, name: str) -> None:
        """A search over steps continues answers at the providers that do; otherwise the comparison of steps would be of whole answers."""
        shape: Shape = (1, 4, 2)
        self._models.pop((client, str(self.framework.cases[name].settings), shape), None)
        ours = self._ours(client, name, "whole", shape)
        first = str(ours.requests[-1].body.get("prompt") or ours.requests[-1].body["messages"][-1]["content"])
        if ANSWER.split("\n")[0] not in first:
            pytest.fail(f"no step was continued in {len(ours.requests)} requests", pytrace=False)

    def _number(self, client: str, name: str) -> int:
        if not self._numbers:
            self._numbers = {cell: number for number, cell in enumerate(self.framework.cells)}
        return self._numbers[client, name]

    def _calls(self, client: str, name: str) -> Sequence[str]:
        """Whole and streamed, one of them asynchronous; which one goes round."""
        if EVERYTHING:
            return ("whole", "async stream", "stream", "async whole")
        number = self._number(client, name)
        both = ("whole", "async stream") if number % 2 else ("stream", "async whole")
        return both[number // 2 % 2 :][:1] if self.framework.cases[name].once else both

    def _yardstick(self, client: str, name: str, call: str) -> Observed:
        """The call as the engine shall answer it: as the bare model does, or as one that can."""
        return self._once(client, name, call, instead=self.framework.instead(self.framework.cases[name], client) is not None)

    def _once(self, client: str, name: str, call: str, *, instead: bool) -> Observed:
        key = (client, name, call, instead)
        if key not in self._seen:
            case = self.framework.cases[name]
            other = self.framework.instead(case, client) if instead else None
            self._seen[key] = self._observed(client, other or case, call, None)
        return self._seen[key]

    def _ours(self, client: str, name: str, call: str, shape: Shape) -> Observed:
        case = self.framework.cases[name]
        observed = self._observed(client, case, call, shape)
        if case.rests:
            del self._models[client, str(case.settings), shape]
        return observed

    def _observed(self, client: str, case: C, call: str, shape: Shape | None) -> Observed:
        wire, model = self._model(client, case.settings, shape)
        return observe(wire, partial(self.framework.call, model, case, call), asynchronous="async" in call)

    def _model(self, client: str, settings: Settings, shape: Shape | None) -> tuple[Wire, Any]:
        key = (client, str(settings), shape)
        if key not in self._models:
            wire = Wire(self.framework.provider(client))
            model = self.framework.bare(client, wire, settings)
            self._models[key] = wire, model if shape is None else self.framework.ours(client, model, shape)
        return self._models[key]


def _told(differences: Sequence[str]) -> None:
    if differences:
        pytest.fail("\n".join(differences), pytrace=False)
