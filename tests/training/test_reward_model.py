"""Labels of the reward model, token by token."""

from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerFast

from training.reward_model import token_labels
from uniscale_integrations.models.catalog import family


@pytest.mark.parametrize(
    ("step", "right", "expected", "wrong_from"),
    [
        ("12 + 30 = 42", True, "", None),
        ("12 + 30 = 45", False, "12 + 30 = 42", "5\n"),
        ("12 - 30 = -18", False, "12 + 30 = 42", " - 30 = -18\n"),
        ("42 + 1 = 43", False, "", "42 + 1 = 43\n"),
        ("Answer: 421", False, "Answer: 42", "1\n"),
        ("Answer: 4", False, "Answer: 42", "\n"),
    ],
)
def test_tokens_count_as_right_up_to_where_a_step_leaves_the_expected_one(
    step: str, right: bool, expected: str, wrong_from: str | None
) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(family()["uniscale-3m"].folder)
    ids, labels = token_labels(tokenizer, step, right, expected)
    assert tokenizer.decode(ids) == f"{step}\n"
    assert labels == sorted(labels, reverse=True)
    assert tokenizer.decode([token for token, mark in zip(ids, labels, strict=True) if not mark]) == (wrong_from or "")
