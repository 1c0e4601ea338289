"""UniScale inside LlamaIndex."""

from __future__ import annotations

from uniscale_integrations.errors import MissingExtraError

try:
    import llama_index.core  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtraError("UniScale in LlamaIndex", "llama-index") from error

from uniscale_integrations.engine.attribution import register
from uniscale_integrations.llama_index.client import LlamaIndexClient
from uniscale_integrations.llama_index.evaluators import FeedbackEvaluator
from uniscale_integrations.llama_index.hooks import install, uninstall
from uniscale_integrations.llama_index.instrumentation import UniScaleDecisionEvent, decisions_behind
from uniscale_integrations.llama_index.llm import UniScaleLLM

register(decisions_behind)

__all__ = ["FeedbackEvaluator", "LlamaIndexClient", "UniScaleDecisionEvent", "UniScaleLLM", "install", "uninstall"]
