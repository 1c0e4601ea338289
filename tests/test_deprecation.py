"""Former names go on for one release: they give what the new ones do, and warn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from benchmarks.instant import InstantGenerator, InstantVerifier
from tests.search.trees import PLAIN
from uniscale_integrations.cost import Share, forward_usage
from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.deprecation import former_attribute, former_keywords, former_names, member
from uniscale_integrations.errors import SearchFailed
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn, capabilities_of
from uniscale_integrations.search.paths import Candidate, Expansion
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.space import Configuration

RENAMES = [
    ("cost.price", "Priced", "HasPrice"),
    ("engine.estimates", "KnowsItsCost", "SupportsCostEstimate"),
    ("engine.estimates", "KnowsItsLengths", "SupportsLengthEstimate"),
    ("engine.journal", "Journal", "EventFactory"),
    ("engine.outcomes", "Outcome", "OutcomeRow"),
    ("errors", "Crowded", "WorkersBusy"),
    ("log.events", "Decision", "DecisionEvent"),
    ("log.ports", "Written", "WriteResult"),
    ("models.chat", "Asked", "CompletionRequest"),
    ("models.chat", "Reply", "Completion"),
    ("models.chat.client", "Asked", "CompletionRequest"),
    ("models.chat.client", "BrokenOff", "InterruptedReply"),
    ("models.chat.client", "Reply", "Completion"),
    ("policy.explain", "Candidate", "Alternative"),
    ("policy.policy", "Observed", "Observation"),
    ("search.conversation", "Converses", "SupportsConversation"),
    ("search.conversation", "Valid", "Validator"),
    ("search.driver", "Call", "ExpansionBatch"),
    ("search.early_stopping", "hopeless", "prune_reason"),
    ("search.paths", "Scored", "ScoredCandidate"),
    ("search.ports", "Hurries", "SupportsEarlyReturn"),
    ("search.ports", "Queues", "HasQueue"),
    ("search.ports", "ReadsAtACost", "SupportsVerifierCost"),
    ("search.run", "Run", "SearchRun"),
]


@pytest.mark.parametrize(("module", "former", "name"), RENAMES)
def test_a_former_name_imports_the_new_one_and_warns(module: str, former: str, name: str) -> None:
    namespace = import_module(f"uniscale_integrations.{module}")
    with pytest.warns(DeprecationWarning, match=rf"{former} is now .*{name}"):
        assert getattr(namespace, former) is getattr(namespace, name)


FORMER_MODULES = [
    ("langchain.chat_model", "as_generator", "langchain.generator", "as_generator"),
    ("llama_index.llm", "as_generator", "llama_index.generator", "as_generator"),
    ("models.transformers", "TransformersModel", "models.local.transformers", "TransformersModel"),
    ("policy.linucb_policy", "LearnerSettings", "policy.default_policy", "LearnerSettings"),
    ("policy.pacing", "Pacing", "policy.request_pacing", "Pacing"),
    ("replay.hindsight", "best_linear", "replay.upper_bounds", "best_linear"),
    ("search.agreed", "Agreed", "search.common_prefix", "CommonPrefix"),
    ("verifiers.formed", "Formed", "verifiers.format_gate", "FormatGate"),
]


@pytest.mark.parametrize(("former", "former_name", "module", "name"), FORMER_MODULES)
def test_what_has_moved_is_found_in_its_former_place_and_warns(former: str, former_name: str, module: str, name: str) -> None:
    with pytest.warns(DeprecationWarning, match=rf"{former_name} is now .*{name}"):
        found = getattr(import_module(f"uniscale_integrations.{former}"), former_name)
    assert found is getattr(import_module(f"uniscale_integrations.{module}"), name)
    with pytest.raises(AttributeError, match="never"):
        import_module(f"uniscale_integrations.{former}").never  # noqa: B018  # asking is what is tested


def test_a_name_that_never_was_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'never'"):
        former_names("module", {})("never")


def test_an_answer_has_its_former_attributes_and_arguments() -> None:
    parts: dict[str, Any] = {"configuration": Configuration("m"), "ledger": Ledger((), None), "paths": ()}  # type: ignore[arg-type]
    answer = Answer("7", "7", None, "7", None, **parts, stop_reason="deadline", warnings=("late",), wait_seconds=2.0)
    for former, name in (("cut", "stop_reason"), ("notes", "warnings"), ("waited", "wait_seconds")):
        with pytest.warns(DeprecationWarning, match=f"Answer.{former} is now Answer.{name}"):
            assert getattr(answer, former) == getattr(answer, name)
    with pytest.warns(DeprecationWarning, match="cut"):
        assert replace(answer, cut="budget").stop_reason == "budget"  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("former", "name", "value"),
    [
        ("whole", "atomic", True),
        ("needs", "required_capabilities", frozenset({"tools"})),
        ("valid", "validator", len),
        ("earlier", "previous", (Configuration("m"), 0.5)),
        ("about", "user_query", "Why?"),
    ],
)
def test_a_conversation_has_its_former_attributes_and_arguments(former: str, name: str, value: object) -> None:
    with pytest.warns(DeprecationWarning, match=former):
        conversation = Conversation((Turn("user", "Why?"),), **{former: value})  # type: ignore[arg-type]
    assert getattr(conversation, name) == value
    with pytest.warns(DeprecationWarning, match=former):
        assert getattr(conversation, former) == value


def test_usage_is_counted_by_former_arguments() -> None:
    shape: Any = import_module("tests.cost.test_eflops").SHAPE
    with pytest.warns(DeprecationWarning, match="sampled"):
        former = forward_usage(shape, [1], [3], sampled=[1])  # type: ignore[call-arg]
    assert former == forward_usage(shape, [1], [3], samples=[1])
    with pytest.warns(DeprecationWarning, match="Share.seen"):
        assert Share(context_tokens=3.0).seen == 3.0
    with pytest.warns(DeprecationWarning, match="Share.moved"):
        assert Share(traffic_tokens=2.0).moved == 2.0


def test_an_error_has_its_former_attribute_and_argument() -> None:
    with pytest.warns(DeprecationWarning, match="spent"):
        error = SearchFailed("nothing came", spent=(1.0, 0.5))  # type: ignore[call-arg]
    with pytest.warns(DeprecationWarning, match="spent"):
        assert error.spent == error.usage == (1.0, 0.5)


class FormerGenerator(InstantGenerator):
    """A generator of a user's, with the methods that sessions had."""

    shared = Usage(prompt_tokens=3.0)
    abilities = frozenset({"tools"})
    waited = 0.25
    queued = "its requests wait"

    def __getattribute__(self, name: str) -> Any:
        if name in ("shared_usage", "capabilities", "wait_seconds", "queue_note", "finish_now"):
            raise AttributeError(name)
        return super().__getattribute__(name)

    def open_conversation(self, *arguments: object) -> FormerGenerator:
        return self

    def hurry(self) -> None:
        """Called at a deadline."""
        self.in_a_hurry = True


