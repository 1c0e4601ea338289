"""Deadlines, with models that hang: real clients of servers that let in and never answer."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike
from pydantic import SecretStr

from benchmarks.durability import difference
from benchmarks.instant import InstantVerifier
from tests.logged import decisions, outcomes
from tests.loopback import served
from tests.openai_server import Server
from uniscale_integrations import UniScale
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import BudgetError, NoAnswerInTime
from uniscale_integrations.langchain.client import LangChainClient
from uniscale_integrations.log.log import open_log
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.paths import Candidate
from uniscale_integrations.search.paths import Path as SearchPath
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace

DEADLINE = 2.0


@pytest.fixture
def hung() -> Iterator[str]:
    """The address of a server that lets everybody in and answers nobody."""
    with socket.create_server(("127.0.0.1", 0), backlog=500) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


@pytest.fixture
def fine() -> Iterator[str]:
    with served(Server()) as address:
        yield address


def client(name: str, address: str, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=address, api_key=SecretStr("none"), max_retries=0, **settings)


def engine(models: Sequence[object], shape: tuple[int, int, int] = (1, 1, 1), **settings: Any) -> UniScale:
    names = [str(getattr(model, "model_name", None) or getattr(model, "model", "")) for model in models]
    settings = {"verifier": "agreement"} | settings
    return UniScale(models, space=ConfigurationSpace.default(names, [shape]), **settings)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_model_that_hangs_takes_the_deadline_and_is_named(hung: str, shape: tuple[int, int, int], asynchronous: bool) -> None:
    with engine([client("stuck", hung)], shape) as made:

        def ask() -> Answer:
            question, budget = "What is 2 + 2?", Budget(seconds=0.5)
            return asyncio.run(made.arun(question, budget=budget)) if asynchronous else made.run(question, budget=budget)

        began = time.monotonic()
        with pytest.raises(NoAnswerInTime, match=r"stuck has not answered for 0\.[4-9]\d* s"):
            ask()
        # With everything around it; a machine that does other things too takes its time.
        assert 0.5 <= time.monotonic() - began < 1.5
        assert [outcome.failed.split(" for ")[0] for outcome in outcomes(made)] == ["stuck has not answered"]


@pytest.mark.parametrize("kind", ["LangChain", "LlamaIndex"])
def test_another_model_is_asked_beside_it_with_what_is_left(hung: str, fine: str, kind: str) -> None:
    models: list[object] = [client("stuck", hung), client("works", fine)]
    if kind == "LlamaIndex":
        settings: Any = {"api_key": "none", "is_chat_model": True, "max_retries": 0, "context_window": 4096}
        models = [OpenAILike(model=name, api_base=address, **settings) for name, address in (("stuck", hung), ("works", fine))]
    with engine(models) as made:
        answers = [made.run(f"What is {number} + 2?", budget=Budget(seconds=DEADLINE)) for number in range(8)]
        asked = [decision.configuration.model for decision in decisions(made)]
        assert {answer.configuration.model for answer in answers if answer.configuration} == {"works"}
        assert 1 <= asked.count("stuck") < 4, "after it has hung it is asked as long as another can serve"
        noted = [note for answer in answers for note in answer.warnings if "was asked beside it" in note]
        assert len(noted) == asked.count("stuck")
        assert re.match(r"stuck had not answered for (0\.9|1)", noted[0]), "half of the deadline"
        given_up = [outcome.failed for outcome in outcomes(made) if outcome.failed]
        assert len(given_up) == asked.count("stuck")
        assert all("for works had answered" in why for why in given_up)


def test_two_hundred_at_once_are_answered_though_one_of_two_models_hangs(hung: str, fine: str) -> None:
    with engine([client("stuck", hung), client("works", fine)]) as made:

        async def ask() -> list[str]:
            answers = await asyncio.gather(
                *(made.arun(f"What is {number} + 2?", budget=Budget(seconds=20.0)) for number in range(100))
            )
            return [answer.configuration.model for answer in answers if answer.configuration]

        with ThreadPoolExecutor(20) as pool:
            asynchronous = pool.submit(lambda: asyncio.run(ask()))
            budget = Budget(seconds=20.0)
            blocking = list(pool.map(lambda number: made.run(f"What is {number} + 3?", budget=budget), range(19)))
            assert asynchronous.result() == ["works"] * 100
        assert {answer.configuration.model for answer in blocking if answer.configuration} == {"works"}


class Says(InstantVerifier):
    """Scores an answer by itself, as low as answers are that are worth asking again for."""

    async def score(self, items: Sequence[tuple[SearchPath, Candidate]]) -> list[tuple[tuple[float, ...] | None, Usage]]:
        return [((0.3,) * len(candidate.steps), NOTHING) for _, candidate in items]


def test_a_hung_model_is_an_attempt_of_the_request_like_any_other(hung: str, fine: str) -> None:
    """With two rounds, too, the answer that came beside it is given, logged as what ended the request, and learned from."""
    models, log = [client("stuck", hung), client("works", fine)], open_log("sqlite://")
    with engine(models, verifier=Says(), rounds=2, log=log) as made:
        for number in range(6):
            answer = made.run(f"What is {number} + 2?", budget=Budget(seconds=DEADLINE))
            assert [each.configuration.model for each in answer.rounds if each.kept] == ["works"]
            assert made.feedback(answer, 1.0)
        given_up = [each for each in outcomes(made) if each.failed]
        assert given_up
        assert not any(each.extra["rounds"].get("over") for each in given_up)
        requests = {each.request_id for each in decisions(made)}
        assert sum(bool(each.extra["rounds"].get("over")) for each in outcomes(made)) == len(requests) == 6
        state = made.state()
    with engine(models, verifier=Says(), rounds=2, log=log) as anew:
        assert difference(anew.state(), state) < 1e-9


def test_a_slow_model_that_has_shown_something_goes_on(fine: str) -> None:
    slow = Server(takes=lambda body, number: 0.8)
    with served(slow) as address, engine([client("slow", address)]) as made:
        answer = made.run("What is 2 + 2?", budget=Budget(seconds=10.0))
        assert answer.configuration is not None
    with served(slow) as address, engine([client("slow", address), client("works", fine)]) as made:
        shown = list[Any]()
        conversation = Conversation((Turn("user", "What is 2 + 2?"),), streaming=True)
        for _ in range(4):
            shown.clear()
            answer = asyncio.run(made.arun(conversation, budget=Budget(seconds=1.0), emit=shown.append))
            text = "".join(str(getattr(piece, "content", piece)) for piece in shown)
            assert text == "" or text == answer.text, "all pieces are of one answer"


def test_a_budget_that_is_too_small_is_no_model_s_fault(fine: str) -> None:
    with (
        engine([client("works", fine)]) as made,
        pytest.raises(BudgetError, match="that is less than the first step of one sample, raise the budget"),
    ):
        made.run("What is 2 + 2?", budget=Budget(tokens=1.0))


def test_a_budget_of_tokens_that_is_too_small_says_nothing_of_time(fine: str) -> None:
    with engine([client("works", fine)]) as made:
        with pytest.raises(BudgetError):
            made.run("What is 2 + 2?", budget=Budget(tokens=1.0, seconds=30.0))
        [candidate] = made.decide("What is 2 + 2?", budget=Budget(seconds=30.0)).explain().candidates
        assert candidate.ineligibility == ""


def test_a_server_that_asks_to_come_later_than_there_is_time_is_not_waited_for(fine: str) -> None:
    def later(body: Any, number: int) -> httpx.Response:
        return httpx.Response(429, headers={"retry-after": "30"}, json={"error": {"message": "slow down"}})

    with (
        served(Server(behaves=later)) as address,
        engine([client("busy", address), client("works", fine)], client_settings={"retries": 3}) as made,
    ):
        for number in range(4):
            answer = made.run(f"What is {number} + 2?", budget=Budget(seconds=20.0))
            assert answer.configuration is not None
            assert answer.configuration.model == "works"
            assert not [note for note in answer.warnings if "was asked beside it" in note], "half of the deadline was not needed"
        assert "busy" in {decision.configuration.model for decision in decisions(made)}


@pytest.mark.parametrize("times", [1, 2])
def test_an_engine_that_is_closed_during_a_request_lets_it_finish(tmp_path: Path, times: int) -> None:
    slow = Server(takes=lambda body, number: 0.5)
    address = f"sqlite:///{tmp_path / 'log.db'}"
    with served(slow) as at:
        made = engine([client("slow", at)], log=address)

        async def ask_and_close() -> Answer:
            asked = asyncio.create_task(made.arun("What is 2 + 2?"))
            await asyncio.sleep(0.1)
            for _ in range(times):
                made.close()
            return await asked

        answer = asyncio.run(ask_and_close())
    assert not [note for note in answer.warnings if note.startswith("not logged")]
    deadline = time.monotonic() + 30
    while (tmp_path / "log.db-wal").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    with closing(open_log(address, create=False)) as log:
        assert log.counts() == {"decision": 1, "outcome": 1}


def test_a_search_that_has_something_uses_its_time(fine: str) -> None:
    """Two of its candidates come at once and two never: at the deadline the best of what is there is given, by nobody else."""
    some = Server(takes=lambda body, number: 0.0 if number % 4 < 2 else 60.0)
    models = [ChatStepModel(LangChainClient(client("works", fine, http_async_client=some.async_client()))), client("other", fine)]
    space = ConfigurationSpace([Configuration("works", 4), Configuration("other")])
    with UniScale(models, "agreement", space, mode=(1, 0, 0), sampling=Sampling(votes="full")) as made:
        answers = [asyncio.run(made.arun("What is 2 + 2?", budget=Budget(seconds=1.0))) for _ in range(3)]
        searched = [answer for answer in answers if answer.configuration and answer.configuration.model == "works"]
        assert searched
        for answer in searched:
            assert any("no answer when the time was up" in note for note in answer.warnings)
        assert not [note for answer in answers for note in answer.warnings if "was asked beside it" in note]
