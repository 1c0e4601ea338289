"""An OpenAI-compatible server as the client of a `ChatStepModel`, spoken to directly: its continue flag, or raw completions."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import httpx

from uniscale_integrations.errors import GenerationError
from uniscale_integrations.models.chat.client import CONTINUE, Completion, CompletionRequest, Continuation
from uniscale_integrations.models.chat.events import CompletionBuilder
from uniscale_integrations.models.chat.template import Render, template_render
from uniscale_integrations.redaction import secrets_of_server
from uniscale_integrations.search.conversation import Turn

__all__ = ["Render", "ServerClient"]


class ServerClient:
    """Sends requests to a server that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, transformers, and many others.

    Replies are read as they come, so that a step ends where it ends and a plain answer can be shown while it is made. For raw
    completions the model's own chat template is used: rendered by the server where it does that (llama.cpp), or read from its `/props`.

    Args:
        url: of the API, usually ending in /v1.
        model: the model's name there.
        key: for servers that want one.
        render: makes the text for raw completions, instead; see `models.chat.template` for those of GGUF files and tokenizers.
        http: the client to use, for proxies, certificates and timeouts of your own.
        extra: further fields of every request.
    """

    capabilities: frozenset[str] = frozenset()
    stop: Sequence[str] = ()
    cuts = True
    continuations: Sequence[Continuation] = (Continuation.FLAG, Continuation.RAW, Continuation.PREFILL)
    """Everything such a server may know."""

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
        self.name, self.address = model, url
        self._url, self._render, self._extra = url.rstrip("/"), render, dict(extra or {})
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self.secrets = (*((key,) if key else ()), *secrets_of_server(url, http))
        self._http = http
        self._renders: bool | None = None
        self._tells_log_probabilities = True

    def repeats(self, options: Mapping[str, Any]) -> bool:
        """As of `TellsRepeats`, by the fields of every request."""
        return self._extra.get("temperature") == 0 or self._extra.get("seed") is not None

    async def complete(self, request: CompletionRequest) -> Completion:
        """Get one reply.

        Raises:
            httpx.HTTPError: the server could not be reached, or refused.
            GenerationError: what it gave is no reply, or an error of its own, or nothing tells the model's chat template.
        """
        async with self._client() as client:
            path, body = await self._request(client, request)
            if not (request.log_probabilities and self._tells_log_probabilities):
                return await self._completion(client, path, body, request)
            fields: dict[str, Any] = {"logprobs": 1} if path == "/completions" else {"logprobs": True, "top_logprobs": 1}
            try:
                return await self._completion(client, path, fields | body, request)
            except httpx.HTTPStatusError as error:
                if "logprob" not in error.response.text:
                    raise
                self._tells_log_probabilities = False
                return await self._completion(client, path, body, request)

    async def _request(self, client: httpx.AsyncClient, request: CompletionRequest) -> tuple[str, dict[str, Any]]:
        """Where a request goes, and what it says."""
        body: dict[str, Any] = {"model": self.name, **self._extra}
        if request.stop:
            body["stop"] = list(request.stop)
        for name in ("max_tokens", "temperature", "top_p", "seed"):
            value = getattr(request, name)
            if value is not None:
                body[name] = value
        if request.prefix or request.segmenter is not None or request.emit is not None:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        turns = request.conversation.turns
        if request.continuation is Continuation.RAW:
            return "/completions", body | {"prompt": await self._render_prompt(client, turns) + request.prefix}
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        if request.prefix:
            messages.append({"role": "assistant", "content": request.prefix})
            if request.continuation is Continuation.FLAG:
                body |= CONTINUE
        return "/chat/completions", body | {"messages": messages}

    async def _completion(
        self, client: httpx.AsyncClient, path: str, body: Mapping[str, Any], request: CompletionRequest
    ) -> Completion:
        builder, url = CompletionBuilder(request), self._url + path
        if "stream" not in body:
            builder.take(_json(await self._post(client, url, body)))
            return builder.reply()
        async with client.stream("POST", url, json=body, headers=self._headers) as response:
            if response.is_error:
                await response.aread()
            _check(response)
            if "event-stream" not in response.headers.get("content-type", ""):
                # It does not stream, and gives everything at once.
                await response.aread()
                builder.take(_json(response))
                return builder.reply()
            async for line in response.aiter_lines():
                name, _, data = line.partition(":")
                if name in ("data", "error") and data.strip() not in ("", "[DONE]") and builder.take(_event(data)):
                    # What else it would say is not wanted: it stops when the connection is closed.
                    break
        return builder.reply()

    async def _render_prompt(self, client: httpx.AsyncClient, turns: Sequence[Turn]) -> str:
        """The conversation as the model reads it."""
        if self._render is not None:
            return self._render(turns)
        root = self._url.removesuffix("/v1")
        if self._renders is not False:
            messages = [{"role": turn.role, "content": turn.text} for turn in turns]
            response = await client.post(f"{root}/apply-template", json={"messages": messages}, headers=self._headers)
            if response.is_success and isinstance(text := _json(response).get("prompt"), str):
                self._renders = True
                return text
            if self._renders:
                _check(response)
        response = await client.get(f"{root}/props", headers=self._headers)
        properties = _json(response) if response.is_success else None
        template = properties.get("chat_template") if isinstance(properties, dict) else None
        if not template:
            raise GenerationError(f"nothing tells the chat template of {self.name} at {self._url}; give it as render=")
        assert isinstance(properties, dict)
        self._renders = False
        self._render = template_render(template, properties.get("bos_token") or "", properties.get("eos_token") or "")
        return self._render(turns)

    async def _post(self, client: httpx.AsyncClient, url: str, body: Mapping[str, Any]) -> httpx.Response:
        response = await client.post(url, json=body, headers=self._headers)
        _check(response)
        return response

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[httpx.AsyncClient]:
        if self._http is not None:
            yield self._http
            return
        # A client belongs to the loop that opened it, and callers may run several.
        async with httpx.AsyncClient(timeout=600.0, verify=_certificates() if self._url.startswith("https") else False) as client:
            yield client


@lru_cache
def _certificates() -> ssl.SSLContext:
    """Read once: that takes longer than a request on a local network."""
    return httpx.create_ssl_context()


def _check(response: httpx.Response) -> None:
    if response.is_error:
        raise httpx.HTTPStatusError(
            f"{response.request.url} answered {response.status_code}: {response.text[:300]}",
            request=response.request,
            response=response,
        )


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise GenerationError(f"{response.request.url} gave no JSON: {response.text[:80]!r}") from error


def _event(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise GenerationError(f"the server gave an event that is no JSON: {data[:80]!r}") from error
