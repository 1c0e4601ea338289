"""What is known of models, from their names or by a probe: of equal searches one is chosen, and workers tell each other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Event

import httpx
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike
from pydantic import SecretStr

from tests.engine.chat_models import assert_same_beliefs, without_snapshots
from tests.logged import decisions
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.engine import UniScale, succession
from uniscale_integrations.engine.brain import Brain, build
from uniscale_integrations.engine.design import Design
from uniscale_integrations.errors import LogError
from uniscale_integrations.langchain.client import LangChainClient
from uniscale_integrations.llama_index.client import LlamaIndexClient
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.models.chat.client import ChatClient, Completion, CompletionRequest, Continuation
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.models.chat.probe import NEXT, PREFIX
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.space import Configuration, ConfigurationSpace

PLAIN, VOTE, BEAM = (Configuration("m", *shape) for shape in ((1, 1, 1), (4, 1, 1), (1, 4, 2)))
REASON = "the model cannot continue a partial answer: this is (4,1,1)"
QUESTION = "How many are 2 and 2?"


class Hosted:
    """A server's model, which begins anew, or goes on where it is told to."""

    name, capabilities, stop, address = "m", frozenset(("tools",)), (), "http://server/v1"

    def __init__(self, *, goes_on: bool = False, ways: Sequence[Continuation] = (Continuation.PREFILL,)) -> None:
        self.continuations, self._goes_on = ways, goes_on
        self.probes = 0

    async def complete(self, request: CompletionRequest) -> Completion:
        if request.prefix == PREFIX:
            self.probes += 1
            return Completion(f" {NEXT} six" if self._goes_on else "one two three", usage=Usage(50.0, 8.0))
        text = "" if request.prefix else "Answer: 4"
        return Completion(text, usage=Usage(20.0, 5.0))


def hosted(client: Hosted, log: str = "sqlite://", space: ConfigurationSpace | None = None) -> UniScale:
    return UniScale([ChatStepModel(client, price=(1.0, 4.0))], space=space, log=log, sync_interval=0.0)


def reasons(engine: UniScale, question: str | Conversation = QUESTION) -> dict[Configuration, str]:
    # Who decides waits for a moment only until what was found is taken into account.
    engine._succession.adopt()
    found = {each.configuration: each.ineligibility for each in engine.decide(question).explain().candidates}
    return {configuration: reason for configuration, reason in found.items() if reason}


BEAM_ONLY = ConfigurationSpace([BEAM])
BOTH = ConfigurationSpace([VOTE, BEAM])


def test_of_a_model_that_is_known_not_to_continue_the_space_has_each_search_once() -> None:
    client = Hosted(ways=())
    with hosted(client) as engine:
        assert [each.shape for each in engine.space] == [(1, 1, 1), (2, 1, 1), (4, 1, 1), (8, 1, 1)]
        engine.run(QUESTION)
        assert not client.probes


def test_where_answers_are_scored_by_themselves_the_best_of_four_is_no_vote() -> None:
    with UniScale([ChatStepModel(Hosted(ways=()))], "arithmetic") as engine:
        assert Configuration("m", 1, 4, 1) in engine.space
        assert not reasons(engine)


def test_configurations_that_somebody_names_stay_and_the_duplicate_is_not_chosen(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), hosted(Hosted(ways=()), space=BOTH) as engine:
        assert list(engine.space) == [VOTE, BEAM]
        assert reasons(engine) == {BEAM: REASON}
        assert engine.run(QUESTION).configuration == VOTE
    said = [record.getMessage() for record in caplog.records if "runs the same search" in record.getMessage()]
    assert said == ["(m,1,4,2) is not chosen: m cannot continue a partial answer, so that it runs the same search as (m,4,1,1)"]


def test_a_duplicate_alone_stays() -> None:
    with hosted(Hosted(ways=()), space=BEAM_ONLY) as engine:
        assert engine.run(QUESTION).configuration == BEAM


def test_what_a_probe_finds_is_known_to_workers_that_come_and_to_those_that_are_there(log: str) -> None:
    first, second, third = Hosted(), Hosted(), Hosted()
    with hosted(third, log) as running:
        assert not reasons(running)
        with hosted(first, log, BEAM_ONLY) as worker:
            worker.run(QUESTION)
        with hosted(second, log) as other:
            assert reasons(other) == {BEAM: REASON}
            other.run(QUESTION)
        running.run(QUESTION)
        assert reasons(running) == {BEAM: REASON}
    assert (first.probes, second.probes, third.probes) == (1, 0, 0)


def test_a_model_that_continues_is_known_to_do_so_too(log: str) -> None:
    first, second = Hosted(goes_on=True), Hosted(goes_on=True)
    for client in (first, second):
        with hosted(client, log, BEAM_ONLY) as engine:
            engine.run(QUESTION)
            assert not reasons(engine)
    assert (first.probes, second.probes) == (1, 0)


def test_models_of_one_name_at_two_addresses_are_probed_each(log: str) -> None:
    first, second = Hosted(), Hosted(goes_on=True)
    second.address = "http://elsewhere/v1"
    for client in (first, second):
        with hosted(client, log, BEAM_ONLY) as engine:
            engine.run(QUESTION)
    assert (first.probes, second.probes) == (1, 1)


