"""Nobody can tell a chat model behind the engine from the one that it stands for: same requests, same results, same errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel

from tests.parity.bodies import Shape
from tests.parity.comparison import WHOLE_VOTES, Comparison, Framework
from tests.parity.langchain_cases import CASES, Case
from tests.parity.langchain_clients import CLIENTS
from tests.parity.langchain_results import result_differences, usage_differences
from tests.parity.providers.wire import Loopback
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.space import Configuration, ConfigurationSpace

METHODS = {"whole": "invoke", "stream": "stream", "async whole": "ainvoke", "async stream": "astream"}


def _call(model: BaseChatModel, case: Case, call: str) -> Any:
    return getattr(case.build(model), METHODS[call])(case.input, **case.options)


def _searching(client: str, model: BaseChatModel, shape: Shape) -> UniScaleChatModel:
    space = ConfigurationSpace([Configuration(CLIENTS[client].model, *shape)])
    engine = UniScale([model], "agreement", space, sampling=WHOLE_VOTES)
    return UniScaleChatModel(engine=engine)


def _instead(case: Case, client: str) -> Case | None:
    return replace(case, options={}, settings=case.instead[client]) if client in case.instead else None


def _framework(server: Loopback | None) -> Framework[Case]:
    return Framework(
        CASES,
        lambda client: CLIENTS[client].provider,
        lambda client, wire, settings: CLIENTS[client].over(wire, server, **settings),
        _searching,
        _call,
        _instead,
        result_differences,
        usage_differences,
    )


CELLS, SEARCHES = _framework(None).cells, _framework(None).searches


@pytest.fixture(scope="module")
def comparison(server: Loopback) -> Comparison[Case]:
    return Comparison(_framework(server))


@pytest.mark.parametrize(("client", "name"), CELLS)
def test_bare(comparison: Comparison[Case], client: str, name: str) -> None:
    comparison.check_bare(client, name)


@pytest.mark.parametrize(("client", "name"), CELLS)
def test_plain(comparison: Comparison[Case], client: str, name: str) -> None:
    comparison.check_plain(client, name)


@pytest.mark.parametrize(
    ("client", "name", "shape"), SEARCHES, ids=[f"{client}-{name}-{shape}" for client, name, shape in SEARCHES]
)
def test_search(comparison: Comparison[Case], client: str, name: str, shape: Shape) -> None:
    comparison.check_search(client, name, shape)


@pytest.mark.parametrize("client", ["server", "ollama"])
def test_steps_are_continued(comparison: Comparison[Case], client: str) -> None:
    comparison.check_steps(client, "question")


@pytest.mark.parametrize("shape", [(1, 4, 2), (2, 2, 1)], ids=str)
def test_an_answer_that_the_caller_has_begun_is_continued_by_the_model_alone(comparison: Comparison[Case], shape: Shape) -> None:
    comparison.check_search("ollama", "assistant_last", shape)
