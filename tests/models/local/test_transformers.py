"""A Hugging Face language model as a generator."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
import torch
from transformers import PreTrainedModel
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from tests.tiny import CONFIGS, TEMPLATE, child, counted, generator, grow, root, tokenizer
from uniscale_integrations.cost import PROFILES
from uniscale_integrations.errors import ConfigurationError, ContextLengthError
from uniscale_integrations.models.catalog import load_model
from uniscale_integrations.models.local.transformers import TransformersModel, TransformersSession
from uniscale_integrations.models.local.vocabulary import prompt_ids
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.many import arun_many
from uniscale_integrations.search.paths import Candidate, Expansion, Path, PathKey
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import CallableVerifier

FAMILY = ("uniscale-0.3m", "uniscale-1m", "uniscale-3m")
QUESTION = "1 + 2?"
ALL = 99
WARM = Sampling(temperature=1.0, max_step_tokens=12, max_steps=5)


def expand(session: TransformersSession, *expansions: Expansion) -> list[list[Candidate]]:
    return [list(group) for group in asyncio.run(session.expand(expansions))]


def answers(session: TransformersSession) -> dict[tuple[int, ...], list[int]]:
    """The tokens of every path that the session keeps."""
    return {(key.tree, *key.lineage): node.answer for key, node in session._nodes.items()}


def log_probabilities(model: TransformersModel, prompt: list[int], answer: Sequence[int]) -> torch.Tensor:
    """Of every answer token, by one pass without a cache, shape (tokens,)."""
    ids = torch.tensor([prompt + list(answer)])
    with torch.inference_mode():
        logits = model.model(input_ids=ids, use_cache=False).logits[0].double().log_softmax(-1)
    found: torch.Tensor = logits[len(prompt) - 1 : -1].gather(-1, ids[0, len(prompt) :, None])[:, 0]
    return found


@pytest.mark.parametrize("kind", CONFIGS)
def test_branching_paths_get_the_log_probabilities_of_an_uncached_pass(kind: str) -> None:
    model = generator(kind)
    session = model.open(QUESTION, WARM)
    prompt = model.tokenizer(QUESTION + "\n")["input_ids"]
    paths = [root(0), root(1), root(2)]
    lengths: dict[tuple[int, ...], int] = {}
    for _ in range(3):
        groups = expand(session, *(Expansion(path, 3) for path in paths))
        tokens, following = answers(session), []
        for path, group in zip(paths, groups, strict=True):
            for index, candidate in enumerate(group):
                after = child(path, index, candidate)
                answer = tokens.get((after.key.tree, *after.key.lineage))
                if answer is None:
                    continue
                before = lengths.get((path.key.tree, *path.key.lineage), 0)
                lengths[after.key.tree, *after.key.lineage] = len(answer)
                expected = log_probabilities(model, prompt, answer)[before:].mean().item()
                assert candidate.log_probabilities == pytest.approx((expected,), abs=1e-4)
                following.append(after)
        paths = following[::2][:5]
        session.retain(paths)
    assert lengths


@pytest.mark.parametrize("kind", CONFIGS)
def test_greedy_steps_are_the_greedy_text_of_an_uncached_model(kind: str) -> None:
    model = generator(kind, final_step=None)
    session = model.open(QUESTION, Sampling(temperature=0.0, max_step_tokens=9, max_steps=4))
    path = root()
    for _ in range(4):
        grown = asyncio.run(grow(session, [path], 1))
        if not grown:
            break
        [path] = grown
    ids = model.tokenizer(QUESTION + "\n")["input_ids"]
    prompt, text = len(ids), ""
    while len(text) < len(path.text):
        with torch.inference_mode():
            ids.append(int(model.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        text = model.decoder.vocabulary.text(ids[prompt:])
    assert text == path.text


@pytest.mark.parametrize("name", FAMILY)
def test_greedy_steps_of_the_embedded_models_are_those_of_generate(name: str) -> None:
    model = load_model(name)
    question = questions()[3].text
    session = model.open(question, Sampling(temperature=0.0))
    [[whole]] = expand(session, Expansion(root(), 1, steps=ALL))
    ids = torch.tensor([prompt_ids(model.tokenizer, [{"role": "user", "content": question}])])
    with torch.inference_mode():
        output = model.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=400)
    text = model.tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
    assert text.startswith("".join(whole.steps))
    assert whole.final
    assert whole.steps[-1].startswith("Answer:")


@pytest.mark.parametrize("kind", CONFIGS)
def test_no_token_is_computed_twice_nor_for_two_candidates_that_have_drawn_it(kind: str) -> None:
    model = generator(kind, final_step=None)
    model.decoder.vocabulary.ends = frozenset()
    session = model.open(QUESTION, WARM)
    paths, expected = [root(0), root(1)], len(model.tokenizer(QUESTION + "\n")["input_ids"]) - 1
    known: dict[tuple[int, ...], list[int]] = {(0,): [], (1,): []}
    with counted(model.model) as passes:
        for _ in range(3):
            expand(session, *(Expansion(path, 3) for path in paths))
            tokens = answers(session)
            fed: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
            for key, answer in tokens.items():
                if key[:-1] in known:
                    new = answer[len(known[key[:-1]]) :]
                    # Both trees begin with the question, and may say the same for longer.
                    fed.setdefault(tuple(known[key[:-1]]), set()).update(tuple(new[:end]) for end in range(len(new)))
            expected += sum(map(len, fed.values()))
            paths = [Path(PathKey(tree, tuple(lineage)), ("?",) * len(lineage)) for tree, *lineage in list(tokens)[:4]]
            session.retain(paths)
            known = answers(session)
    assert session.shared_usage.prompt_tokens == len(QUESTION) + 1
    assert passes.tokens == expected


def test_trees_that_say_the_same_share_every_pass_and_each_pays_its_part() -> None:
    model = load_model("uniscale-0.3m")
    question, greedy = questions()[3].text, Sampling(temperature=0.0)
    verifier = CallableVerifier(lambda question, before, step: 0.5)
    counts, answers = [], []
    for qp in (1, 3):
        request = Request(question, Configuration(model.name, qp, 2, 1), greedy, early_stopping=False, hardware=PROFILES["cpu"])
        with counted(model.model) as passes:
            answers.append(run(request, model, verifier))
        counts.append(passes.tokens)
    assert counts[0] == counts[1]
    one, three = (answer.ledger for answer in answers)
    assert three.eflops == pytest.approx(one.eflops)
    assert three.tokens[1] == 3 * one.tokens[1]


def test_the_bill_says_what_the_passes_did() -> None:
    model = generator()
    session = model.open(QUESTION, WARM)
    with counted(model.model) as passes:
        [group] = expand(session, Expansion(root(), 4))
    total = session.shared_usage
    for candidate in group:
        total = total.plus(candidate.usage)
    layers = model.model.config.num_hidden_layers
    assert total.passes == pytest.approx(len(passes.shapes) * layers)
    assert total.weights == pytest.approx(len(passes.shapes) * model.shape.weight_bytes)


def test_only_retained_paths_keep_their_cache() -> None:
    model = generator()
    session = model.open(QUESTION, WARM)
    [kept, *_] = asyncio.run(grow(session, [root()], 6))
    session.retain([kept])
    assert set(answers(session)) == {(0, *kept.key.lineage)}
    session.close()
    assert not answers(session)


def candidates(answer: Answer) -> dict[tuple[int, tuple[str, ...]], tuple[bool, tuple[float, ...]]]:
    return {
        (p.key.tree, p.steps): (p.final, tuple(round(each, 6) for each in p.log_probabilities or ()))
        for p in answer.paths
        if p.steps
    }


def test_a_path_draws_the_same_whatever_else_is_in_the_batch() -> None:
    model = generator(final_step=r"A")
    alone = expand(model.open(QUESTION, WARM), Expansion(root(2), 3))[0]
    session = model.open(QUESTION, WARM)
    crowd = expand(session, Expansion(root(0), 5), Expansion(root(2), 3), Expansion(root(1), 1, steps=ALL))[1]
    assert [c.steps for c in crowd] == [c.steps for c in alone]
    for far, near in zip(crowd, alone, strict=True):
        assert far.log_probabilities == pytest.approx(near.log_probabilities, abs=1e-6)
    assert len({c.steps for c in crowd}) > 1


@pytest.mark.parametrize("name", ["llama", "uniscale-0.3m"])
@pytest.mark.parametrize("seed", range(4))
def test_whole_answers_are_those_drawn_step_by_step(name: str, seed: int) -> None:
    model = load_model(name) if name in FAMILY else generator(name)
    question = questions()[seed].text if name in FAMILY else QUESTION
    sampling = Sampling(temperature=1.2, max_step_tokens=20, max_steps=6, seed=seed)
    [[whole]] = expand(model.open(question, sampling), Expansion(root(1), 1, 6, rest=True))
    session, path, final = model.open(question, sampling), root(1), False
    for step in range(6):
        [[candidate]] = expand(session, Expansion(path, 1, rest=step == 5))
        path, final = child(path, 0, candidate), candidate.final
        if final or candidate.error:
            break
    assert path.steps == whole.steps
    assert final == whole.final


def test_both_schedules_and_the_search_without_stopping_draw_the_same_paths() -> None:
    model = generator(final_step=r"[AST]")
    verifier = CallableVerifier(lambda question, before, step: (sum(map(ord, step)) % 97) / 97)
    configuration = Configuration("llama", qp=4)
    found = [
        candidates(run(Request(QUESTION, configuration, WARM, early_stopping=stop, schedule=schedule), model, verifier))
        for stop in (True, False)
        for schedule in ("lockstep", "leader")
    ]
    finished = [{key for key, (final, _) in paths.items() if final} for paths in found]
    everything = finished[2]
    assert finished[3] == everything
    assert finished[0] <= everything
    assert finished[1] <= everything


def test_eight_searches_at_once_share_their_passes() -> None:
    model = generator(final_step=r"[AST]")
    verifier = CallableVerifier(lambda question, before, step: 0.5)
    requests = [
        Request(f"{i} + {i}?", Configuration("llama", cp=4, bs=2), Sampling(max_step_tokens=12, max_steps=4, seed=i))
        for i in range(8)
    ]
    with counted(model.model) as one_by_one:
        sequential = [run(request, model, verifier) for request in requests]
    with counted(model.model) as together:
        concurrent = asyncio.run(arun_many(requests, model, verifier))
    assert [answer.text for answer in concurrent] == [answer.text for answer in sequential]
    assert together.tokens == one_by_one.tokens
    # How many they share depends on how busy the machine is.
    assert len(together.shapes) <= len(one_by_one.shapes)


def test_a_chat_template_is_applied_where_there_is_one_and_plain_text_otherwise() -> None:
    chatty = generator(words=tokenizer(template=TEMPLATE, whole_alphabet=True), instruction="do it")
    plain = generator(words=tokenizer(whole_alphabet=True), instruction="do it")
    seen = []
    for model in (chatty, plain):
        session = model.open(" two? ", WARM)
        seen.append(model.tokenizer.decode(session.question.tokens))
    assert seen == ["[user] two?\n\ndo it\n[a] ", "two?\n\ndo it\n"]


@pytest.mark.parametrize("question", ["", "  \n "])
def test_an_empty_question_is_refused(question: str) -> None:
    with pytest.raises(ConfigurationError, match="the question is empty"):
        generator().open(question, WARM)


def test_an_over_long_question_is_refused_with_the_excess() -> None:
    model = generator(context=64)
    with pytest.raises(
        ContextLengthError, match=r"takes 101 tokens, 49 more than llama can read .*context 64, a step of up to 12"
    ):
        model.open("1" * 100, WARM)
    model.open("1" * 51, WARM)


def test_embeddings_that_change_with_the_longest_text_of_a_batch_end_the_context_where_they_would() -> None:
    words = tokenizer()
    config = CONFIGS["llama"](len(words), 256)
    factors = {"long_factor": [4.0] * 4, "short_factor": [1.0] * 4}
    config.rope_parameters = {"rope_type": "longrope", "rope_theta": 1e4, "original_max_position_embeddings": 64} | factors
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
    short, long = torch.tensor([[3, 4, 5]]), torch.tensor([[3, 4, 5] * 22])
    with torch.inference_mode():
        assert not torch.allclose(model(long).logits[:, :3], model(short).logits, atol=1e-4)
        assert torch.allclose(model(long[:, :64]).logits[:, :3], model(short).logits, atol=1e-4)
    assert TransformersModel(model, words, "long").context == 64


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_path_that_fills_the_context_ends_there_with_the_reason(kind: str, whole: bool) -> None:
    model = generator(kind, context=40, final_step=None)
    model.decoder.vocabulary.ends = frozenset()
    session, path = model.open("1" * 20, Sampling(temperature=1.0, max_step_tokens=8, max_steps=50)), root()
    while not path.final:
        [[candidate]] = expand(session, Expansion(path, 1, steps=ALL if whole else 1))
        path = child(path, 0, candidate)
    assert candidate.incomplete == "length"
    assert 40 - 26 <= len(model.tokenizer(path.text)["input_ids"]) <= 40 - 21
    assert len(model.tokenizer(path.text)["input_ids"]) <= 40 - 21


def test_a_full_path_leaves_the_others_going() -> None:
    model = generator("gpt2", context=40, final_step=None)
    model.decoder.vocabulary.ends = frozenset()
    long, short = model.open("1" * 26, Sampling(temperature=1.0, max_step_tokens=12)), model.open("1", WARM)

    async def both() -> list[Sequence[Sequence[Candidate]]]:
        return list(await asyncio.gather(long.expand([Expansion(root(), 2, ALL)]), short.expand([Expansion(root(), 2)])))

    [[full], [going]] = asyncio.run(both())
    assert [(c.final, c.incomplete, c.error) for c in full] == [(True, "length", None)] * 2
    assert [(c.final, c.incomplete, c.error) for c in going] == [(False, "", None)] * 2


def test_a_closed_session_stops_rows_that_still_run() -> None:
    model = generator(final_step=None, context=4096)
    model.decoder.vocabulary.ends = frozenset()
    endless = model.open(QUESTION, Sampling(temperature=1.0, max_step_tokens=500, max_steps=8))
    forward, made = model.model.forward, 0

    def closing(*args: object, **kwargs: object) -> object:
        nonlocal made
        made += 1
        if made == 5:
            endless.close()
        return forward(*args, **kwargs)

    model.model.forward = closing
    expand(endless, Expansion(root(), 3, steps=ALL))
    assert made == 5
    assert not answers(endless)
    [[late]] = expand(endless, Expansion(Path(root().key.child(0), ("x",)), 1))
    assert late.error == "the session is closed"


def test_the_estimate_counts_the_question_until_it_was_read() -> None:
    session = generator().open(QUESTION, WARM)
    before = session.estimate(Expansion(root(), 2))
    expand(session, Expansion(root(), 2))
    assert before.prompt_tokens == len(QUESTION) + 1
    assert session.estimate(Expansion(root(), 2)).prompt_tokens == 0
    assert session.estimate(Expansion(root(), 2, steps=ALL)).completion_tokens > before.completion_tokens