class WaitingGenerator(FormerGenerator):
    """One whose second step comes when it is in a hurry, and not before."""

    in_a_hurry = False

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        while expansions[0].path.depth and not self.in_a_hurry:
            await asyncio.sleep(0.001)
        return await super().expand(expansions)


class FormerVerifier(InstantVerifier):
    """A verifier of a user's, likewise."""

    shared = Usage(prompt_tokens=5.0)

    def __getattribute__(self, name: str) -> Any:
        if name == "shared_usage":
            raise AttributeError(name)
        return super().__getattribute__(name)


@pytest.mark.filterwarnings("default::DeprecationWarning")
def test_generators_and_verifiers_with_former_methods_still_answer() -> None:
    with pytest.warns(DeprecationWarning, match="shared is now") as warned:
        answer = asyncio.run(arun(replace(PLAIN, configuration=Configuration("m", 2)), FormerGenerator(), FormerVerifier()))
    assert {str(each.message).split(" is now")[0] for each in warned} >= {"FormerGenerator.shared", "FormerVerifier.shared"}
    assert answer.ledger.tokens[0] == 8.0
    assert answer.wait_seconds == 0.25


@pytest.mark.filterwarnings("default::DeprecationWarning")
def test_a_session_with_the_former_method_is_hurried() -> None:
    generator = WaitingGenerator(levels=3)
    answer = asyncio.run(arun(Request("1 + 1?", Configuration("m"), budget=Budget(seconds=1.0)), generator, None))
    assert "deadline" in answer.stop_reason
    assert generator.in_a_hurry


def test_former_capabilities_count() -> None:
    with pytest.warns(DeprecationWarning, match="abilities"):
        assert capabilities_of(FormerGenerator()) == frozenset({"tools"})
    assert capabilities_of(InstantGenerator()) is None


def test_a_function_takes_former_keywords_and_stays_a_coroutine_function() -> None:
    @former_keywords(most="limit")
    async def first(limit: int) -> int:
        return limit

    assert asyncio.iscoroutinefunction(first)
    with pytest.warns(DeprecationWarning, match=r"first\(most=\.\.\.\) is now first\(limit=\.\.\.\)"):
        assert asyncio.run(first(most=3)) == 3  # type: ignore[call-arg]
    assert asyncio.run(first(limit=2)) == 2


def test_members_are_looked_up_under_both_names_and_the_new_one_is_preferred() -> None:
    class Thing:
        width = 1
        breadth = former_attribute("width")

    assert member(Thing(), "width", "breadth") == 1
    assert member(Thing(), "height", "rise", NOTHING) is NOTHING
    with pytest.raises(AttributeError, match="'Thing' object has no attribute 'height'"):
        member(Thing(), "height", "rise")
