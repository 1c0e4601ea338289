"""What a request continues, and what that does to the choice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.logged import outcomes
from uniscale_integrations.cost.hardware import H100
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.continuation import TOOL_LOOP, Continuation, Replies, continuation_of, reply_key
from uniscale_integrations.engine.session_cost import CACHED_SHARE, saved_by_staying
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.models.chat.client import Completion, CompletionRequest
from uniscale_integrations.models.chat.client import Continuation as Way
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.search.canonical import canonical
from uniscale_integrations.search.conversation import Conversation, ToolCall, Turn
from uniscale_integrations.space import ConfigurationSpace
from uniscale_integrations.tokens import count_conversation

ASKED = Turn("user", "Add 1 and 2.")
CALL = ToolCall("add", {"a": 1, "b": 2}, "call_7")
CALLING = Turn("assistant", "", (CALL,))
RESULT = Turn("tool", "3", call_id="call_7")
NEEDS = frozenset(("tools",))


class Hosted:
    """A model that calls a tool once, and answers when it has its result; it fails where told to."""

    capabilities, stop = NEEDS, ()
    continuations: Sequence[Way] = ()

    def __init__(self, name: str) -> None:
        self.name, self.fails = name, False

    async def complete(self, request: CompletionRequest) -> Completion:
        if self.fails:
            raise RuntimeError("out of order")
        turns = request.conversation.turns
        calls = "tools" in request.conversation.required_capabilities and turns[-1].role == "user"
        return Completion(
            canonical("", [CALL]) if calls else f"It is 3, says {self.name}.",
            usage=Usage(count_conversation(request.conversation, self.name), 10.0),
        )


def engine(log: str = "sqlite://", *clients: Hosted, dear_price: tuple[float, ...] = (1.25, 10.0)) -> UniScale:
    cheap, dear = clients or (Hosted("cheap"), Hosted("dear"))
    models = [ChatStepModel(cheap, price=(0.25, 2.0)), ChatStepModel(dear, price=dear_price)]
    space = ConfigurationSpace.default(["cheap", "dear"], [(1, 1, 1)])
    return UniScale(models, None, space, mode=(0.0, 0.0, 1.0), log=log, sync_interval=0.0)


def asking(*turns: Turn) -> Conversation:
    return Conversation(turns, atomic=True, required_capabilities=NEEDS)


def test_a_tool_loop_goes_on_with_the_model_that_began_it() -> None:
    with engine() as made:
        assert made.run(asking(ASKED)).configuration.model == "cheap", "which is what it would choose"
        assert made.run(asking(ASKED), models=["dear"]).text == canonical("", [CALL])
        loop = asking(ASKED, CALLING, RESULT)
        decision = made.decide(loop)
        assert decision.configuration.model == "dear"
        assert {each.configuration.model: each.ineligibility for each in decision.explain().candidates} == {
            "cheap": TOOL_LOOP,
            "dear": "",
        }
        assert made.run(loop).text == "It is 3, says dear."
        assert made.run(asking(*loop.turns, Turn("assistant", "It is 3, says dear."), Turn("user", "And 2 and 3?"))).decision_id


def test_what_an_engine_has_written_on_a_message_counts_more_than_what_it_remembers() -> None:
    with engine() as made:
        made.run(asking(ASKED), models=["cheap"])
        marked = Turn("assistant", "", (CALL,), model="dear")
        assert made.decide(asking(ASKED, marked, RESULT)).configuration.model == "dear"
        elsewhere = Turn("assistant", "", (CALL,), model="of another engine")
        assert made.decide(asking(ASKED, elsewhere, RESULT)).configuration.model == "cheap"


def test_a_model_that_fails_or_may_not_answer_hands_a_tool_loop_on() -> None:
    cheap, dear = Hosted("cheap"), Hosted("dear")
    with engine("sqlite://", cheap, dear) as made:
        made.run(asking(ASKED), models=["dear"])
        loop = asking(ASKED, CALLING, RESULT)
        assert made.run(loop, models=["cheap"]).configuration.model == "cheap"
        dear.fails = True
        answer = made.run(loop)
        assert answer.configuration.model == "cheap"
        assert any("(dear,1,1,1) failed" in warning for warning in answer.warnings)
        dear.fails = False
        assert made.decide(loop).configuration.model == "cheap", "as long as the other one rests"


def test_other_workers_know_whose_a_reply_is(log: str) -> None:
    with engine(log) as first, engine(log) as second:
        first.run(asking(ASKED), models=["dear"])
        assert second.decide(asking(ASKED, CALLING, RESULT)).configuration.model == "dear"
        assert second.decide(asking(Turn("user", "Something else."), CALLING, RESULT)).configuration.model == "cheap"
        [outcome] = outcomes(first)
        assert "dear" in outcome.extra["reply"]


@pytest.mark.parametrize("paragraphs", [0, 2000])
def test_within_a_session_a_change_of_model_costs_what_reading_it_anew_costs(paragraphs: int) -> None:
    with engine(dear_price=(0.4, 2.0)) as made:
        first = Turn("user", "Read this. " + "A line of it. " * paragraphs)
        for _ in range(3):
            made.run(Conversation((first,)), models=["cheap"])
        answer = made.run(Conversation((first,)), models=["dear"])
        going_on = Conversation((first, Turn("assistant", answer.text), Turn("user", "And?")))
        continuation = made._request(going_on, None, None).continues
        assert continuation == Continuation("dear", "session", continuation.tokens if continuation else -1)
        assert continuation is not None
        saved = saved_by_staying(continuation, made.space, made.models, H100, np.ones(2))
        assert saved.tolist() == pytest.approx([0.0, -(1.0 - CACHED_SHARE) * continuation.tokens * 0.4e-6])
        decision, new = made.decide(going_on), made.decide(Conversation((Turn("user", "And?"),)))
        assert new.configuration.model == "cheap"
        assert decision.configuration.model == ("dear" if paragraphs else "cheap")
        assert not any(each.ineligibility for each in decision.explain().candidates)


def test_what_is_read_from_a_cache_is_not_counted() -> None:
    with engine(dear_price=(1.25, 10.0, 0.125)) as made:
        continuation = Continuation("dear", "session", 1_000_000)
        saved = saved_by_staying(continuation, made.space, made.models, H100, np.array([1.0, 4.0]))
        assert saved.tolist() == pytest.approx([0.0, -4.0 * (1.25 - 0.125)])
        assert not saved_by_staying(Continuation("gone", "session", 10), made.space, made.models, H100, np.ones(2)).any()


TEXTS = st.text(max_size=20)
TURNS = st.lists(st.builds(Turn, st.sampled_from(["system", "user", "assistant", "tool"]), TEXTS), max_size=6)


@given(TURNS, TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_a_reply_is_known_again_by_what_it_says_and_what_it_answers(before: list[Turn], text: str, results: list[str]) -> None:
    replies, calls = Replies(), (ToolCall("look", {"at": text}, "call_1"),)
    conversation = Conversation((*before, Turn("assistant", text, calls), *(Turn("tool", each) for each in results)))
    assert continuation_of(conversation, replies) is None
    replies.note(reply_key(before, canonical(text, calls)), "m")
    found = continuation_of(conversation, replies)
    assert found is not None
    assert (found.model, found.kind) == ("m", "tools")
    later = continuation_of(Conversation((*conversation.turns, Turn("user", "And?"))), replies)
    assert later is not None
    assert later.kind == "session"
    assert continuation_of(Conversation((*before, Turn("assistant", text + "!", calls), Turn("tool", "x"))), replies) is None


def test_results_of_other_calls_are_no_tool_loop_and_an_answer_that_is_begun_is_none() -> None:
    calling = Turn("assistant", "", (CALL,), model="m")
    other = continuation_of(Conversation((ASKED, calling, Turn("tool", "3", call_id="call_8"))), Replies())
    assert other is not None
    assert other.kind == "session"
    assert continuation_of(Conversation((ASKED, Turn("assistant", "It is", model="m"))), Replies()) is None


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 10))
def test_the_last_replies_are_remembered(keys: list[int], limit: int) -> None:
    replies = Replies(limit)
    for number, key in enumerate(keys):
        replies.learn(Outcome(f"d{number}", None, extra={"reply": [str(key), f"model {number}"]}))
        replies.learn(Outcome(f"d{number}", None))
    latest = {key: number for number, key in enumerate(keys)}
    kept = sorted(latest, key=latest.__getitem__)[-limit:]
    assert len(replies) == len(kept)
    assert {key: replies.model_of(str(key)) for key in latest} == {
        key: f"model {number}" if key in kept else None for key, number in latest.items()
    }
    assert np.all([replies.model_of("never") is None])
