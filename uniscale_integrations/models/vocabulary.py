"""What a tokenizer's tokens mean for a search: which end a step, which end the text, which say anything at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Vocabulary:
    """A tokenizer seen through its tokens.

    Args:
        tokenizer: any transformers tokenizer.
        size: of the model's output, which may be larger than the tokenizer's vocabulary.
        delimiter: the text that ends a step.
        ends: further token ids that end the text.

    Attributes:
        breaks: shape (size,), bool, tokens that hold the delimiter.
        speaks: shape (size,), bool, tokens with something other than white space in them.
        ends: token ids that end the text.
    """

    def __init__(self, tokenizer: Any, size: int, delimiter: str = "\n", ends: Sequence[int] = ()) -> None:
        self._tokenizer, self._delimiter = tokenizer, delimiter
        pieces = tokenizer.batch_decode([[i] for i in range(min(size, len(tokenizer)))], clean_up_tokenization_spaces=False)
        pieces += [""] * (size - len(pieces))
        special = set(tokenizer.all_special_ids)
        self.breaks: NDArray[np.bool_] = np.array([delimiter in p and i not in special for i, p in enumerate(pieces)])
        self._ends_it: NDArray[np.bool_] = np.array([len(delimiter) > 1 and delimiter[-1] in p for p in pieces])
        self.speaks: NDArray[np.bool_] = np.array([bool(p.strip()) and i not in special for i, p in enumerate(pieces)])
        own = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
        self.ends = frozenset([*own, *ends])

    def broke(self, step: Sequence[int]) -> bool:
        """Whether the last of these tokens brought the delimiter to its end, alone or with those before it."""
        if self.breaks[step[-1]]:
            return True
        return bool(self._ends_it[step[-1]]) and self._delimiter in self.text(step).lstrip()

    def text(self, ids: Sequence[int]) -> str:
        """The text of answer tokens, special tokens left out."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text


def prompt_ids(tokenizer: Any, question: str, instruction: str, earlier: Sequence[Mapping[str, str]] = ()) -> list[int]:
    """Token ids of the question as the model expects it: through its chat template where it has one, as plain text otherwise.

    Args:
        tokenizer: any transformers tokenizer.
        question: what to ask.
        instruction: how to answer, put after the question; may be empty.
        earlier: messages before it, `role` and `content`; a model without a chat template never learned to read them.
    """
    asked = f"{question.strip()}\n\n{instruction}" if instruction else question.strip()
    if tokenizer.chat_template:
        messages = [*earlier, {"role": "user", "content": asked}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return [int(i) for i in tokenizer(text, add_special_tokens=False)["input_ids"]]
    return [int(i) for i in tokenizer(f"{asked}\n")["input_ids"]]
