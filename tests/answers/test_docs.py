"""What the documentation says of answers."""

from __future__ import annotations

import doctest
from pathlib import Path


def test_the_examples_of_the_page_on_answers_hold() -> None:
    page = Path(__file__).parents[2] / "docs" / "answers.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried >= 8
    assert failed == 0
