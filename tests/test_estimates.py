"""What configurations are expected to cost, beside what they do."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from langchain_core.language_models import FakeListChatModel

from benchmarks.instant import InstantGenerator
from uniscale_integrations.cost.hardware import H100
from uniscale_integrations.cost.lengths import TYPICAL
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.engine.estimates import rates_of
from uniscale_integrations.engine.model_registry import generators, loaded
from uniscale_integrations.models.catalog import family, language_models, load_model
from uniscale_integrations.models.questions import questions
from uniscale_integrations.policy.rates import USUAL_INPUT, USUAL_TOKENS
from uniscale_integrations.search.many import arun_many
from uniscale_integrations.search.ports import Generator, Sampling, Verifier
from uniscale_integrations.search.request import Request
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import Ensemble, SelfCertainty
from uniscale_integrations.verifiers.load import load_prm


def expected_cost(model: Generator, verifier: Verifier | None = None, qp: int = 1) -> float:
    """What a vote of a model, or a plain sample of it, is expected to cost."""
    rates = rates_of([Configuration(model.name, qp, 1, 1)], {model.name: model}, H100, verifier)
    [cost] = rates.spend(rates.usual, np.full(1, USUAL_INPUT))
    return float(cost)


@pytest.mark.parametrize("name", language_models())
def test_a_plain_sample_of_an_embedded_model_costs_about_what_is_expected_with_its_verifier(name: str) -> None:
    model, prm, configuration = load_model(name), load_prm("uniscale-prm"), Configuration(name, 1, 1, 1)
    requests = [Request(question.text, configuration, Sampling(seed=seed)) for seed, question in enumerate(questions()[::17])]
    spent = [answer.ledger.eflops for answer in asyncio.run(arun_many(requests, model, prm))]
    assert expected_cost(model, prm) == pytest.approx(sum(spent) / len(spent), rel=0.25)


def test_what_a_verifier_reads_is_added_once_for_every_sample() -> None:
    model, prm = load_model("uniscale-0.3m"), load_prm("uniscale-prm")
    alone, scored = (expected_cost(model, verifier) for verifier in (None, prm))
    assert scored - alone == pytest.approx(H100.eflops(prm.reading_usage(*model.lengths)))
    assert expected_cost(model, prm, 8) / scored == pytest.approx(expected_cost(model, None, 8) / alone)


def test_an_ensemble_reads_as_much_as_its_members_and_others_nothing() -> None:
    prm = load_prm("uniscale-prm")
    assert Ensemble([(prm, 1.0), (SelfCertainty(), 2.0), (prm, 1.0)]).reading_usage(20, 30) == prm.reading_usage(20, 30).scaled(
        2.0
    )
    assert Ensemble([(SelfCertainty(), 1.0)]).reading_usage(20, 30) == Usage()


def test_models_whose_questions_are_anybodys_are_expected_typical_ones() -> None:
    generator = InstantGenerator(compute=5e9)
    assert expected_cost(generator, qp=3) == 2 * 5e9
    folder = load_model(str(family()["uniscale-1m"].folder))
    assert folder.lengths == TYPICAL != load_model("uniscale-1m").lengths


def test_dollars_are_not_added_to_the_flops_of_a_verifier_in_this_process() -> None:
    [hosted] = loaded([*generators([FakeListChatModel(name="hosted", responses=["4"])], {"hosted": (1.0, 2.0)})]).values()
    cost = expected_cost(hosted, load_prm("uniscale-prm"))
    assert cost == pytest.approx((USUAL_INPUT * 1.0 + USUAL_TOKENS * 2.0) / 1e6)
