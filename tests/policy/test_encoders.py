"""What a question looks like to the policy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from llama_index.core.embeddings import MockEmbedding

from benchmarks.instant import InstantGenerator
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError, MissingExtraError, UnknownModelError
from uniscale_integrations.models.embed import load_embedding
from uniscale_integrations.policy.actions import ActionFeatures
from uniscale_integrations.policy.encoders import (
    ContextEncoder,
    EmbeddedFeatures,
    JointContext,
    ProductContext,
    QueryEncoder,
    query_encoder,
)
from uniscale_integrations.policy.kinds import EXAMPLES, TextFeatures
from uniscale_integrations.policy.linucb import LinUCB
from uniscale_integrations.space import Configuration

SPACE = [Configuration("small"), Configuration("large"), Configuration("small", 4)]
SUM, CODE = "What is 12 + 30 - 7?", "Write a function that reverses the words of a sentence."


@pytest.fixture(scope="module")
def embedded() -> EmbeddedFeatures:
    return EmbeddedFeatures(load_embedding("uniscale-0.3m"), "uniscale-0.3m")


def test_an_embedding_tells_the_kinds_of_the_examples(embedded: EmbeddedFeatures) -> None:
    assert isinstance(embedded, QueryEncoder)
    assert isinstance(TextFeatures(), QueryEncoder)
    for place, examples in enumerate(EXAMPLES.values()):
        for example in examples:
            found = embedded(example)
            assert found.shape == (len(TextFeatures().schema),)
            assert found[0] == 1.0
            assert found[-len(EXAMPLES) :].argmax() == place
            assert np.linalg.norm(found[-len(EXAMPLES) :]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (DeterministicFakeEmbedding(size=24), "embedded-kinds-1 DeterministicFakeEmbedding"),
        (MockEmbedding(embed_dim=8), "embedded-kinds-1 MockEmbedding unknown"),
        ("uniscale-0.3m", "embedded-kinds-1 uniscale-0.3m"),
        (None, "lexical-kinds-2"),
    ],
)
def test_every_kind_of_embedding_makes_features(source: object, name: str) -> None:
    encode = query_encoder(source)
    assert encode.name == name
    found = encode(SUM)
    assert found.shape == (len(encode.schema),)
    assert np.isfinite(found).all()
    assert (encode(SUM) == found).all()
    assert query_encoder(encode) is encode


def test_what_is_no_embedding_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="a LangChain Embeddings, a LlamaIndex BaseEmbedding or an encoder, got 7"):
        query_encoder(7)
    with pytest.raises(UnknownModelError, match="no model 'unknown'"):
        query_encoder("unknown")
    with pytest.raises(ConfigurationError, match="must be finite numbers, not all 0"):
        EmbeddedFeatures(lambda text: [float("nan")], "broken")
    with pytest.raises(ConfigurationError, match="must be finite numbers, not all 0"):
        EmbeddedFeatures(lambda text: [0.0, 0.0], "empty")
    with pytest.raises(ConfigurationError, match="holds a value that is not finite"):
        JointContext(lambda text: [float("inf")])
    monkeypatch.delitem(sys.modules, "uniscale_integrations.models.embed")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"uniscale-integrations\[local\]"):
        query_encoder("uniscale-0.3m")


@pytest.mark.parametrize(("name", "ridge"), [("product", 0.03), ("embedded product", 0.03), ("joint", 1e-5)])
def test_the_best_configuration_changes_with_the_question(name: str, ridge: float, embedded: EmbeddedFeatures) -> None:
    encoders: dict[str, ContextEncoder] = {
        "product": ProductContext(TextFeatures(), ActionFeatures({})),
        "embedded product": ProductContext(embedded, ActionFeatures({})),
        "joint": JointContext(load_embedding("uniscale-0.3m")),
    }
    encode = encoders[name]
    best = {SUM: 0, CODE: 1}
    rows = {question: encode(question, SPACE) for question in best}
    bandit = LinUCB(rows[SUM].shape[1], alpha=0.3, ridge=ridge, prior_mean=1.0)
    chosen: dict[str, list[int]] = {question: [] for question in best}
    for turn in range(400):
        question = (SUM, CODE)[turn % 2]
        arm = bandit.select(rows[question])
        bandit.update(rows[question][arm], float(arm == best[question]))
        chosen[question].append(arm)
    for question, arm in best.items():
        assert chosen[question][-20:].count(arm) >= 19


def test_a_question_that_resembles_an_example_is_of_its_kind() -> None:
    words = ("sum", "code", "poem")

    def embed(text: str) -> Sequence[float]:
        return [
            1.0,
            float("+" in text or "*" in text),
            float("def " in text or "function" in text),
            *(float(w in text) for w in words),
        ]

    encode = EmbeddedFeatures(embed, "words")
    kinds = list(EXAMPLES)
    assert kinds[int(encode("a function that adds")[-len(kinds) :].argmax())] == "code"


@pytest.mark.parametrize("embedding", ["uniscale-0.3m", "all-MiniLM-L6-v2"])
def test_the_papers_encoder_drives_an_engine_and_goes_on_from_its_log(embedding: str, tmp_path: Path) -> None:
    embed = lru_cache(maxsize=None)(load_embedding(embedding))

    def made(log: str = f"sqlite:///{tmp_path / 'log.db'}", **settings: object) -> UniScale:
        models = [InstantGenerator(name="small", compute=1e6), InstantGenerator(name="large", compute=1e6)]
        features = JointContext(embed, embedding)
        return UniScale(models, None, features=features, mode=[1, 0, 0], log=log, **settings)  # type: ignore[arg-type]

    engine, best = made(), {SUM: "small", CODE: "large"}
    chosen: list[bool] = []
    for turn in range(120):
        question = (SUM, CODE)[turn % 2]
        decision = engine.decide(question)
        chosen.append(decision.configuration.model == best[question])
        engine.feedback(decision, float(chosen[-1]))
    assert sum(chosen[-30:]) >= 27
    other = made()
    for question in best:
        found, expected = (each.decide(question).assessment.correct for each in (other, engine))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    engine.snapshot()
    assert made()._knowledge.replica.fold.events == 0
    with pytest.raises(ConfigurationError, match=r"features=JointContext\(...\) and policy=.joint. go together"):
        UniScale(["uniscale-0.3m"], policy="joint")
    with pytest.raises(ConfigurationError, match="go together"):
        made("sqlite://", policy="knn")
