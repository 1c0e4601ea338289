"""What a budget must have left for another completion, and what it refuses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import BudgetError
from uniscale_integrations.models.chat.client import Completion, CompletionRequest, Continuation
from uniscale_integrations.models.chat.completion_length import MARGIN, MEMORY_SECONDS, CompletionLengths
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers import CallableVerifier

PRICE = (0.25, 2.0)
PROMPT = 40


class Verbose:
    """Answers with so many tokens, one length after the other."""

    name, capabilities, stop = "m", frozenset[str](), ()
    continuations: Sequence[Continuation] = ()

    def __init__(self, *tokens: int) -> None:
        self._tokens, self._numbers = tokens, count()
        self.requests = 0

    async def complete(self, request: CompletionRequest) -> Completion:
        self.requests += 1
        tokens = self._tokens[next(self._numbers) % len(self._tokens)]
        return Completion("Answer: 4", usage=Usage(prompt_tokens=float(PROMPT), completion_tokens=float(tokens)))


def usd(*tokens: int) -> float:
    return sum(PROMPT * PRICE[0] + each * PRICE[1] for each in tokens) / 1e6


def answered(model: ChatStepModel, budget: Budget, *shape: int, max_tokens: int | None = None) -> Answer:
    question = Conversation((Turn("user", "x" * (4 * PROMPT - 4)),))
    verifier = CallableVerifier(lambda question, before, step: 0.5)
    request = Request(
        question.question, Configuration("m", *shape), Sampling(max_tokens=max_tokens), budget, conversation=question
    )
    return asyncio.run(arun(request, model, verifier))


def test_a_budget_suffices_for_an_answer_that_costs_less() -> None:
    client = Verbose(30)
    model = ChatStepModel(client, price=PRICE)
    for _ in range(3):
        answer = answered(model, Budget(usd=0.0001))
        assert answer.ledger.usd == pytest.approx(0.00007)
        assert not answer.warnings
        assert not answer.stop_reason


def test_what_surely_does_not_fit_is_refused_before_anything_is_sent() -> None:
    client = Verbose(30)
    with pytest.raises(BudgetError, match="budget of 1e-06 usd"):
        answered(ChatStepModel(client, price=PRICE), Budget(usd=1e-6))
    assert not client.requests


def test_what_is_known_of_the_model_s_answers_refuses_more_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Verbose(1000, 1000, 30)
    model = ChatStepModel(client, price=PRICE)
    answer = answered(model, Budget(usd=0.0001))
    assert answer.text
    [warning] = [each for each in answer.warnings if "exceeded" in each]
    assert warning == f"the budget was exceeded: {usd(1000):.4g} usd of 0.0001 were spent"
    with pytest.raises(BudgetError):
        answered(model, Budget(usd=0.0001))
    assert answered(model, Budget(usd=0.0001), max_tokens=40).text, "but never more is kept than may be sampled"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + MEMORY_SECONDS + 1.0)
    assert answered(model, Budget(usd=0.0001)).ledger.usd == pytest.approx(usd(30))
    assert client.requests == 3


def test_a_beam_begins_with_the_candidates_that_fit() -> None:
    client = Verbose(60)
    answer = answered(ChatStepModel(client, price=PRICE), Budget(usd=2.5 * usd(75)), 1, 4, 2)
    assert client.requests == 2
    assert any(note.startswith("2 of 4 candidates were sampled: budget of") for note in answer.warnings)


LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=8)


@given(LENGTHS, st.integers(1, 8), st.floats(2e-5, 4e-3), st.lists(st.integers(1, 400), max_size=3))
def test_no_further_sample_begins_without_what_it_is_expected_to_take(
    tokens: list[int], trees: int, budget: float, before: list[int]
) -> None:
    client = Verbose(*tokens)
    model = ChatStepModel(client, price=PRICE)
    for each in before:
        model.completion_lengths.observe(each)
    known = model.completion_lengths.expected()
    try:
        answer = answered(model, Budget(usd=budget), trees)
    except BudgetError:
        assert client.requests == 0
        assert usd(round(known) + 1 if before else 1) > budget
        return
    spent = [tokens[number % len(tokens)] for number in range(client.requests)]
    assert answer.ledger.usd == pytest.approx(usd(*spent))
    assert any("exceeded" in each for each in answer.warnings) is (answer.ledger.usd > budget)
    # Trees go side by side or in waves: what was begun was covered by the expectation at its time, whatever it turned out to be.
    least = min([known, *spent])
    if len(spent) > 1:
        assert len(spent) * usd(0) + MARGIN * least * len(spent[1:]) * PRICE[1] / 1e6 <= budget + 1e-12
    if len(spent) < trees and not answer.stop_reason:
        assert any(path.fate == "pruned" for path in answer.paths)


@given(st.lists(st.floats(1.0, 1e4), max_size=20), st.none() | st.integers(1, 10_000))
def test_what_is_kept_covers_what_is_expected_and_never_more_than_may_be_sampled(
    observed: list[float], max_tokens: int | None
) -> None:
    lengths = CompletionLengths()
    for tokens in observed:
        lengths.observe(tokens)
    expected, reserved = lengths.expected(max_tokens=max_tokens), lengths.reserved(max_tokens=max_tokens)
    assert lengths.required(max_tokens=max_tokens) <= expected <= reserved <= (max_tokens or float("inf"))
    if observed:
        low, high = min(observed), max(observed)
        assert min(low, max_tokens or low) - 1e-6 <= expected <= high + 1e-6


def test_an_engine_tries_the_cheapest_where_all_are_expected_to_cost_more() -> None:
    cheap, dear = Verbose(30), Verbose(30)
    dear.name = "dear"
    models = [ChatStepModel(dear, price=(2.5, 20.0)), ChatStepModel(cheap, price=PRICE)]
    space = ConfigurationSpace.default(["dear", "m"], [(1, 1, 1), (4, 1, 1)])
    with UniScale(models, "agreement", space) as engine:
        answer = engine.run("How many are 2 and 2?", budget=Budget(usd=0.0001))
        assert str(answer.configuration) == "(m,1,1,1)"
        assert answer.ledger.usd < 0.0001
