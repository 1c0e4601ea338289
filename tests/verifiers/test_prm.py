"""A process reward model as a verifier."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from transformers.models.auto.modeling_auto import AutoModelForTokenClassification

from tests.tiny import CONFIGS, counted, generator, recite, tokenizer
from uniscale_integrations.errors import ContextLengthError, VerifierError
from uniscale_integrations.search.paths import Candidate, Path, PathKey
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import prm as module
from uniscale_integrations.verifiers.load import load_prm
from uniscale_integrations.verifiers.prm import PRMSession, PRMVerifier
from uniscale_integrations.verifiers.reward_heads import ClassificationHead

QUESTION = "1 + 2?"
STEPS = ("1 + 2 = 3\n", "3 + 4 = 7\n", "Answer: 7\n")
KINDS = [kind for kind in CONFIGS if kind in ("llama", "qwen2", "qwen3", "gpt2")]
EMBEDDED = "uniscale-prm"
ROUNDING = 0.5 * 10**-module.DECIMALS + 1e-4


def verifier(kind: str = "llama", *, context: int = 256, **options: Any) -> PRMVerifier:
    if kind == EMBEDDED:
        return load_prm(EMBEDDED)
    words = tokenizer(whole_alphabet=True)
    config = CONFIGS[kind](len(words), context)
    config.num_labels = 1
    torch.manual_seed(0)
    return PRMVerifier(AutoModelForTokenClassification.from_config(config), words, ClassificationHead(), kind, **options)


def path(*steps: str, tree: int = 0) -> Path:
    return Path(PathKey(tree, (0,) * len(steps)), steps)


def scored(session: PRMSession, *items: tuple[Path, Candidate]) -> list[tuple[float, ...] | None]:
    return [scores for scores, _ in asyncio.run(session.score(items))]


def uncached(prm: PRMVerifier, steps: Sequence[str]) -> list[float]:
    """Scores of all steps by one pass over the whole text."""
    prompt = prm.head.prompt(prm.tokenizer, QUESTION)
    tokens, places = prm.head.encode(prm.tokenizer, steps)
    with torch.inference_mode():
        scores = prm.head.scores(prm.model(input_ids=torch.tensor([prompt + tokens])))
    return [float(scores[0, len(prompt) + place]) for place in places]


@pytest.mark.parametrize("kind", [*KINDS, EMBEDDED])
def test_scores_read_step_by_step_are_those_of_one_uncached_pass(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DECIMALS", 9)
    prm = verifier(kind)
    session = prm.open(QUESTION)
    for depth in range(3):
        others = [Candidate((other,), False) for other in ("9\n", STEPS[depth], "a much longer line = 12345678\n")]
        found = scored(session, *((path(*STEPS[:depth]), candidate) for candidate in others))
        for candidate, scores in zip(others, found, strict=True):
            assert scores == pytest.approx(uncached(prm, STEPS[:depth] + candidate.steps)[depth:], abs=1e-4)
        session.retain([path(*STEPS[: depth + 1])])
    [whole] = scored(prm.open(QUESTION), (path(), Candidate(STEPS, True)))
    assert whole == pytest.approx(uncached(prm, STEPS), abs=1e-4)


@pytest.mark.parametrize("kind", ["llama", EMBEDDED])
def test_rounded_scores_stay_within_their_rounding_and_the_bounds(kind: str) -> None:
    prm = verifier(kind)
    [scores] = scored(prm.open(QUESTION), (path(), Candidate(STEPS, True)))
    assert scores is not None
    assert scores == pytest.approx(uncached(prm, STEPS), abs=ROUNDING)
    assert all(0.0 <= score <= prm.upper and score == round(score, module.DECIMALS) for score in scores)


def test_only_new_tokens_are_read_and_the_question_once() -> None:
    prm = verifier()
    session = prm.open(QUESTION)
    lengths = [len(prm.tokenizer(step)["input_ids"]) for step in STEPS]
    with counted(prm.model) as passes:
        for depth, step in enumerate(STEPS):
            before = path(*STEPS[:depth])
            [(_, usage)] = asyncio.run(session.score([(before, Candidate((step,), depth == 2))]))
            session.retain([path(*STEPS[: depth + 1])])
            assert usage.prompt_tokens == lengths[depth]
    assert passes.shapes == [(1, len(QUESTION) + 1), *((1, length) for length in lengths)]
    assert session.shared_usage.prompt_tokens == len(QUESTION) + 1


def test_what_two_trees_have_both_said_is_read_and_charged_once() -> None:
    prm = verifier()
    session = prm.open(QUESTION)
    items = [(path(tree=tree), Candidate(STEPS[:1], False)) for tree in range(3)]
    with counted(prm.model) as passes:
        verdicts = asyncio.run(session.score(items))
    assert passes.shapes[1:] == [(1, len(STEPS[0]))]
    assert len({scores for scores, _ in verdicts}) == 1
    assert [usage.prompt_tokens for _, usage in verdicts] == [len(STEPS[0]), 0, 0]


def test_a_tree_that_repeats_one_that_has_ended_reads_only_what_it_says_anew() -> None:
    prm = verifier()
    session = prm.open(QUESTION)
    for depth in range(2):
        scored(session, (path(*STEPS[:depth]), Candidate((STEPS[depth],), False)))
    session.retain([path(STEPS[0])])
    with counted(prm.model) as passes:
        for depth in range(2):
            scored(session, (path(*STEPS[:depth], tree=1), Candidate((STEPS[depth],), False)))
        assert passes.shapes == []
        [scores] = scored(session, (path(*STEPS[:2], tree=1), Candidate((STEPS[2],), True)))
    assert passes.shapes == [(1, len(prm.tokenizer("".join(STEPS[1:]))["input_ids"]))]
    assert scores == pytest.approx(uncached(prm, STEPS)[2:], abs=ROUNDING)


def test_an_answer_drawn_whole_in_one_tree_and_by_steps_in_another_has_the_same_scores() -> None:
    session = verifier().open(QUESTION)
    [whole] = scored(session, (path(), Candidate(STEPS, True)))
    by_steps = [scored(session, (path(*STEPS[:d], tree=1), Candidate((STEPS[d],), d == 2)))[0] for d in range(3)]
    assert whole is not None
    assert by_steps == [(score,) for score in whole]


def test_a_greedy_search_whose_trees_all_agree_keeps_every_one_of_them() -> None:
    model = generator(words=tokenizer(whole_alphabet=True))
    recite(model, model.tokenizer("".join(STEPS))["input_ids"], after=len(QUESTION) + 1)
    request = Request(QUESTION, Configuration("llama", qp=3), Sampling(temperature=0.0, max_steps=3), schedule="leader")
    answer = run(request, model, verifier())
    assert [path.reason for path in answer.paths if path.fate == "failed"] == []
    assert answer.text == "".join(STEPS)


@pytest.mark.parametrize("final_first", [True, False])
def test_a_text_that_ends_on_one_path_and_goes_on_on_another_is_kept(final_first: bool) -> None:
    prm = verifier()
    session = prm.open(QUESTION)
    ends = [Candidate(STEPS[:1], final) for final in ((True, False) if final_first else (False, True))]
    assert len({*scored(session, *((path(), candidate) for candidate in ends))}) == 1
    [after] = scored(session, (path(STEPS[0]), Candidate((STEPS[1],), False)))
    assert after == pytest.approx(uncached(prm, STEPS[:2])[1:], abs=ROUNDING)


def test_a_path_that_was_dropped_is_read_again() -> None:
    prm = verifier()
    session = prm.open(QUESTION)
    scored(session, (path(), Candidate(STEPS[:1], False)))
    session.retain([])
    with counted(prm.model) as passes:
        [scores] = scored(session, (path(STEPS[0]), Candidate((STEPS[1],), False)))
    assert scores == pytest.approx(uncached(prm, STEPS[:2])[1:], abs=ROUNDING)
    assert passes.shapes == [(1, len(STEPS[0]) + len(STEPS[1]))]


def test_a_candidate_that_says_nothing_new_costs_nothing() -> None:
    prm = verifier()
    with counted(prm.model) as passes:
        [(scores, usage)] = asyncio.run(prm.open(QUESTION).score([(path(STEPS[0]), Candidate((), True))]))
    assert (scores, usage.prompt_tokens, passes.shapes) == ((), 0, [])


def test_a_question_beyond_the_context_is_refused_with_the_excess() -> None:
    with pytest.raises(ContextLengthError, match=r"takes 70 tokens, 7 more than llama can read \(context 64\)"):
        verifier(context=64).open("1" * 69)


def test_a_path_beyond_the_context_fails_its_own_search_only() -> None:
    prm = verifier(context=64)
    long, short = prm.open("1" * 50), prm.open(QUESTION)

    async def both() -> Sequence[Any]:
        items = [(path(), Candidate(("3 + 4 = 7, and so on\n",), True))]
        return await asyncio.gather(long.score(items), short.score(items), return_exceptions=True)

    error, found = asyncio.run(both())
    assert isinstance(error, ContextLengthError)
    assert "a path of 72 tokens is 8 more than llama can read" in str(error)
    assert len(found) == 1


def cramped(prm: PRMVerifier, most: int) -> None:
    """Let a model run out of memory on more than so many tokens that are not the question's."""
    forward = prm.model.forward

    def limited(*args: Any, **kwargs: Any) -> Any:
        if kwargs["position_ids"].min() > 0 and kwargs["input_ids"].numel() > most:
            raise torch.OutOfMemoryError("no room")
        return forward(*args, **kwargs)

    prm.model.forward = limited


