"""Nobody can tell a chat model behind the engine from the one that it stands for: same requests, same results, same errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel

from tests.parity.bodies import Shape, plain_differences, search_differences
from tests.parity.cases import CASES, Case
from tests.parity.clients import CLIENTS
from tests.parity.messages import result_differences, usage_differences
from tests.parity.observed import Observed, observe
from tests.parity.providers.wire import Loopback, Wire
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.space import Configuration, ConfigurationSpace

PLAIN: Shape = (1, 1, 1)
SEARCHES: tuple[Shape, ...] = ((4, 1, 1), (1, 4, 2), (2, 2, 1))

CELLS = [(client, name) for name, case in CASES.items() for client in case.clients]
NUMBERS = {cell: number for number, cell in enumerate(CELLS)}


class Comparison:
    """Models with and without the engine, each made once, and what the bare ones were seen to do."""

    def __init__(self, server: Loopback) -> None:
        self._server = server
        self._models: dict[tuple[str, str, Shape | None], tuple[Wire, BaseChatModel]] = {}
        self._bare: dict[tuple[str, str, str, bool], Observed] = {}

    def bare(self, client: str, name: str, call: str) -> Observed:
        """The call as the bare model answers it."""
        return self._once(client, name, call, instead=False)

    def yardstick(self, client: str, name: str, call: str) -> Observed:
        """The call as the engine shall answer it: as the bare model does, or as one that can."""
        return self._once(client, name, call, instead=client in CASES[name].instead)

    def ours(self, client: str, name: str, call: str, shape: Shape) -> Observed:
        """The call as the engine answers it."""
        observed = self._observed(client, CASES[name], call, shape)
        if CASES[name].rests:
            del self._models[client, str(CASES[name].settings), shape]
        return observed

    def _once(self, client: str, name: str, call: str, *, instead: bool) -> Observed:
        key = (client, name, call, instead)
        if key not in self._bare:
            case = CASES[name]
            case = replace(case, options={}, settings=case.instead[client]) if instead else case
            self._bare[key] = self._observed(client, case, call, None)
        return self._bare[key]

    def _observed(self, client: str, case: Case, call: str, shape: Shape | None) -> Observed:
        wire, model = self._model(client, case.settings, shape)
        return observe(wire, partial(_call, model, case, call), asynchronous=call.startswith("a"))

    def _model(self, client: str, settings: Mapping[str, Any], shape: Shape | None) -> tuple[Wire, BaseChatModel]:
        key = (client, str(settings), shape)
        if key not in self._models:
            kind = CLIENTS[client]
            wire = Wire(kind.provider)
            model = kind.over(wire, self._server, **settings)
            self._models[key] = wire, model if shape is None else _searching(model, kind.model, shape)
        return self._models[key]


def _call(model: BaseChatModel, case: Case, call: str) -> Any:
    return getattr(case.build(model), call)(case.input, **case.options)


def _searching(model: BaseChatModel, name: str, shape: Shape) -> UniScaleChatModel:
    engine = UniScale([model], "agreement", ConfigurationSpace([Configuration(name, *shape)]))
    return UniScaleChatModel(engine=engine)


@pytest.fixture(scope="session")
def comparison(server: Loopback) -> Comparison:
    return Comparison(server)


@pytest.mark.parametrize(("client", "name"), CELLS)
def test_bare(comparison: Comparison, client: str, name: str) -> None:
    """The providers take what the real ones take, and refuse what those refuse: the yardstick of everything else."""
    case = CASES[name]
    for call in _calls(client, name):
        fails = client in case.refused or client in (case.refused_streamed if call.endswith("stream") else case.refused_whole)
        observed = comparison.bare(client, name, call)
        assert (observed.error is not None) == fails, f"{call}: {observed.error!r}"


@pytest.mark.parametrize(("client", "name"), CELLS)
def test_plain(comparison: Comparison, client: str, name: str) -> None:
    found = []
    for call in _calls(client, name):
        bare, ours = comparison.yardstick(client, name, call), comparison.ours(client, name, call, PLAIN)
        differences = plain_differences(bare, ours) + result_differences(bare, ours, plain=True)
        found += [f"{call}: {difference}" for difference in differences]
    _told(found)


SEARCHED = [(*cell, SEARCHES[number % 3]) for cell, number in NUMBERS.items() if CASES[cell[1]].searched]
"""Every case under one search, and every search with every kind of call."""


@pytest.mark.parametrize(("client", "name", "shape"), SEARCHED, ids=[f"{client}-{name}-{shape}" for client, name, shape in SEARCHED])
def test_search(comparison: Comparison, client: str, name: str, shape: Shape) -> None:
    call, other = _calls(client, name)[:: 1 if NUMBERS[client, name] // 3 % 2 else -1]
    bare, ours = comparison.yardstick(client, name, call), comparison.ours(client, name, call, shape)
    # Candidates are asked for whole answers, however the call is made.
    yardsticks = list(bare.requests)
    if yardsticks:
        yardsticks += [replace(each, side=_side(call)) for each in comparison.yardstick(client, name, other).requests]
    found = search_differences(yardsticks, ours, shape, question=CASES[name].question, failed=bare.error is not None)
    found += result_differences(bare, ours, plain=False)
    if bare.error is None and ours.error is None:
        found += usage_differences(bare, ours)
    _told([f"{call}: {difference}" for difference in found])


def _side(call: str) -> str:
    return "async" if call.startswith("a") else "sync"


def _told(differences: Sequence[str]) -> None:
    if differences:
        pytest.fail("\n".join(differences), pytrace=False)


def _calls(client: str, name: str) -> tuple[str, ...]:
    """Whole and streamed, one of them asynchronous; which one goes round."""
    number = NUMBERS[client, name]
    both = ("invoke", "astream") if number % 2 else ("stream", "ainvoke")
    return both[number // 2 % 2 :][:1] if CASES[name].once else both
