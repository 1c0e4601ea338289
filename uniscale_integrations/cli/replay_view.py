"""What `uniscale replay` has found: as the values of `--json`, and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from uniscale_integrations.cli.console import out, quantity

if TYPE_CHECKING:
    from uniscale_integrations.replay.experiment import Episode, Setup
    from uniscale_integrations.replay.logged import LoggedDecisions
    from uniscale_integrations.replay.stream import World


def result_of(world: World, setup: Setup, episodes: Sequence[Episode]) -> dict[str, Any]:
    """What `--json` prints, apart from the mode's name and what a log rests on."""
    from uniscale_integrations.policy.objective import Weights
    from uniscale_integrations.policy.targets import Target
    from uniscale_integrations.replay.experiment import ahead, best_fixed_arm, best_single, fixed_arms, standings
    from uniscale_integrations.replay.upper_bounds import best_linear
    from uniscale_integrations.replay.yardsticks import best_mix

    objective = setup.objective
    target = objective if isinstance(objective, Target) else None
    weights = objective if isinstance(objective, Weights) else None
    arm, reward, second_half = best_fixed_arm(episodes)
    rewards, costs = fixed_arms(episodes)
    # Of a target there is no best answer to one question; of a log most answers are not known.
    whole = target is None and world.off_policy is None
    linear = not isinstance(objective, Target) and whole and setup.drift == "none"
    all_standings = {name: asdict(standing) for name, standing in standings(episodes).items()}
    result: dict[str, Any] = {
        "weights": None if weights is None else list(weights.parts),
        "objective": (objective if isinstance(objective, Target) else world.resolve(objective)).record(),
        "unit": world.unit,
        "decisions": len(next(iter(episodes[0].runs.values())).reward) if episodes[0].runs else 0,
        "seeds": setup.seeds,
        "rounds": setup.rounds,
        "best_fixed": {
            "configuration": str(world.configurations[arm]),
            "reward": reward,
            "second_half": second_half,
            "cost": float(costs[0, arm]),
        },
        "linear": {"reward": best_linear(world, objective) if linear and not isinstance(objective, Target) else None},
        "oracle": {"reward": sum(each.oracle for each in episodes) / len(episodes) if whole else None},
        "policies": all_standings,
        "uis_ahead": {name: {"reward": mean, "ci95": half} for name, (mean, half) in ahead(episodes).items()},
    }
    if "tts" in all_standings:
        result["tts"] = best_single(episodes).removeprefix("tts:")
    if target is not None:
        mixes = [best_mix(target, *part) for part in zip(rewards, costs, strict=True)]
        names = ("whole", "second_half")
        result["mix"] = {
            name: asdict(mix) | {"arms": [str(world.configurations[number]) for number in mix.arms]}
            for name, mix in zip(names, mixes, strict=True)
        }
    return result if setup.feedback.complete else result | {"feedback": _feedback(setup, episodes)}


def support_of(log: LoggedDecisions, episodes: Sequence[Episode]) -> dict[str, Any]:
    """What the estimates from a log rest on: how much of it was judged and drawn, and how many choices of each policy it has seen."""
    from uniscale_integrations.replay.logged import MIN_JUDGED

    counts = zip(log.configurations, log.judgements.tolist(), strict=True)
    return {
        "name": log.name,
        "decisions": len(log.actions),
        "judged": int(log.judged.sum()),
        "drawn": int(log.drawn.sum()),
        "passed_over": log.passed_over,
        "hardly_judged": [str(configuration) for configuration, count in counts if count < MIN_JUDGED],
        "seen": {name: sum(each.runs[name].seen_share for each in episodes) / len(episodes) for name in episodes[0].runs},
    }


def show(result: dict[str, Any], world: World) -> None:
    """Print the policies, what they are measured by, how answers were judged, and what a log's estimates rest on."""
    unit = "eFLOPs" if world.unit == "eflops" else "USD"
    out.print(_targets(result, unit) if "mix" in result else _rewards(result, unit))
    out.print(_bounds(result, unit))
    if "feedback" in result:
        out.print(_judged(result["feedback"]))
    if "log" in result:
        for line in _rests_on(result["log"]):
            out.print(line)


def _feedback(setup: Setup, episodes: Sequence[Episode]) -> dict[str, Any]:
    """How answers were judged: the mean share that was, and after how many judgements every run was warned of; `None` where one was not."""
    runs = [run for episode in episodes for run in episode.runs.values()]
    warnings = [run.warned_after for run in runs]
    judged = sum(run.judged_share for run in runs) / len(runs) if runs else None
    warned_after = None if None in warnings else max((each for each in warnings if each is not None), default=None)
    return {**asdict(setup.feedback), "judged": judged, "warned_after": warned_after}