def test_answers_that_cannot_be_cut_into_steps_are_voted_on_whatever_the_model_can_do() -> None:
    with hosted(Hosted(goes_on=True), space=BOTH) as engine:
        turns = (Turn("user", QUESTION),)
        tools = Conversation(turns, atomic=True, required_capabilities=frozenset(("tools",)))
        assert reasons(engine, tools) == {BEAM: "the answer cannot be cut into steps: this is (4,1,1)"}
        begun = Conversation((*turns, Turn("assistant", "Answer:")))
        assert reasons(engine, begun) == {BEAM: "the answer cannot be cut into steps: this is (4,1,1)"}
        assert not reasons(engine, Conversation(turns))


def test_what_was_decided_of_a_duplicate_teaches_the_one_that_stands_for_both(log: str) -> None:
    client = Hosted()
    with hosted(client, log, BEAM_ONLY) as before:
        # Another worker of an earlier version has chosen the beam, again and again.
        brain = before._requests
        for turn in range(12):
            decision = brain.decide(before._request(QUESTION, None, None), {})
            event = brain.event_factory.decision(decision, QUESTION)
            before._knowledge.append(event)
            before.feedback(event.decision_id, float(turn % 3 > 0))
    with hosted(Hosted(), log, BOTH) as found, hosted(Hosted(ways=()), log, BOTH) as known:
        assert {each.configuration for each in decisions(found)} == {BEAM}
        assert found.state()["told"].tolist() == [0, 12], "as long as nothing is known of the model"
        assert known.state()["told"].tolist() == [12, 0]
        with hosted(client, log, BEAM_ONLY) as probing:
            probing.run(QUESTION)
        found.run(QUESTION)
        assert reasons(found) == {BEAM: REASON}
        for engine in (found, known):
            engine.sync()
        assert_same_beliefs(found, known)
        without_snapshots(known)
        with hosted(Hosted(ways=()), log, BOTH) as later:
            assert_same_beliefs(found, later)


def test_no_request_waits_until_what_was_found_is_taken_into_account_but_who_closes_does(monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on = Event()

    def slow(design: Design, log: EventStore, previous: Brain | None = None) -> Brain:
        assert may_go_on.wait(60)
        return build(design, log, previous)

    with hosted(Hosted(), space=BEAM_ONLY) as engine:
        before = engine.brain
        monkeypatch.setattr(succession, "build", slow)
        assert [engine.run(QUESTION).configuration for _ in range(2)] == [BEAM, BEAM]
        assert engine.brain is before
        may_go_on.set()
    assert engine.brain.duplicates.models == {"m"}


def test_what_cannot_be_taken_into_account_is_warned_of_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fails = [True]

    def failing(design: Design, log: EventStore, previous: Brain | None = None) -> Brain:
        if fails.pop() if fails else False:
            raise LogError("the disk is full")
        return build(design, log, previous)

    monkeypatch.setattr(succession, "build", failing)
    with hosted(Hosted(), space=BEAM_ONLY) as engine:
        assert engine.run(QUESTION).configuration == BEAM
        engine._succession.close()
        assert not engine.brain.duplicates.models
        assert "what was found of the models is not taken into account yet: the disk is full" in caplog.text
        engine.run(QUESTION)
    assert engine.brain.duplicates.models == {"m"}


def test_a_model_that_is_declared_to_continue_is_neither_probed_nor_told_otherwise(log: str) -> None:
    with hosted(Hosted(), log, BEAM_ONLY) as engine:
        engine.run(QUESTION)
    declared = Hosted()
    model = ChatStepModel(declared, continuation="prefill")  # type: ignore[arg-type]  # as a user may say it
    with UniScale([model], space=BOTH, log=log) as engine:
        assert not reasons(engine)
    assert not declared.probes


def langchain(base_url: str | None = None, **settings: object) -> LangChainClient:
    return LangChainClient(ChatOpenAI(model="gpt-test", api_key=SecretStr("test"), base_url=base_url, **settings))  # type: ignore[arg-type]


def claude(name: str) -> LangChainClient:
    return LangChainClient(ChatAnthropic(model_name=name, api_key=SecretStr("test"), timeout=None, stop=None))


def test_what_hosted_models_can_do_is_known_at_construction() -> None:
    whole: list[ChatClient] = [
        langchain(),
        langchain(use_responses_api=True),
        claude("claude-opus-4-6"),
        LlamaIndexClient(OpenAI(model="gpt-4.1-mini", api_key="test")),
        LlamaIndexClient(OpenAILike(model="anthropic/claude-sonnet-4.6", api_base="http://gateway/v1", api_key="test")),
    ]
    unknown: list[ChatClient] = [
        langchain("http://server/v1"),
        langchain(http_async_client=httpx.AsyncClient()),
        claude("claude-haiku-4-5"),
        LlamaIndexClient(OpenAILike(model="qwen3-8b", api_base="http://server/v1", api_key="test")),
    ]
    assert [ChatStepModel(client).continues for client in whole] == [False] * 5
    assert [ChatStepModel(client).continues for client in unknown] == [None] * 4
