"""What a request cannot be served by, and what it may cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from langchain_core.language_models import FakeListChatModel

from benchmarks.instant import InstantVerifier
from tests.engine.two_models import QUESTIONS, Saying, engine
from tests.logged import outcomes
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.model_registry import generators
from uniscale_integrations.errors import (
    ConfigurationError,
)
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.space import Configuration, ConfigurationSpace


def test_configurations_that_cannot_serve_are_masked_with_the_reason() -> None:
    models = [Saying("small", 1e6), Saying("large", 1e9)]
    space = ConfigurationSpace.default(["small", "large"], [(1, 1, 1), (1, 4, 2)])
    made = UniScale(models, None, space, max_cost=1e8)
    decision = made.decide(QUESTIONS[0])
    assert decision.configuration == Configuration("small")
    reasons = {candidate.configuration: candidate.ineligibility for candidate in decision.explain().candidates}
    assert "needs a verifier" in reasons[Configuration("small", 1, 4, 2)]
    assert "more than max_cost=1e+08" in reasons[Configuration("large")]
    with pytest.raises(ConfigurationError, match="no configuration can serve this request: it is expected to cost"):
        UniScale(models, None, ConfigurationSpace([Configuration("large")]), max_cost=1.0).decide(QUESTIONS[0])


def test_a_mean_budget_goes_where_it_brings_most() -> None:
    free = engine(mode=[1, 0, 0])
    small, large = (free.brain.estimates.costs[free.space.index(Configuration(model))] for model in ("small", "large"))
    budget = float(small + 0.4 * (large - small))
    made = engine(mode=[1, 0, 0], mean_budget=budget)
    spent, chosen = [], {question: list[str]() for question in QUESTIONS}
    for turn in range(300):
        question = QUESTIONS[turn % 2]
        answer = made.run(question)
        # Both models know the one question, only the large one the other.
        made.feedback(answer, float(question == QUESTIONS[0] or answer.configuration.model == "large"))
        spent.append(answer.ledger.eflops)
        chosen[question].append(answer.configuration.model)
    assert np.mean(spent) < budget + 10 * budget / len(spent)
    assert chosen[QUESTIONS[1]][-100:].count("large") > 60
    assert chosen[QUESTIONS[0]][-100:].count("large") < 20


def test_what_a_mean_budget_has_not_left_is_masked_with_the_reason() -> None:
    made = engine(mode=[1, 0, 0], mean_budget=1.0)
    made.run(QUESTIONS[0])
    decision = made.decide(QUESTIONS[0])
    assert decision.configuration == Configuration("small"), "the cheapest is always left"
    [large] = [each for each in decision.explain().candidates if each.configuration == Configuration("large")]
    assert "left of the mean budget" in large.ineligibility
    with pytest.raises(ConfigurationError, match="a budget per request must be a finite number above 0"):
        engine(mean_budget=0.0)


def test_a_request_s_budget_masks_what_is_too_dear_as_long_as_anything_is_left() -> None:
    made = engine(shapes=((1, 1, 1), (4, 1, 1)), mode=[1, 0, 0])
    decision = made.decide(QUESTIONS[0], budget=Budget(eflops=5e6))
    assert decision.configuration.model == "small"
    masked = {str(each.configuration): each.ineligibility for each in decision.explain().candidates}
    assert masked["(large,1,1,1)"] == "it is expected to cost 1e+08, more than the request's 5e+06"
    assert made.decide(QUESTIONS[0], budget=Budget(eflops=1.0)).configuration in made.space
    assert made.decide(QUESTIONS[0], models=["large"]).configuration.model == "large"
    with pytest.raises(ConfigurationError, match="its model was not asked for"):
        made.decide(QUESTIONS[0], models=[])


def test_conversations_go_only_to_models_that_take_them() -> None:
    made = engine()
    several = Conversation((Turn("user", "Hi?"), Turn("assistant", "Hello."), Turn("user", QUESTIONS[0])))
    with pytest.raises(ConfigurationError, match="small takes single questions only"):
        made.decide(several)
    assert made.run(Conversation((Turn("user", QUESTIONS[0]),))).decision_id


class Weighing(InstantVerifier):
    """A verifier of this process, whose reading takes eFLOPs."""

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> list[tuple[tuple[float, ...] | None, Usage]]:
        return [((0.5,), Usage(compute=1e12)) for _ in items]


def test_dollars_are_counted_in_dollars_whatever_the_verifier_takes() -> None:
    models = generators([FakeListChatModel(responses=["Answer: 4"], name=name) for name in ("mini", "maxi")])
    names = [model if isinstance(model, str) else model.name for model in models]
    prices = dict(zip(names, ((0.25, 2.0), (2.5, 20.0)), strict=True))
    space = ConfigurationSpace.default(names, [(1, 1, 1)])
    made = UniScale(models, Weighing(), space, prices=prices, mean_budget=1e-4, mode="cost-sensitive")
    answers = [made.run(f"What is {number} + 2?") for number in range(30)]
    assert all(answer.ledger.eflops > 0 for answer in answers)
    assert all(0 < made.cost(answer) == answer.ledger.usd < 1e-3 for answer in answers)
    assert all(outcome.cost == answer.ledger.usd for outcome, answer in zip(outcomes(made), answers, strict=True))
    positions = {
        answer.configuration.model: outcome.extra["cost"] for outcome, answer in zip(outcomes(made), answers, strict=True)
    }
    assert positions[names[0]] < 1.0, "the cheaper model is not taken for the dearest there is"
    assert [each.configuration.model for each in answers[-10:]].count(names[0]) >= 8
