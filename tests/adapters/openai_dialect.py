"""A third dialect: the dicts of OpenAI's chat completions, as a server would speak them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextvars import Context, copy_context
from typing import Any

from uniscale_integrations.adapters.forms import calls_in
from uniscale_integrations.adapters.options import call_from, conversation_from, split_options
from uniscale_integrations.adapters.service import Call, Chunks
from uniscale_integrations.adapters.stamp import KEY, stamp
from uniscale_integrations.adapters.stopping import until
from uniscale_integrations.engine import UniScale
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.conversation import Turn

Json = dict[str, Any]


class OpenAIDialect:
    """Messages, replies and chunks as plain dicts."""

    def call(
        self,
        engine: UniScale,
        messages: Sequence[Mapping[str, Any]],
        options: Mapping[str, Any],
        *,
        synchronous: bool = False,
        streaming: bool = False,
    ) -> Call:
        for_engine, for_model = split_options(options)
        turns = [Turn(message["role"], message["content"]) for message in messages]
        stop = for_model.get("stop") or ()
        conversation = conversation_from(
            turns,
            None,
            for_model,
            (stop,) if isinstance(stop, str) else stop,
            synchronous=synchronous,
            streaming=streaming,
        )
        return call_from(engine, conversation, for_engine)

    def reply(self, answer: Answer, call: Call) -> Json:
        text = until(answer.text, call.conversation.stop)
        content, calls = calls_in(text) if "tools" in call.conversation.required_capabilities else (text, [])
        message: Json = {"role": "assistant", "content": content}
        if calls:
            message["tool_calls"] = [{"id": each.id, "function": {"name": each.name}} for each in calls]
        choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
        return {"object": "chat.completion", "choices": [choice], **_closing(answer)}

    def chunks(self, call: Call) -> OpenAIChunks:
        return OpenAIChunks(call)

    def context(self) -> Context:
        return copy_context()


class OpenAIChunks(Chunks[Json]):
    """Deltas, and a last chunk with the reason of the end and the usage."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._stop = call.conversation.stop

    def text(self, text: str) -> Iterator[Json]:
        yield _chunk({"content": text})

    def last(self, answer: Answer) -> Iterator[Json]:
        if remainder := self.remainder(until(answer.text, self._stop)):
            yield _chunk({"content": remainder})
        yield _chunk({}, answer.finish_reason) | _closing(answer)


def _chunk(delta: Json, finish_reason: str | None = None) -> Json:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def _closing(answer: Answer) -> Json:
    prompt, completion = map(round, answer.ledger.tokens)
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {"model": answer.configuration.model, "usage": usage, KEY: stamp(answer)}
