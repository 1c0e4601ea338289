"""Calibration: it recovers known hardware, measures this one, and leaves no trace."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from uniscale_integrations.cost import HardwareProfile, ModelShape, forward_usage, profile
from uniscale_integrations.cost.calibrate import BATCH, CONTEXT, SHAPE, calibrate, solve
from uniscale_integrations.errors import CalibrationError, MissingExtraError


def seconds_on(hardware: HardwareProfile, rows: int) -> float:
    return hardware.eflops(forward_usage(SHAPE, [1] * rows, [CONTEXT] * rows)) / hardware.peak_flops


@given(st.floats(1e9, 1e14), st.floats(1e9, 1e13), st.floats(0, 1e-2))
def test_known_hardware_is_recovered_from_its_own_times(peak: float, bandwidth: float, layer_seconds: float) -> None:
    truth = HardwareProfile("local", peak, bandwidth, layer_seconds=layer_seconds)
    found = solve(SHAPE, seconds_on(truth, 1), seconds_on(truth, BATCH), most_flops=1e15, bandwidth=bandwidth)
    assert found.peak_flops == pytest.approx(peak, rel=1e-3)
    assert found.layer_seconds == pytest.approx(layer_seconds, rel=1e-3, abs=1e-9)


def test_noise_that_makes_a_batch_look_free_leaves_the_rate_of_plain_products() -> None:
    found = solve(SHAPE, alone=5e-3, batch_seconds=4e-3, most_flops=1e11, bandwidth=1e10)
    assert found.peak_flops == 1e11
    assert found.layer_seconds > 0


def test_layers_never_exceed_the_rate_of_plain_products() -> None:
    assert solve(SHAPE, alone=1e-6, batch_seconds=1e-3, most_flops=1e10, bandwidth=1e13).peak_flops == 1e10


def test_launch_time_is_never_negative() -> None:
    assert solve(SHAPE, alone=1e-9, batch_seconds=1.0, most_flops=1e15, bandwidth=1e15).layer_seconds == 0


def test_this_machine_is_measured_within_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNISCALE_HOME", str(tmp_path))
    threads, random_state = torch.get_num_threads(), torch.get_rng_state()
    told: list[tuple[str, float]] = []

    measured = calibrate(threads=1, seconds=0.6, progress=lambda stage, fraction: told.append((stage, fraction)))

    assert 1e8 < measured.peak_flops < 1e14
    assert 1e8 < measured.bandwidth < 1e13
    assert 1e-6 < measured.layer_seconds < 1.0
    assert measured.serving_batch is None
    assert [stage for stage, _ in told] == ["matrix products", "memory bandwidth", "time per layer", "done"]
    assert told[-1][1] == 1.0
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), random_state)
    measured.save()
    assert profile("local") == measured


def test_predicted_eflops_rank_small_models_and_batches_as_the_clock_does() -> None:
    # A machine that is busy for a moment may spoil one look at the clock, and no number of looks mends a wrong model.
    assert any(ranked_alike() >= 0.9 for _ in range(4))


def ranked_alike() -> float:
    """Spearman's correlation of what steps are predicted to cost with what the clock says."""
    hardware = calibrate(threads=1, seconds=1.0)
    threads = torch.get_num_threads()
    predicted, measured = [], []
    try:
        torch.set_num_threads(1)
        with torch.inference_mode():
            for layers, heads in ((3, 3), (4, 5), (5, 7)):
                config = transformers.LlamaConfig(
                    vocab_size=512,
                    hidden_size=32 * heads,
                    intermediate_size=86 * heads,
                    num_hidden_layers=layers,
                    num_attention_heads=heads,
                    tie_word_embeddings=True,
                )
                model = transformers.LlamaForCausalLM(config)
                shape = ModelShape.from_config(config, parameters=model.num_parameters(), bytes_per_weight=4)
                for rows in (1, 8, 32, 128):
                    cache = model(torch.zeros(rows, 40, dtype=torch.long), use_cache=True).past_key_values
                    taken = []
                    for _ in range(8):
                        start = time.perf_counter()
                        model(torch.zeros(rows, 1, dtype=torch.long), past_key_values=cache)
                        taken.append(time.perf_counter() - start)
                        cache.crop(-1)
                    measured.append(min(taken))
                    predicted.append(hardware.eflops(forward_usage(shape, [1] * rows, [40] * rows)))
    finally:
        torch.set_num_threads(threads)
    return float(spearmanr(predicted, measured).statistic)


def test_machine_without_transformers_is_measured_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert any(calibrate(threads=1, seconds=0.3).layer_seconds > 1e-6 for _ in range(4)), (
        "a busy moment may hide what launching takes"
    )


def test_missing_torch_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r'uniscale calibrate.*pip install "uniscale-integrations\[local\]"'):
        calibrate()


@pytest.mark.parametrize(("setting", "value"), [("threads", 0), ("seconds", 0.0), ("seconds", float("nan"))])
def test_impossible_settings_are_refused_by_name_and_value(setting: str, value: float) -> None:
    with pytest.raises(CalibrationError, match=f"{setting}.*{value!r}"):
        calibrate(**{setting: value})  # type: ignore[arg-type]