def _judged(feedback: dict[str, Any]) -> str:
    """How answers were judged, in words."""
    text = f"{feedback['judged'] or 0.0:.1%} of answers were judged"
    if feedback["warned_after"] is None:
        return text
    return (
        f"{text}; warning: judgements all agreed, as an engine says after at most {feedback['warned_after']} of them. "
        "If answers that nobody judges mean the opposite, say so by --silence"
    )


def _rests_on(log: dict[str, Any]) -> list[Text]:
    """What the estimates from a log rest on, in words."""
    seen = ", ".join(f"{name} {share:.0%}" for name, share in log["seen"].items() if not name.startswith("tts:"))
    lines = [
        Text(
            f"{log['name']}: {log['decisions']} decisions, {log['judged']} judged, {log['drawn']} of these drawn with a known "
            f"probability below 1; {log['passed_over']} passed over. Choices that the log has seen: {seen}"
        )
    ]
    if not log["drawn"]:
        lines.append(
            Text(
                "warning: no judged decision was drawn, so that what is estimated of other choices than the log's rests on a model of "
                "its answers alone. An engine draws with policy='thompson'; a table of every configuration (uniscale table) is surer",
                style="yellow",
            )
        )
    if log["hardly_judged"]:
        lines.append(Text(f"warning: judged fewer than 10 times: {', '.join(log['hardly_judged'])}", style="yellow"))
    return lines


def _title(result: dict[str, Any], unit: str) -> str:
    if result["weights"] is not None:
        sought = f"weights {', '.join(f'{weight:g}' for weight in result['weights'])}"
    else:
        sought = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in result["objective"].items())
    return f"{result['decisions']} decisions, {result['seeds']} orders, {sought}; costs {unit} a question"


def _rewards(result: dict[str, Any], unit: str) -> Table:
    """The policies by what they earn."""
    best, reward = result["best_fixed"], result["best_fixed"]["reward"]
    table = Table(title=_title(result, unit), title_justify="left")
    in_rounds = any(standing["attempts"] > 1.0 for standing in result["policies"].values())
    for column in (
        "policy",
        "reward",
        "to best",
        "2nd half",
        "uis ahead by",
        "right",
        "cost",
        *(("answers",) if in_rounds else ()),
    ):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for name, standing in result["policies"].items():
        table.add_row(
            name,
            _reward(standing["reward"]),
            _against(standing["reward"], reward),
            _against(standing["second_half"], best["second_half"]),
            _ahead(result["uis_ahead"].get(name), reward),
            f"{standing['accuracy']:.1%}",
            _cost(standing["cost"], unit),
            *((f"{standing['attempts']:.2f}",) if in_rounds else ()),
        )
    return table


def _targets(result: dict[str, Any], unit: str) -> Table:
    """The policies by what was asked for of all requests together."""
    table = Table(title=_title(result, unit), title_justify="left")
    for column in ("policy", "right", "2nd half", "cost", "2nd half cost"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for name, standing in result["policies"].items():
        table.add_row(
            name,
            f"{standing['accuracy']:.1%}",
            f"{standing['second_half_accuracy']:.1%}",
            _cost(standing["cost"], unit),
            _cost(standing["second_half_cost"], unit),
        )
    return table


def _bounds(result: dict[str, Any], unit: str) -> str:
    """What the policies are measured against, in words."""
    best = result["best_fixed"]
    if "mix" in result:
        mix = result["mix"]["whole"]
        parts = [
            f"best fixed {best['configuration']}: {best['reward']:.1%} right at {_cost(best['cost'], unit)}",
            f"best mix {1 - mix['share']:.0%} {mix['arms'][0]}, {mix['share']:.0%} {mix['arms'][1]}: "
            f"{mix['accuracy']:.1%} right at {_cost(mix['cost'], unit)}",
        ]
    else:
        parts = [f"best fixed {best['configuration']}: {_reward(best['reward'])}"]
    for label, name in (("linear, knowing all other rewards", "linear"), ("oracle", "oracle")):
        reward = result[name]["reward"]
        if reward is not None:
            parts.append(f"{label}: {_reward(reward)} ({_against(reward, best['reward'])})")
    return "; ".join(parts + ([f"tts has {result['tts']}"] if "tts" in result else []))


def _ahead(difference: dict[str, float] | None, base: float) -> str:
    return f"{difference['reward'] / base:+.2%} ± {difference['ci95'] / base * 100:.2f}" if difference and base > 0 else ""


def _against(value: float, base: float) -> str:
    return f"{value / base - 1:+.2%}" if base > 0 else ""


def _reward(value: float) -> str:
    return f"{value:.4f}" if 0.01 <= abs(value) < 100 else f"{value:.4g}"


def _cost(value: float, unit: str) -> str:
    return quantity(value) if unit == "eFLOPs" else f"{value:.3g}"