def test_a_batch_that_does_not_fit_is_read_in_halves() -> None:
    items = [(path(), Candidate((f"{i}\n",), False)) for i in range(9)]
    expected = scored(verifier().open(QUESTION), *items)
    prm = verifier()
    session = prm.open(QUESTION)
    cramped(prm, 5)
    assert scored(session, *items) == expected
    assert prm.max_rows == 2


def test_a_path_that_does_not_even_fit_alone_is_an_error_that_says_so() -> None:
    prm = verifier()
    session = prm.open(QUESTION)
    scored(session, (path(), Candidate(("1\n",), False)))
    cramped(prm, 0)
    with pytest.raises(VerifierError, match="out of memory with a single row: no room"):
        scored(session, (path(), Candidate(("2\n",), False)))


def test_searches_at_the_same_time_share_passes_and_keep_their_own_scores() -> None:
    prm = verifier()
    asked = ["1?", "22?", "333?", "4444?"]
    alone = [scored(prm.open(q), (path(), Candidate((STEPS[0],), False)))[0] for q in asked]
    items = [(path(), Candidate((STEPS[0],), False))]
    with torch.inference_mode():
        together = prm.score([(prm.open(q), items) for q in asked])
    assert [verdicts[0][0] for verdicts in together if not isinstance(verdicts, Exception)] == alone
    assert len(set(alone)) > 1
