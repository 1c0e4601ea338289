"""`python -m benchmarks.rounds [--json]`: what deciding again earns over deciding once, played online on outcome tables.

Both play the same questions in the same orders and are told of the same answers whether they are right; exploration and the cost of all
rounds are counted. Once is the default policy, which sees the same scores.

The family's table has scores of its verifier, and rewards count them: `w1 correct + w2 score + w3 (1 - C~)`. GSM8K has none. There a
verifier is simulated that tells right answers from wrong ones with a given area under the curve: what a standard normal number, shifted by
`sqrt(2) Phi^-1(AUC)` for a right answer, says of the probability that it is right; some of them to a power, which no longer is that
probability; and scores that are random. No simulated score is counted as a reward, which is `w1' correct + w3' (1 - C~)`: it can only help
to decide. A configuration that is asked twice gives its next sample; one that has none left is not asked again.

`gain` is in reward a request, ± its standard error over orders, `later` that of the second half, `lost` the most by which rounds were
behind at any time, in reward for 1,000 requests, and `again` the share of requests that asked twice.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import MODES, Weights
from uniscale_integrations.policy.policy import Context
from uniscale_integrations.replay.rounds import Played, replay_rounds, rounds_policy
from uniscale_integrations.replay.stream import Stream, World
from uniscale_integrations.replay.table import OutcomeTable
from uniscale_integrations.rounds.attempt import Answered
from uniscale_integrations.rounds.episode import Episode
from uniscale_integrations.rounds.policy import DecidesAgain

ROOT = Path(__file__).parents[1]
FAMILY = ROOT / "benchmarks" / "tables" / "family.jsonl.gz"
GSM8K = ROOT.parent / "shared" / "data" / "gsm8k_outcomes.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A simulated one.

    Attributes:
        auc: probability that a right answer gets a greater score than a wrong one.
        power: to which its scores are taken.
        noise: whether scores are random instead.
    """

    auc: float = 0.5
    power: float = 1.0
    noise: bool = False

    def scores(self, correct: Array, seed: int) -> Array:
        """Of answers that are right or wrong, in [0, 1], of the same shape."""
        rng = np.random.default_rng([seed, 77])
        if self.noise:
            return rng.random(correct.shape)
        shift, rate = np.sqrt(2.0) * norm.ppf(self.auc), float(correct.mean())
        seen = rng.standard_normal(correct.shape) + shift * correct
        odds = np.exp(shift * seen - shift**2 / 2.0) * rate / (1.0 - rate)
        scores: Array = (odds / (1.0 + odds)) ** self.power
        return scores


