"""What early stopping saves on real questions, and that it changes no best answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from rich.progress import Progress

from uniscale_integrations.models.catalog import load_model
from uniscale_integrations.models.questions import Question, questions
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.beam import Schedule
from uniscale_integrations.search.many import arun_many
from uniscale_integrations.search.ports import Generator
from uniscale_integrations.search.request import Request
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers.load import load_prm

SHAPES = ((2, 1, 1), (4, 1, 1), (8, 1, 1), (2, 4, 2), (4, 8, 4))
"""The default space's searches with several trees; the last is the largest."""

SCHEDULES: tuple[Schedule, ...] = ("lockstep", "leader")


def measure(models: Sequence[str], count: int, progress: Progress) -> list[dict[str, Any]]:
    """Run every question under every shape without early stopping and under both schedules, dealing the questions out to the models.

    All models compute in double precision. In single precision the last bits of a number depend on what else is in its batch, which is
    not the same with and without early stopping; among millions of draws and scores one then falls on the other side of its edge.

    Returns:
        one row per configuration and schedule: the share of eFLOPs saved, how many best answers differ, accuracy with and without.
    """
    verifier = load_prm(dtype=torch.float64)
    rows: list[dict[str, Any]] = []
    task = progress.add_task("early stopping", total=len(SHAPES) * 3 * count)

    def answers(model: Generator, chosen: Sequence[Question], plan: Request) -> list[Answer]:
        """All questions as the plan has it, whose own question is only a place to put them."""
        requests = [replace(plan, question=question.text) for question in chosen]
        return asyncio.run(arun_many(requests, model, verifier, done=lambda *_: progress.advance(task)))

    for number, name in enumerate(models):
        model = load_model(name, dtype=torch.float64)
        chosen = questions()[:count][number :: len(models)]
        for shape in SHAPES:
            configuration = Configuration(name, *shape)
            progress.update(task, description=f"early stopping {configuration}")
            full = answers(model, chosen, Request("", configuration, early_stopping=False))
            for schedule in SCHEDULES:
                stopped = answers(model, chosen, Request("", configuration, schedule=schedule))
                rows.append(_row(configuration, schedule, chosen, full, stopped))
    progress.remove_task(task)
    return rows


def _row(
    configuration: Configuration,
    schedule: Schedule,
    chosen: Sequence[Question],
    full: Sequence[Answer],
    stopped: Sequence[Answer],
) -> dict[str, Any]:
    return {
        "model": configuration.model,
        "qp": configuration.qp,
        "cp": configuration.cp,
        "bs": configuration.bs,
        "schedule": schedule,
        "questions": len(chosen),
        "eflops_saved": 1 - sum(a.ledger.eflops for a in stopped) / sum(a.ledger.eflops for a in full),
        "tokens_saved": 1 - sum(a.ledger.tokens[1] for a in stopped) / sum(a.ledger.tokens[1] for a in full),
        "different": sum((a.best_text, a.best_score) != (b.best_text, b.best_score) for a, b in zip(full, stopped, strict=True)),
        "accuracy": _accuracy(chosen, stopped),
        "accuracy_without": _accuracy(chosen, full),
    }


def _accuracy(chosen: Sequence[Question], answers: Sequence[Answer]) -> float:
    return sum(question.correct(answer.answer) for question, answer in zip(chosen, answers, strict=True)) / len(chosen)


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per schedule: savings averaged over the configurations, at the largest, and whether all best answers are equal."""
    largest = SHAPES[-1]
    summaries = []
    for schedule in SCHEDULES:
        mine = [row for row in rows if row["schedule"] == schedule]
        top = [row["eflops_saved"] for row in mine if (row["qp"], row["cp"], row["bs"]) == largest]
        summaries.append(
            {
                "schedule": schedule,
                "eflops_saved": sum(row["eflops_saved"] for row in mine) / len(mine),
                "eflops_saved_largest": sum(top) / len(top),
                "answers_equal": all(row["different"] == 0 for row in mine),
            }
        )
    return summaries
