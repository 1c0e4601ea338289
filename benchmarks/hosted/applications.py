"""Applications of both frameworks on the models of a kind, as a person would write them: defaults wherever there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchmarks.hosted.models import Model
from benchmarks.hosted.objectives import Objective
from uniscale_integrations.engine import UniScale
from uniscale_integrations.policy.objective import POINTS, Value

CONTEXT_WINDOW = 128_000


class Application(Protocol):
    """Asks questions of a model that learns."""

    @property
    def engine(self) -> UniScale: ...

    def ask(self, document: str, question: str) -> tuple[str, str]:
        """The text of an answer, and the id of its decision."""
        ...

    def model(self, model: Model) -> object:
        """A model of the framework, for one that arrives."""
        ...


def objective_settings(objective: Objective) -> Mapping[str, Any]:
    """What a person who wants this says to a `UniScaleChatModel` or a `UniScaleLLM`.

    Five points, which is what an engine with prices seeks by itself, is left to the defaults.
    """
    if objective.weights is not None:
        return {"mode": objective.name}
    return {} if objective.points == POINTS else {"mode": Value(right=objective.right, points=objective.points)}


def prices(models: Sequence[Model]) -> dict[str, tuple[float, float]]:
    """USD per 1M input and output tokens, by name."""
    return {model.name: (model.input_price, model.output_price) for model in models}


class LangChainApplication:
    """`UniScaleChatModel` over the real client of OpenAI's protocol.

    Args:
        address: of the server.
        models: that there are at the beginning.
        objective: of every request.
    """

    def __init__(self, address: str, models: Sequence[Model], objective: Objective) -> None:
        from uniscale_integrations.langchain import UniScaleChatModel

        self._address = address
        inner = [self.model(model) for model in models]
        self._chat = UniScaleChatModel(models=inner, prices=prices(models), **objective_settings(objective))

    @property
    def engine(self) -> UniScale:
        engine = self._chat.engine
        assert engine is not None
        return engine

    def ask(self, document: str, question: str) -> tuple[str, str]:
        messages = [("system", document)] if document else []
        message = self._chat.invoke([*messages, ("human", question)])
        return message.text, message.response_metadata["uniscale"]["decision_id"]

    def model(self, model: Model) -> object:
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr

        return ChatOpenAI(model=model.name, base_url=self._address, api_key=SecretStr("none"))


class LlamaIndexApplication:
    """`UniScaleLLM` over the real client; parameters as of `LangChainApplication`."""

    def __init__(self, address: str, models: Sequence[Model], objective: Objective) -> None:
        from uniscale_integrations.llama_index import UniScaleLLM

        self._address = address
        inner = [self.model(model) for model in models]
        self._llm = UniScaleLLM(models=inner, prices=prices(models), **objective_settings(objective))

    @property
    def engine(self) -> UniScale:
        engine = self._llm.engine
        assert engine is not None
        return engine

    def ask(self, document: str, question: str) -> tuple[str, str]:
        from llama_index.core.base.llms.types import ChatMessage

        messages = [ChatMessage(role="system", content=document)] if document else []
        response = self._llm.chat([*messages, ChatMessage(role="user", content=question)])
        return response.message.content or "", response.additional_kwargs["uniscale"]["decision_id"]

    def model(self, model: Model) -> object:
        from llama_index.llms.openai_like import OpenAILike

        return OpenAILike(
            model=model.name,
            api_base=self._address,
            api_key="none",
            is_chat_model=True,
            context_window=CONTEXT_WINDOW,
        )


APPLICATIONS: dict[str, type[LangChainApplication] | type[LlamaIndexApplication]] = {
    "langchain": LangChainApplication,
    "llama_index": LlamaIndexApplication,
}
"""By framework."""
