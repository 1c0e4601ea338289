"""The half of an engine that learns: feedback, what is known beforehand, and what comes of both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from uniscale_integrations.deprecation import former_attribute, former_keywords
from uniscale_integrations.engine.attribution import Credit
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.knowledge import Knowledge
from uniscale_integrations.engine.warm_start import take_over
from uniscale_integrations.errors import no_decision
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.ports import EventStore, Spooled
from uniscale_integrations.policy.objective import Objective, Value
from uniscale_integrations.policy.targets import Goal, Mode, Target, sought
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.ports import Generator, Verifier
from uniscale_integrations.space import ConfigurationSpace


class LearningEngine:
    """What an engine knows, and how it is told more; see `UniScale`, which is one.

    Args:
        knowledge: the log and what was learned from it.
        goal: what requests are after that bring none.
    """

    weights = former_attribute("objective")

    def __init__(self, knowledge: Knowledge, goal: Goal) -> None:
        self._knowledge, self._goal = knowledge, goal

    @property
    def objective(self) -> Objective | Target:
        """What requests are after that bring none."""
        return self._goal.sought

    @property
    def brain(self) -> Brain:
        """What decides now: models, configurations, verifier and costs that belong together.

        It does not change, `update` puts another one in its place. Who reads several of these reads them from one brain; `models` and
        `space` of the engine, read one after the other, may be of two.

        Example:
            >>> from uniscale_integrations import UniScale
            >>> engine = UniScale(models=["uniscale-0.3m", "uniscale-1m"])
            >>> before = engine.brain
            >>> engine.update(models=["uniscale-1m"])
            >>> [list(brain.models) for brain in (before, engine.brain)]
            [['uniscale-0.3m', 'uniscale-1m'], ['uniscale-1m']]
        """
        return self._knowledge.brain

    @property
    def models(self) -> Mapping[str, Generator]:
        """The models by name."""
        return self.brain.models

    @property
    def verifier(self) -> Verifier | None:
        """What scores the steps."""
        return self.brain.verifier

    @property
    def space(self) -> ConfigurationSpace:
        """The configurations to choose from."""
        return self.brain.space

    @property
    def log(self) -> EventStore:
        """The log; what this engine has just done is in it, if it takes events at all."""
        self._knowledge.settle()
        return self._knowledge.log

    @property
    def in_dollars(self) -> bool:
        """Whether costs are counted in dollars, as of models with a price, and not in eFLOPs."""
        return self.brain.in_dollars

    def feedback(
        self,
        target: object,
        correct: float,
        *,
        source: str = "feedback",
        key: str = "correct",
        comment: str = "",
        credit: Credit = "all",
    ) -> bool | Spooled:
        """Say how right the answer of a decision was; any worker on the log may, any time later.

        Args:
            target: a decision's id, what `decide` or `run` gave, or, with an adapter, a run or its id, a message, an agent's state, a
                response, a span's id, tags. Of several decisions behind it those of this engine's log are judged.
            correct: in [0, 1].
            source: who says so. Each counts once, with the last it said; several are averaged.
            key: what about, where one source judges several things.
            comment: free text.
            credit: who is judged where the target took several decisions: "all", "last", or "split".

        Returns:
            whether any of it was new. Where the log does not answer within two seconds, the judgement is kept until it does, and what is
            returned is a `Spooled`, which is true and says where.

        Raises:
            UnknownDecisionError: no such decision in the log.
            ConfigurationError: `correct` is no number in [0, 1], or a target that nothing knows.
        """
        return self._knowledge.feedback(target, credit, Feedback("", correct, source, key, comment))

    async def afeedback(
        self,
        target: object,
        correct: float,
        *,
        source: str = "feedback",
        key: str = "correct",
        comment: str = "",
        credit: Credit = "all",
    ) -> bool | Spooled:
        """`feedback` for callers on an event loop, which goes on while the log is written; raises and returns the same."""
        return await self._knowledge.afeedback(target, credit, Feedback("", correct, source, key, comment))

    def reward(self, answer: Answer | Outcome, correct: float, mode: Mode | None = None) -> float:
        """What an answer earned: `w1 correct + w2 score + w3 (1 - C~)`, without a score the others alone; or its value less its cost.

        Args:
            answer: what `run` gave, or its outcome in the log.
            correct: in [0, 1].
            mode: what was sought; by default what the engine seeks. Where that says what a right answer is worth only on a request, as
                `Value(points=5)` and `AtLeast` do, it is what it was worth where the answer was decided.

        Raises:
            ConfigurationError: only the score counts, and there is none.
            UnknownDecisionError: the log would have to know the decision, and does not.
        """
        objective = self._goal_of(mode).sought
        if isinstance(objective, Target) or (isinstance(objective, Value) and objective.right is None):
            objective = self._objective_of_decision(answer.decision_id or "")
        record = answer.ledger if isinstance(answer, Answer) else answer
        estimates = self.brain.estimates
        return objective.earned(correct, answer.score, estimates.position(record), estimates.cost(record))

    def cost(self, answer: Answer | Outcome) -> float:
        """What an answer took, in eFLOPs, or in dollars where the engine counts in those.

        Args:
            answer: what `run` gave, or its outcome in the log.
        """
        return self.brain.estimates.cost(answer.ledger if isinstance(answer, Answer) else answer)

    def sync(self) -> int:
        """Learn now what any worker has logged since; returns how many events that were."""
        self._knowledge.settle()
        return self._knowledge.replica.sync()

    @former_keywords(most="limit")
    def warm_start(self, source: str | Path | EventStore, limit: int | None = None) -> int:
        """Begin with what is known: an outcome table, or the log of another engine.

        What it says is written to this log, as decisions with their outcomes and feedback, so that every worker learns it and nothing is
        learned twice however often this is called. Configurations that this engine does not have are passed over, and so are a log's
        decisions whose features another encoder made.

        Args:
            source: path of a table, address of a log, or an open log.
            limit: only so many of its decisions, the first ones.

        Returns:
            how many decisions were new.

        Raises:
            TableError: no sound table.
            LogError: a log that cannot be read, or this one cannot be written.
            ConfigurationError: its costs are in eFLOPs and the engine's in dollars, or the other way round.
        """
        return take_over(source, self._knowledge, self.brain, limit)

    def snapshot(self) -> None:
        """Keep what was learned in the log, so that a worker that opens it later need not fold it from its beginning.

        An engine does so by itself now and then, and after every `update`. Without snapshots the log is folded from its beginning, which
        gives the same, but for what was handed on to successors and what models that are gone have taught of the others.

        Raises:
            LogError: it could not be written.
        """
        self._knowledge.settle()
        self._knowledge.snapshot()

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that was learned so far, as arrays: among others `A` and `b` of correctness and of what is observed at once."""
        self._knowledge.settle()
        return self._knowledge.replica.state()

    def close(self) -> None:
        """Write what is waiting, and close the log unless it was given open; `with UniScale(...) as engine:` does so at its end."""
        self._knowledge.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        brain = self.brain
        return f"UniScale({', '.join(brain.models)}; {len(brain.space)} configurations, log {self._knowledge.log.name})"

    def _goal_of(self, mode: Mode | None) -> Goal:
        return self._goal if mode is None else Goal.of(sought(mode))

    def _objective_of_decision(self, decision_id: str) -> Objective:
        """What a decision was taken for."""
        for entry in self.log.of_decisions([decision_id]):
            if isinstance(entry.event, DecisionEvent):
                return entry.event.objective
        raise no_decision(decision_id, self._knowledge.log.name)
