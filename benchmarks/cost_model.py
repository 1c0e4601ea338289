"""Whether predicted eFLOPs order configurations as measured time does."""

from __future__ import annotations

import statistics
import time
from typing import Any

from rich.progress import Progress
from scipy.stats import spearmanr

from uniscale_integrations.cost.calibrate import calibrate
from uniscale_integrations.models.catalog import language_models, load_model
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.run import Request, run
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers.load import load_prm

SHAPES = (
    (1, 1, 1),
    (2, 1, 1),
    (4, 1, 1),
    (8, 1, 1),
    (16, 1, 1),
    (1, 4, 1),
    (1, 4, 2),
    (1, 8, 2),
    (1, 8, 4),
    (2, 4, 2),
    (2, 8, 4),
    (4, 8, 4),
)


def measure(threads: int, count: int, progress: Progress) -> dict[str, Any]:
    """Calibrate this machine, then time every shape on every embedded model.

    Returns:
        the rank correlation over configurations of total eFLOPs under the calibrated profile and total wall time.
    """
    hardware = calibrate(threads)
    verifier = load_prm()
    chosen = [question for question in questions() if question.level in (2, 3)][:count]
    rows: list[dict[str, Any]] = []
    task = progress.add_task("cost model", total=len(SHAPES) * len(language_models()) * len(chosen))
    for name in language_models():
        model = load_model(name)
        run(Request(chosen[0].text, Configuration(name)), model, verifier)
        for shape in SHAPES:
            seconds: list[float] = []
            eflops: list[float] = []
            for question in chosen:
                request = Request(question.text, Configuration(name, *shape), early_stopping=False, hardware=hardware)
                started = time.perf_counter()
                answer = run(request, model, verifier)
                seconds.append(time.perf_counter() - started)
                eflops.append(answer.ledger.eflops)
                progress.advance(task)
            rows.append(
                {
                    "model": name,
                    "shape": list(shape),
                    "seconds": statistics.fmean(seconds),
                    "eflops": statistics.fmean(eflops),
                }
            )
    progress.remove_task(task)
    correlation = spearmanr([row["eflops"] for row in rows], [row["seconds"] for row in rows]).statistic
    return {"cost_model_spearman": float(correlation), "configurations": len(rows), "rows": rows, "profile": hardware}
