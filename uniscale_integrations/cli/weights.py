"""Options that several commands have: what answers are to be worth, as a mode or as weights, and what scores them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from uniscale_integrations.errors import ConfigurationError

if TYPE_CHECKING:
    from uniscale_integrations.policy.objective import Weights

ModeOption = Annotated[
    str, typer.Option(help="cost-sensitive (weights 0.2,0.2,0.6), balanced (0.4,0.3,0.3) or quality-first (0.5,0.4,0.1).")
]
WeightsOption = Annotated[str | None, typer.Option(help="Of correctness, score and cost, instead of a mode: 0.5,0.2,0.3.")]
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
