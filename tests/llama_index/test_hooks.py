"""What is changed in LlamaIndex for the whole process, and taken back."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index_instrumentation import root_dispatcher
from llama_index_instrumentation.base.event import BaseEvent
from llama_index_instrumentation.dispatcher import Dispatcher, instrument_tags
from llama_index_instrumentation.event_handlers.base import BaseEventHandler

from tests.llama_index.conftest import searching
from tests.openai_server import Server
from uniscale_integrations.errors import UnknownDecisionError
from uniscale_integrations.llama_index import install, uninstall
from uniscale_integrations.llama_index.isolation import REPORTING_METHODS


class Starts(BaseEventHandler):
    """Keeps the LLM calls that begin."""

    events: list[BaseEvent] = []  # noqa: RUF012  # a field of pydantic

    def handle(self, event: BaseEvent, **kwargs: Any) -> Any:
        if event.class_name() == "LLMChatStartEvent":
            self.events.append(event)


def state() -> tuple[list[Any], list[int]]:
    """The methods that report, and the span handlers."""
    return [vars(kind)[name] for kind, name in REPORTING_METHODS], [id(each) for each in root_dispatcher.span_handlers]


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    uninstall()
    yield
    install()


@pytest.fixture
def starts() -> Iterator[Starts]:
    handler = Starts(events=[])
    root_dispatcher.add_event_handler(handler)
    yield handler
    root_dispatcher.event_handlers.remove(handler)


def test_importing_changes_nothing() -> None:
    script = (
        "from llama_index.core.callbacks import CallbackManager\nfrom llama_index_instrumentation import root_dispatcher\n"
        "def state(): return dict(vars(type(root_dispatcher))), dict(vars(CallbackManager)), list(root_dispatcher.span_handlers)\n"
        "before = state()\nimport uniscale_integrations.llama_index\nassert state() == before"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_uninstalling_restores_and_installing_twice_is_once() -> None:
    before = state()
    install()
    after = state()
    assert len(after[1]) == len(before[1]) + 1
    assert all(method is not original for method, original in zip(after[0], before[0], strict=True))
    install()
    assert state() == after
    uninstall()
    assert state() == before
    uninstall()
    assert state() == before


def test_constructing_an_llm_installs(server: Server) -> None:
    searching(server)
    after = state()
    install()
    assert state() == after


def test_inner_calls_are_hidden_while_it_is_installed(server: Server, starts: Starts) -> None:
    llm = searching(server, (2, 1, 1))
    llm.complete("What is 2 + 2?")
    assert len(starts.events) == 0
    llm.chat([])
    assert len(starts.events) == 1
    uninstall()
    llm.chat([])
    assert len(starts.events) > 2


def test_decisions_within_a_query_are_noted_while_it_is_installed(server: Server, index: VectorStoreIndex) -> None:
    llm = searching(server)
    assert llm.engine is not None
    queries = index.as_query_engine(llm=llm)
    assert llm.engine.feedback(queries.query("How many rooms has the red house?"), 1.0)
    uninstall()
    with pytest.raises(UnknownDecisionError):
        llm.engine.feedback(queries.query("How many rooms has the red house?"), 1.0)
    with instrument_tags({"hooked": "still"}):
        response = llm.complete("What is 2 + 2?")
    assert llm.engine.feedback(response, 1.0)
    assert llm.engine.feedback({"hooked": "still"}, 0.5)


def test_a_method_that_others_have_wrapped_stays_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    install()
    ours = Dispatcher.event

    def theirs(self: Dispatcher, event: BaseEvent, **kwargs: Any) -> None:
        ours(self, event, **kwargs)

    Dispatcher.event = theirs  # type: ignore[method-assign]
    try:
        with caplog.at_level(logging.WARNING, "uniscale_integrations"):
            uninstall()
        assert vars(Dispatcher)["event"] is theirs
        assert "Dispatcher.event was patched by others" in caplog.text
        install()
        assert vars(Dispatcher)["event"] is theirs
    finally:
        Dispatcher.event = ours  # type: ignore[method-assign]
