"""Options that several commands have: what is sought, as a mode, weights, a value or a target, and what scores answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from uniscale_integrations.errors import ConfigurationError

if TYPE_CHECKING:
    from uniscale_integrations.policy.objective import Objective, Weights
    from uniscale_integrations.policy.targets import Target

ModeOption = Annotated[
    str, typer.Option(help="cost-sensitive (weights 0.2,0.2,0.6), balanced (0.4,0.3,0.3) or quality-first (0.5,0.4,0.1).")
]
WeightsOption = Annotated[str | None, typer.Option(help="Of correctness, score and cost, instead of a mode: 0.5,0.2,0.3.")]
RightOption = Annotated[
    float | None,
    typer.Option(help="What a right answer is worth, in the unit of costs, instead of a mode; costs are taken off it."),
]
PointsOption = Annotated[
    float | None, typer.Option(help="Instead of it: points of accuracy that make always asking the dearest model worth it.")
]
AtLeastOption = Annotated[
    float | None, typer.Option(help="Instead of a mode: the share of right answers to reach at least cost.")
]
WithinOption = Annotated[
    float | None, typer.Option(help="Instead of a mode: the mean cost to keep within, in the unit of costs.")
]
VerifierOption = Annotated[
    str,
    typer.Option(
        help="auto, none, self-certainty, arithmetic, agreement, consensus, or a reward model (name, folder, hub); scores steps."
    ),
]


def weights_of(mode: str, numbers: str | None) -> Weights:
    """The weights that `--mode` and `--weights` ask for.

    Raises:
        ConfigurationError: no such mode, or no three numbers.
    """
    from uniscale_integrations.policy.objective import weights

    if numbers is None:
        return weights(mode)
    try:
        values = [float(number) for number in numbers.split(",")]
    except ValueError:
        raise ConfigurationError(f"--weights is three numbers, such as 0.5,0.2,0.3; got {numbers!r}") from None
    return weights(values)


def sought_by(
    mode: str,
    numbers: str | None,
    right: float | None,
    points: float | None,
    at_least: float | None,
    within: float | None,
) -> Objective | Target:
    """What `--mode`, `--weights`, `--right`, `--points`, `--at-least` and `--within` ask for.

    Raises:
        ConfigurationError: several of them beside a mode, or a value that none of them takes.
    """
    from uniscale_integrations.policy.objective import Value
    from uniscale_integrations.policy.targets import AtLeast, Within

    options = {"--weights": numbers, "--right": right, "--points": points, "--at-least": at_least, "--within": within}
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise ConfigurationError(f"{' and '.join(given)} each say what is sought; give one of them")
    if right is not None or points is not None:
        return Value(right, points)
    if at_least is not None:
        return AtLeast(at_least)
    return weights_of(mode, numbers) if within is None else Within(within)
