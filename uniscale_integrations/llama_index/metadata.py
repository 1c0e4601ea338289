"""What several models can do together, as LlamaIndex asks of an LLM."""

from __future__ import annotations

from collections.abc import Mapping

from llama_index.core.base.llms.types import LLMMetadata, MessageRole
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW

from uniscale_integrations.llama_index.client import LlamaIndexClient
from uniscale_integrations.search.conversation import capabilities_of
from uniscale_integrations.search.ports import Generator

UNKNOWN = -1
"""What LlamaIndex takes for an answer's most tokens where nobody has said."""


def metadata_of(models: Mapping[str, Generator], max_tokens: int | None) -> LLMMetadata:
    """The smallest limits of all, and tools where all take them.

    Args:
        models: by name.
        max_tokens: most tokens of an answer, where it was said.
    """
    told = [_told(model) for model in models.values()]
    outputs = [each.num_output for each in told if each.num_output > 0]
    roles = {each.system_role for each in told}
    return LLMMetadata(
        context_window=min(each.context_window for each in told),
        num_output=max_tokens or (min(outputs) if outputs else UNKNOWN),
        is_chat_model=any(each.is_chat_model for each in told),
        is_function_calling_model=all("tools" in (capabilities_of(model) or ()) for model in models.values()),
        model_name="+".join(models),
        system_role=roles.pop() if len(roles) == 1 else MessageRole.USER,
    )


def _told(model: Generator) -> LLMMetadata:
    """What one model says of itself."""
    client = getattr(model, "client", None)
    if isinstance(client, LlamaIndexClient):
        return client.llm.metadata
    # Models of LangChain have a profile, local ones a context.
    profile = getattr(getattr(client, "model", None), "profile", None) or {}
    window = profile.get("max_input_tokens") or getattr(model, "context", None) or DEFAULT_CONTEXT_WINDOW
    return LLMMetadata(
        is_chat_model=True, context_window=int(window), num_output=int(profile.get("max_output_tokens") or UNKNOWN)
    )
