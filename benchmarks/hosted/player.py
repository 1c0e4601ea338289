"""Playing a traffic through the package's policy, with the calls that an engine and the fold of its log make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.hosted.goals import Goal
from benchmarks.hosted.kind import Kind
from benchmarks.hosted.objectives import Objective
from benchmarks.hosted.sampling import Floats, Integers
from benchmarks.hosted.traffic import Judging, Traffic
from uniscale_integrations.cost.lengths import TYPICAL
from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.engine.estimates import SEARCH_SHARE
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.default_policy import LinUCBPolicy
from uniscale_integrations.policy.kinds import TextFeatures
from uniscale_integrations.policy.objective import Objective as PolicyObjective
from uniscale_integrations.policy.objective import Value
from uniscale_integrations.policy.policy import Context, Observation, Policy
from uniscale_integrations.policy.rates import Rates
from uniscale_integrations.policy.targets import WORTH_ONE, Pacer

ENCODE = TextFeatures()
"""What an engine sees of a question by default."""


@dataclass(frozen=True, slots=True)
class Play:
    """What a policy did.

    Attributes:
        choices: the configuration that answered each request, or the last that failed, shape (T,).
        first: the configuration that each request was first given to, shape (T,).
    """

    choices: Integers
    first: Integers


class Learner:
    """The package's policy with what an engine knows on its first day: prices, and no mean costs.

    Everything that depends on how the package builds policies, objectives and costs is in this class.

    Args:
        kind: names the models and their prices.
        traffic: names the configurations.
        arms: numbers of those that are there.
        objective: what the requests are for.
        before: the learner in whose place this one comes; what it has learned goes on, and so does what keeps to a goal.
    """

    def __init__(
        self, kind: Kind, traffic: Traffic, arms: Sequence[int], objective: Objective | Goal, before: Learner | None = None
    ) -> None:
        self.arms = np.asarray(arms)
        self._place = {arm: place for place, arm in enumerate(arms)}
        self._pacer: Pacer | None = None
        if isinstance(objective, Goal):
            self._objective: PolicyObjective = WORTH_ONE
            self._pacer = objective.target(kind, traffic).pacer() if before is None else before._pacer
        else:
            self._objective = objective.weights or Value(right=objective.right, points=objective.points)
        estimates = np.array(
            [
                kind.models[traffic.model_of[arm]].dollars(*TYPICAL) * (1.0 + SEARCH_SHARE * (int(traffic.paths[arm]) - 1))
                for arm in arms
            ]
        )
        self._scale = CostScale.spanning(estimates)
        configurations = [traffic.configurations[arm] for arm in arms]
        positions = [self._scale.position(cost) for cost in estimates]
        prices = [(model.input_price, model.output_price) for model in (kind.models[traffic.model_of[arm]] for arm in arms)]
        rates = Rates.of_tokens(traffic.paths[list(arms)].tolist(), prices)
        self.policy: Policy = LinUCBPolicy(Arms.of(configurations, ENCODE.schema, positions, span=self._scale.span, rates=rates))
        if before is not None:
            self.policy.load(before.policy.state())

    def context(self, traffic: Traffic, features: Floats, time: int) -> Context:
        """What the policy sees of a request."""
        return Context(features[time], input_tokens=float(traffic.input_tokens[time]))

    def decide(self, decision: str, context: Context, eligible: Floats, rng: np.random.Generator) -> int:
        """The configuration of one request, of those that are eligible, shape (K,); takes note of it."""
        belief = self.policy.assess(context, self._objective, eligible[self.arms].astype(bool))
        assessment = belief if self._pacer is None else self._pacer.adjust(belief)
        action = self.policy.choose(assessment, rng).action
        if self._pacer is not None:
            self._pacer.decided(decision, belief, action)
        self.policy.decided(decision, action, context)
        return int(self.arms[action])

    def outcome(self, decision: str, arm: int, context: Context, traffic: Traffic, time: int) -> None:
        """Learn what is known of an answer at once."""
        score = float(traffic.score[time, arm])
        cost = self._scale.position(float(traffic.dollars[time, arm]))
        paths = int(traffic.paths[arm])
        tokens = float(paths * traffic.output_tokens[time, arm]), float(paths * traffic.input_tokens[time])
        self.policy.outcome(decision, self._place[arm], context, Observation(None if np.isnan(score) else score, cost, *tokens))
        if self._pacer is not None:
            self._pacer.spend(float(traffic.dollars[time, arm]))

    def feedback(self, decision: str, arm: int, context: Context, correct: float) -> None:
        """Learn a judgement."""
        self.policy.feedback(decision, self._place[arm], context, correct)
        if self._pacer is not None:
            self._pacer.judged(decision, correct)


@dataclass(frozen=True, slots=True)
class Silence:
    """What it means that nothing was said of an answer.

    Attributes:
        means: correctness.
        after: requests after which it is taken as said.
    """

    means: float
    after: int = 50

    @classmethod
    def of(cls, judging: Judging) -> Silence | None:
        """The opposite of what people say; `None` where they say both, or hardly ever anything."""
        return None if judging.thumbs == "both" else cls(1.0 if judging.thumbs == "down" else 0.0)


@dataclass(slots=True)
class _Mailbox:
    """Judgements on their way, by the request after which they arrive."""

    silence: Silence | None
    due: defaultdict[int, list[tuple[str, int, Context, float]]] = field(default_factory=lambda: defaultdict(list))

    def post(self, traffic: Traffic, time: int, decision: str, arm: int, context: Context) -> None:
        said = float(traffic.told_correct[time, arm])
        if not np.isnan(said):
            self.due[int(traffic.told_at[time])].append((decision, arm, context, said))
        elif self.silence is not None and not traffic.failed[time, arm]:
            self.due[time + self.silence.after].append((decision, arm, context, self.silence.means))


def play(
    kind: Kind, traffic: Traffic, features: Floats, objective: Objective | Goal, *, seed: int = 0, silence: Silence | None = None
) -> Play:
    """Let the policy serve a traffic.

    Where a model fails on a request the next best model gets it, as in an engine. Models that arrive come as with `UniScale.update`.

    Args:
        kind: that the traffic was drawn from.
        traffic: the requests.
        features: of the questions, shape (T, n).
        objective: of every request.
        seed: of what the policy draws.
        silence: what it means that nothing was said.
    """
    rng, mailbox = np.random.default_rng(seed), _Mailbox(silence)
    learner, there = None, np.zeros(traffic.available.shape[1], dtype=bool)
    choices, first = (np.empty(len(traffic), dtype=np.int64) for _ in range(2))
    for time in range(len(traffic)):
        if learner is None or (traffic.available[time] != there).any():
            there = traffic.available[time]
            learner = Learner(kind, traffic, np.flatnonzero(there).tolist(), objective, learner)
        context, eligible = learner.context(traffic, features, time), there.copy()
        for attempt in range(len(kind.models)):
            decision = f"{time}.{attempt}"
            arm = learner.decide(decision, context, eligible, rng)
            choices[time] = arm
            if attempt == 0:
                first[time] = arm
            eligible &= traffic.model_of != traffic.model_of[arm]
            if not traffic.failed[time, arm]:
                learner.outcome(decision, arm, context, traffic, time)
                mailbox.post(traffic, time, decision, arm, context)
                break
            if not eligible.any():
                break
        for due in mailbox.due.pop(time, ()):
            learner.feedback(*due)
    return Play(choices, first)
