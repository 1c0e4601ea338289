"""Measure this machine: what `uniscale calibrate` runs."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from uniscale_integrations.cost.eflops import forward_usage
from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.cost.shape import ModelShape
from uniscale_integrations.errors import CalibrationError, MissingExtraError

MATMULS = ((32, 160, 448), (64, 224, 608), (128, 224, 608), (64, 512, 1408), (256, 1024, 1024))
"""Rows, inputs and outputs of the products that tiny to middling models spend their time in."""

COPIED_NUMBERS = 1 << 25
"""32-bit numbers per copied array: 128 MiB, more than the caches hold."""

FEED_FORWARD, CONTEXT = 608, 64

SHAPE = ModelShape(
    parameters=5 * (4 * 224 * 224 + 3 * 224 * FEED_FORWARD) + 512 * 224,
    lookup_parameters=0,
    layers=5,
    hidden=224,
    heads=7,
    kv_heads=7,
    head_dim=32,
    vocabulary=512,
    bytes_per_weight=4,
    bytes_per_kv=4,
)
"""The small model whose layers are timed, in float32 and with tied embeddings."""

BATCH = 64
"""Rows at which operations outweigh the launch of a layer."""

MIN_REPEATS = 5

Progress = Callable[[str, float], None]
"""Called with what is measured next and the fraction that is done."""


def calibrate(threads: int | None = None, seconds: float = 6.0, progress: Progress | None = None) -> HardwareProfile:
    """Measure FLOP/s, memory bandwidth and the time to launch one layer, each as a median over repeats.

    Bandwidth is that of copying arrays larger than the caches. The other two come from the layers of a small model at batch 1,
    where launching them decides, and at a large batch, where operations do (see `solve`). Plain matrix products bound the FLOP/s
    from above: real layers also normalise, rotate and copy, and models of a few million weights reach about half as many.

    The result holds for a machine as busy as it was while measuring. Give no more threads than there are idle cores: a thread
    that waits for its turn holds up all the others, and no profile can predict for how long.

    Args:
        threads: of torch while measuring, as many as the models will run with; by default torch's present number, which is
            restored in any case.
        seconds: time to spend, split over the three measurements. A slow machine takes longer, for a least number of repeats.
        progress: told what is measured next.

    Returns:
        The profile "local"; its `save()` puts it where `profile("local")` looks.

    Raises:
        CalibrationError: threads below 1, or a time that is not positive and finite.
        MissingExtraError: torch is not installed.
    """
    if threads is not None and threads < 1:
        raise CalibrationError(f"threads must be at least 1, got {threads!r}")
    if not (math.isfinite(seconds) and seconds > 0):
        raise CalibrationError(f"seconds must be a finite number above 0, got {seconds!r}")
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("uniscale calibrate", "local") from error
    report = progress or (lambda stage, fraction: None)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads or before)
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            report("matrix products", 0.0)
            peak_flops = _matmul_flops(seconds / 3)
            report("memory bandwidth", 1 / 3)
            bandwidth = _copy_bandwidth(seconds / 3)
            report("time per layer", 2 / 3)
            alone, batch_seconds = _median_seconds([_decoding_step(1), _decoding_step(BATCH)], seconds / 3)
            result = solve(SHAPE, alone, batch_seconds, peak_flops, bandwidth)
    finally:
        torch.set_num_threads(before)
    report("done", 1.0)
    return result


def solve(
    shape: ModelShape,
    alone: float,
    batch_seconds: float,
    most_flops: float,
    bandwidth: float,
    rows: int = BATCH,
    context: int = CONTEXT,
) -> HardwareProfile:
    """The profile under which a decoding step takes the time it was seen to take, at batch 1 and at a larger one.

    Two equations, `seconds = compute / peak_flops + bytes / bandwidth + layers * layer_seconds`, in two unknowns: their
    difference holds only the FLOP/s, and what the first one then leaves unexplained is launch time.

    Args:
        shape: of the model that was timed.
        alone: seconds of a step at batch 1.
        batch_seconds: seconds of a step at batch `rows`.
        most_flops: FLOP/s of plain matrix products, which no model exceeds. It stands where noise made the batch look free.
        bandwidth: bytes/s.
        rows: of the larger batch.
        context: tokens in the cache of each row.
    """
    one = forward_usage(shape, [1], [context])
    many = forward_usage(shape, [1] * rows, [context] * rows)
    computing = batch_seconds - alone - (many.traffic - one.traffic) / bandwidth
    rate = (many.compute - one.compute) / computing if computing > 0 else most_flops
    without_launch = HardwareProfile("local", min(rate, most_flops), bandwidth)
    prediction = without_launch.eflops(one) / without_launch.peak_flops
    return replace(without_launch, layer_seconds=max(0.0, alone - prediction) / shape.layers)


def _matmul_flops(seconds: float) -> float:
    import torch

    rates = []
    for rows, inputs, outputs in MATMULS:
        left, right = torch.randn(rows, inputs), torch.randn(inputs, outputs)
        [seconds_each] = _median_seconds([lambda a=left, b=right: torch.mm(a, b)], seconds / len(MATMULS))  # type: ignore[misc]
        rates.append(2 * rows * inputs * outputs / seconds_each)
    return statistics.median(rates)


def _copy_bandwidth(seconds: float) -> float:
    import torch

    source, target = torch.zeros(COPIED_NUMBERS), torch.empty(COPIED_NUMBERS)
    [seconds_each] = _median_seconds([lambda: target.copy_(source)], seconds)
    return 2 * source.element_size() * COPIED_NUMBERS / seconds_each


def _decoding_step(rows: int) -> Callable[[], object]:
    """One decoding step of the small model after `CONTEXT` cached tokens.

    The model is a real Llama where transformers is installed, and otherwise torch's own decoder layers, which launch fewer
    kernels.
    """
    import torch

    try:
        from transformers import LlamaConfig, LlamaForCausalLM
    except ImportError:
        layer = torch.nn.TransformerDecoderLayer(
            SHAPE.hidden, SHAPE.heads, FEED_FORWARD, dropout=0.0, batch_first=True, norm_first=True
        )
        decoder = torch.nn.TransformerDecoder(layer, SHAPE.layers)
        hidden, memory = torch.zeros(rows, 1, SHAPE.hidden), torch.zeros(rows, CONTEXT, SHAPE.hidden)
        return lambda: decoder(hidden, memory)

    config = LlamaConfig(
        vocab_size=SHAPE.vocabulary,
        hidden_size=SHAPE.hidden,
        intermediate_size=FEED_FORWARD,
        num_hidden_layers=SHAPE.layers,
        num_attention_heads=SHAPE.heads,
        num_key_value_heads=SHAPE.kv_heads,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    cache = model(torch.zeros(rows, CONTEXT, dtype=torch.long), use_cache=True).past_key_values
    token = torch.zeros(rows, 1, dtype=torch.long)

    def step() -> None:
        model(token, past_key_values=cache, use_cache=True)
        cache.crop(-1)

    return step


def _median_seconds(runs: Sequence[Callable[[], object]], budget: float) -> list[float]:
    """Median wall time of each call, repeated for about `budget` seconds in all after one call to warm up.

    They take turns, so that a moment in which the machine is busy falls on all of them.
    """
    for run in runs:
        run()
    durations: list[list[float]] = [[] for _ in runs]
    end = time.perf_counter() + budget
    while len(durations[0]) < MIN_REPEATS or time.perf_counter() < end:
        for run, times in zip(runs, durations, strict=True):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in durations]
