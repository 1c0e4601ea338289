"""A local model's answer as it is drawn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import torch

from tests.tiny import CONFIGS, counted, generator, metaspace_tokenizer, recite, tokenizer
from uniscale_integrations.models.catalog import load_model
from uniscale_integrations.models.local.transformers import TransformersModel
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.space import Configuration

END = 2


def streamed(model: TransformersModel, question: str, sampling: Sampling, stop: tuple[str, ...] = ()) -> tuple[list[str], Answer]:
    """The pieces of a plain answer, and the answer."""
    pieces: list[str] = []
    conversation = Conversation((Turn("user", question),), stop=stop)
    request = Request(question, Configuration(model.name), sampling, conversation=conversation, emit=pieces.append)

    async def both() -> Answer:
        answer = await arun(request, model)
        await asyncio.sleep(0)
        return answer

    answer = asyncio.run(both())
    return pieces, answer


def said(script: str, words: Any, *, first: int = 1) -> TransformersModel:
    """A model that says a text, after the start mark of text."""
    model = generator(words=words, final_step=None, context=512)
    ids = words(script, add_special_tokens=False)["input_ids"]
    recite(model, [first, *ids, END], after=2)
    return model


@pytest.mark.parametrize("words", [tokenizer(whole_alphabet=True), metaspace_tokenizer()], ids=["bytes", "metaspace"])
def test_pieces_come_token_by_token_in_whole_characters_and_are_the_answer(words: Any) -> None:
    text = "aé 1\n\n\nbü 2\nAnswer: 3\n\nc"
    model = said(text, words)
    prompt = len(model.open("1", Sampling()).question.tokens)
    recite(model, [1, *words(text, add_special_tokens=False)["input_ids"], END], after=prompt)
    pieces, answer = streamed(model, "1", Sampling(temperature=0.0))
    assert "".join(pieces) == answer.text == text
    assert len(pieces) > 10
    assert all(piece and "\ufffd" not in piece for piece in pieces)


def test_an_answer_that_ends_with_white_space_is_not_told_more_than_it_says() -> None:
    pieces, answer = streamed(said("1\n \n", tokenizer()), "1", Sampling(temperature=0.0))
    assert answer.text.startswith("".join(pieces))


def test_what_is_drawn_again_after_memory_ran_out_is_told_once() -> None:
    model = generator(final_step=None)
    forward, lost = model.model.forward, 0

    def cramped(*args: Any, **kwargs: Any) -> Any:
        nonlocal lost
        if kwargs["logits_to_keep"] == 0 and kwargs["input_ids"].numel() > 1 and (lost := lost + 1) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(*args, **kwargs)

    model.model.forward = cramped
    told: tuple[list[str], list[str]] = ([], [])
    asked = Conversation((Turn("user", "1"),))
    requests = [
        Request("1", Configuration(model.name), Sampling(1.0, seed=seed, max_tokens=20), conversation=asked, emit=emit.append)
        for seed, emit in enumerate(told)
    ]

    async def both() -> list[Answer]:
        with model.batches._lock:
            # So that one batch takes both.
            running = [asyncio.create_task(arun(request, model)) for request in requests]
            await asyncio.sleep(0.2)
        answers = await asyncio.gather(*running)
        await asyncio.sleep(0)
        return answers

    for pieces, answer in zip(told, asyncio.run(both()), strict=True):
        assert "".join(pieces) == answer.text.rstrip()
        assert [note for note in answer.warnings if "out of memory with 2 rows" in note]


@pytest.mark.parametrize("name", ["uniscale-0.3m", "uniscale-3m"])
def test_the_embedded_models_stream_what_they_answer(name: str) -> None:
    pieces, answer = streamed(load_model(name), questions()[3].text, Sampling(seed=4))
    assert "".join(pieces) == answer.text.rstrip()
    assert len(pieces) > 5


def test_an_answer_ends_before_a_text_that_the_conversation_names() -> None:
    pieces, answer = streamed(said("1 2 ST 4", tokenizer()), "1", Sampling(temperature=0.0), ("ST",))
    assert answer.text == "1 2 "
    assert "".join(pieces).startswith("1 2")


def test_one_plain_sample_is_drawn_as_the_model_is_set_up_to() -> None:
    model = generator(final_step=None)
    greedy = streamed(model, "1", Sampling(temperature=0.0, max_tokens=9))[1].text
    assert {streamed(model, "1", Sampling(seed=seed, max_tokens=9))[1].text for seed in range(4)} == {greedy}
    assert len({streamed(model, "1", Sampling(1.0, seed=seed, max_tokens=9))[1].text for seed in range(4)}) > 1
    model.model.generation_config.do_sample = True
    assert len({streamed(model, "1", Sampling(seed=seed, max_tokens=9))[1].text for seed in range(4)}) > 1


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_first_token_is_known_once_the_question_is_read(kind: str) -> None:
    model = generator(kind, final_step=None)
    quiet = Request("1 + 2?", Configuration(model.name), Sampling(1.0, seed=3, max_tokens=12))
    expected = asyncio.run(arun(quiet, model))
    with counted(model.model) as passes:
        _, answer = streamed(model, "1 + 2?", quiet.sampling)
    assert answer.text == expected.text
    assert passes.tokens == len("1 + 2?\n") + answer.ledger.tokens[1] - 1
    assert answer.ledger.tokens == expected.ledger.tokens
    assert answer.ledger.eflops == pytest.approx(expected.ledger.eflops, rel=0.15)
