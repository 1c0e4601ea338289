"""Votes that stop when they are decided: searches whose candidates come, fail and are given up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Sequence
from random import Random

import pytest

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import SearchFailed
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.answers import same_answer
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.events import SearchEvent, SearchObserver, Stopped
from uniscale_integrations.search.paths import Candidate, Expansion, Fate, Path
from uniscale_integrations.search.ports import Sampling, Verdict, Verifier
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.search.votes import VoteMode, VoteRule
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import Agreement, CallableVerifier, Ensemble, SelfCertainty
from uniscale_integrations.verifiers.format_gate import FormatGate
from uniscale_integrations.verifiers.session import Item, StatelessSession

COST = Usage(prompt_tokens=5.0, completion_tokens=10.0, compute=15.0)


class Written:
    """A generator that gives each tree the answer that is written for it, whole.

    Args:
        answers: by tree; `None` for one that fails.
        delays: seconds that a tree's takes.
        together: whether it is asked for all of them in one call.
        certainty: log-probabilities of the trees' answers.

    Attributes:
        asked: trees that were asked for.
        cancelled: those that were given up meanwhile.
        calls: how many calls there were.
    """

    name, shared_usage, notes = "m", NOTHING, ()

    def __init__(
        self,
        answers: Sequence[str | None],
        delays: dict[int, float] | None = None,
        *,
        together: bool = False,
        certainty: Sequence[float] | None = None,
    ) -> None:
        self._answers, self._delays, self._certainty = answers, delays or {}, certainty
        self.together, self.asked, self.cancelled, self.calls = together, list[int](), list[int](), 0

    def open(self, question: str, sampling: Sampling) -> Written:
        return self

    def samples_whole(self, *, asked: bool) -> bool:
        return True

    def estimate(self, expansion: Expansion) -> Usage:
        return COST

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        self.calls += 1
        return [[await self._candidate(each.path.key.tree)] for each in expansions]

    async def _candidate(self, tree: int) -> Candidate:
        self.asked.append(tree)
        try:
            await asyncio.sleep(self._delays.get(tree, 0.0))
        except asyncio.CancelledError:
            self.cancelled.append(tree)
            raise
        text = self._answers[tree]
        if text is None:
            return Candidate((), False, COST, error="gone")
        certain = None if self._certainty is None else (self._certainty[tree],)
        return Candidate((text,), True, COST, log_probabilities=certain)

    def retain(self, paths: Collection[Path]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


def ask(
    model: Written,
    verifier: Verifier | None,
    votes: VoteMode | VoteRule = "early",
    *,
    size: int = 8,
    budget: Budget = Budget(),
    observe: SearchObserver | None = None,
) -> Answer:
    request = Request("How many?", Configuration("m", size), Sampling(votes=votes), budget)
    return asyncio.run(arun(request, model, verifier, observe))


def texts(answers: str) -> list[str | None]:
    """An answer by each letter; "-" fails."""
    return [None if letter == "-" else f"Answer: {letter}" for letter in answers]


CONSENSUS = Ensemble([(Agreement(), 1), (SelfCertainty(), 1)])
BOTH = pytest.mark.parametrize("verifier", [None, Agreement(), CONSENSUS], ids=["counted", "agreement", "consensus"])


@BOTH
@pytest.mark.parametrize("together", [False, True])
def test_three_that_agree_decide_a_vote_of_eight(verifier: Verifier | None, together: bool) -> None:
    events: list[SearchEvent] = []
    model = Written(texts("44478444"), together=together)
    answer = ask(model, verifier, observe=events.append)
    assert (answer.answer, model.asked, answer.stop_reason, answer.warnings) == ("4", [0, 1, 2], "", ())
    assert answer.score == (None if verifier is None else 0.875)
    assert answer.vote.startswith("decided after 3 of 8 candidates: 3 agree")
    given_up = [path for path in answer.paths if path.fate is Fate.PRUNED]
    assert {path.key.tree for path in given_up} == {3, 4, 5, 6, 7}
    assert all(path.reason == f"the vote was {answer.vote}" for path in given_up)
    [stopped] = [event for event in events if isinstance(event, Stopped)]
    assert {path.key.tree for path in stopped.paths} == {3, 4, 5, 6, 7}
    assert answer.ledger.tokens == (15.0, 30.0)


CASES = [("44544444", 4), ("54444444", 4), ("44545555", 4), ("45454545", 8), ("45674567", 8), ("---44444", 6), ("4-4-4-45", 6)]


@BOTH
@pytest.mark.parametrize(("answers", "asked"), CASES)
def test_a_vote_goes_on_while_it_is_open(verifier: Verifier | None, answers: str, asked: int) -> None:
    model = Written(texts(answers))
    answer = ask(model, verifier)
    assert (answer.answer, len(model.asked)) == ("4", asked)
    assert bool(answer.vote) == (asked < 8)
    assert len([note for note in answer.warnings if "failed" in note]) == answers[:asked].count("-")


def test_a_full_vote_asks_for_all_and_has_the_plain_share() -> None:
    model = Written(texts("44444445"))
    answer = ask(model, Agreement(), "full")
    assert (len(model.asked), answer.score, answer.vote) == (8, 0.875, "")
    assert ask(Written(texts("45454545")), Agreement()).score == 0.5


def test_a_vote_by_other_means_than_agreement_is_not_stopped() -> None:
    def near(question: str, before: str, step: str) -> float:
        return 0.5

    class Compares(CallableVerifier):
        path_local = False

    for verifier in (Compares(near), Ensemble([(Agreement(), 1), (Compares(near), 1)])):
        model = Written(texts("44444444"))
        answer = ask(model, verifier)
        assert len(model.asked) == 8
        assert "early stopping is off" in answer.warnings[0]


POOL = ["12", "12", "12 km", "12 miles", "12%", "0.12", "7", "x = 7", "12 km", "7 miles"]


@pytest.mark.parametrize(("share", "least"), [(0.0, 30), (1.0, 30), (0.5, 10)])
def test_the_lossless_rule_gives_the_answer_of_the_full_vote_where_further_answers_join_groups(share: float, least: int) -> None:
    verifier: Verifier | None = Agreement() if share else None
    if 0 < share < 1:
        verifier = Ensemble([(Agreement(), share), (SelfCertainty(), 1 - share)])
    random, stopped = Random(5), 0
    for _ in range(150):
        size = random.choice([4, 5, 8, 9])
        weights = [random.random() ** 4 for _ in POOL]
        answers = [f"Answer: {each}" for each in random.choices(POOL, weights, k=size)]
        certainty = [-3 * random.random() for _ in answers]
        found = [ask(Written(answers, certainty=certainty), verifier, votes, size=size) for votes in ("lossless", "full")]
        stopped += bool(found[0].vote)
        one, other = (each.answer or "" for each in found)
        assert same_answer(one, other, "How many?"), (answers, found[0].vote)
    # Values of their own leave less that is certain.
    assert stopped > least


def test_requests_that_are_under_way_are_given_up_once_the_vote_is_decided() -> None:
    model = Written(texts("4444"), {2: 30.0})
    answer = ask(model, Agreement(), size=4)
    assert (answer.answer, model.asked, model.cancelled) == ("4", [0, 1, 2], [2])
    [charge] = [charge for charge in answer.ledger.charges if charge.fate == Fate.CANCELLED and sum(charge.usage) > 0]
    assert charge.usage == COST
    assert "hardly" in answer.vote


def test_who_answers_first_decides_nothing() -> None:
    for slow in range(6):
        model = Written(texts("45454444"), {slow: 0.02})
        answer = ask(model, Agreement())
        assert (answer.answer, len(model.asked), model.cancelled) == ("4", 6, [])


def test_members_of_a_mix_judge_each_candidate_once() -> None:
    judged: list[str] = []

    def judge(question: str, before: str, step: str) -> float:
        judged.append(step)
        return 0.5

    mix = Ensemble([(Agreement(), 1), (CallableVerifier(judge), 1)])
    answer = ask(Written([f"So {number}.\nAnswer: {number % 5 == 1}" for number in range(8)]), mix)
    assert len(judged) == len(set(judged)) == len([path for path in answer.paths if path.fate is Fate.FINISHED])
    assert answer.score is not None


def test_what_verifiers_take_is_charged_once() -> None:
    class Paid:
        name, upper, path_local = "paid", 1.0, True

        def open(self, question: str) -> StatelessSession:
            return StatelessSession(self._score)

        async def _score(self, items: Sequence[Item]) -> Sequence[Verdict]:
            return [((0.5,), Usage(prompt_tokens=100.0)) for _ in items]

    answer = ask(Written(texts("44544444")), Ensemble([(Agreement(), 1), (Paid(), 1)]))
    finished = [path for path in answer.paths if path.fate is Fate.FINISHED]
    assert [path.verifier_usage.prompt_tokens for path in finished] == [100.0] * len(finished)


def test_answers_out_of_form_have_no_vote() -> None:
    async def valid(text: str) -> bool:
        return "5" not in text

    model = Written(texts("55544444"))
    answer = ask(model, FormatGate(Agreement(), valid))
    assert (answer.answer, len(model.asked), len(answer.vote) > 0) == ("4", 6, True)
    assert answer.score == pytest.approx(3.5 / 4)
    assert [path.value for path in answer.paths if path.text.endswith("5")] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("fault", "message"),
    [(RuntimeError("gone"), "verifier agreement: RuntimeError: gone"), (None, "verifier agreement: 0 replies to 8 candidates")],
)
def test_a_verifier_that_fails_loses_its_candidates_as_in_any_search(fault: Exception | None, message: str) -> None:
    class Broken(Agreement):
        async def _score(self, question: str, notes: list[str], items: Sequence[Item], **more: object) -> Sequence[Verdict]:
            if fault:
                raise fault
            return []

    with pytest.raises(SearchFailed, match=re.escape(message)):
        ask(Written(texts("44444444")), Broken())


def test_a_poisoned_score_fails_its_candidate() -> None:
    class Odd(Agreement):
        async def _score(self, question: str, notes: list[str], items: Sequence[Item], **more: object) -> Sequence[Verdict]:
            return [((7.0,) if path.key.tree == 0 else (0.5,), NOTHING) for path, _ in items]

    answer = ask(Written(texts("44444444")), Odd())
    [failed] = [path for path in answer.paths if path.fate is Fate.FAILED]
    assert "gave 7.0" in failed.reason
    assert answer.answer == "4"


def test_a_deadline_ends_a_vote_with_what_is_there() -> None:
    model = Written(texts("45444444"), {2: 30.0})
    answer = ask(model, Agreement(), budget=Budget(seconds=0.2))
    assert (answer.answer, answer.score, model.cancelled) == ("4", 0.5, [2])
    assert "deadline of 0.2 s" in answer.stop_reason
    assert answer.ledger.seconds < 0.4


def test_a_budget_covers_a_wave_at_a_time() -> None:
    model = Written(texts("44444444"))
    answer = ask(model, Agreement(), budget=Budget(tokens=50))
    assert (answer.vote[:15], answer.stop_reason, len(model.asked)) == ("decided after 3", "", 3)
    model = Written(texts("45674444"))
    answer = ask(model, Agreement(), budget=Budget(tokens=80))
    assert len(model.asked) == 5
    assert "budget of 80 tokens" in answer.stop_reason


@pytest.mark.parametrize(("votes", "waves"), [("early", [3, 4, 6, 8]), ("latency", [3, 5]), (VoteRule((2, 6)), [2, 8])])
def test_candidates_are_drawn_in_waves(votes: VoteMode | VoteRule, waves: list[int]) -> None:
    model = Written(texts("45674567"), together=True)
    ask(model, Agreement(), votes)
    assert (model.calls, len(model.asked)) == (len(waves), waves[-1])


def test_an_interrupted_vote_gives_what_is_there() -> None:
    model = Written(texts("45674567"), {3: 30.0})

    async def interrupted() -> bool:
        task = asyncio.ensure_future(arun(Request("How many?", Configuration("m", 8)), model, Agreement()))
        while 3 not in model.asked:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(interrupted())
    assert model.cancelled == [3]
