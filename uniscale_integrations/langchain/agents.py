"""UniScale inside LangChain's agents, where the agent already has a model of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from uniscale_integrations.errors import MissingExtraError

try:
    from langchain.agents.middleware import AgentMiddleware
    from langchain.agents.middleware.types import ModelRequest, ModelResponse
except ModuleNotFoundError as error:
    raise MissingExtraError("UniScale as a middleware of LangChain's agents", "langchain", "langchain") from error

from uniscale_integrations.langchain.chat_model import UniScaleChatModel

MAX_FAILURES = 64
"""Failed calls of an agent that are remembered, the last ones; a call is tried again at once, or not at all."""


class UniScaleMiddleware(AgentMiddleware[Any, Any, Any]):
    """Has a `UniScaleChatModel` answer every call of an agent, whatever model the agent was made with.

    The answers carry their decisions, so that feedback on the agent's run or state reaches each of them. Where it fails, a
    `ModelFallbackMiddleware` before it in the agent's list has its own models answer.

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
        self._failures: deque[_Failure] = deque(maxlen=MAX_FAILURES)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Have the call answered by the model, unless another middleware brings one because ours has failed."""
        if self._is_fallback(request):
            return handler(request)
        try:
            return handler(request.override(model=self.model))
        except Exception:
            self._failures.append(_Failure(request.state, request.model))
            raise

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Have the call answered by the model, unless another middleware brings one because ours has failed."""
        if self._is_fallback(request):
            return await handler(request)
        try:
            return await handler(request.override(model=self.model))
        except Exception:
            self._failures.append(_Failure(request.state, request.model))
            raise

    def _is_fallback(self, request: ModelRequest[Any]) -> bool:
        """Whether our model has failed at this call, which is tried again with another model, as `ModelFallbackMiddleware` does."""
        return any(failure.state is request.state and failure.model is not request.model for failure in list(self._failures))


@dataclass(frozen=True, slots=True)
class _Failure:
    """A call of an agent that our model failed at: the agent's state, and the model that the agent was going to ask."""

    state: object
    model: object
