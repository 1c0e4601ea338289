from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.hosted.kind import Kind
from benchmarks.hosted.kinds import KINDS
from benchmarks.hosted.models import Model
from benchmarks.hosted.sampling import RIGHT, majority, vote_expectation
from benchmarks.hosted.templates import TEMPLATES
from benchmarks.hosted.texts import TOPICS, question
from benchmarks.hosted.traffic import Judging, Traffic
from uniscale_integrations.policy.kinds import TextFeatures

POINTS = 0.05
"""What always asking the dearest model must bring to be worth it, where no objective is named."""


def pair(judging: Judging | None = None, **large: float) -> Kind:
    models = (Model("mini", 0.25, 2.0, otherwise=0.63), Model("large", 1.25, 10.0, otherwise=0.9, **large))  # type: ignore[arg-type]
    return Kind("pair of the test", "", models, differs=False, judging=judging or Judging())


def arrays(traffic: Traffic) -> dict[str, np.ndarray]:
    names = ("topic", "input_tokens", "correct", "score", "output_tokens", "dollars", "failed", "told", "told_at", "told_correct")
    return {name: getattr(traffic, name) for name in names}


def test_a_kind_and_a_seed_give_one_stream() -> None:
    kind = KINDS["eight-models"]
    one, same, other = kind.draw(3, 200), kind.draw(3, 200), kind.draw(4, 200)
    assert one.texts == same.texts
    assert len(set(one.texts)) == 200
    for name, array in arrays(one).items():
        np.testing.assert_array_equal(array, arrays(same)[name], err_msg=name)
    assert one.texts != other.texts
    assert (one.correct != other.correct).any()


def test_kinds_cover_what_is_asked_of_them() -> None:
    assert len(KINDS) >= 20
    judging = [kind.judging for kind in KINDS.values()]
    assert {each.thumbs for each in judging} == {"both", "down", "up"}
    assert {each.delay for each in judging} >= {0, 50, 200}
    assert {kind.prompts.tokens for kind in KINDS.values()} == {50, 500, 4000}
    assert {len(kind.models) for kind in KINDS.values()} >= {2, 3, 4, 8}
    assert any(model.arrives == 300 for kind in KINDS.values() for model in kind.models)


def test_every_topic_has_a_dozen_templates_that_can_be_filled() -> None:
    random = Random(0)
    for topic, templates in TEMPLATES.items():
        assert len(set(templates)) >= 12, topic
        # Slots tell questions of one template apart.
        assert len({question(topic, random) for _ in range(200)}) > 180, topic


@pytest.mark.parametrize("name", KINDS)
def test_notes_say_truly_whether_the_best_model_differs_by_topic(name: str) -> None:
    kind = KINDS[name]
    traffic = kind.draw(0, 400)
    plain = traffic.paths == 1
    dollars = traffic.expected_dollars
    value = (dollars[:, plain].max(axis=1) - dollars[:, plain].min(axis=1)) / POINTS
    best = set()
    for place, topic in enumerate(traffic.topics):
        here = traffic.topic == place
        accuracy = [
            vote_expectation(kind.models[model].right_on(topic), kind.models[model].consistency, paths).accuracy
            for model, paths in zip(traffic.model_of.tolist(), traffic.paths.tolist(), strict=True)
        ]
        worth = value[here].mean() * np.array(accuracy) - dollars[here].mean(axis=0)
        best.add(int(traffic.model_of[worth.argmax()]))
    assert (len(best) > 1) == kind.differs


def test_plain_samples_are_right_as_often_as_the_model_is_skilled() -> None:
    traffic = pair().draw(0, 20_000)
    assert traffic.correct[:, 0].mean() == pytest.approx(0.63, abs=0.015)
    assert traffic.correct[:, 4].mean() == pytest.approx(0.9, abs=0.01)


def test_every_path_is_paid_for() -> None:
    traffic = pair().draw(0, 5000)
    assert traffic.dollars[:, 3] == pytest.approx(8 * (traffic.input_tokens * 0.25 + traffic.output_tokens[:, 3] * 2.0) / 1e6)
    np.testing.assert_allclose(traffic.expected_dollars.mean(axis=0), traffic.dollars.mean(axis=0), rtol=0.03)


