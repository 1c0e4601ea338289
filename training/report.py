"""`python -m training.report [--json]`: what the embedded family can do, on questions it has never seen.

Greedy accuracy of the three models, the reward model's AUC on single steps of fresh rollouts, and what search buys each model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from scipy.stats import mannwhitneyu

from training.rollouts import label
from training.tasks import Problem, everything
from uniscale_integrations.models.catalog import family, language_models, load_model
from uniscale_integrations.models.local.transformers import TransformersModel
from uniscale_integrations.models.questions import Question
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.many import arun_many
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers.load import load_prm
from uniscale_integrations.verifiers.prm import PRMVerifier

SEED = 424_242
SHAPES = ((1, 1, 1), (4, 1, 1), (8, 1, 1), (1, 4, 2), (1, 8, 2), (2, 4, 2), (4, 8, 4))


@dataclass(frozen=True)
class Bench:
    """The questions, the reward model, and a place to show progress."""

    problems: Sequence[Problem]
    verifier: PRMVerifier
    progress: Progress
    sampling: Sampling

    def run(self, model: TransformersModel, shape: tuple[int, int, int], sampling: Sampling | None = None) -> list[Answer]:
        """Every question under one configuration."""
        configuration = Configuration(model.name, *shape)
        task = self.progress.add_task(f"{configuration}", total=len(self.problems))
        requests = [Request(problem.question, configuration, sampling or self.sampling) for problem in self.problems]
        answers = asyncio.run(arun_many(requests, model, self.verifier, done=lambda *_: self.progress.advance(task)))
        self.progress.remove_task(task)
        return answers

    def accuracy(self, answers: Sequence[Answer]) -> float:
        """Share of right answers; the reference is looked at here and nowhere before."""
        pairs = zip(self.problems, answers, strict=True)
        return sum(Question("", p.family, p.level, p.question, p.answer).correct(a.answer) for p, a in pairs) / len(answers)

    def by_level(self, answers: Sequence[Answer]) -> dict[int, float]:
        """Accuracy of each level."""
        levels = sorted({problem.level for problem in self.problems})
        rows = [(p, a) for p, a in zip(self.problems, answers, strict=True)]
        return {
            level: Bench([p for p, _ in rows if p.level == level], self.verifier, self.progress, self.sampling).accuracy(
                [a for p, a in rows if p.level == level]
            )
            for level in levels
        }


def auc(scores: Sequence[float], labels: Sequence[int]) -> float:
    """Probability that a right step scores above a wrong one, ties counted half.

    >>> auc([0.9, 0.8, 0.3, 0.8], [1, 1, 0, 0])
    0.875
    """
    right = [score for score, mark in zip(scores, labels, strict=True) if mark]
    wrong = [score for score, mark in zip(scores, labels, strict=True) if not mark]
    statistic = mannwhitneyu(right, wrong, method="asymptotic").statistic
    return float(statistic) / (len(right) * len(wrong))


def step_scores(problems: Sequence[Problem], answers: Sequence[Answer]) -> tuple[list[float], list[int]]:
    """The reward model's score of every step of plain samples, and whether the solution was still right there."""
    scores: list[float] = []
    labels: list[int] = []
    for problem, answer in zip(problems, answers, strict=True):
        for path in answer.paths:
            if path.scores and path.text == answer.text:
                scores.extend(path.scores)
                labels.extend(label([step.strip() for step in path.steps], problem.steps))
                break
    return scores, labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--count", type=int, default=20, help="questions of each family and level (32 of these)")
    parser.add_argument("--seed", type=int, default=SEED, help="of the questions")
    parser.add_argument("--models", nargs="+", choices=language_models(), default=language_models(), help="all by default")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    console = Console(stderr=True)
    problems = everything(arguments.seed, "test", arguments.count)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bench = Bench(problems, load_prm(), progress, Sampling())
        models: list[dict[str, object]] = []
        search: list[dict[str, object]] = []
        scores: list[float] = []
        labels: list[int] = []
        for name in arguments.models:
            model = load_model(name)
            greedy = bench.run(model, (1, 1, 1), Sampling(temperature=0))
            models.append(
                {
                    "name": name,
                    "parameters": family()[name].parameters,
                    "greedy": bench.accuracy(greedy),
                    "by_level": bench.by_level(greedy),
                }
            )
            more, marks = step_scores(problems, bench.run(model, (1, 1, 1), Sampling(temperature=1.0, seed=1)))
            scores, labels = scores + more, labels + marks
            for shape in SHAPES:
                answers = bench.run(model, shape)
                eflops = sum(answer.ledger.eflops for answer in answers) / len(answers)
                qp, cp, bs = shape
                search.append(
                    {"model": name, "qp": qp, "cp": cp, "bs": bs, "accuracy": bench.accuracy(answers), "eflops": eflops}
                )
    result = {
        "questions": len(problems),
        "models": models,
        "prm_auc": auc(scores, labels),
        "prm_steps": len(scores),
        "search": search,
    }
    show(result)
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")


def show(result: dict[str, object]) -> None:
    """The result as tables."""
    console = Console()
    models = Table(title=f"greedy accuracy on {result['questions']} held-out questions", title_justify="left")
    for column in ("model", "parameters", "greedy", "by level 1 / 2 / 3 / 4"):
        models.add_column(column)
    for row in result["models"]:  # type: ignore[attr-defined]
        levels = " / ".join(f"{value:.0%}" for value in row["by_level"].values())
        models.add_row(row["name"], f"{row['parameters']:,}", f"{row['greedy']:.1%}", levels)
    console.print(models)
    console.print(f"reward model: AUC {result['prm_auc']:.3f} on {result['prm_steps']} single steps of fresh rollouts")
    search = Table(title="what search buys", title_justify="left")
    for column in ("model", "QP", "CP", "BS", "accuracy", "eFLOPs a question"):
        search.add_column(column, justify="left" if column == "model" else "right")
    for row in result["search"]:  # type: ignore[attr-defined]
        numbers = [str(row[key]) for key in ("model", "qp", "cp", "bs")]
        search.add_row(*numbers, f"{row['accuracy']:.1%}", f"{row['eflops']:.3g}")
    console.print(search)


if __name__ == "__main__":
    main()
