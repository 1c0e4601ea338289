"""What a tokenizer's tokens mean for a search: which may end a step, which end the text, and what they spell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Spelling(NamedTuple):
    """How far a sequence of tokens has been turned into text.

    Attributes:
        tokens: how many tokens are spelled, up to the end of a character.
        beyond: characters of the tokens after those, of which the last one is not complete yet.
        context: from which token on they are spelled again before new ones, since what a token spells may depend on those before it.
    """

    tokens: int = 0
    beyond: int = 0
    context: int = 0


class Vocabulary:
    """A tokenizer seen through its tokens.

    Args:
        tokenizer: any transformers tokenizer.
        size: of the model's output, which may be larger than the tokenizer's vocabulary.
        delimiter: the text that may end a step.
        ends: further token ids that end the text.

    Attributes:
        breaks: shape (size,), bool, tokens that hold the delimiter.
        ends: token ids that end the text.
    """

    def __init__(self, tokenizer: Any, size: int, delimiter: str = "\n", ends: Sequence[int] = ()) -> None:
        self._tokenizer, self._delimiter = tokenizer, delimiter
        pieces = tokenizer.batch_decode([[i] for i in range(min(size, len(tokenizer)))], clean_up_tokenization_spaces=False)
        pieces += [""] * (size - len(pieces))
        special = set(tokenizer.all_special_ids)
        self.breaks: NDArray[np.bool_] = np.array([delimiter in p and i not in special for i, p in enumerate(pieces)])
        self._ends_it: NDArray[np.bool_] = np.array([len(delimiter) > 1 and delimiter[-1] in p for p in pieces])
        own = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
        self.ends = frozenset([*own, *ends])

    def may_break(self, token: int) -> bool:
        """Whether a token may have brought the delimiter to its end, alone or with those before it."""
        return bool(self.breaks[token] or self._ends_it[token])

    def spell(self, ids: Sequence[int], spelling: Spelling) -> tuple[str, Spelling]:
        """The text of the tokens that are not spelled yet, without a character still incomplete, in time linear in their number."""
        tokens, beyond, context = spelling
        before = self.text(ids[context:tokens])
        whole = self.text(ids[context:])[len(before) :]
        text = whole.rstrip("\ufffd")
        if text == whole:
            # Tokens that spell nothing are no context.
            return text[beyond:], Spelling(len(ids), 0, tokens if text else context)
        return text[beyond:], Spelling(tokens, len(text), context)

    def text(self, ids: Sequence[int]) -> str:
        """The text of answer tokens, special tokens left out."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def prompt_ids(tokenizer: Any, messages: Sequence[Mapping[str, Any]], instruction: str = "") -> list[int]:
    """Token ids of a conversation as the model expects it: through its chat template, or where it has none its last question as plain text.

    A message of the assistant that stands last is one to go on with.

    Args:
        tokenizer: any transformers tokenizer.
        messages: `role`, `content` and perhaps `tool_calls` of each; a model without a chat template never learned to read more than one.
        instruction: how to answer, put after the last message of the user; may be empty.
    """
    asked = max((place for place, message in enumerate(messages) if message["role"] == "user"), default=None)
    whole = [dict(message) for message in messages]
    if asked is not None and instruction:
        whole[asked]["content"] = f"{whole[asked]['content'].strip()}\n\n{instruction}"
    if tokenizer.chat_template:
        goes_on = whole[-1]["role"] == "assistant" and bool(whole[-1]["content"].strip())
        text = tokenizer.apply_chat_template(
            whole, tokenize=False, add_generation_prompt=not goes_on, continue_final_message=goes_on
        )
        return [int(i) for i in tokenizer(text, add_special_tokens=False)["input_ids"]]
    question = whole[-1 if asked is None else asked]["content"]
    return [int(i) for i in tokenizer(f"{question.strip()}\n")["input_ids"]]
