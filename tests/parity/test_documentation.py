"""The exceptions that are documented are those that the tests make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.parity.bodies import PLAIN_EXCEPTIONS, SEARCH_EXCEPTIONS, STEP_EXCEPTIONS
from tests.parity.langchain_results import RESULT_EXCEPTIONS

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"
ROW = re.compile(r"^\| `([^|]+)` \| ([^|]+) \|$", re.MULTILINE)


@pytest.mark.parametrize(
    ("heading", "exceptions"),
    [
        ("Fields that may differ for a plain configuration", PLAIN_EXCEPTIONS),
        ("Fields that may differ in a search", SEARCH_EXCEPTIONS),
        ("Further fields that may differ where a search chooses between steps (CP > 1)", STEP_EXCEPTIONS),
        ("What may differ in a result", RESULT_EXCEPTIONS),
    ],
)
def test_exceptions_are_documented(heading: str, exceptions: Mapping[str, str]) -> None:
    _, _, after = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")
    section = after.partition("\n## ")[0]
    assert section
    assert dict(ROW.findall(section)) == exceptions
