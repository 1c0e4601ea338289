"""A chat model as a generator, over a client that answers from memory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from uniscale_integrations.cost.hardware import H100
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.models.chat import ChatStepModel, Completion, CompletionRequest, Continuation
from uniscale_integrations.models.chat.probe import APART_PREFIX, LINES_PREFIX, NEXT, PREFIX, probe_continuation
from uniscale_integrations.models.chat.steps import continuation_text
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun, run
from uniscale_integrations.search.segmenter import Lines
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import CallableVerifier

LINES = ["2 and 2 are added.\n", "That makes 4.\n", "Answer: 4"]


class Client:
    """Says what a function makes of the request."""

    name = "llama-8b"
    capabilities: frozenset[str] = frozenset()
    stop: tuple[str, ...] = ()
    continuations: Sequence[Continuation] = (Continuation.FLAG, Continuation.PREFILL)

    def __init__(self, says: Callable[[CompletionRequest], str | Exception]) -> None:
        self.says = says
        self.asked: list[CompletionRequest] = []

    async def complete(self, asked: CompletionRequest) -> Completion:
        self.asked.append(asked)
        said = self.says(asked)
        if isinstance(said, Exception):
            raise said
        for end in asked.stop:
            said = said.split(end)[0]
        return Completion(said, usage=Usage(prompt_tokens=100.0, completion_tokens=10.0))


def going_on(asked: CompletionRequest) -> str:
    return f" {NEXT} six" if asked.prefix == PREFIX else "".join(LINES)[len(asked.prefix) :]


def answered(model: ChatStepModel, *shape: int, budget: Budget | None = None) -> Answer:
    verifier = CallableVerifier(lambda question, before, step: 0.5)
    return run(Request("2 + 2?", Configuration(model.name, *shape), Sampling(seed=7), budget or Budget()), model, verifier)


@pytest.mark.parametrize(
    ("prefix", "reply", "added"),
    [
        ("First this.\n", "Then that.", "Then that."),
        ("First this.\n", "First this.\nThen that.", "Then that."),
        ("First this.\nThen that.\n", "First this.", None),
        ("First this.\n", "First this.", None),
        ("4\n", "4", ""),
        ("", "First this.", "First this."),
        ("First this.\n", "First this.\n\n\nThen that.", "\n\nThen that."),
        ("First this.\n\n", "First this.\nThen that.", "Then that."),
        ("First this.\nThen that.\n", "First this.\nThen that.\n", ""),
        ("First this.\nThen that.", "First this.\nThen that.", ""),
    ],
)
def test_whether_a_reply_goes_on(prefix: str, reply: str, added: str | None) -> None:
    assert continuation_text(prefix, reply) == added


@pytest.mark.parametrize(
    ("prefix", "reply", "added"),
    [
        ("First this.\n", "First this.\n", ""),
        ("First this.\n", "First this.", ""),
        ("First this.", "First this. Then that.", " Then that."),
        ("First this.\n", "First this.\n\nThen that.", "\nThen that."),
        ("First this.\n", "Then that.", None),
        ("First this.\n", "", None),
    ],
)
def test_a_server_that_repeats_the_beginning_is_understood(prefix: str, reply: str, added: str | None) -> None:
    assert continuation_text(prefix, reply, echoes=True) == added


def test_steps_are_sampled_one_by_one_and_the_way_is_found_once() -> None:
    client = Client(going_on)
    model = ChatStepModel(client)
    assert answered(model, 1, 2, 1).text == "".join(LINES)
    beginnings = ["".join(LINES[:count]) for count in range(3)]
    end = [f"{''.join(LINES)}\n"] * 2
    assert [asked.prefix for asked in client.asked] == [PREFIX, *(each for each in beginnings for _ in range(2)), *end, *end]
    assert [asked.stop for asked in client.asked[-4:]].count(()) == 2
    assert {asked.continuation for asked in client.asked[1:]} == {Continuation.FLAG}
    assert len({asked.seed for asked in client.asked[1:]}) == 8
    before = len(client.asked)
    answered(model, 1, 2, 1)
    assert not any(asked.prefix == PREFIX for asked in client.asked[before:])


def test_the_ways_are_tried_from_the_surest_on_and_what_that_took_is_charged() -> None:
    def says(asked: CompletionRequest) -> str | Exception:
        return ValueError("no such field") if asked.continuation is Continuation.FLAG else going_on(asked)

    found = asyncio.run(probe_continuation(Client(says)))
    assert found.sure
    assert (found.way, found.usage.prompt_tokens) == (Continuation.PREFILL, 100.0)
    assert "does not continue by flag: no such field" in found.notes[0]
    client = Client(says)
    answer = answered(ChatStepModel(client, price=(1.0, 1.0)), 1, 2, 1)
    assert answer.ledger.usd == pytest.approx(110e-6 * (len(client.asked) - 1))


@pytest.mark.parametrize("strips", [True, False])
def test_a_server_that_strips_its_replies_is_asked_for_whole_answers(strips: bool) -> None:
    def says(asked: CompletionRequest) -> str:
        if asked.prefix == PREFIX:
            # Whether a first token is told with its space says nothing of line breaks.
            return f"{NEXT} six"
        if asked.prefix == APART_PREFIX:
            return NEXT if strips else f"\n\n{NEXT}"
        rest = "One:\n\n  two\n\n  three"[len(asked.prefix) :]
        return rest.strip() if strips else rest

    client = Client(says)
    model = ChatStepModel(client)
    answer = answered(model, 1, 2, 1)
    assert answer.text == "One:\n\n  two\n\n  three"
    assert model.continues is not strips
    assert any("strips its replies" in note for note in answer.warnings) is strips
    before = len(client.asked)
    answered(model, 1, 2, 1)
    assert not any(asked.prefix in (PREFIX, APART_PREFIX) for asked in client.asked[before:])


@pytest.mark.parametrize(("error", "sure"), [(TimeoutError("too late"), False), (ValueError("no such thing"), True)])
def test_whether_a_server_strips_is_asked_again_where_that_may_tell_more(error: Exception, sure: bool) -> None:
    replies: dict[str, str | Exception] = {PREFIX: f"{NEXT} six", APART_PREFIX: error}
    probe = asyncio.run(probe_continuation(Client(lambda asked: replies[asked.prefix])))
    assert (probe.way, probe.sure) == (Continuation.FLAG, sure)


def test_best_of_n_asks_for_whole_answers_and_never_how_to_go_on() -> None:
    client = Client(going_on)
    assert answered(ChatStepModel(client), 3, 1, 1).text == "".join(LINES)
    assert [(asked.prefix, asked.stop, asked.max_tokens) for asked in client.asked] == [("", (), None)] * 3


def test_a_budget_is_kept_and_the_answer_is_the_best_so_far() -> None:
    client = Client(going_on)
    answer = answered(ChatStepModel(client, price=(1.0, 1.0), continuation=Continuation.FLAG), 1, 2, 1, budget=Budget(usd=5e-4))
    assert answer.text
    assert "".join(LINES).startswith(answer.text)
    assert answer.ledger.usd <= 5e-4 or answer.stop_reason


def test_what_it_costs_without_a_price_is_counted_in_operations() -> None:
    model = ChatStepModel(Client(going_on))
    assert model.parameters == 8e9
    assert H100.eflops(model.plain_usage(40, 60)) == pytest.approx(2 * 8e9 * 100)
    assert ChatStepModel(Client(going_on), parameters=1e9).plain_usage(40, 60).compute == pytest.approx(2e11)
    priced = ChatStepModel(Client(going_on), price=(0.5, 2.0)).plain_usage(1_000_000, 1_000_000)
    assert (priced.usd, H100.eflops(priced)) == (2.5, 0.0)


def test_a_conversation_goes_to_the_client_as_it_is() -> None:
    client = Client(lambda asked: "Answer: 4")
    conversation = Conversation((Turn("system", "Be brief."), Turn("user", "2 + 2?")), options={"top_k": 3}, stop=("END",))
    request = Request("2 + 2?", Configuration("llama-8b"), conversation=conversation)
    assert run(request, ChatStepModel(client)).answer == "4"
    [asked] = client.asked
    assert asked.conversation is conversation
    assert (asked.stop, asked.temperature, asked.seed) == (("END",), None, None)


def test_limits_that_allow_nothing_are_refused() -> None:
    for settings in ({"max_concurrency": 0}, {"retries": -1}, {"timeout": 0.0}):
        with pytest.raises(ConfigurationError, match="a chat model needs"):
            ChatStepModel(Client(going_on), **settings)
    with pytest.raises(ConfigurationError, match=r"at least 0, got -1\.0"):
        ChatStepModel(Client(going_on), price=(-1.0, 0.0))
    with pytest.raises(ConfigurationError, match="question is empty"):
        ChatStepModel(Client(going_on)).open("  ", Sampling())


def test_a_way_that_was_closed_by_an_error_that_may_pass_is_tried_again() -> None:
    state = {"down": True}

    def says(asked: CompletionRequest) -> str | Exception:
        return ConnectionError("down") if asked.prefix == PREFIX and state["down"] else going_on(asked)

    client = Client(says)
    model = ChatStepModel(client)
    assert answered(model, 1, 2, 1).text == "".join(LINES)
    assert [asked.continuation for asked in client.asked[2:]] == [Continuation.WHOLE] * 2
    state["down"] = False
    answered(model, 1, 2, 1)
    assert client.asked[-1].continuation is Continuation.FLAG


def test_a_text_that_ends_the_answer_ends_it_also_where_it_spans_steps() -> None:
    client = Client(going_on)
    conversation = Conversation((Turn("user", "2 + 2?"),), stop=("\nThat", "a", "b", "c", "d"))
    request = Request("2 + 2?", Configuration("llama-8b", 1, 2, 1), conversation=replace(conversation, stop=("\nThat",)))
    answer = run(request, ChatStepModel(client), CallableVerifier(lambda question, before, step: 0.5))
    assert answer.text == LINES[0].rstrip()
    run(replace(request, conversation=conversation), ChatStepModel(client), CallableVerifier(lambda question, before, step: 0.5))
    assert all(len(asked.stop) <= 4 for asked in client.asked)


def test_requests_run_on_the_loop_of_their_caller() -> None:
    loops: list[int] = []

    def says(asked: CompletionRequest) -> str:
        loops.append(id(asyncio.get_running_loop()))
        return "Answer: 4"

    async def asked_here(model: ChatStepModel) -> int:
        await arun(Request("What is 2 + 2?", Configuration("llama-8b", 4)), model)
        return id(asyncio.get_running_loop())

    assert {asyncio.run(asked_here(ChatStepModel(Client(says))))} == set(loops)


def test_what_failed_over_a_connection_of_another_loop_is_sent_anew() -> None:
    tries = 0

    def says(asked: CompletionRequest) -> str | Exception:
        nonlocal tries
        tries += 1
        error = ConnectionError("no connection")
        error.__cause__ = RuntimeError("Event loop is closed")
        return error if tries < 4 else "Answer: 4"

    assert answered(ChatStepModel(Client(says)), 1, 1, 1).text == "Answer: 4"
    assert tries == 4


def test_an_empty_line_between_paragraphs_is_not_the_end() -> None:
    said = "First this.\n\nThen that.\n\nIn the end it is 4."

    def says(asked: CompletionRequest) -> str:
        return f" {NEXT}" if asked.prefix == PREFIX else said[len(asked.prefix) :]

    client = Client(says)
    answer = answered(ChatStepModel(client), 1, 2, 1)
    assert answer.text == said
    assert next(path.steps for path in answer.paths if path.final)[:2] == ("First this.", "\n\nThen that.")


def test_a_step_that_ran_out_of_tokens_goes_on_within_its_line() -> None:
    class Short(Client):
        async def complete(self, asked: CompletionRequest) -> Completion:
            reply = await super().complete(asked)
            if asked.prefix == PREFIX or len(reply.text) <= 10:
                return reply
            return replace(reply, text=reply.text[:10], incomplete="length")

    answer = answered(ChatStepModel(Short(going_on)), 1, 2, 1)
    assert answer.text == "".join(LINES)
    assert answer.paths[0].steps == (LINES[0][:10],)


LONG = """Let's see:

- one
- two

1. Add them:
\\[
1 + 1
= 2
\\]


Two blank lines stood before this.
Answer: 2

Sources:
```
a.txt
b.txt
```
That is all."""


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 4, 2)], ids=str)
@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("max_steps", [48, 3, 1])
@pytest.mark.parametrize("end", ["", "\n"])
def test_an_answer_ends_where_the_model_ends_it(shape: tuple[int, int, int], echo: bool, max_steps: int, end: str) -> None:
    said = LONG + end

    def says(asked: CompletionRequest) -> str:
        if asked.prefix == PREFIX:
            return (PREFIX if echo else "") + f" {NEXT} six"
        if asked.prefix == LINES_PREFIX:
            return f"{NEXT}\nsix"
        assert said.startswith(asked.prefix.removesuffix("\n"))
        return said[len(asked.prefix) :]

    class Echoing(Client):
        async def complete(self, asked: CompletionRequest) -> Completion:
            reply = await super().complete(asked)
            return (
                replace(reply, text=asked.prefix + reply.text) if echo and asked.prefix not in (PREFIX, LINES_PREFIX) else reply
            )

    verifier = CallableVerifier(lambda question, before, step: 0.5)
    request = Request("1 + 1?", Configuration("llama-8b", *shape), Sampling(max_steps=max_steps))
    model = ChatStepModel(Echoing(says))
    answer = run(request, model, verifier)
    assert answer.text.rstrip("\n") == LONG
    assert (answer.finish_reason, answer.stop_reason, answer.warnings) == ("stop", "", ())
    assert max(path.depth for path in answer.paths) <= max_steps
    assert model.echoes is (echo and shape[1] > 1 and max_steps > 1)


@pytest.mark.parametrize("shape", [(1, 2, 1), (1, 4, 2), (2, 2, 1)], ids=str)
@pytest.mark.parametrize("max_steps", [48, 3, 1])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_no_line_break_is_doubled_by_a_server_that_takes_it_off_the_beginning(
    shape: tuple[int, int, int], max_steps: int, line_break: str
) -> None:
    said = LONG.replace("\n", line_break)

    def says(asked: CompletionRequest) -> str:
        # As chat templates do that trim what an assistant has said.
        shown = asked.prefix.rstrip()
        if asked.prefix in (PREFIX, LINES_PREFIX):
            return f" {NEXT} six" if asked.prefix == PREFIX else f"\n{NEXT}\nsix"
        assert said.startswith(shown)
        return said[len(shown) :]

    client = Client(says)
    verifier = CallableVerifier(lambda question, before, step: 0.5)
    request = Request("1 + 1?", Configuration("llama-8b", *shape), Sampling(max_steps=max_steps))
    model = ChatStepModel(client)
    answer = run(request, model, verifier)
    assert (answer.text, answer.finish_reason, answer.warnings) == (said, "stop", ())
    assert bool(model.trims) is (max_steps > 1)
    # Nor is anything asked for that the line break would end at once.
    known = [asked.prefix for asked in client.asked].index(LINES_PREFIX) if max_steps > 1 else 0
    assert all(asked.stop == () for asked in client.asked[known + shape[0] * shape[1] :] if asked.prefix.endswith("\n"))
    other = ChatStepModel(client)
    if result := model.probe_result():
        other.recall_probe(result)
        assert other.trims


@pytest.mark.parametrize("limit", [3, 20, 41, 60, 500])
@pytest.mark.parametrize("longest", [7, 256])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_limit_of_an_answer_is_in_tokens_of_its_model(limit: int, longest: int, temperature: float) -> None:
    # Every character is a token, which are more than in any vocabulary that is known here.
    said = "\n".join(f"{number}{number} + 1000000 = {number}000{number}" for number in range(8))

    class Counting(Client):
        async def complete(self, asked: CompletionRequest) -> Completion:
            reply = await super().complete(asked)
            rest, most = said[len(asked.prefix) :], asked.max_tokens or 1000
            cut = len(reply.text) >= most
            # The text that ends a reply is sampled as well.
            sampled = min(most, len(reply.text) + (len(reply.text) < len(rest)))
            return replace(reply, text=reply.text[:most], incomplete="length" if cut else "", usage=Usage(9.0, sampled))

    sampling = Sampling(temperature, max_tokens=limit, max_step_tokens=longest)
    request = Request("1 + 1?", Configuration("llama-8b", 1, 2, 1), sampling)
    model = ChatStepModel(Counting(lambda asked: f"{NEXT}\nsix" if asked.prefix == PREFIX else said[len(asked.prefix) :]))
    answer = run(request, model, CallableVerifier(lambda question, before, step: 0.5))
    assert answer.text == said[:limit].rstrip("\n")
    assert answer.finish_reason == ("stop" if limit == 500 else "length")


@pytest.mark.parametrize("limit", [7, 20, 60])
@pytest.mark.parametrize("line", ["{} one two,\n", "| {} | b |\n", "{} is so:\n"])
def test_the_limit_holds_for_a_step_of_many_lines(limit: int, line: str) -> None:
    said = "".join(line.format(number) for number in range(60))

    class Counting(Client):
        async def complete(self, asked: CompletionRequest) -> Completion:
            reply = await super().complete(asked)
            words = re.findall(r"\s*\S+", reply.text)
            most = asked.max_tokens or 1000
            text = "".join(words[:most])
            cut = len(words) >= most
            return replace(reply, text=text, incomplete="length" if cut else "", usage=Usage(9.0, min(most, len(words) + 1.0)))

    request = Request("1 + 1?", Configuration("llama-8b", 1, 2, 1), Sampling(max_tokens=limit))
    model = ChatStepModel(Counting(lambda asked: f" {NEXT} six" if asked.prefix == PREFIX else said[len(asked.prefix) :]))
    answer = run(request, model, CallableVerifier(lambda question, before, step: 0.5))
    assert len(answer.text.split()) <= limit + 2
    assert answer.finish_reason == "length"


@pytest.mark.parametrize("limit", [0.05, None])
def test_the_time_of_a_call_is_that_of_the_probe_as_well(limit: float | None) -> None:
    class Hanging(Client):
        async def complete(self, asked: CompletionRequest) -> Completion:
            if asked.prefix == PREFIX and limit is not None:
                await asyncio.sleep(60)
            return await super().complete(asked)

    conversation = Conversation((Turn("user", "2 + 2?"),), options={} if limit is None else {"timeout": limit})
    request = Request("2 + 2?", Configuration("llama-8b", 1, 2, 1), conversation=conversation)
    model = ChatStepModel(Hanging(going_on))
    answer = run(request, model, CallableVerifier(lambda question, before, step: 0.5))
    assert answer.text == "".join(LINES)
    assert model.continues is (None if limit else True)


def test_a_reply_that_ran_out_of_tokens_is_cut_off_and_says_so() -> None:
    class Short(Client):
        async def complete(self, asked: CompletionRequest) -> Completion:
            reply = await super().complete(asked)
            most = 4 * (asked.max_tokens or 1000)
            return (
                reply
                if asked.prefix == PREFIX or len(reply.text) <= most
                else replace(reply, text=reply.text[:most], incomplete="length")
            )

    verifier = CallableVerifier(lambda question, before, step: 0.5)
    for shape in ((1, 1, 1), (1, 2, 1)):
        request = Request("2 + 2?", Configuration("llama-8b", *shape), Sampling(max_tokens=6))
        answer = run(request, ChatStepModel(Short(going_on)), verifier)
        assert "".join(LINES).startswith(answer.text)
        assert answer.finish_reason == "length"
        assert "cut off at the token limit" in answer.stop_reason
        assert any("incomplete" in note for note in answer.warnings)


def test_steps_are_those_of_the_segmenter_that_is_given() -> None:
    model = ChatStepModel(Client(going_on), segmenter=Lines(". "), final_step="^That")
    answer = answered(model, 1, 2, 1)
    assert answer.text.startswith("2 and 2 are added.")