VERIFIERS = {
    "AUC .9": Verifier(0.9),
    "AUC .9 ^4": Verifier(0.9, 4.0),
    "AUC .9 ^1/4": Verifier(0.9, 0.25),
    "AUC .75": Verifier(0.75),
    "AUC .5": Verifier(0.5),
    "noise": Verifier(noise=True),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One table with one verifier in one mode; the columns of the result.

    Attributes:
        table: "family" or "gsm8k".
        verifier: its own, or a name of `VERIFIERS`.
        mode: a name of `MODES`.
        feedback: share of the answers that were judged.
        gain: in reward a request.
        error: standard error of that over orders; 0 with one order.
        later: gain in the second half.
        lost: most reward by which rounds were behind at any time, for 1,000 requests, at least 0; mean over orders.
        again: share of the requests that asked more than once.
        accuracy: with rounds.
        accuracy_once: without.
        cost: mean `C~` with rounds.
        cost_once: without.
    """

    table: str
    verifier: str
    mode: str
    feedback: float
    gain: float
    error: float
    later: float
    lost: float
    again: float
    accuracy: float
    accuracy_once: float
    cost: float
    cost_once: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--orders", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tables", nargs="+", choices=("family", "gsm8k"), default=("family", "gsm8k"))
    parser.add_argument("--verifiers", nargs="+", choices=VERIFIERS, default=tuple(VERIFIERS), help="of gsm8k")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=tuple(MODES))
    parser.add_argument("--feedback", nargs="+", type=float, default=(1.0, 0.1), help="shares of the answers that are judged")
    parser.add_argument("--time", action="store_true", help="only how long a second decision takes, beside the first")
    arguments = parser.parse_args()
    threadpool_limits(1)
    if arguments.time:
        sys.stdout.write(json.dumps(decision_times()) + "\n")
        return
    table = Table(title=f"{arguments.rounds} rounds over one, {arguments.orders} orders", title_justify="left")
    for column in ("table", "verifier", "mode", "judged", "gain", "±", "later", "lost", "again", "right", "C~"):
        table.add_column(column, justify="right")
    rows = []
    for name, verifier, world in worlds(arguments.tables, arguments.verifiers):
        for feedback in arguments.feedback:
            for mode in arguments.modes:
                weights = world.weights(MODES[mode]) if name == "family" else MODES[mode].without(score=True)
                measured = measure(world, weights, feedback, arguments.orders, arguments.rounds)
                row = Row(name, verifier, mode, feedback, *measured)
                rows.append(row)
                figures = (f"{row.gain:+.4f}", f"{row.error:.4f}", f"{row.later:+.4f}", f"{row.lost:.1f}", f"{row.again:.0%}")
                pairs = (f"{row.accuracy_once:.3f} → {row.accuracy:.3f}", f"{row.cost_once:.3f} → {row.cost:.3f}")
                table.add_row(name, verifier, mode, f"{feedback:g}", *figures, *pairs)
    Console(width=140).print(table)
    if arguments.json:
        sys.stdout.write(json.dumps({"orders": arguments.orders, "rows": [asdict(row) for row in rows]}) + "\n")


def worlds(tables: Sequence[str], verifiers: Sequence[str]) -> Iterator[tuple[str, str, World]]:
    """Each table's name with a verifier's and the world of both; what is not there is passed over, and named."""
    if "family" in tables:
        yield "family", "its own", World.of([OutcomeTable.read(FAMILY)]).in_money()
    if "gsm8k" not in tables:
        return
    if not GSM8K.exists():
        sys.stderr.write(f"{GSM8K} is not there; gsm8k is passed over\n")
        return
    world = World.of([OutcomeTable.read(GSM8K)]).in_money()
    for name in verifiers:
        yield "gsm8k", name, with_scores(world, VERIFIERS[name])


def with_scores(world: World, verifier: Verifier, seed: int = 0) -> World:
    """The same answers, scored."""
    parts = world.parts.copy()
    parts[1] = verifier.scores(parts[0], seed)
    return replace(world, parts=parts, arms=replace(world.arms, scored=True))


def measure(world: World, weights: Weights, feedback: float, orders: int, rounds: int) -> tuple[float, ...]:
    """The columns of a `Row` from `gain` on."""
    gains, pairs = [], []
    for order in range(orders):
        once, more = (play(world, weights, feedback, order, each) for each in (1, rounds))
        gains.append(weights.reward(*more.parts) - weights.reward(*once.parts))
        pairs.append([(more.attempts > 1).mean(), *(each.parts[part].mean() for part in (0, 2) for each in (more, once))])
    means = np.array([each.mean() for each in gains])
    error = float(means.std(ddof=1) / np.sqrt(orders)) if orders > 1 else 0.0
    later = float(np.mean([each[len(each) // 2 :].mean() for each in gains]))
    lost = float(np.mean([max(0.0, -np.cumsum(each).min()) * 1000.0 / len(each) for each in gains]))
    return float(means.mean()), error, later, lost, *np.mean(pairs, axis=0).tolist()


def play(world: World, weights: Weights, feedback: float, order: int, rounds: int) -> Played:
    """One order of the questions."""
    stream = Stream.of(world, order)
    return replay_rounds(rounds_policy(world, rounds), world, stream, weights, rounds=rounds, feedback=feedback, seed=order)


def decision_times(questions: int = 400) -> dict[str, float]:
    """Median seconds of a first and of a second decision of the same requests on the family's table, and their ratio."""
    world = World.of([OutcomeTable.read(FAMILY)]).in_money()
    policy, weights = DecidesAgain(world.arms), world.weights(MODES["balanced"])
    stream, every = Stream.of(world, 0), np.ones(len(world.configurations), dtype=np.bool_)
    taken: list[tuple[float, float]] = []
    for time, question in enumerate(stream.queries[:questions]):
        request = Context(world.queries[question], input_tokens=float(world.input_tokens[question]))
        episode: Episode[int] = Episode(policy, request, weights, every, world.arms.model_of)
        began = perf_counter()
        decision = episode.ask()
        first = perf_counter() - began
        assert decision is not None, "something is always eligible"
        arm = decision.configuration
        score, spend = float(world.parts[1, question, arm, 0]), float(world.raw_costs[question, arm, 0])
        episode.tell(decision, Answered(arm, score, spend))
        began = perf_counter()
        again = episode.ask()
        taken.append((first, perf_counter() - began))
        if again is not None:
            episode.tell(again, Answered(again.configuration, score, spend))
        policy.ended(str(time), episode.context)
        policy.feedback(str(time), episode.context, float(world.parts[0, question, arm, 0]))
    first, second = np.median(np.array(taken[questions // 2 :]), axis=0).tolist()
    return {"first": first, "second": second, "ratio": second / first}


if __name__ == "__main__":
    main()
