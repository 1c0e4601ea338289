"""From the text of a path to its answer, and when two answers are the same."""

from __future__ import annotations

from uniscale_integrations.answers.algebra import equal_expressions
from uniscale_integrations.answers.extract import extract_answer
from uniscale_integrations.answers.normal_form import normalise_answer
from uniscale_integrations.answers.sameness import groups

__all__ = ["extract_answer", "normalise_answer", "same_answer"]


def same_answer(left: str, right: str, question: str = "") -> bool:
    """Whether two answers are the same: of one kind and value, or as mathematics where math-verify is installed.

    Never raises; what cannot be compared is not the same.

    Args:
        left: as `extract_answer` gives it.
        right: likewise.
        question: that they answer, where it is known: it tells a version from a number, and what the options were.

    Example:
        >>> same_answer("$1,234$", "1234.0"), same_answer("12 km", "12 miles"), same_answer("(B)", "B) Oslo")
        (True, False, True)
    """
    return groups([left, right], question, equal_expressions) == [0, 0]
