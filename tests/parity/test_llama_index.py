"""Nobody can tell an LLM behind the engine from the one that it stands for: same requests, same results, same errors."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from llama_index.core.llms.llm import LLM

from tests.parity.bodies import Shape
from tests.parity.comparison import WHOLE_VOTES, Comparison, Framework
from tests.parity.llama_index_cases import CASES, Case
from tests.parity.llama_index_clients import CLIENTS
from tests.parity.llama_index_results import result_differences, usage_differences
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.space import Configuration, ConfigurationSpace

METHODS = {"whole": "{}", "stream": "stream_{}", "async whole": "a{}", "async stream": "astream_{}"}


def _call(llm: LLM, case: Case, call: str) -> Any:
    # LlamaIndex writes to the lists and mappings that it is given.
    return getattr(llm, METHODS[call].format(case.method))(*case.arguments, **deepcopy(dict(case.options)))


def _searching(client: str, llm: LLM, shape: Shape) -> UniScaleLLM:
    model = CLIENTS[client].settings["model"]
    space = ConfigurationSpace([Configuration(model, *shape)])
    return UniScaleLLM(engine=UniScale([llm], "agreement", space, sampling=WHOLE_VOTES))


def _instead(case: Case, client: str) -> Case | None:
    return replace(case, options={}, settings=case.instead[client]) if client in case.instead else None


FRAMEWORK = Framework(
    CASES,
    lambda client: CLIENTS[client].provider,
    lambda client, wire, settings: CLIENTS[client].over(wire, **settings),
    _searching,
    _call,
    _instead,
    result_differences,
    usage_differences,
)


@pytest.fixture(scope="module")
def comparison() -> Comparison[Case]:
    return Comparison(FRAMEWORK)


@pytest.mark.parametrize(("client", "name"), FRAMEWORK.cells)
def test_bare(comparison: Comparison[Case], client: str, name: str) -> None:
    comparison.check_bare(client, name)


@pytest.mark.parametrize(("client", "name"), FRAMEWORK.cells)
def test_plain(comparison: Comparison[Case], client: str, name: str) -> None:
    comparison.check_plain(client, name)


@pytest.mark.parametrize(
    ("client", "name", "shape"),
    FRAMEWORK.searches,
    ids=[f"{client}-{name}-{shape}" for client, name, shape in FRAMEWORK.searches],
)
def test_search(comparison: Comparison[Case], client: str, name: str, shape: Shape) -> None:
    comparison.check_search(client, name, shape)


@pytest.mark.parametrize("client", ["like", "completion"])
def test_steps_are_continued(comparison: Comparison[Case], client: str) -> None:
    comparison.check_steps(client, "question")
