"""Whether predicted eFLOPs order configurations as measured time does."""

from __future__ import annotations

import time
from typing import Any

from rich.progress import Progress
from scipy.stats import spearmanr

from uniscale_integrations.cost.calibrate import calibrate
from uniscale_integrations.models.catalog import language_models, load_model
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
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
    """Calibrate this machine, then answer questions of every family and level with every shape on every embedded model.

    Configurations take turns question by question, so that whatever else slows the machine for a while slows all of them.

    Returns:
        the rank correlation over configurations of total eFLOPs under the calibrated profile and total wall time.
    """
    hardware = calibrate(threads)
    verifier = load_prm()
    models = [load_model(name) for name in language_models()]
    plans = [(model, Configuration(model.name, *shape)) for model in models for shape in SHAPES]
    seconds, eflops = [0.0] * len(plans), [0.0] * len(plans)
    task = progress.add_task("cost model", total=count * len(plans))
    for number, question in enumerate([questions()[0], *questions()[:count]]):
        for place, (model, configuration) in enumerate(plans):
            request = Request(question.text, configuration, early_stopping=False, hardware=hardware)
            started = time.perf_counter()
            answer = run(request, model, verifier)
            took = time.perf_counter() - started
            if number:  # the first round only warms up
                seconds[place] += took / count
                eflops[place] += answer.ledger.eflops / count
                progress.advance(task)
    progress.remove_task(task)
    rows = [
        {
            "model": configuration.model,
            "shape": [configuration.qp, configuration.cp, configuration.bs],
            "seconds": took,
            "eflops": spent,
        }
        for (_, configuration), took, spent in zip(plans, seconds, eflops, strict=True)
    ]
    correlation = spearmanr(eflops, seconds).statistic
    return {"cost_model_spearman": float(correlation), "configurations": len(rows), "rows": rows, "profile": hardware}
