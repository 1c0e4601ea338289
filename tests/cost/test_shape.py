"""The shape of a model: what it reads from a configuration and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from uniscale_integrations.cost import ModelShape
from uniscale_integrations.errors import ConfigurationError

TINY = ModelShape(
    parameters=10_000,
    lookup_parameters=1_000,
    layers=2,
    hidden=16,
    heads=4,
    kv_heads=2,
    head_dim=4,
    vocabulary=64,
    bytes_per_weight=2,
    bytes_per_kv=2,
)
MIXTRAL = SimpleNamespace(
    num_hidden_layers=32,
    hidden_size=4096,
    intermediate_size=14336,
    num_attention_heads=32,
    num_key_value_heads=8,
    vocab_size=32000,
    num_local_experts=8,
    num_experts_per_tok=2,
    tie_word_embeddings=False,
)


def llama(**changed: object) -> SimpleNamespace:
    held: dict[str, object] = {
        "num_hidden_layers": 3,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 100,
        "tie_word_embeddings": False,
    }
    return SimpleNamespace(**(held | changed))


def test_untied_input_embedding_is_only_looked_up() -> None:
    shape = ModelShape.from_config(llama(), parameters=200_000, bytes_per_weight=2)
    assert shape.lookup_parameters == 6400
    assert shape.matmul_parameters == 193_600


def test_tied_embedding_still_multiplies_as_the_head() -> None:
    shape = ModelShape.from_config(llama(tie_word_embeddings=True), parameters=200_000, bytes_per_weight=2)
    assert shape.matmul_parameters == 200_000


def test_tied_embedding_without_language_head_is_only_looked_up() -> None:
    config = llama(tie_word_embeddings=True)
    shape = ModelShape.from_config(config, parameters=200_000, bytes_per_weight=2, language_head=False)
    assert shape.matmul_parameters == 193_600


def test_missing_and_empty_attributes_take_the_usual_meaning() -> None:
    config = llama(num_key_value_heads=None, head_dim=None)
    shape = ModelShape.from_config(config, parameters=200_000, bytes_per_weight=2)
    assert (shape.kv_heads, shape.head_dim) == (4, 16)


def test_head_dim_of_its_own_is_kept() -> None:
    assert ModelShape.from_config(llama(head_dim=40), parameters=200_000, bytes_per_weight=2).head_dim == 40


def test_names_of_gpt2_are_understood() -> None:
    config = SimpleNamespace(n_layer=12, n_embd=768, n_head=12, vocab_size=50257, tie_word_embeddings=True)
    shape = ModelShape.from_config(config, parameters=124_439_808, bytes_per_weight=4)
    assert (shape.layers, shape.hidden, shape.heads, shape.head_dim) == (12, 768, 12, 64)


def test_text_part_of_a_multimodal_configuration_is_read() -> None:
    config = SimpleNamespace(text_config=llama(), num_hidden_layers=99)
    assert ModelShape.from_config(config, parameters=200_000, bytes_per_weight=2).layers == 3


def test_mixture_of_experts_activates_the_experts_a_token_is_sent_to() -> None:
    shape = ModelShape.from_config(MIXTRAL, parameters=46_702_792_704, bytes_per_weight=2)
    assert shape.active_parameters == pytest.approx(12.88e9, rel=1e-3)


def test_given_active_parameters_win_over_worked_out_ones() -> None:
    shape = ModelShape.from_config(MIXTRAL, parameters=46_702_792_704, bytes_per_weight=2, active_parameters=13_000_000_000)
    assert shape.active_parameters == 13_000_000_000


@pytest.mark.parametrize(("weight", "cache"), [(0.5, 2), (1, 2), (2, 2), (4, 4)])
def test_cache_stays_at_two_bytes_when_weights_are_quantised_further(weight: float, cache: float) -> None:
    assert ModelShape.from_config(llama(), parameters=200_000, bytes_per_weight=weight).bytes_per_kv == cache


def test_configuration_without_layers_is_refused_by_the_names_tried() -> None:
    config = llama()
    del config.num_hidden_layers
    with pytest.raises(ConfigurationError, match="SimpleNamespace has no num_hidden_layers or n_layer"):
        ModelShape.from_config(config, parameters=200_000, bytes_per_weight=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("parameters", 0),
        ("layers", -1),
        ("heads", 2.5),
        ("kv_heads", True),
        ("vocabulary", 0),
        ("bytes_per_weight", 0),
        ("bytes_per_kv", float("nan")),
        ("bytes_per_weight", float("inf")),
        ("active_parameters", 10_001),
        ("active_parameters", 0),
        ("lookup_parameters", -1),
        ("lookup_parameters", 10_000),
    ],
)
def test_impossible_numbers_are_refused_by_name_and_value(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name}.*{value}"):
        replace(TINY, **{name: value})  # type: ignore[arg-type]
