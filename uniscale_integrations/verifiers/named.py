"""Verifiers by name, for commands and the engine."""

from __future__ import annotations

from collections.abc import Sequence

from uniscale_integrations.errors import ConfigurationError, UnknownModelError
from uniscale_integrations.redaction import shown
from uniscale_integrations.search.ports import Verifier

NAMES = ("none", "self-certainty", "agreement", "consensus", "arithmetic")
"""Of those that need no model."""


def named_verifier(name: str, models: Sequence[str]) -> Verifier | None:
    """The verifier of that name.

    Args:
        name: "none", "self-certainty", "agreement", "consensus" (both of these, as far as they have an opinion), "arithmetic", the name of
            a reward model, or "auto": the embedded reward model where all models are of the embedded family, and self-certainty otherwise.
        models: whose steps it is to score.

    Raises:
        UnknownModelError: no verifier and no reward model of that name.
    """
    from uniscale_integrations import verifiers

    if name == "none":
        return None
    if name == "agreement":
        return verifiers.Agreement()
    if name == "consensus":
        return verifiers.Ensemble([(verifiers.Agreement(), 1.0), (verifiers.SelfCertainty(), 1.0)], name="consensus")
    if name == "arithmetic":
        return verifiers.MathVerifier()
    if name == "self-certainty" or (name == "auto" and not _embedded(models)):
        return verifiers.SelfCertainty()
    from uniscale_integrations.models.catalog import PRM
    from uniscale_integrations.verifiers.load import load_prm

    try:
        return load_prm(PRM if name == "auto" else name)
    except UnknownModelError as error:
        raise UnknownModelError(f"no verifier {name!r}: there are {', '.join(NAMES)}, and reward models: {error}") from error


def check_verifier(verifier: Verifier | None) -> Verifier | None:
    """A verifier as it is.

    Raises:
        ConfigurationError: something that is none.
    """
    if verifier is None or all(hasattr(verifier, name) for name in ("name", "upper", "path_local", "open")):
        return verifier
    raise ConfigurationError(
        f"a verifier must be one of uniscale_integrations.verifiers, its name ({', '.join(NAMES)}), or None, got {shown(verifier):.60}; "
        "CallableVerifier takes a function, LLMJudge a chat model"
    )


def _embedded(models: Sequence[str]) -> bool:
    """Whether all models are of the embedded family, which none is where local models cannot run."""
    try:
        from uniscale_integrations.models.catalog import family
    except ImportError:
        return False
    return all(model in family() for model in models)
