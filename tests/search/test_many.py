"""Many requests side by side."""

from __future__ import annotations

import asyncio

import pytest

from tests.search.trees import TreeGenerator, TreeVerifier, World
from uniscale_integrations.errors import ConfigurationError, SearchFailed
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.many import arun_many
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
from uniscale_integrations.space import Configuration

WORLD = World(11, ending=50, words=40)
REQUESTS = [Request("1 + 1?", Configuration("m", 1, cp, 1), Sampling(max_steps=5)) for cp in (4, 1, 3, 2, 5, 6)]


def test_answers_come_in_the_order_of_the_requests_and_are_those_of_single_runs() -> None:
    told: dict[int, Answer] = {}
    answers = asyncio.run(arun_many(REQUESTS, TreeGenerator(WORLD), TreeVerifier(WORLD), done=told.__setitem__))
    assert [answer.configuration for answer in answers] == [request.configuration for request in REQUESTS]
    assert [answer.text for answer in answers] == [run(r, TreeGenerator(WORLD), TreeVerifier(WORLD)).text for r in REQUESTS]
    assert [told[index] for index in range(len(REQUESTS))] == answers


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_no_more_than_the_limit_run_at_once(at_once: int) -> None:
    open_now, most = 0, 0

    class Counting(TreeGenerator):
        async def count(self, path: Path, index: int, candidate: Candidate) -> Candidate:
            nonlocal open_now, most
            if path.depth == 0 and index == 0:
                open_now += 1
                most = max(most, open_now)
                await asyncio.sleep(0.001)
                open_now -= 1
            return candidate

    generator = Counting(WORLD)
    generator.tamper = generator.count
    asyncio.run(arun_many(REQUESTS, generator, TreeVerifier(WORLD), at_once=at_once))
    assert most == min(at_once, len(REQUESTS))


def test_the_first_failure_is_raised_as_itself_and_the_others_are_cancelled() -> None:
    async def tamper(path: Path, index: int, candidate: Candidate) -> Candidate:
        if path in [expansion.path for call in generator.sessions[2].calls for expansion in call]:
            raise ConnectionError("refused")
        await asyncio.sleep(5)
        return candidate

    generator = TreeGenerator(WORLD, tamper=tamper)
    with pytest.raises(SearchFailed, match="ConnectionError: refused"):
        asyncio.run(arun_many(REQUESTS, generator, TreeVerifier(WORLD)))
    assert [session.cancelled for session in generator.sessions] == [1, 1, 0, 1, 1, 1]
    assert all(session.closed == 1 for session in generator.sessions)


def test_no_requests_are_no_answers() -> None:
    assert asyncio.run(arun_many([], TreeGenerator(WORLD), None)) == []


@pytest.mark.parametrize("at_once", [0, -1])
def test_a_limit_below_one_is_refused(at_once: int) -> None:
    with pytest.raises(ConfigurationError, match=f"at_once must be at least 1, got {at_once}"):
        asyncio.run(arun_many(REQUESTS, TreeGenerator(WORLD), TreeVerifier(WORLD), at_once=at_once))
