"""Targets of requests together, as engines and both frameworks keep to them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from tests.engine.test_continuation import Hosted
from tests.langchain.conftest import openai
from tests.llama_index.conftest import like
from tests.logged import decisions
from tests.openai_server import Server
from uniscale_integrations import AtLeast, UniScale, UniScaleChatModel, UniScaleLLM, Within
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.policy.objective import Value
from uniscale_integrations.policy.targets import target_of_record
from uniscale_integrations.space import ConfigurationSpace

QUESTION = "Add 1 and 2."
SINGLE = ConfigurationSpace.default(["cheap", "dear"], [(1, 1, 1)])


def hosted(mode: Any, log: str = "sqlite://") -> UniScale:
    models = [ChatStepModel(Hosted("cheap"), price=(0.25, 2.0)), ChatStepModel(Hosted("dear"), price=(1.25, 10.0))]
    return UniScale(models, None, SINGLE, mode=mode, log=log, sync_interval=0.0)


def serve(engine: UniScale, requests: int, **options: Any) -> list[str]:
    """The model of each request's answer; of the dear one all are right, of the cheap one every second."""
    models = []
    for number in range(requests):
        answer = engine.run(f"Add {number} and {number + 1}.", **options)
        assert answer.configuration is not None
        models.append(answer.configuration.model)
        engine.feedback(answer, 1.0 if models[-1] == "dear" else float(number % 2))
    return models


def test_a_share_of_right_answers_is_kept_by_both_models_together() -> None:
    with hosted(AtLeast(0.75)) as engine:
        models = serve(engine, 160)
        assert 0.3 <= models[60:].count("dear") / 100 <= 0.75
    with hosted(AtLeast(0.3)) as engine:
        assert serve(engine, 80)[30:].count("cheap") >= 45
    with hosted(AtLeast(0.98)) as engine:
        assert serve(engine, 80)[30:].count("dear") >= 45


def test_a_mean_cost_is_kept() -> None:
    with hosted(Within(4e-5)) as engine:
        costs = [engine.cost(engine.run(f"Add {number} and 1.")) for number in range(100)]
        assert sum(costs) / 100 <= 4e-5 * 1.1
        assert max(costs) > 4e-5, "and it is made use of"


@pytest.mark.parametrize("target", [AtLeast(0.9), Within(5e-5)])
def test_decisions_say_what_was_asked_and_what_a_right_answer_was_worth(target: AtLeast | Within) -> None:
    with hosted(target) as engine:
        answer = engine.run(QUESTION)
        [event] = decisions(engine)
        assert target_of_record(event.extra["objective"]) == target
        assert event.extra["objective"].keys() == {"right", *target.record()}
        decision = engine.decide(QUESTION)
        assert decision.target == target
        assert isinstance(decision.objective, Value)
        assert decision.objective.right is not None
        expected = decision.expected
        assert expected["reward"] == pytest.approx(decision.objective.right * expected["correct"] - expected["spend"])
        explanation = decision.explain()
        assert explanation.objective == decision.objective
        assert explanation.choice.reward == pytest.approx(expected["reward"])
        right = event.extra["objective"]["right"]
        assert engine.reward(answer, 1.0) == pytest.approx(right - engine.cost(answer))
        assert engine.reward(answer, 0.0) == pytest.approx(-engine.cost(answer))


def test_a_call_may_bring_a_target_of_its_own() -> None:
    with hosted("balanced") as engine:
        engine.run(QUESTION, mode=AtLeast(0.9))
        engine.run(QUESTION, mode=Within(1e-3))
        engine.run(QUESTION)
        first, second, third = decisions(engine)
        assert target_of_record(first.extra["objective"]) == AtLeast(0.9)
        assert target_of_record(second.extra["objective"]) == Within(1e-3)
        assert "objective" not in third.extra


def test_targets_go_on_where_an_engine_is_updated() -> None:
    with hosted(AtLeast(0.75)) as engine:
        serve(engine, 10)
        pacer = engine._knowledge.replica.pacers.of(AtLeast(0.75))
        engine.update(prices={"cheap": (0.5, 4.0), "dear": (1.25, 10.0)})
        assert engine._knowledge.replica.pacers.of(AtLeast(0.75)) is pacer
        serve(engine, 10)
        assert len(pacer._pacer._requests) == 20  # type: ignore[attr-defined]
        assert pacer._pacer._judged == 20  # type: ignore[attr-defined]


def test_threads_and_workers_keep_to_targets_side_by_side(log: str) -> None:
    with hosted(Within(4e-5), log) as first, hosted(Within(4e-5), log) as second, ThreadPoolExecutor(4) as pool:
        engines = [first, second] * 20
        answers = list(pool.map(lambda engine: engine.run(QUESTION), engines))
        for engine, answer in zip(reversed(engines), answers, strict=True):
            # Any worker may be told of any answer.
            engine.feedback(answer, 1.0)
        first.sync()
        second.sync()
        assert len(decisions(first)) == 40
        assert sum(map(first.cost, answers)) / 40 <= 4e-5 * 1.7, "each worker may overdraw ten"


def targets_of(engine: UniScale) -> list[object]:
    return [target_of_record(event.extra.get("objective", {})) for event in decisions(engine)]


def test_langchain_calls_bring_targets(server: Server) -> None:
    clients = [openai(server, "cheap"), openai(server, "dear")]
    model = UniScaleChatModel(
        models=clients, prices={"cheap": (0.25, 2.0), "dear": (1.25, 10.0)}, log="sqlite://", mode=Within(0.01)
    )
    model.invoke(QUESTION)
    model.bind(mode=AtLeast(0.9)).invoke(QUESTION)
    model.invoke(QUESTION, {"configurable": {"uniscale_mode": AtLeast(0.8)}})
    assert model.engine is not None
    assert targets_of(model.engine) == [Within(0.01), AtLeast(0.9), AtLeast(0.8)]


def test_llama_index_calls_bring_targets(server: Server) -> None:
    llms = [like(server, "cheap"), like(server, "dear")]
    llm = UniScaleLLM(models=llms, prices={"cheap": (0.25, 2.0), "dear": (1.25, 10.0)}, log="sqlite://", mode=AtLeast(0.7))
    llm.chat([ChatMessage(QUESTION)])
    llm.complete(QUESTION, mode=Within(0.01))
    llm.chat([ChatMessage(QUESTION)], mode=AtLeast(0.9))
    assert llm.engine is not None
    assert targets_of(llm.engine) == [AtLeast(0.7), Within(0.01), AtLeast(0.9)]


@pytest.fixture
def server() -> Server:
    return Server()
