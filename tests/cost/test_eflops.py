"""The usage of forward passes: formulas against a real model, and the three ways to count one batch against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.cost import NOTHING, ModelShape, Share, Usage, decode_usage, forward_usage, row_usages, tokens_usage
from uniscale_integrations.errors import ConfigurationError

SHAPE = ModelShape(
    parameters=1_000_000,
    lookup_parameters=64_000,
    layers=4,
    hidden=128,
    heads=4,
    kv_heads=2,
    head_dim=32,
    vocabulary=500,
    bytes_per_weight=2,
    bytes_per_kv=2,
)

rows = st.lists(
    st.tuples(st.integers(1, 300), st.integers(0, 5000), st.integers(0, 4), st.integers(0, 300)), min_size=1, max_size=40
)


def same(usage: Usage, other: Usage) -> bool:
    return usage == pytest.approx(other, rel=1e-9, abs=1e-9)


def summed(usages: list[Usage] | tuple[Usage, ...]) -> Usage:
    total = NOTHING
    for usage in usages:
        total = total.plus(usage)
    return total


@pytest.mark.parametrize("tied", [True, False])
def test_operations_agree_with_those_of_a_real_model(tied: bool) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    config = transformers.LlamaConfig(
        vocab_size=300,
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
    )
    model = transformers.LlamaForCausalLM(config)
    model.set_attn_implementation("eager")  # the counter does not know the fused attention of a CPU
    shape = ModelShape.from_config(config, parameters=model.num_parameters(), bytes_per_weight=4)
    with torch.inference_mode():
        cache = model(torch.zeros(5, 40, dtype=torch.long), use_cache=True).past_key_values
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(5, 1, dtype=torch.long), past_key_values=cache)
    by_name = counter.get_flop_counts()["Global"]
    attended = sum(flops for operator, flops in by_name.items() if "attention" in str(operator) or "bmm" in str(operator))
    multiplied = counter.get_total_flops() - attended

    assert 2 * shape.matmul_parameters * 5 == pytest.approx(multiplied, rel=0.05)
    assert forward_usage(shape, [1] * 5, [40] * 5).compute == pytest.approx(counter.get_total_flops(), rel=0.05)


def test_key_value_bytes_agree_with_the_cache_of_a_real_model() -> None:
    config = transformers.LlamaConfig(
        vocab_size=50, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2
    )
    model = transformers.LlamaForCausalLM(config)
    shape = ModelShape.from_config(config, parameters=model.num_parameters(), bytes_per_weight=4)
    with torch.inference_mode():
        cache = model(torch.zeros(1, 7, dtype=torch.long), use_cache=True).past_key_values
    held = sum(part.numel() * part.element_size() for layer in cache.layers for part in (layer.keys, layer.values))
    assert forward_usage(shape, [7], [0]).traffic == held


def test_attention_sees_every_earlier_token_and_itself() -> None:
    seen_one_by_one = sum(10 + j for j in (1, 2, 3))
    expected = 3 * 2 * SHAPE.matmul_parameters + 4 * 4 * 4 * 32 * seen_one_by_one
    assert forward_usage(SHAPE, [3], [10]).compute == expected


def test_batch_reads_the_weights_once_and_alone_once_per_row() -> None:
    usage = forward_usage(SHAPE, [1] * 8, [100] * 8)
    assert (usage.weights, usage.weights_alone, usage.passes) == (SHAPE.weight_bytes, 8 * SHAPE.weight_bytes, 4)


def test_mixture_of_experts_pays_for_its_active_weights_only() -> None:
    sparse = replace(SHAPE, active_parameters=264_000)
    usage = forward_usage(sparse, [1], [0])
    assert usage.weights == 200_000 * 2
    assert usage.compute == 2 * 200_000 + SHAPE.attention_flops


@given(rows)
def test_rows_sum_to_their_batch(drawn: list[tuple[int, int, int, int]]) -> None:
    new, contexts, sampled, prompt = zip(*drawn, strict=True)
    batch = forward_usage(SHAPE, new, contexts, samples=sampled, prompt=prompt)
    parts = row_usages(SHAPE, new, contexts, samples=sampled, prompt=prompt)
    assert len(parts) == len(drawn)
    assert same(summed(parts), batch)


@given(rows, rows)
def test_all_but_the_shared_pass_is_additive_over_batches(
    first: list[tuple[int, int, int, int]], second: list[tuple[int, int, int, int]]
) -> None:
    def usage(drawn: list[tuple[int, int, int, int]]) -> Usage:
        new, contexts, sampled, prompt = zip(*drawn, strict=True)
        return forward_usage(SHAPE, new, contexts, samples=sampled, prompt=prompt)

    apart, together = usage(first).plus(usage(second)), usage(first + second)
    assert same(apart._replace(weights=0, passes=0), together._replace(weights=0, passes=0))
    assert together.weights == apart.weights / 2
    assert together.passes == apart.passes / 2


@given(st.integers(0, 4000), st.integers(0, 60))
def test_closed_form_equals_the_sum_of_single_passes(context: int, steps: int) -> None:
    one_by_one = summed([forward_usage(SHAPE, [1], [context + done], samples=[1]) for done in range(steps)])
    assert same(decode_usage(SHAPE, context, steps), one_by_one)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 30), st.integers(1, 4)), min_size=1, max_size=20))
def test_parts_of_candidates_that_share_tokens_and_stop_early_sum_to_the_passes(drawn: list[tuple[int, int, int]]) -> None:
    passes = []
    sums = [[0.0, 0.0, 0.0, 0.0] for _ in drawn]
    for now in range(max(steps for _, steps, _ in drawn)):
        running = [index for index, (_, steps, _) in enumerate(drawn) if steps > now]
        contexts = [drawn[index][0] + now for index in running]
        passes.append(forward_usage(SHAPE, [1] * len(running), contexts, samples=[drawn[index][2] for index in running]))
        for index, context in zip(running, contexts, strict=True):
            share = 1 / drawn[index][2]
            part = (share, share * (context + 1), share / len(running), share * (context + 1))
            sums[index] = [a + b for a, b in zip(sums[index], part, strict=True)]
    alone = [decode_usage(SHAPE, context, steps) for context, steps, sharing in drawn for _ in range(sharing)]
    parts = [
        tokens_usage(SHAPE, Share(*sums[index]), samples=steps, context_tokens=steps * context + steps * (steps + 1) // 2)
        for index, (context, steps, sharing) in enumerate(drawn)
        for _ in range(sharing)
    ]
    added, together = summed(parts), summed(passes)
    assert same(
        added._replace(weights=0, passes=0, compute_saved=0, traffic_saved=0), summed(alone)._replace(weights=0, passes=0)
    )
    assert added.compute - added.compute_saved == pytest.approx(together.compute)
    assert added.traffic - added.traffic_saved == pytest.approx(together.traffic)
    assert (added.weights, added.passes) == pytest.approx((together.weights, together.passes))


@given(st.integers(1, 50), st.integers(0, 500), st.integers(1, 10))
def test_rows_that_read_one_cache_together_move_it_once(new: int, context: int, rows: int) -> None:
    alone = summed(row_usages(SHAPE, [new] * rows, [context] * rows))
    together = summed(row_usages(SHAPE, [new] * rows, [context] * rows, traffic_tokens=[context / rows] * rows))
    assert same(together._replace(traffic_saved=0), alone)
    assert together.traffic - together.traffic_saved == pytest.approx(SHAPE.kv_bytes * (context + rows * new))


@given(st.integers(1, 200), st.integers(0, 2000), st.integers(1, 200), st.integers(0, 2000))
def test_more_tokens_or_context_never_cost_less(new: int, context: int, more_new: int, more_context: int) -> None:
    less = forward_usage(SHAPE, [new], [context])
    more = forward_usage(SHAPE, [new + more_new], [context + more_context])
    assert more.compute > less.compute
    assert more.traffic > less.traffic
    assert all(high >= low for low, high in zip(less, more, strict=True))


@given(st.integers(1, 10**9))
def test_more_parameters_cost_more(extra: int) -> None:
    less = forward_usage(SHAPE, [3, 1], [0, 9])
    more = forward_usage(replace(SHAPE, parameters=SHAPE.parameters + extra), [3, 1], [0, 9])
    assert more.compute > less.compute
    assert more.weights > less.weights
    assert more.traffic == less.traffic


@pytest.mark.parametrize("count", [forward_usage, row_usages])
def test_rows_that_do_not_fit_together_are_refused_by_name(count: Callable[..., object]) -> None:
    with pytest.raises(ConfigurationError, match="at least one row"):
        count(SHAPE, [], [])
    with pytest.raises(ConfigurationError, match="new_tokens has 2 rows but contexts has 1"):
        count(SHAPE, [1, 1], [3])
    with pytest.raises(ConfigurationError, match="samples has 3"):
        count(SHAPE, [1, 1], [3, 4], samples=[1, 1, 1])
    with pytest.raises(ConfigurationError, match="contexts holds -3"):
        count(SHAPE, [1, 1], [5, -3])
    with pytest.raises(ConfigurationError, match="new_tokens holds 0"):
        count(SHAPE, [1, 0], [5, 3])


def test_moved_tokens_that_do_not_fit_the_rows_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="traffic_tokens has 1"):
        row_usages(SHAPE, [1, 1], [3, 4], traffic_tokens=[3.5])
    with pytest.raises(ConfigurationError, match="traffic_tokens holds -1"):
        row_usages(SHAPE, [1, 1], [3, 4], traffic_tokens=[3.5, -1.0])


def test_impossible_decoding_is_refused_with_its_values() -> None:
    with pytest.raises(ConfigurationError, match="tokens=-1"):
        decode_usage(SHAPE, 0, -1)
    with pytest.raises(ConfigurationError, match=r"Share\(tokens=3, context_tokens=6, passes=4\.5, traffic_tokens=0\.0\)"):
        tokens_usage(SHAPE, Share(3, 6, 4.5), samples=3, context_tokens=6)
