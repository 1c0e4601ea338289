"""What tokens mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tiny import TEMPLATE, metaspace_tokenizer, tokenizer
from uniscale_integrations.models.local.vocabulary import Spelling, Vocabulary, prompt_ids

BYTES, METASPACE = tokenizer(whole_alphabet=True), metaspace_tokenizer()


def test_tokens_that_may_end_a_step_hold_the_delimiter() -> None:
    words = tokenizer()
    vocabulary = Vocabulary(words, len(words))
    assert {words.decode([i]) for i in range(len(words)) if vocabulary.may_break(i)} == {"\n", "\n\n", ".\n", "\na"}


def test_outputs_beyond_the_tokenizer_mean_nothing() -> None:
    words = tokenizer()
    vocabulary = Vocabulary(words, len(words) + 5)
    assert len(vocabulary.breaks) == len(words) + 5
    assert not any(vocabulary.may_break(len(words) + place) for place in range(5))


def test_the_text_ends_at_the_tokenizers_end_and_at_those_named_besides() -> None:
    assert Vocabulary(tokenizer(), 20, ends=[7]).ends == {2, 7}
    words = tokenizer()
    words.eos_token = None
    assert Vocabulary(words, 20).ends == frozenset()


def test_line_breaks_are_found_among_bytes() -> None:
    words = metaspace_tokenizer()
    vocabulary = Vocabulary(words, len(words))
    assert [i for i in range(len(words)) if vocabulary.breaks[i]] == [words.convert_tokens_to_ids("<0x0A>")]


def test_a_long_delimiter_may_end_with_the_token_that_holds_its_last_character() -> None:
    words = metaspace_tokenizer()
    vocabulary = Vocabulary(words, len(words), "\n\n")
    newline, one = words.convert_tokens_to_ids(["<0x0A>", "1"])
    assert (vocabulary.may_break(newline), vocabulary.may_break(one)) == (True, False)


@given(st.text(max_size=12), st.lists(st.integers(1, 5), max_size=20), st.booleans())
def test_text_that_is_spelled_bit_by_bit_is_the_text_of_all_tokens(text: str, sizes: list[int], metaspace: bool) -> None:
    words = METASPACE if metaspace else BYTES
    vocabulary = Vocabulary(words, len(words))
    ids, said, spelled, place = words(text, add_special_tokens=False)["input_ids"], "", Spelling(), 0
    for size in [*sizes, len(text) * 5]:
        place += size
        added, spelled = vocabulary.spell(ids[:place], spelled)
        assert "\ufffd" not in added or "\ufffd" in text or metaspace
        said += added
    assert said == vocabulary.text(ids).rstrip("\ufffd")


ASKED = [{"role": "user", "content": " 1? "}]


def test_a_prompt_goes_through_the_chat_template_where_there_is_one() -> None:
    chatty, plain = tokenizer(whole_alphabet=True, template=TEMPLATE), tokenizer(whole_alphabet=True)
    assert chatty.decode(prompt_ids(chatty, ASKED, "how")) == "[user] 1?\n\nhow\n[a] "
    assert chatty.decode(prompt_ids(chatty, ASKED)) == "[user]  1? \n[a] "
    assert plain.decode(prompt_ids(plain, ASKED)) == "1?\n"


@pytest.mark.parametrize(
    ("roles", "instruction", "text"),
    [
        ("us", "", "[user] 0\n[system] 1\n[a] "),
        ("uat", "", "[user] 0\n[assistant] 1\n[tool] 2\n[a] "),
        ("uat", "how", "[user] 0\n\nhow\n[assistant] 1\n[tool] 2\n[a] "),
        ("ua", "", "[user] 0\n[assistant] 1"),
        ("ss", "how", "[system] 0\n[system] 1\n[a] "),
        ("sa", "", "[system] 0\n[assistant] 1"),
        ("sua", "", "[system] 0\n[user] 1\n[assistant] 2"),
    ],
)
def test_nothing_of_a_conversation_is_left_out(roles: str, instruction: str, text: str) -> None:
    chatty = tokenizer(whole_alphabet=True, template=TEMPLATE)
    names = {"u": "user", "a": "assistant", "s": "system", "t": "tool"}
    messages = [{"role": names[role], "content": str(place)} for place, role in enumerate(roles)]
    assert chatty.decode(prompt_ids(chatty, messages, instruction)) == text
