"""Verifiers: what scores the steps of a path. Nothing here imports an optional dependency before it is used."""

from __future__ import annotations

from uniscale_integrations.search.scores import check_scores
from uniscale_integrations.verifiers.agreement import Agreement
from uniscale_integrations.verifiers.arithmetic import MathVerifier
from uniscale_integrations.verifiers.confidence import SelfCertainty
from uniscale_integrations.verifiers.ensemble import Ensemble
from uniscale_integrations.verifiers.judge import LLMJudge
from uniscale_integrations.verifiers.rules import CallableVerifier, JSONSchemaVerifier, RegexVerifier
from uniscale_integrations.verifiers.universal import UniversalSelfConsistency

__all__ = [
    "Agreement",
    "CallableVerifier",
    "Ensemble",
    "JSONSchemaVerifier",
    "LLMJudge",
    "MathVerifier",
    "RegexVerifier",
    "SelfCertainty",
    "UniversalSelfConsistency",
    "check_scores",
]
