"""What is changed in LangChain for the whole process, and taken back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.tracers import context

from tests.langchain.conftest import searching
from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import UnknownDecisionError
from uniscale_integrations.langchain import (
    RunLedger,
    ingest_langsmith_results,
    install,
    learn_from,
    rewarded,
    uninstall,
    with_feedback,
)


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    uninstall()
    yield
    install()


def test_importing_changes_nothing() -> None:
    script = (
        "from langchain_core.tracers import context\nbefore = list(context._configure_hooks)\n"
        "import uniscale_integrations.langchain\nassert context._configure_hooks == before"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_uninstalling_restores_and_installing_twice_is_once() -> None:
    before = list(context._configure_hooks)
    install()
    after = list(context._configure_hooks)
    assert len(after) == len(before) + 1
    install()
    assert context._configure_hooks == after
    uninstall()
    assert context._configure_hooks == before
    uninstall()
    assert context._configure_hooks == before


def test_constructing_a_chat_model_installs(server: Server) -> None:
    before = list(context._configure_hooks)
    searching(server)
    assert len(context._configure_hooks) == len(before) + 1


def test_runs_are_noted_while_it_is_installed(server: Server) -> None:
    model = searching(server)
    assert model.engine is not None
    noted, unnoted = uuid4(), uuid4()
    model.invoke("What is 2 + 2?", {"run_id": noted})
    uninstall()
    message = model.invoke("What is 2 + 2?", {"run_id": unnoted})
    assert model.engine.feedback(noted, 1.0)
    with pytest.raises(UnknownDecisionError):
        model.engine.feedback(unnoted, 1.0)
    assert model.engine.feedback(message, 1.0)


def test_former_names_work_and_say_so(server: Server) -> None:
    model = searching(server)
    assert model.engine is not None
    scores = [lambda outputs: float(outputs.text == "x")]
    with pytest.warns(DeprecationWarning, match="with_feedback"):
        chain: Any = rewarded(model, scores, model)
    assert type(chain) is type(with_feedback(model, scores, model))
    with pytest.warns(DeprecationWarning, match="ingest_langsmith_results"):
        assert learn_from([], model.engine) == ingest_langsmith_results([], model.engine) == 0
    with pytest.warns(DeprecationWarning, match="limit"):
        ledger = RunLedger(**{"most": 1})  # noqa: PIE804  # no type checker knows a former name
    for run_id in (first := uuid4(), second := uuid4()):
        ledger.note(run_id, "d")
    assert ledger.decisions(first) is None
    assert ledger.decisions(second) == ("d",)
    assert isinstance(model.engine, UniScale)
