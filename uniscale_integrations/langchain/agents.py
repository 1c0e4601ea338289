"""UniScale inside LangChain's agents, where the agent already has a model of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from uniscale_integrations.errors import MissingExtraError

try:
    from langchain.agents.middleware import AgentMiddleware
    from langchain.agents.middleware.types import ModelRequest, ModelResponse
except ModuleNotFoundError as error:
    raise MissingExtraError("UniScale as a middleware of LangChain's agents", "langchain", "langchain") from error

from uniscale_integrations.langchain.chat_model import UniScaleChatModel


class UniScaleMiddleware(AgentMiddleware[Any, Any, Any]):
    """Has a `UniScaleChatModel` answer every call of an agent, whatever model the agent was made with.

    The answers carry their decisions, so that feedback on the agent's run or state reaches each of them.

    Args:
        model: answers; or what makes one.
        settings: of a `UniScaleChatModel`, where none is given, such as `engine` or `models` and `mode`.

    Example:
        >>> from langchain.agents import create_agent
        >>> middleware = UniScaleMiddleware(models=["uniscale-0.3m"])
        >>> agent = create_agent(middleware.model, middleware=[middleware])
        >>> state = agent.invoke({"messages": [("human", "What is 2 + 2?")]}, {"recursion_limit": 5})
        >>> "uniscale" in state["messages"][-1].response_metadata
        True
    """

    def __init__(self, model: UniScaleChatModel | None = None, **settings: Any) -> None:
        super().__init__()
        self.model = model or UniScaleChatModel(**settings)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Have the call answered by the model."""
        return handler(request.override(model=self.model))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Have the call answered by the model."""
        return await handler(request.override(model=self.model))
