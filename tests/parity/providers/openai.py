"""OpenAI's API: whatever endpoint a client calls."""

from __future__ import annotations

from dataclasses import dataclass

from tests.parity.providers.openai_chat import ChatCompletions
from tests.parity.providers.openai_responses import Responses
from tests.parity.providers.wire import Body, Reply


@dataclass(frozen=True)
class OpenAI:
    """Chat completions and responses at one address."""

    def answer(self, path: str, body: Body) -> Reply:
        found = Responses() if path.endswith("/responses") else ChatCompletions()
        return found.answer(path, body)
