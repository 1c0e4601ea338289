"""A real llama.cpp server, with an embedded model behind it as a GGUF file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.gguf_file import write
from tests.llama_server import llama_server
from uniscale_integrations.errors import SearchFailed
from uniscale_integrations.models.catalog import load_model
from uniscale_integrations.models.chat import ChatStepModel, Completion, CompletionRequest, Continuation, ServerClient
from uniscale_integrations.models.chat.probe import probe_continuation
from uniscale_integrations.models.chat.template import gguf_render, tokenizer_render
from uniscale_integrations.models.local.transformers import TransformersModel
from uniscale_integrations.models.questions import questions
from uniscale_integrations.models.task import FAMILY_TASK
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
from uniscale_integrations.search.segmenter import Lines, Units
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import SelfCertainty
from uniscale_integrations.verifiers.load import load_prm

MODEL = "uniscale-1m"


@pytest.fixture(scope="module")
def here() -> TransformersModel:
    return load_model(MODEL)


@pytest.fixture(scope="module")
def file(here: TransformersModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    return write(folder / f"{MODEL}.gguf", here.model, here.tokenizer.chat_template, here.tokenizer)


@pytest.fixture(scope="module")
def url(file: Path) -> Iterator[str]:
    with llama_server(file) as address:
        yield address


def steps(url: str, way: Continuation, *, cuts: bool = True) -> ChatStepModel:
    client = ServerClient(url, MODEL)
    client.cuts = cuts
    return ChatStepModel(client, name=MODEL, continuation=way, segmenter=Lines(), final_step=FAMILY_TASK.final_step)


@pytest.mark.parametrize("way", [Continuation.FLAG, Continuation.RAW, Continuation.PREFILL])
def test_step_search_gives_the_same_greedy_answers_as_in_this_process(
    url: str, here: TransformersModel, way: Continuation
) -> None:
    there, verifier = steps(url, way), load_prm()
    for question in questions()[::40][:6]:
        request = Request(question.text, Configuration(MODEL, 1, 4, 2), Sampling(temperature=0.0))
        remote, local = run(request, there, verifier), run(request, here, verifier)
        assert remote.text.rstrip() == local.text.rstrip()
        assert (remote.answer, remote.score, remote.finish_reason) == (local.answer, local.score, "stop")
        assert [path.steps for path in remote.paths if path.final] == [path.steps for path in local.paths if path.final]


def test_a_client_that_cannot_cut_replies_gives_the_same(url: str, here: TransformersModel) -> None:
    there, verifier = steps(url, Continuation.FLAG, cuts=False), load_prm()
    for question in questions()[::40][:3]:
        request = Request(question.text, Configuration(MODEL, 1, 4, 2), Sampling(temperature=0.0))
        assert run(request, there, verifier).text.rstrip() == run(request, here, verifier).text.rstrip()


def test_that_it_repeats_what_it_continues_is_found_out(url: str) -> None:
    class Whole(ServerClient):
        """Replies as clients get them that do not stream: they begin with the partial answer."""

        cuts = False

        async def complete(self, asked: CompletionRequest) -> Completion:
            messages = [{"role": turn.role, "content": turn.text} for turn in asked.conversation.turns]
            messages += [{"role": "assistant", "content": asked.prefix}] if asked.prefix else []
            body = {"messages": messages, "stop": list(asked.stop), "max_tokens": asked.max_tokens, "temperature": 0.0}
            async with httpx.AsyncClient(timeout=60) as client:
                told = (await client.post(f"{url}/chat/completions", json=body)).json()["choices"][0]
            return Completion(told["message"]["content"], "length" if told["finish_reason"] == "length" else "")

    client = Whole(url, MODEL)
    found = asyncio.run(probe_continuation(client))
    assert (found.way, found.echoes) == (Continuation.FLAG, True)
    model = ChatStepModel(client, name=MODEL, segmenter=Lines())
    for question in questions()[::40][:3]:
        request = Request(question.text, Configuration(MODEL, 1, 2, 1), Sampling(temperature=0.0))
        answer = run(request, model, load_prm())
        assert answer.text.rstrip() == run(request, load_model(MODEL), load_prm()).text.rstrip()
        assert not [note for note in answer.warnings if "began anew" in note]


def test_log_probabilities_feed_self_certainty(url: str, here: TransformersModel) -> None:
    there = steps(url, Continuation.RAW)
    request = Request(questions()[5].text, Configuration(MODEL, 1, 2, 1), Sampling(temperature=0.0))
    remote, local = run(request, there, SelfCertainty()), run(request, here, SelfCertainty())
    assert remote.score is not None
    assert local.score is not None
    assert remote.score == pytest.approx(local.score, abs=0.02)


def test_a_plain_answer_is_the_models_own_and_comes_in_pieces(url: str, here: TransformersModel) -> None:
    pieces: list[str] = []
    question = questions()[5].text
    conversation = Conversation((Turn("user", question),))
    request = Request(question, Configuration(MODEL), Sampling(0.0), conversation=conversation, emit=pieces.append)
    answer = run(request, ChatStepModel(ServerClient(url, MODEL, extra={"temperature": 0.0}), name=MODEL))
    assert "".join(pieces) == answer.text
    assert len(pieces) > 5
    assert answer.text.rstrip() == run(request, here).text.rstrip()


def test_the_template_is_the_models_own_wherever_it_is_read(url: str, file: Path, here: TransformersModel) -> None:
    turns = [Turn("user", "What is 2 + 2?")]
    there = httpx.post(
        f"{url.removesuffix('/v1')}/apply-template", json={"messages": [{"role": "user", "content": turns[0].text}]}
    )
    read = gguf_render(file)
    assert read is not None
    assert read(turns) == tokenizer_render(here.tokenizer)(turns)
    # The token that begins a text is the server's own to add.
    assert read(turns).removeprefix("<s>") == there.json()["prompt"].removeprefix("<s>")


def test_an_error_of_the_server_is_an_error(url: str) -> None:
    model = steps(url, Continuation.FLAG)
    with pytest.raises(SearchFailed, match="answered 400"):
        run(Request("1 + 2? " * 3000, Configuration(MODEL, 1, 2, 1), Sampling(0.0)), model, SelfCertainty())


def test_an_answer_longer_than_its_tokens_says_so(url: str) -> None:
    request = Request(questions()[5].text, Configuration(MODEL), Sampling(0.0, max_tokens=4))
    answer = run(request, ChatStepModel(ServerClient(url, MODEL), name=MODEL, segmenter=Units()))
    assert (answer.finish_reason, bool(answer.stop_reason)) == ("length", True)
