"""An OpenAI-compatible server as the client of a `ChatStepModel`, spoken to directly: its continue flag, or raw completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.errors import GenerationError
from uniscale_integrations.models.chat.client import CONTINUE, Asked, Continuation, Reply, incompleteness, mean_log_probability
from uniscale_integrations.search.conversation import Turn

Render = Callable[[Sequence[Turn]], str]
"""The text that a model reads of a conversation, up to where its answer begins, as its chat template makes it."""


class ServerClient:
    """Sends requests to a server that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, transformers, and many others.

    Args:
        url: of the API, usually ending in /v1.
        model: the model's name there.
        key: for servers that want one.
        render: makes the text for raw completions, which are only used where it is given.
        http: the client to use, for proxies, certificates and timeouts of your own.
        extra: further fields of every request.
    """

    abilities: frozenset[str] = frozenset()
    ends_replies = True
    stop: Sequence[str] = ()

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None = None,
        render: Render | None = None,
        http: httpx.AsyncClient | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = model
        self._url, self._render, self._extra = url.rstrip("/"), render, dict(extra or {})
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._given = http

    @property
    def continuations(self) -> Sequence[Continuation]:
        """Everything such a server may know; raw completions only where the text can be made."""
        raw = (Continuation.RAW,) if self._render else ()
        return (Continuation.FLAG, *raw, Continuation.PREFILL)

    async def complete(self, asked: Asked) -> Reply:
        """Get one reply.

        Raises:
            httpx.HTTPError: the server could not be reached, or refused.
            GenerationError: what it gave is no reply.
        """
        if asked.continuation is Continuation.RAW and self._render is not None:
            text = self._render(asked.conversation.turns) + asked.prefix
            return _reply(await self._post("/completions", self._body(asked) | {"prompt": text}), lambda choice: choice["text"])
        messages = [{"role": turn.role, "content": turn.text} for turn in asked.conversation.turns]
        body = self._body(asked)
        if asked.prefix:
            messages.append({"role": "assistant", "content": asked.prefix})
            if asked.continuation is Continuation.FLAG:
                body |= CONTINUE
        told = await self._post("/chat/completions", body | {"messages": messages})
        return _reply(told, lambda choice: choice["message"]["content"] or "")

    def _body(self, asked: Asked) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.name, **self._extra}
        if asked.stop:
            body["stop"] = list(asked.stop)
        for name in ("max_tokens", "temperature", "top_p", "seed"):
            value = getattr(asked, name)
            if value is not None:
                body[name] = value
        return body

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        if self._given is not None:
            return await self._sent(self._given, path, body)
        # A client belongs to the loop that opened it, and callers may run several.
        async with httpx.AsyncClient(timeout=600.0) as client:
            return await self._sent(client, path, body)

    async def _sent(self, client: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> Any:
        response = await client.post(self._url + path, json=body, headers=self._headers)
        if response.is_error:
            raise httpx.HTTPStatusError(
                f"{self._url}{path} answered {response.status_code}: {response.text[:300]}", request=response.request, response=response
            )
        try:
            return response.json()
        except ValueError as error:
            raise GenerationError(f"{self._url}{path} gave no JSON: {response.text[:80]!r}") from error


def _reply(told: Any, text_of: Callable[[Any], str]) -> Reply:
    try:
        [choice, *_] = told["choices"]
        text, used = text_of(choice), told.get("usage") or {}
        usage = Usage(prompt_tokens=float(used.get("prompt_tokens") or 0), completion_tokens=float(used.get("completion_tokens") or 0))
    except (KeyError, TypeError, ValueError) as error:
        raise GenerationError(f"the server gave no reply: {told!r:.200}") from error
    return Reply(text, incompleteness(choice.get("finish_reason")), usage, mean_log_probability(choice.get("logprobs")))
