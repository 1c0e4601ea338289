"""Verifiers by the names that commands take."""

from __future__ import annotations

from uniscale_integrations.search.ports import Verifier


def named_verifier(name: str, model: str) -> Verifier | None:
    """The verifier of that name; "auto" is the embedded reward model for the embedded family and self-certainty otherwise."""
    from uniscale_integrations import verifiers
    from uniscale_integrations.models.catalog import PRM, family

    if name == "auto":
        name = PRM if model in family() else "self-certainty"
    if name == "none":
        return None
    if name == "self-certainty":
        return verifiers.SelfCertainty()
    if name == "agreement":
        return verifiers.Agreement()
    if name == "arithmetic":
        return verifiers.MathVerifier()
    from uniscale_integrations.verifiers.load import load_prm

    return load_prm(name)
