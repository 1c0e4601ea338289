"""The inner LLMs of LlamaIndex behind an engine, and what they can do together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b

from llama_index.core.base.llms.types import ChatResponse, LLMMetadata, MessageRole
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM

from uniscale_integrations.adapters.stamp import search_on
from uniscale_integrations.adapters.tokens import text_token_ids
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index.client import LlamaIndexClient
from uniscale_integrations.search.conversation import capabilities_of
from uniscale_integrations.search.ports import Generator

UNKNOWN = -1
"""LlamaIndex's number of output tokens where none is known."""


class EngineLLM(FunctionCallingLLM):
    """An LLM whose inner LLMs an engine chooses from."""

    @property
    def _engine(self) -> UniScale:
        raise NotImplementedError

    @property
    def tokenizer(self) -> Callable[[str], list[int]]:
        """What counts tokens as the inner LLMs do, for `Settings.tokenizer` and the `tokenizer_fn` of memories; nothing is fetched."""
        return partial(text_token_ids, self._engine)

    def _inner(self) -> dict[str, LLM]:
        """The inner LLMs that are of LlamaIndex, by name."""
        clients = {name: getattr(model, "client", None) for name, model in self._engine.models.items()}
        return {name: client.llm for name, client in clients.items() if isinstance(client, LlamaIndexClient)}

    def _only(self) -> LLM | None:
        """The inner LLM of LlamaIndex where there is but one model."""
        inner = list(self._inner().values())
        return inner[0] if len(inner) == len(self._engine.models) == 1 else None

    def _author(self, response: ChatResponse) -> LLM | None:
        """The inner LLM that gave a response, where it is one of LlamaIndex and the response names it."""
        search = search_on(response.additional_kwargs) or search_on(response.message.additional_kwargs)
        return self._inner().get(search[0].model) if search is not None else None


def digest_of(llm: LLM) -> str:
    """Tells an LLM from others that are set up otherwise, in every process alike; nothing can be read off it."""
    settings = json.dumps(llm.to_dict(), sort_keys=True, default=lambda value: type(value).__qualname__)
    return blake2b(settings.encode(errors="surrogatepass"), digest_size=12).hexdigest()


def common_metadata(models: Mapping[str, Generator], max_tokens: int | None) -> LLMMetadata:
    """The smallest limits of all models, and tools where all take them.

    Args:
        models: by name.
        max_tokens: of an answer, where it is set.
    """
    every = [_metadata(model) for model in models.values()]
    outputs = [each.num_output for each in every if each.num_output > 0]
    roles = {each.system_role for each in every}
    return LLMMetadata(
        context_window=min(each.context_window for each in every),
        num_output=max_tokens or (min(outputs) if outputs else UNKNOWN),
        is_chat_model=any(each.is_chat_model for each in every),
        is_function_calling_model=all("tools" in (capabilities_of(model) or ()) for model in models.values()),
        model_name="+".join(models),
        system_role=roles.pop() if len(roles) == 1 else MessageRole.USER,
    )


def _metadata(model: Generator) -> LLMMetadata:
    client = getattr(model, "client", None)
    if isinstance(client, LlamaIndexClient):
        return client.llm.metadata
    # Models of LangChain have a profile, local ones a context.
    profile = getattr(getattr(client, "model", None), "profile", None) or {}
    window = profile.get("max_input_tokens") or getattr(model, "context", None) or DEFAULT_CONTEXT_WINDOW
    return LLMMetadata(
        is_chat_model=True, context_window=int(window), num_output=int(profile.get("max_output_tokens") or UNKNOWN)
    )
