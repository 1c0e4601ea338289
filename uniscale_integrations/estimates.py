"""What a configuration is expected to cost before it was ever run, and in which unit."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.cost.lengths import TYPICAL, Lengths
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.ports import Generator, ReadsAtACost, Verifier
from uniscale_integrations.space import Configuration

SEARCH_SHARE = 0.5
"""What a further path of a search costs, in plain samples: many end early."""

_log = logging.getLogger(__name__)


@runtime_checkable
class KnowsItsCost(Protocol):
    """A generator that can tell what a plain sample takes."""

    def plain_usage(self, prompt_tokens: int, answer_tokens: int) -> Usage:
        """The usage of one sample of that many tokens after a prompt of that many."""
        ...


@runtime_checkable
class KnowsItsLengths(Protocol):
    """A generator that is asked questions of one sort only, and knows how long they are."""

    @property
    def lengths(self) -> Lengths:
        """Of a typical question and of a typical answer."""
        ...


def expected_cost(
    generator: Generator, configuration: Configuration, hardware: HardwareProfile, verifier: Verifier | None = None
) -> float:
    """What a configuration is expected to cost, in eFLOPs, or dollars where only a price is known; 1 a sample where nothing is.

    Args:
        generator: its model.
        configuration: what is to be run.
        hardware: what prices eFLOPs.
        verifier: what scores the answers, if anything does and its own cost counts.
    """
    typical = _lengths(generator)
    usage = generator.plain_usage(*typical) if isinstance(generator, KnowsItsCost) else Usage(compute=1.0)
    plain = hardware.eflops(usage)
    if plain:
        # Where the answers cost dollars, what reads them in this process costs nobody any.
        plain += hardware.eflops(verifier.reading_usage(*typical) if isinstance(verifier, ReadsAtACost) else NOTHING)
    return (plain or usage.usd) * (1.0 + SEARCH_SHARE * (configuration.most_paths - 1))


def check_units(models: Mapping[str, Generator], hardware: HardwareProfile) -> None:
    """That what the models cost can be compared; warns of chat models that are all taken to be of one size.

    Raises:
        ConfigurationError: some count in dollars and others in eFLOPs.
    """
    priced = {name: limited_by(model, hardware, Budget(usd=1.0)) is not None for name, model in models.items() if _tells(model)}
    if len(set(priced.values())) > 1:
        dollars, other = ([name for name, has in priced.items() if has is wanted] for wanted in (True, False))
        raise ConfigurationError(
            f"{', '.join(dollars)} cost dollars and {', '.join(other)} eFLOPs, which cannot be compared; give all models a price, or none"
        )
    guessed = [name for name, model in models.items() if getattr(model, "size_unknown", False)]
    if len(guessed) > 1:
        _log.warning(
            "neither price nor size of %s is known, so that they are taken to cost the same; say what they cost, "
            "prices={'name': (0.25, 2.0)} in dollars per million tokens read and sampled",
            ", ".join(guessed),
        )


def limited_by(generator: Generator, hardware: HardwareProfile, budget: Budget) -> float | None:
    """What a budget allows, in the unit of the generator's expected cost; `None` where it says nothing about that."""
    if not isinstance(generator, KnowsItsCost):
        return None
    usage = generator.plain_usage(*_lengths(generator))
    return budget.eflops if hardware.eflops(usage) else budget.usd if usage.usd else None


def _tells(model: Generator) -> bool:
    return isinstance(model, KnowsItsCost) and sum(model.plain_usage(*_lengths(model))) > 0


def _lengths(generator: Generator) -> Lengths:
    return generator.lengths if isinstance(generator, KnowsItsLengths) else TYPICAL
