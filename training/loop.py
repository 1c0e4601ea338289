"""The training loop that every stage shares: schedule, progress bar, checkpoints to go on from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from transformers import PreTrainedModel

SAVE_EVERY = 100
Item = TypeVar("Item")


def batches(lengths: NDArray[np.int64], size: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Endless batches of row numbers of similar length, in an order that only the seed decides."""
    for epoch in range(10**6):
        rng = np.random.default_rng([seed, epoch])
        shuffled = rng.permutation(len(lengths))
        for pool in np.array_split(shuffled, max(1, len(shuffled) // (size * 50))):
            ordered = pool[np.argsort(lengths[pool], kind="stable")]
            groups = [ordered[i : i + size] for i in range(0, len(ordered) - size + 1, size)]
            yield from (groups[i] for i in rng.permutation(len(groups)))


def optimizers(model: torch.nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for embeddings, norms and heads; frozen parameters are left out."""
    learning = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in learning if p.ndim == 2 and ".layers." in name]
    rest = [p for name, p in learning if p.ndim != 2 or ".layers." not in name]
    return [
        torch.optim.Muon(matrices, lr=learning_rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def rate(peak: float, step: int, total: int) -> float:
    """Linear warm-up over 2 % of the steps, then cosine to 2 % of the peak.

    >>> rate(1.0, 0, 100), rate(1.0, 1, 100), round(rate(1.0, 99, 100), 3)
    (0.5, 1.0, 0.02)
    """
    warm = max(1, total // 50)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm))))


def fit(
    model: PreTrainedModel,
    stream: Iterator[Item],
    loss_of: Callable[[Item], Tensor],
    *,
    steps: int,
    learning_rate: float,
    target: Path,
    recipe: object,
) -> None:
    """Train to the end of the schedule, from the last checkpoint of this recipe if there is one, and save the model to `target`.

    Args:
        model: to train, in place.
        stream: endless batches, the same in every run.
        loss_of: of a batch.
        steps: in all.
        learning_rate: its peak.
        target: the model's folder; the checkpoint is beside it.
        recipe: whatever else makes the model what it becomes; a checkpoint of another one is not gone on from.

    Raises:
        SystemExit: the checkpoint is of another recipe.
    """
    name, made = target.name, f"{recipe!r}, {steps} steps of up to {learning_rate:g}"
    chosen = optimizers(model, learning_rate)
    checkpoint = target.with_name(f"{name}.checkpoint.pt")
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["recipe"] != made:
            raise SystemExit(f"{checkpoint} is of {state['recipe']}, not of {made}; remove it to begin anew")
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(chosen, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        first = state["step"]
    for _ in range(first):
        next(stream)
    smooth = math.nan
    columns = (
        TextColumn(name),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
    )
    with Progress(*columns) as progress:
        task = progress.add_task(name, total=steps, completed=first, loss=smooth)
        for step in range(first, steps):
            for optimizer in chosen:
                for group in optimizer.param_groups:
                    group["lr"] = rate(learning_rate, step, steps)
            loss = loss_of(next(stream))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in chosen:
                optimizer.step()
                optimizer.zero_grad()
            smooth = loss.item() if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss.item()
            progress.update(task, completed=step + 1, loss=smooth)
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
                parts = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in chosen]}
                saved = parts | {"step": step + 1, "loss": smooth, "recipe": made}
                torch.save(saved, checkpoint.with_suffix(".new"))
                checkpoint.with_suffix(".new").replace(checkpoint)
    model.save_pretrained(target)
