r"""Where steps end."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.search.segmenter import Lines, Segmenter, Units, cut

ANSWER = r"""Let's solve this step by step.

### Step 1: What is asked

We need the following:
- the price of an apple, $2
- the number of apples, 4

1. **Multiply:**
   \[
   2 \times 4
   =
   8
   \]

2. Check it in Python:
```python
total = 2 * 4

print(total)
```
---
$$
8 = 2 \cdot 4
$$
So,
the total is 8.


Answer: 8

Sources:
[1] A list of prices
"""

STEPS = (
    "Let's solve this step by step.\n\n",
    "### Step 1: What is asked\n\nWe need the following:\n- the price of an apple, $2\n- the number of apples, 4\n\n",
    "1. **Multiply:**\n   \\[\n   2 \\times 4\n   =\n   8\n   \\]\n\n",
    "2. Check it in Python:\n```python\ntotal = 2 * 4\n\nprint(total)\n```\n",
    "---\n$$\n8 = 2 \\cdot 4\n$$\n",
    "So,\nthe total is 8.\n\n\n",
    "Answer: 8\n\n",
    "Sources:\n[1] A list of prices\n",
)

BITS = ("\n", "\n\n", " ", "```\n", "~~~", "\\[", "\\]\n", "$$", "x", "a:", "- b", "1.", "| a | b |\n", "\r\n")
PIECES = st.sampled_from([*ANSWER.splitlines(keepends=True), *BITS])
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join))
SEGMENTERS = pytest.mark.parametrize("segmenter", [Lines(), Units()], ids=["lines", "units"])


def test_an_answer_in_markdown_and_latex_is_cut_into_units_of_reasoning() -> None:
    assert cut(ANSWER, Units()) == STEPS


@SEGMENTERS
@given(text=TEXTS, limit=st.none() | st.integers(1, 5))
def test_cutting_loses_nothing_and_keeps_to_its_limit(segmenter: Segmenter, text: str, limit: int | None) -> None:
    steps = cut(text, segmenter, limit)
    assert "".join(steps) == text
    assert limit is None or len(steps) <= limit


@SEGMENTERS
@given(text=TEXTS)
def test_no_step_after_the_first_begins_with_a_blank_line_and_none_says_nothing(segmenter: Segmenter, text: str) -> None:
    steps = cut(text, segmenter)
    for step in steps[1:]:
        assert step.split("\n")[0].strip()
    if isinstance(segmenter, Units) and len(steps) > 1:
        assert all(any(map(str.isalnum, step)) for step in steps)


@SEGMENTERS
@given(text=TEXTS, more=TEXTS)
def test_where_a_unit_ends_does_not_depend_on_what_comes_after_it(segmenter: Segmenter, text: str, more: str) -> None:
    def ends(text: str) -> list[int]:
        unit, found, place = segmenter.begin(), list[int](), 0
        for piece in text.splitlines(keepends=True):
            unit, place = unit.after(piece), place + len(piece)
            if unit.complete and piece.endswith("\n"):
                unit = segmenter.begin()
                found.append(place)
        return found

    text = text.replace("\r", "").replace("\x0b", "") + "\n"
    assert ends(text + more)[: len(ends(text))] == ends(text)


@pytest.mark.parametrize("text", [
    "\\[\nx\n", "```\ncode\n", "$$ x\n", "Therefore:\n", "x =\n", "1.\n", "- \n", "**Step 2**\n", "## Two\n", "...\n", "\n\n", "a, b,\n",
    "\\begin{align}\nx\n", "Two:\n- one\n", "| a | b |\n",
])  # fmt: skip
def test_what_is_left_open_is_no_unit(text: str) -> None:
    unit = Units().begin()
    for piece in text.splitlines(keepends=True):
        unit = unit.after(piece)
    assert not unit.complete


@pytest.mark.parametrize("text", [
    "3 + 4 = 7\n", "\\[ x = 1 \\]\n", "$$x$$\n", "1. First, add.\n", "- one\n", "The `$` sign.\n", "\\begin{align}\nx\n\\end{align}\n",
    "Two:\n- one\n- two\n\n", "Two:\n- one\nand so on.\n", "```\nx\n```\n", "~~~ py\n```\nx\n~~~\n", "Deux.\n", "Answer: 4\n",
    "| a | b |\n\n",
])  # fmt: skip
def test_what_says_something_and_leaves_nothing_open_is_a_unit(text: str) -> None:
    unit = Units().begin()
    for piece in text.splitlines(keepends=True):
        assert not unit.complete
        unit = unit.after(piece)
    assert unit.complete


def test_numbered_steps_stand_alone_and_a_very_long_list_is_cut() -> None:
    assert len(cut("Steps:\n1. add\n2. subtract\n3. divide\n", Units())) == 3
    assert 1 < len(cut("Many:\n" + "- one of many things\n" * 200, Units())) <= 200


@SEGMENTERS
@pytest.mark.parametrize("line", ["", "a", "```", "\\[", "$$ ", "**", "- ", "|", "\\begin{a}", "\\begin{a}\\end{a}", ": "])
def test_time_is_linear_in_the_length(segmenter: Segmenter, line: str) -> None:
    started = time.process_time()
    cut(f"{line}\n" * 20_000, segmenter)
    cut(line * 100_000, segmenter)
    cut(f"a\n{line}" + "\n" * 100_000, segmenter)
    assert time.process_time() - started < 8.0
