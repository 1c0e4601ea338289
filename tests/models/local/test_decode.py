"""Where steps and answers end, and what happens when memory does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from tests.tiny import child, generator, metaspace_tokenizer, recite, root, tokenizer
from uniscale_integrations.models.local.transformers import TransformersModel, TransformersSession
from uniscale_integrations.search.paths import Candidate, Expansion
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
from uniscale_integrations.search.segmenter import Lines, Units
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import CallableVerifier

END = 2
ALL = 99
PADDING = 0


def told(model: TransformersModel, script: list[int], *, whole: bool = True, **sampling: Any) -> Candidate:
    """What a candidate becomes when the model draws these tokens."""
    recite(model, script, after=2)
    session = model.open("1", Sampling(**{"temperature": 0.0, "max_step_tokens": 16, "max_steps": 6} | sampling))
    steps = session_steps(sampling) if whole else 1
    [[candidate]] = asyncio.run(session.expand([Expansion(root(), 1, steps, rest=whole)]))
    return candidate


def session_steps(sampling: dict[str, Any]) -> int:
    return int(sampling.get("max_steps", 6))


def ids(model: TransformersModel, text: str) -> list[int]:
    found: list[int] = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    return found


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("1\n2\nAnswer: 3\n", ("1\n", "2\n", "Answer: 3\n")),
        ("1.\n2\n\n3\na4", ("1.\n", "2\n\n", "3\na", "4")),
        ("\n\n\n1\n", ("\n\n\n1\n",)),
        ("  \n 1", ("  \n 1",)),
    ],
)
def test_a_step_ends_with_the_token_that_holds_a_line_break(text: str, steps: tuple[str, ...]) -> None:
    model = generator(words=tokenizer(whole_alphabet=True))
    candidate = told(model, [*ids(model, text), END])
    assert candidate.steps == steps
    assert candidate.final


def test_a_delimiter_of_several_characters_may_be_spread_over_tokens() -> None:
    model = generator(segmenter=Lines("=="))
    candidate = told(model, [*ids(model, "==1==2=3=="), END])
    assert candidate.steps == ("==1==", "2=3==")


def test_a_step_is_cut_at_its_greatest_length() -> None:
    model = generator()
    assert told(model, [*ids(model, "1234567"), END], max_step_tokens=3).steps == ("123", "456", "7")


def test_an_answer_ends_at_its_greatest_length_also_when_it_is_drawn_step_by_step() -> None:
    model = generator()
    candidate = told(model, [*ids(model, "1234567"), END], max_step_tokens=3, max_tokens=5)
    assert (candidate.steps, candidate.final, candidate.incomplete) == (("123", "45"), True, "length")
    recite(model, [*ids(model, "1234567"), END], after=2)
    sampling = Sampling(temperature=0.0, max_step_tokens=3, max_tokens=5)
    answer = run(Request("1", Configuration(model.name, 1, 2, 1), sampling), model, CallableVerifier(lambda *told: 0.5))
    assert answer.text == "12345"


def test_a_step_that_matches_the_pattern_ends_the_answer() -> None:
    model = generator(words=tokenizer(whole_alphabet=True))
    candidate = told(model, ids(model, "1\n**Answer: 2\n3\n4\n"))
    assert candidate.steps == ("1\n", "**Answer: 2\n")
    assert candidate.final


def test_without_a_pattern_only_the_end_of_the_text_ends_the_answer() -> None:
    model = generator(words=tokenizer(whole_alphabet=True), final_step=None)
    candidate = told(model, [*ids(model, "Answer: 2\n3"), END])
    assert candidate.steps == ("Answer: 2\n", "3")
    assert candidate.final


def test_the_last_step_is_the_rest_of_the_answer_however_long() -> None:
    model = generator()
    candidate = told(model, [*ids(model, "1\n2\n" + "3\n\n\n4\n" * 9), END], max_steps=3, max_step_tokens=4)
    assert (candidate.steps, candidate.final, candidate.incomplete) == (("1\n", "2\n", "3\n\n\n4\n" * 9), True, "")


def test_within_the_last_step_too_a_step_that_matches_the_pattern_ends_the_answer() -> None:
    model = generator(words=tokenizer(whole_alphabet=True))
    candidate = told(model, ids(model, "1\n2\nAnswer: 3\n4\n5\n"), max_steps=2)
    assert (candidate.steps, candidate.final) == (("1\n", "2\nAnswer: 3\n"), True)


def test_a_step_is_what_the_segmenter_takes_for_one() -> None:
    model = generator(words=tokenizer(whole_alphabet=True), segmenter=Units())
    steps = ("So:\n\\[\n1 + 1\n\\]\n", "1. Add:\n```\n1\n```\n", "Answer: 2\n", "Sources: none")
    candidate = told(model, [*ids(model, "".join(steps)), END], max_step_tokens=64)
    assert candidate.steps[:2] == steps[:2]
    model = generator(words=tokenizer(whole_alphabet=True), segmenter=Units(), final_step=None)
    assert told(model, [*ids(model, "".join(steps)), END], max_step_tokens=64).steps == steps


def test_a_text_that_ends_the_answer_is_not_part_of_it() -> None:
    model = generator(words=tokenizer(whole_alphabet=True), final_step=None)
    recite(model, [*ids(model, "1\n2 END 3\n"), END], after=2)
    session = TransformersSession(model, ids(model, "1\n"), Sampling(temperature=0.0), ("END", ""))
    [[candidate]] = asyncio.run(session.expand([Expansion(root(), 1, 9, rest=True)]))
    assert (candidate.steps, candidate.final, candidate.incomplete) == (("1\n", "2 "), True, "")
    assert candidate.usage.completion_tokens == len("1\n2 END")


def test_a_text_that_ends_at_once_is_an_answer_without_steps() -> None:
    candidate = told(generator(), [END])
    assert (candidate.steps, candidate.final, candidate.error) == ((), True, None)


def test_a_text_that_ends_after_a_step_is_complete() -> None:
    model = generator()
    recite(model, [*ids(model, "1\n"), END], after=2)
    session = model.open("1", Sampling(temperature=0.0))
    [[first]] = asyncio.run(session.expand([Expansion(root(), 1)]))
    [[second]] = asyncio.run(session.expand([Expansion(child(root(), 0, first), 1)]))
    assert (first.steps, first.final) == (("1\n",), False)
    assert (second.steps, second.final, second.error) == ((), True, None)


def test_a_blank_last_line_is_not_a_step() -> None:
    model = generator()
    assert told(model, [*ids(model, "1\n \n \n"), END]).steps == ("1\n",)


@pytest.mark.parametrize("blank", ["\n", " ", "<pad>"])
def test_a_model_that_draws_nothing_but_blanks_is_a_failure_and_ends(blank: str) -> None:
    model = generator()
    candidate = told(model, ids(model, blank))
    assert (candidate.steps, candidate.final) == ((), False)
    assert candidate.error == "the model drew 16 tokens and none of them says anything"


def test_blanks_after_a_step_end_a_whole_answer_where_single_steps_would() -> None:
    model = generator()
    recite(model, ids(model, "1\n2\n "), after=2)
    sampling = Sampling(temperature=0.0, max_step_tokens=4, max_steps=20)
    session = model.open("1", sampling)
    [[whole]] = asyncio.run(session.expand([Expansion(root(), 1, steps=ALL)]))
    [[after]] = asyncio.run(session.expand([Expansion(child(root(), 0, whole), 1, steps=ALL)]))
    assert whole.steps == ("1\n", "2\n")
    assert whole.usage.completion_tokens == 4 + 4
    assert after.error == "the model drew 4 tokens and none of them says anything"


def test_a_character_cut_by_the_step_length_belongs_to_the_next_step() -> None:
    model = generator(words=tokenizer(whole_alphabet=True))
    for width, steps in ((3, ("ab", "écd")), (4, ("abé", "cd"))):
        assert told(model, [*ids(model, "abécd"), END], max_step_tokens=width).steps == steps
    session = model.open("1", Sampling(temperature=0.0, max_step_tokens=3))
    path = root()
    seen: list[str] = []
    for _ in range(3):
        [[candidate]] = asyncio.run(session.expand([Expansion(path, 1)]))
        seen.extend(candidate.steps)
        path = child(path, 0, candidate)
    assert seen == ["ab", "écd"]


def test_a_tokenizer_that_hides_the_first_space_joins_its_steps_to_the_whole_text() -> None:
    model = generator(words=metaspace_tokenizer())
    [newline] = [model.tokenizer.convert_tokens_to_ids("<0x0A>")]
    script = [*ids(model, "a a"), newline, *ids(model, "2 a"), newline, *ids(model, "aé")[:-1], *ids(model, "aé")[-1:], END]
    recite(model, script, after=len(model.open("1", Sampling()).question.tokens))
    session = model.open("1", Sampling(temperature=0.0, max_step_tokens=16))
    [[whole]] = asyncio.run(session.expand([Expansion(root(), 1, steps=ALL)]))
    path = root()
    while not path.final:
        [[candidate]] = asyncio.run(session.expand([Expansion(path, 1)]))
        path = child(path, 0, candidate)
    assert whole.steps == path.steps == ("a a\n", " 2 a\n", " aé")


def test_logits_that_are_no_numbers_fail_their_candidate_with_the_reason() -> None:
    model = generator()
    forward = model.model.forward

    def broken(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        output.logits[0] = float("nan")
        return output

    session = model.open("1", Sampling())
    [good] = asyncio.run(session.expand([Expansion(root(), 1)]))
    model.model.forward = broken
    [bad, fine] = asyncio.run(session.expand([Expansion(child(root(), 0, good[0]), 2)]))[0]
    assert "is not a number" in str(bad.error)
    assert "is not a number" in str(fine.error)


def decodes(kwargs: dict[str, Any]) -> bool:
    """Whether a pass feeds one token to each text; if not, it reads a question."""
    return bool(kwargs["logits_to_keep"] == 0)


def cramped(model: TransformersModel, most: int, error: Exception, first: int = 0) -> list[int]:
    """Let a model run out of memory on passes over more than `most` texts, after the first so many; returns the texts of its passes."""
    forward, rows = model.model.forward, []

    def limited(*args: Any, **kwargs: Any) -> Any:
        rows.append(kwargs["input_ids"].numel() if decodes(kwargs) else 1)
        if rows[-1] > most and len(rows) > first:
            raise error
        return forward(*args, **kwargs)

    model.model.forward = limited
    return rows


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 byte"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte"),
    MemoryError(),
]
ROOMY = Sampling(temperature=1.0, max_step_tokens=12, max_steps=4)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__}-{str(error)[:30]}")
@pytest.mark.parametrize("first", [0, 6])
def test_a_search_that_runs_out_of_memory_goes_on_in_halves_with_the_same_texts(error: Exception, first: int) -> None:
    verifier = CallableVerifier(lambda question, before, step: (sum(map(ord, step)) % 97) / 97)
    request = Request("1 + 1?", Configuration("llama", 2, 6, 3), ROOMY, early_stopping=False)
    expected = run(request, generator(final_step="[AS]"), verifier)
    model = generator(final_step="[AS]")
    rows = cramped(model, 4, error, first)
    answer = run(request, model, verifier)
    assert [(path.key, path.steps) for path in answer.paths] == [(path.key, path.steps) for path in expected.paths]
    assert answer.score == expected.score
    assert "out of memory with 12 rows in a batch, going on with 6" in answer.warnings
    assert model.max_rows < 12
    assert max(rows) > 4
    assert answer.ledger.eflops > expected.ledger.eflops


def test_the_lost_attempt_is_charged_and_rows_that_were_done_are_not_drawn_again() -> None:
    plain, model = generator(), generator()
    sampling = Sampling(temperature=1.0, max_step_tokens=12)
    [easy] = asyncio.run(plain.open("1", sampling).expand([Expansion(root(), 8)]))
    rows = cramped(model, 4, ERRORS[0], first=6)
    [hard] = asyncio.run(model.open("1", sampling).expand([Expansion(root(), 8)]))
    assert [c.steps for c in hard] == [c.steps for c in easy]
    drawn = next(i for i in range(6, len(rows)) if rows[i] > 4) - 1
    again = [new.usage.completion_tokens - old.usage.completion_tokens for new, old in zip(hard, easy, strict=True)]
    assert again == [drawn if old.usage.completion_tokens > drawn else 0 for old in easy]
    assert 0 < sum(lost > 0 for lost in again) < 8
    assert all(new.usage.compute >= old.usage.compute for new, old in zip(hard, easy, strict=True))


def test_only_the_candidate_that_does_not_even_fit_alone_fails() -> None:
    model = generator(final_step=None)
    forward = model.model.forward

    def picky(*args: Any, **kwargs: Any) -> Any:
        if decodes(kwargs) and 7 in kwargs["input_ids"]:
            raise torch.OutOfMemoryError("no room for 3")
        return forward(*args, **kwargs)

    model.model.forward = picky
    [group] = asyncio.run(model.open("1", Sampling(temperature=1.5, max_step_tokens=12)).expand([Expansion(root(), 12)]))
    failed = [c for c in group if c.error]
    assert 0 < len(failed) < 12
    assert all(c.error == "out of memory with a single row: no room for 3" for c in failed)
    assert all(c.steps == () and c.usage.completion_tokens > 0 for c in failed)


def test_a_question_that_does_not_fit_fails_alone() -> None:
    model = generator()
    forward = model.model.forward

    def small(*args: Any, **kwargs: Any) -> Any:
        if kwargs["input_ids"].shape[1] > 20:
            raise torch.OutOfMemoryError("too long")
        return forward(*args, **kwargs)

    model.model.forward = small
    long, short = model.open("1" * 40, ROOMY), model.open("1", ROOMY)

    async def both() -> Any:
        return await asyncio.gather(*(s.expand([Expansion(root(), 2)]) for s in (long, short)))

    [[stuck], [going]] = asyncio.run(both())
    assert [c.error for c in stuck] == ["out of memory with a single row: too long"] * 2
    assert [c.error for c in going] == [None, None]


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    model = generator()
    cramped(model, 0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        asyncio.run(model.open("1", ROOMY).expand([Expansion(root(), 2)]))
    assert model.max_rows == 256
