"""What providers say of tokens, which may be anything: no answer is lost for it."""

from __future__ import annotations

import math
from typing import Any

import httpx
import pytest

from tests.langchain.conftest import openai
from tests.llama_index.conftest import like
from tests.openai_server import Body, Server
from uniscale_integrations import UniScale
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.models.chat import ChatStepModel, ServerClient

ODD: list[Any] = [-5, 10**12, 10**400, 0]


def saying(prompt: Any, completion: Any, cached: Any) -> Server:
    def behaves(body: Body, number: int) -> httpx.Response:
        details = {"prompt_tokens_details": {"cached_tokens": cached}}
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 9} | details
        choice = {"index": 0, "message": {"role": "assistant", "content": "It is 4."}, "finish_reason": "stop"}
        return httpx.Response(
            200, json={"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        )

    return Server(behaves=behaves)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{odd:.3g}" if odd < 1e300 else "huge")
@pytest.mark.parametrize("place", range(3), ids=["prompt", "completion", "cached"])
def test_counts_that_nobody_has_counted_cost_no_answer(odd: Any, place: int) -> None:
    counts: list[Any] = [7, 3, 2]
    counts[place] = odd
    for made in (
        UniScaleChatModel(models=[openai(saying(*counts))], verifier="agreement").engine,
        UniScaleLLM(models=[like(saying(*counts))], verifier="agreement").engine,
    ):
        assert made is not None
        answer = made.run("What is 2 + 2?")
        assert answer.text == "It is 4."
        assert all(0.0 <= each < math.inf for each in answer.ledger.tokens)


@pytest.mark.parametrize("odd", [*ODD, "many", [1], {"a": 1}, None, True, 1e300], ids=lambda odd: repr(odd)[:10])
def test_nor_what_is_no_count_at_all(odd: Any) -> None:
    server = saying(odd, odd, odd)
    http = httpx.AsyncClient(transport=httpx.MockTransport(server.answer))
    made = UniScale([ChatStepModel(ServerClient("http://server/v1", "m", http=http), name="m")], None)
    assert made.run("What is 2 + 2?").text == "It is 4."
