"""UniScale inside LangChain."""

from __future__ import annotations

from uniscale_integrations.errors import MissingExtraError

try:
    import langchain_core  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtraError("UniScale in LangChain", "langchain") from error

from uniscale_integrations.langchain.chat_model import UniScaleChatModel

__all__ = ["UniScaleChatModel"]
