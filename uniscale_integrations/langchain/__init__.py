"""UniScale inside LangChain."""

from __future__ import annotations

from uniscale_integrations.errors import MissingExtraError

try:
    import langchain_core  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtraError("UniScale in LangChain", "langchain") from error

from uniscale_integrations.attribution import register
from uniscale_integrations.langchain.chat_model import UniScaleChatModel
from uniscale_integrations.langchain.langsmith_client import FeedbackClient
from uniscale_integrations.langchain.reading import decisions_written_on
from uniscale_integrations.langchain.rewarded import learn_from, rewarded
from uniscale_integrations.langchain.run_ledger import RunLedger, decisions_within

register(decisions_within)
register(decisions_written_on)

__all__ = ["FeedbackClient", "RunLedger", "UniScaleChatModel", "learn_from", "rewarded"]
