"""What tokens mean."""

from __future__ import annotations

from tests.tiny import TEMPLATE, metaspace_tokenizer, tokenizer
from uniscale_integrations.models.vocabulary import Vocabulary, prompt_ids


def test_tokens_that_break_and_tokens_that_speak_are_told_apart() -> None:
    words = tokenizer()
    vocabulary = Vocabulary(words, len(words))
    meaning = {words.decode([i]): (bool(vocabulary.breaks[i]), bool(vocabulary.speaks[i])) for i in range(len(words))}
    assert meaning["\n"] == meaning["\n\n"] == (True, False)
    assert meaning[".\n"] == meaning["\na"] == (True, True)
    assert meaning[" "] == meaning["</s>"] == meaning["<extra_0>"] == (False, False)
    assert meaning["7"] == (False, True)


def test_outputs_beyond_the_tokenizer_mean_nothing() -> None:
    words = tokenizer()
    vocabulary = Vocabulary(words, len(words) + 5)
    assert len(vocabulary.breaks) == len(vocabulary.speaks) == len(words) + 5
    assert not vocabulary.breaks[-5:].any()
    assert not vocabulary.speaks[-5:].any()


def test_the_text_ends_at_the_tokenizers_end_and_at_those_named_besides() -> None:
    assert Vocabulary(tokenizer(), 20, ends=[7]).ends == {2, 7}
    words = tokenizer()
    words.eos_token = None
    assert Vocabulary(words, 20).ends == frozenset()


def test_line_breaks_are_found_among_bytes() -> None:
    words = metaspace_tokenizer()
    vocabulary = Vocabulary(words, len(words))
    assert [i for i in range(len(words)) if vocabulary.breaks[i]] == [words.convert_tokens_to_ids("<0x0A>")]


def test_a_long_delimiter_counts_only_after_something_was_said() -> None:
    words = metaspace_tokenizer()
    vocabulary = Vocabulary(words, len(words), "\n\n")
    newline, one = words.convert_tokens_to_ids(["<0x0A>", "1"])
    assert not vocabulary.broke([newline, newline])
    assert not vocabulary.broke([newline, newline, one, newline])
    assert vocabulary.broke([newline, newline, one, newline, newline])


def test_a_prompt_goes_through_the_chat_template_where_there_is_one() -> None:
    chatty, plain = tokenizer(whole_alphabet=True, template=TEMPLATE), tokenizer(whole_alphabet=True)
    assert chatty.decode(prompt_ids(chatty, " 1? ", "how")) == "[user] 1?\n\nhow\n[a] "
    assert chatty.decode(prompt_ids(chatty, "1?", "")) == "[user] 1?\n[a] "
    assert plain.decode(prompt_ids(plain, " 1? ", "")) == "1?\n"
