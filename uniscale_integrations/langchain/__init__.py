"""UniScale inside LangChain."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from uniscale_integrations.errors import MissingExtraError

try:
    import langchain_core  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtraError("UniScale in LangChain", "langchain") from error

from uniscale_integrations.engine.attribution import register
from uniscale_integrations.langchain.chat_model import UniScaleChatModel
from uniscale_integrations.langchain.client import LangChainClient
from uniscale_integrations.langchain.decision_ids import decisions_on
from uniscale_integrations.langchain.evaluators import ingest_langsmith_results, learn_from, rewarded, with_feedback
from uniscale_integrations.langchain.langsmith_client import FeedbackClient
from uniscale_integrations.langchain.run_ledger import RunLedger, decisions_within, install, uninstall

if TYPE_CHECKING:
    from uniscale_integrations.langchain.agents import UniScaleMiddleware
    from uniscale_integrations.langchain.decision_model import UniScaleDecisionModel

register(decisions_within)
register(decisions_on)

__all__ = [
    "FeedbackClient",
    "LangChainClient",
    "RunLedger",
    "UniScaleChatModel",
    "UniScaleDecisionModel",
    "UniScaleMiddleware",
    "ingest_langsmith_results",
    "install",
    "learn_from",
    "rewarded",
    "uninstall",
    "with_feedback",
]

_MODULES = {"UniScaleMiddleware": "agents", "UniScaleDecisionModel": "decision_model"}


def __getattr__(name: str) -> object:
    # Agents need the package langchain beside its core, decision models a core of 1.8.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
