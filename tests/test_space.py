"""Configurations and the space of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError, UniScaleError
from uniscale_integrations.space import DEFAULT_SHAPES, Configuration, ConfigurationSpace


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("",), "a configuration needs a model name"),
        (("m", 0), "QP must be a whole number of at least 1, got 0"),
        (("m", 1, -2), "CP must be a whole number of at least 1, got -2"),
        (("m", 1, 1, 0), "BS must be a whole number of at least 1, got 0"),
        (("m", 1.0), "QP must be a whole number of at least 1, got 1.0"),
        (("m", True), "QP must be a whole number of at least 1, got True"),
        (("m", 1, "4"), "CP must be a whole number of at least 1, got '4'"),
        (("m", 4, 2, 3), "BS=3 is larger than the CP=2 candidates it selects from; raise CP or lower BS"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_with_its_value(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        Configuration(*arguments)  # type: ignore[arg-type]
    assert isinstance(caught.value, UniScaleError)
    assert isinstance(caught.value, ValueError)


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_configuration_knows_its_shape(qp: int, cp: int, data: st.DataObject) -> None:
    bs = data.draw(st.integers(1, cp))
    configuration = Configuration("m", qp, cp, bs)
    assert configuration.shape == (qp, cp, bs)
    assert configuration.most_paths == qp * cp * bs
    assert configuration.plain is (configuration.most_paths == 1)
    assert str(configuration) == f"(m,{qp},{cp},{bs})"
    assert configuration == Configuration("m", *configuration.shape)
    assert hash(configuration) == hash(Configuration("m", *configuration.shape))


def test_the_default_space_has_every_model_in_every_shape_in_order() -> None:
    space = ConfigurationSpace.default(["small", "large"])
    assert [c.shape for c in space] == list(DEFAULT_SHAPES) * 2
    assert space.models == ("small", "large")
    assert all(space[index] == configuration and space.index(configuration) == index for index, configuration in enumerate(space))


def test_shapes_may_come_from_an_iterator() -> None:
    assert len(ConfigurationSpace.default(["a", "b", "c"], iter([(1, 1, 1), (2, 1, 1)]))) == 6


def test_a_configuration_is_in_a_space_once() -> None:
    space = ConfigurationSpace([Configuration("m"), Configuration("m", 2), Configuration("m", 1, 1, 1)])
    assert [str(c) for c in space] == ["(m,1,1,1)", "(m,2,1,1)"]
    assert repr(space) == "ConfigurationSpace((m,1,1,1), (m,2,1,1))"


def test_routing_only_keeps_the_plain_samples_and_tts_only_one_model() -> None:
    space = ConfigurationSpace.default(["small", "large"])
    assert [str(c) for c in space.routing_only()] == ["(small,1,1,1)", "(large,1,1,1)"]
    assert list(space.tts_only("large")) == list(ConfigurationSpace.default(["large"]))


def test_an_empty_space_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one configuration"):
        ConfigurationSpace([])
    with pytest.raises(ConfigurationError, match="at least one configuration"):
        ConfigurationSpace.default(["small"]).tts_only("huge")