def test_what_fails_is_neither_right_nor_paid_for_nor_judged() -> None:
    traffic = pair(failure_rate=0.2).draw(0, 2000)
    failed = traffic.failed
    assert not failed[:, :4].any()
    assert failed[:, 4:].mean() == pytest.approx(0.2, abs=0.03)
    assert not traffic.correct[failed].any()
    assert not traffic.dollars[failed].any()
    assert np.isnan(traffic.told_correct[failed]).all()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=9))
def test_a_majority_is_what_most_say(values: list[int]) -> None:
    value, share = majority(np.array(values))
    counts = {each: values.count(each) for each in values}
    assert counts[int(value)] == max(counts.values())
    # Of equals the one that was said first.
    assert int(value) == next(each for each in values if counts[each] == max(counts.values()))
    assert float(share) == counts[int(value)] / len(values)


def test_scores_are_shares_of_votes_and_plain_samples_have_none() -> None:
    traffic = pair().draw(0, 300)
    for arm, paths in enumerate(traffic.paths.tolist()):
        if paths == 1:
            assert np.isnan(traffic.score[:, arm]).all()
            continue
        votes = traffic.samples.values[:, traffic.model_of[arm], :paths]
        value, share = majority(votes)
        np.testing.assert_array_equal(traffic.score[:, arm], share)
        np.testing.assert_array_equal(traffic.correct[:, arm], value == RIGHT)


@given(
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    delay=st.integers(0, 200),
    wrong=st.sampled_from([0.0, 0.1, 1.0]),
    thumbs=st.sampled_from(["both", "down", "up"]),
)
def test_judgements_come_later_and_say_what_they_may(share: float, delay: int, wrong: float, thumbs: str) -> None:
    traffic = pair(Judging(share, delay, wrong, thumbs)).draw(1, 100)
    assert (traffic.told_at >= np.arange(100)).all()
    assert np.isnan(traffic.told_correct[~traffic.told]).all()
    said = traffic.told_correct[~np.isnan(traffic.told_correct)]
    assert set(said.tolist()) <= {"both": {0.0, 1.0}, "down": {0.0}, "up": {1.0}}[thumbs]
    if thumbs == "both" and wrong in (0.0, 1.0) and share:
        truth = traffic.correct if wrong == 0.0 else 1.0 - traffic.correct
        np.testing.assert_array_equal(traffic.told_correct[traffic.told], truth[traffic.told])


def test_a_model_arrives_at_its_request() -> None:
    traffic = KINDS["arrival"].draw(0)
    new = [arm for arm, each in enumerate(traffic.configurations) if each.model == "new"]
    assert not traffic.available[:300, new].any()
    assert traffic.available[300:].all()


def test_prompts_are_as_long_as_the_kind_says() -> None:
    for name, tokens in (("pair-500-tokens", 500), ("input-dominates", 4000)):
        traffic = KINDS[name].draw(0)
        assert np.median(traffic.input_tokens) == pytest.approx(tokens, rel=0.1)
        assert np.median(traffic.context_tokens) > 0.5 * tokens
    inside = KINDS["specialists-500-tokens"].draw(0, 100)
    assert not inside.context_tokens.any()
    assert np.median([len(text) for text in inside.texts]) > 1500


def test_features_of_texts_tell_topics_apart() -> None:
    encode = TextFeatures()
    train, test = (KINDS["pair"].draw(seed) for seed in (0, 1))
    rows, new = (np.stack([encode(text) for text in traffic.texts]) for traffic in (train, test))
    coefficients = np.linalg.solve(rows.T @ rows + np.eye(rows.shape[1]), rows.T @ np.eye(len(TOPICS))[train.topic])
    assert ((new @ coefficients).argmax(axis=1) == test.topic).mean() > 0.8


def test_mistakes_in_a_kind_are_named() -> None:
    with pytest.raises(ValueError, match="'cooking'"):
        Model("mini", 1.0, 1.0, {"cooking": 0.5})
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.0"):
        Model("mini", 1.0, 1.0, otherwise=1.0)
    with pytest.raises(ValueError, match="two to eight models"):
        Kind("one", "", (Model("mini", 1.0, 1.0),), differs=False)
    with pytest.raises(ValueError, match="thumbs"):
        Judging(thumbs="sideways")
