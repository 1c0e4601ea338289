"""Batches of texts with kept caches: every node sees what it would see alone, whatever shares its batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.bloom import BloomConfig, BloomForCausalLM
from transformers.models.deepseek_v3 import DeepseekV3Config, DeepseekV3ForCausalLM
from transformers.models.falcon_mamba import FalconMambaConfig, FalconMambaForCausalLM
from transformers.models.mamba import MambaConfig, MambaForCausalLM

from tests.tiny import CONFIGS, causal, counted, tokenizer
from uniscale_integrations.errors import GenerationError
from uniscale_integrations.models.local import forest as module
from uniscale_integrations.models.local.attention import NAME
from uniscale_integrations.models.local.batch import Batch, OpenBatch, pad_right
from uniscale_integrations.models.local.forest import Forest, batches_for
from uniscale_integrations.models.local.rows import Rows
from uniscale_integrations.models.local.state import PathState, empty_state
from uniscale_integrations.models.local.transformers import TransformersModel

VOCABULARY = 64
SHARING = ("llama", "qwen2", "qwen3", "gpt2")
KINDS = [*((kind, Rows) for kind in CONFIGS), *((kind, Forest) for kind in SHARING)]
EVERY = pytest.mark.parametrize(("name", "kind"), KINDS, ids=lambda value: getattr(value, "__name__", value))


@pytest.fixture(autouse=True)
def _inference() -> Iterator[None]:
    with torch.inference_mode():
        yield


def prepared(name: str, kind: OpenBatch, **options: Any) -> PreTrainedModel:
    model = causal(name, VOCABULARY, **options)
    if kind is Forest:
        assert batches_for(model) is Forest
    return model


def sequence(length: int, seed: int) -> list[int]:
    return torch.randint(3, VOCABULARY, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def full(model: PreTrainedModel, tokens: list[int]) -> Tensor:
    """Logits after every token without any cache, shape (tokens, vocabulary)."""
    logits: Tensor = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]
    return logits


def read(model: PreTrainedModel, kind: OpenBatch, tokens: list[int]) -> PathState:
    batch = kind(model, [empty_state(model)], len(tokens))
    batch.read([tokens])
    return batch.state(0)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@EVERY
def test_nodes_of_all_lengths_that_branch_and_go_see_what_they_would_see_alone(name: str, kind: OpenBatch) -> None:
    model = prepared(name, kind)
    beginnings = [sequence(length, length) for length in (23, 5, 14)]
    states = [read(model, kind, text) for text in beginnings]
    starts = [0, 0, 1, 2]
    batch = kind(model, [states[start] for start in starts], 1)
    texts = [list(beginnings[start]) for start in starts]
    for turn, nodes in enumerate(([0, 1, 2, 3], [0, 0, 1, 3], [3, 0, 1], [0, 0, 0, 1, 2], [4, 2], [1], [0, 0])):
        if turn:
            batch.branch(nodes)
            texts = [list(texts[node]) for node in nodes]
        new = [sequence(1, 100 * turn + place)[0] for place in range(len(texts))]
        for text, token in zip(texts, new, strict=True):
            text.append(token)
        logits = batch.step(new)
        for place, text in enumerate(texts):
            close(logits[place], full(model, text)[-1])
    assert [batch.state(node).length for node in range(2)] == [len(text) for text in texts]


@EVERY
def test_a_state_taken_out_of_a_batch_goes_on_in_another(name: str, kind: OpenBatch) -> None:
    model = prepared(name, kind)
    first, second, more = sequence(4, 1), sequence(17, 2), sequence(6, 3)
    common = read(model, kind, first)
    batch = kind(model, [common, read(model, kind, second), common], 3)
    for token in more[:3]:
        batch.step([token, token, 5])
    taken = batch.state(0, without=1)
    assert taken.length == len(first) + 2
    again = kind(model, [read(model, kind, second), taken], 4)
    _, found = again.read([more[2:], more[2:]], lambda output: output.logits)
    close(found, full(model, first + more)[-4:])


@EVERY
def test_new_tokens_of_different_lengths_do_not_see_each_other(name: str, kind: OpenBatch) -> None:
    model = prepared(name, kind, context=32)
    olds, news = [sequence(3, 1), sequence(28, 2)], [sequence(20, 3), sequence(2, 4), sequence(7, 5)]
    states = [read(model, kind, old) for old in olds]
    batch = kind(model, [states[0], states[1], states[0]], 1)
    found = batch.read(news, lambda output: output.logits)
    for node, (old, new) in enumerate(zip([olds[0], olds[1], olds[0]], news, strict=True)):
        close(found[node], full(model, old + new)[len(old) :])
        assert batch.state(node).length == len(old) + len(new)


@EVERY
def test_the_buffer_grows_when_more_comes_than_there_was_room_for(name: str, kind: OpenBatch) -> None:
    model = prepared(name, kind)
    text = sequence(60, 7)
    batch = kind(model, [read(model, kind, text[:3])], 1)
    close(torch.stack([batch.step([token])[0] for token in text[3:]]), full(model, text)[3:])
    assert batch.state(0).length == len(text)


@EVERY
def test_a_cache_that_nodes_share_is_moved_once_for_all_of_them(name: str, kind: OpenBatch) -> None:
    model = prepared(name, kind)
    common, other = read(model, kind, sequence(12, 1)), read(model, kind, sequence(5, 2))
    batch = kind(model, [common, common, other], 4)
    shared = kind is Forest
    assert batch.traffic_tokens() == ([6, 6, 5] if shared else [12, 12, 5])
    batch.step([3, 4, 5])
    batch.branch([0, 0, 1, 2])
    assert batch.traffic_tokens() == ([5, 5, 5, 6] if shared else [13, 13, 13, 6])


@pytest.mark.parametrize("waste", [4, 1, 0], ids=["patient", "regrouping where anything is wasted", "apart at every branch"])
@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_of_a_forest_gives_what_rows_give(waste: int, monkeypatch: pytest.MonkeyPatch, data: st.DataObject) -> None:
    monkeypatch.setattr(module, "MAX_PADDING_RATIO", waste)
    with torch.inference_mode():
        model = prepared("llama", Forest)
        beginnings = data.draw(st.lists(st.lists(st.integers(3, 63), min_size=1, max_size=6), min_size=1, max_size=3))
        starts = data.draw(st.lists(st.integers(0, len(beginnings) - 1), min_size=1, max_size=5))
        kinds: tuple[OpenBatch, ...] = (Forest, Rows)
        batches: list[Batch] = []
        for kind in kinds:
            states = [read(model, kind, text) for text in beginnings]
            batches.append(kind(model, [states[start] for start in starts], data.draw(st.integers(0, 3))))
        count = len(starts)
        for _ in range(data.draw(st.integers(1, 5))):
            tokens = data.draw(st.lists(st.integers(3, 63), min_size=count, max_size=count))
            forest, rows = (batch.step(tokens) for batch in batches)
            close(forest, rows)
            nodes = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=5))
            for batch in batches:
                batch.branch(nodes)
            count = len(nodes)
        node, without = data.draw(st.integers(0, count - 1)), data.draw(st.integers(0, 2))
        forest, rows = (
            kind(model, [batch.state(node, without)], 1).step([7]) for kind, batch in zip(kinds, batches, strict=True)
        )
        close(forest, rows)


def test_a_forest_computes_no_padding_and_branches_hold_the_same_memory() -> None:
    model = prepared("llama", Forest)
    common = read(model, Forest, sequence(30, 1))
    batch = Forest(model, [common, common, empty_state(model)], 4)
    with counted(model) as passes:
        batch.step([3, 4, 5])
        batch.branch([0, 2])
        batch.step([6, 7])
    assert passes.shapes == [(1, 3), (1, 2)]
    left, right = Forest(model, [common, common], 1), batch.state(0)
    left.step([3, 4])
    assert left.state(0).segments[:-1] == right.segments[:-1] == common.segments


def test_nodes_that_have_long_gone_different_ways_get_groups_of_their_own() -> None:
    model = prepared("llama", Forest)
    common = read(model, Forest, sequence(10, 1))
    batch = Forest(model, [common] * 8, 8)
    widths = []
    for turn in range(40):
        batch.step([3 + (turn + node) % 8 for node in range(8)])
        batch.branch(range(8))
        widths.append(batch._keys.shape[1:3])
    assert widths[0][0] == 1
    assert widths[-1][0] == 8
    assert max(capacity for _, capacity in widths) < 40 * 8
    assert [batch.state(node).length for node in range(8)] == [50] * 8


def test_a_crowd_beside_single_nodes_pads_no_one_to_its_width() -> None:
    model = prepared("llama", Forest)
    crowded = read(model, Forest, sequence(10, 1))
    states = [crowded] * 16 + [read(model, Forest, sequence(10, node)) for node in range(2, 10)]
    news = [sequence(4, node) for node in range(len(states))]
    batch = Forest(model, states, 4)
    assert batch.traffic_tokens() == [10 / 16] * 16 + [10] * 8
    assert batch.traffic_tokens([4] * 24) == [10] * 24, "what the next pass will not share is not counted as shared"
    found = batch.read(news, lambda output: output.logits)
    assert batch._keys.shape[1:3] == (24, 14)
    for forest, rows in zip(found, Rows(model, states, 4).read(news, lambda output: output.logits), strict=True):
        close(forest, rows)


def test_after_regrouping_nodes_that_have_just_branched_still_share() -> None:
    model = prepared("llama", Forest)
    common = read(model, Forest, sequence(10, 1))
    batch = Forest(model, [common] * 8, 8)
    groups = []
    for turn in range(40):
        batch.step([3 + (turn + node) % 8 for node in range(8)])
        batch.branch([0, 0, 2, 2, 4, 4, 6, 6])
        groups.append(batch._keys.shape[1])
    assert set(groups) == {1, 4}


def test_groups_that_no_node_is_left_in_are_forgotten() -> None:
    model = prepared("llama", Forest)
    states = [read(model, Forest, sequence(6, node)) for node in range(4)]
    batch = Forest(model, states, 4)
    batch.step([3, 4, 5, 6])
    batch.branch([3, 1, 3])
    assert batch._keys.shape[1] == batch._values.shape[1] == 2
    rows = Rows(model, [states[3], states[1], states[3]], 4)
    rows.step([6, 4, 6])
    close(batch.step([7, 8, 9]), rows.step([7, 8, 9]))


def test_a_state_loses_its_last_tokens_across_segments() -> None:
    model = prepared("llama", Forest)
    text = sequence(7, 2)
    state = read(model, Forest, text[:5])
    batch = Forest(model, [state], 2)
    batch.step([text[5]])
    batch.step([text[6]])
    whole = batch.state(0)
    for fewer in range(8):
        assert whole.without(fewer).length == 7 - fewer
    close(Forest(model, [whole.without(4)], 1).step([text[3]])[0], full(model, text[:4])[-1])


def test_models_whose_layers_see_a_window_only_or_bring_their_own_attention_get_rows() -> None:
    for name in CONFIGS:
        assert batches_for(causal(name, VOCABULARY)) is (Forest if name in SHARING else Rows)
    eager = causal("llama", VOCABULARY)
    eager.set_attn_implementation("eager")
    assert batches_for(eager) is Rows
    bloom = BloomForCausalLM(BloomConfig(vocab_size=VOCABULARY, hidden_size=16, n_layer=1, n_head=2))
    assert batches_for(bloom) is Rows


def test_a_model_that_does_not_pass_the_groups_on_gets_rows_and_keeps_its_attention() -> None:
    model = causal("llama", VOCABULARY)
    forward = model.model.forward

    def forgetful(*args: Any, grid: object = None, **kwargs: Any) -> Any:
        return forward(*args, **kwargs)

    model.model.forward = forgetful
    assert batches_for(model) is Rows
    assert model.config._attn_implementation == "sdpa"


def test_a_model_whose_groups_give_other_numbers_gets_rows() -> None:
    model = causal("llama", VOCABULARY)
    forward = model.model.forward

    def blind(*args: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
        return forward(*args, attention_mask=torch.zeros_like(attention_mask) if "grid" in kwargs else attention_mask, **kwargs)

    model.model.forward = blind
    assert batches_for(model) is Rows
    assert model.config._attn_implementation == "sdpa"


def test_keys_and_values_of_different_widths_are_refused_with_the_reason() -> None:
    config = DeepseekV3Config(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=16, moe_intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, n_routed_experts=4, n_group=1, topk_group=1, num_experts_per_tok=1,
        kv_lora_rank=4, q_lora_rank=4, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=4, first_k_dense_replace=1,
    )  # fmt: skip
    with pytest.raises(GenerationError, match="keys and values of DeepseekV3ForCausalLM cannot be kept per path"):
        batches_for(DeepseekV3ForCausalLM(config).eval())


def test_outside_of_its_batches_a_model_answers_as_before() -> None:
    model = causal("llama", VOCABULARY)
    text = torch.tensor([sequence(9, 1)])
    generate: Any = model.generate
    before = generate(input_ids=text, attention_mask=torch.ones_like(text), do_sample=False, max_new_tokens=12)
    assert batches_for(model) is Forest
    assert model.config._attn_implementation == NAME
    after = generate(input_ids=text, attention_mask=torch.ones_like(text), do_sample=False, max_new_tokens=12)
    assert after.tolist() == before.tolist()


def test_padding_stands_behind_the_tokens() -> None:
    matrix, lengths = pad_right([[1, 2, 3], [4]], 0)
    assert matrix.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert lengths.tolist() == [3, 1]


@pytest.mark.parametrize("build", [MambaForCausalLM, FalconMambaForCausalLM])
def test_a_recurrent_model_is_refused_with_the_reason(build: type[PreTrainedModel]) -> None:
    config = {MambaForCausalLM: MambaConfig, FalconMambaForCausalLM: FalconMambaConfig}[build]
    model = build(config(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=1, state_size=4))
    with pytest.raises(GenerationError, match=r"layers, whose state cannot be kept per path; use a model with attention alone"):
        TransformersModel(model, tokenizer(), "mamba")


def test_layers_of_an_unknown_kind_are_named() -> None:
    model = causal("llama", VOCABULARY)
    model.config.layer_types = ["full_attention", "linear_attention"]
    with pytest.raises(GenerationError, match="LlamaForCausalLM has linear_attention layers"):
        empty_state(model)


def test_a_model_that_calls_itself_stateful_is_refused() -> None:
    model = causal("llama", VOCABULARY)
    model._is_stateful = True
    with pytest.raises(GenerationError, match="LlamaForCausalLM has recurrent layers"):
        empty_state(model)


@pytest.mark.parametrize("kind", [Rows, Forest])
def test_a_node_that_is_not_a_number_leaves_the_others_alone(kind: OpenBatch) -> None:
    model = prepared("llama", kind)
    common = read(model, kind, sequence(5, 1))
    clean = kind(model, [common], 2)
    expected = [clean.step([4]), clean.step([6])]
    embeddings: Any = model.get_input_embeddings()
    embeddings.weight[9] = float("nan")
    batch = kind(model, [common, common], 2)
    first = batch.step([9, 4])
    second = batch.step([5, 6])
    assert first[0].isnan().all()
    close(first[1], expected[0][0])
    close(second[1], expected[1][0])
