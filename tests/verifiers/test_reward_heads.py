"""How published reward models are asked, and how their answers are read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tests.tiny import TEMPLATE, metaspace_tokenizer, tokenizer
from uniscale_integrations.verifiers.reward_heads import ClassificationHead, Head, HiddenHead, TokenHead

WORDS = tokenizer(whole_alphabet=True, extra=["ки"])
CHATTY = tokenizer(whole_alphabet=True, template=TEMPLATE)
STEPS = ("1 + 2 = 3.\n", "\nAnswer: 3\n")
QWEN = HiddenHead(((torch.eye(2), torch.zeros(2)),), separator="<extra_0>", chat=True, system="think")
SKYWORK = HiddenHead(((torch.ones(1, 2), torch.zeros(1)),))
SHEPHERD = TokenHead(" ки", 5, 6)


@pytest.mark.parametrize(
    ("head", "text", "marks"),
    [
        (ClassificationHead(), "1 + 2 = 3.\n\nAnswer: 3\n", [".\n", "\n"]),
        (ClassificationHead("<extra_0>"), "1 + 2 = 3.<extra_0>Answer: 3<extra_0>", ["<extra_0>", "<extra_0>"]),
        (QWEN, "1 + 2 = 3.<extra_0>Answer: 3<extra_0>", ["<extra_0>", "<extra_0>"]),
        (SKYWORK, "1 + 2 = 3.\nAnswer: 3\n", ["\n", "\n"]),
    ],
)
def test_the_score_stands_where_the_model_was_trained_to_give_it(head: Head, text: str, marks: list[str]) -> None:
    tokens, places = head.encode(WORDS, STEPS)
    assert WORDS.decode(tokens) == text
    assert [WORDS.decode([tokens[place]]) for place in places] == marks


def test_math_shepherd_is_read_at_its_mark_and_not_at_the_line_break_behind_it() -> None:
    tokens, places = SHEPHERD.encode(WORDS, STEPS)
    assert WORDS.decode(tokens) == "1 + 2 = 3. ки\nAnswer: 3 ки\n"
    assert [WORDS.decode(tokens[: place + 1]) for place in places] == ["1 + 2 = 3. ки", "1 + 2 = 3. ки\nAnswer: 3 ки"]


def test_steps_in_the_manner_of_sentencepiece_are_those_of_the_whole_text() -> None:
    words = metaspace_tokenizer()
    steps = ("1 = 1", "2 + a = 3")
    prompt = SHEPHERD.prompt(words, "a b")
    tokens, places = SHEPHERD.encode(words, steps)
    assert words.decode(prompt + tokens) == "a b 1 = 1 ки\n2 + a = 3 ки\n"
    [mark] = words("ки", add_special_tokens=False)["input_ids"]
    assert [tokens[place] for place in places] == [mark, mark]
    assert tokens[places[0] + 1 :] == words("a\n2 + a = 3 ки\n", add_special_tokens=False)["input_ids"][1:]


@pytest.mark.parametrize("head", [ClassificationHead(), ClassificationHead("<extra_0>"), QWEN, SKYWORK, SHEPHERD])
@pytest.mark.parametrize("words", [WORDS, metaspace_tokenizer()], ids=["bytes", "spaces"])
def test_steps_encoded_one_by_one_are_the_tokens_of_all_at_once(head: Head, words: object) -> None:
    together, places = head.encode(words, STEPS)
    parts = [head.encode(words, [step]) for step in STEPS]
    assert [token for tokens, _ in parts for token in tokens] == together
    assert places == [parts[0][1][0], len(parts[0][0]) + parts[1][1][0]]


def test_questions_are_put_as_each_model_expects_them() -> None:
    assert CHATTY.decode(QWEN.prompt(CHATTY, " 1? ")) == "[system] think\n[user] 1?\n[a] "
    assert CHATTY.decode(ClassificationHead().prompt(CHATTY, "1?")) == "[user] 1?\n[a] "
    assert WORDS.decode(ClassificationHead().prompt(WORDS, "1?")) == "1?\n"
    assert WORDS.decode(SKYWORK.prompt(WORDS, "1?")) == "<s>1?\n"
    assert WORDS.decode(SHEPHERD.prompt(WORDS, " 1?")) == "1? "


def test_one_output_is_a_logit_and_of_two_the_second_is_right() -> None:
    one, two = torch.tensor([[[0.3], [-2.0]]]), torch.tensor([[[1.0, 3.0], [0.0, -1.0]]])
    head = ClassificationHead()
    torch.testing.assert_close(head.scores(SimpleNamespace(logits=one)), torch.sigmoid(one[..., 0]))
    torch.testing.assert_close(head.scores(SimpleNamespace(logits=two)), torch.sigmoid(two[..., 1] - two[..., 0]))


def test_hidden_layers_have_a_relu_between_them() -> None:
    torch.manual_seed(0)
    layers = torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)
    score = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])
    head = HiddenHead([(layer.weight.detach(), layer.bias.detach()) for layer in layers])
    hidden = torch.randn(2, 3, 4)
    expected = score(hidden).softmax(-1)[..., 1].detach()
    torch.testing.assert_close(head.scores(SimpleNamespace(last_hidden_state=hidden)), expected)


def test_of_two_tokens_the_first_named_says_right() -> None:
    logits = torch.zeros(1, 1, 9)
    logits[..., 5], logits[..., 6], logits[..., 7] = 2.0, 1.0, 50.0
    torch.testing.assert_close(SHEPHERD.scores(SimpleNamespace(logits=logits)), torch.tensor([[1.0]]).sigmoid())
