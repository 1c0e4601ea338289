"""A rule that recomputes the arithmetic a step claims."""

from __future__ import annotations

from uniscale_integrations.answers.mathematics import equal_mathematics, math_verify, numeric_value
from uniscale_integrations.errors import MissingExtraError
from uniscale_integrations.verifiers.equalities import Equality, claimed_equalities
from uniscale_integrations.verifiers.rules import CallableVerifier


class MathVerifier(CallableVerifier):
    """0 for a step that claims a false equality such as "3 + 4 = 8", 1 for a step whose claims all hold.

    It reads the steps and nothing else; it never sees a reference answer. A step that claims nothing, or nothing that can be
    recomputed for sure (unknowns, units inside the expression, remainders), is not judged. A result with decimals may be rounded:
    "17 / 3 = 5.67" holds, "17 / 3 = 6" does not. A claim takes a few milliseconds of the event loop.

    Raises:
        MissingExtraError: math-verify is not installed.

    Example:
        >>> import asyncio
        >>> from uniscale_integrations.search.paths import Candidate, Path, PathKey
        >>> candidate = Candidate(("3 + 4 = 7, times 2 is more", "7 * 2 = 15", "I am done"), final=True)
        >>> asyncio.run(MathVerifier().open("What is (3 + 4) * 2?").score([(Path(PathKey(0, ())), candidate)]))[0][0]
        (1.0, 0.0, 1.0)
    """

    def __init__(self, *, name: str = "math") -> None:
        if math_verify() is None:
            raise MissingExtraError("MathVerifier", "rules")
        super().__init__(lambda question, path_text, step: judge_arithmetic(step), name=name)


def judge_arithmetic(step: str) -> float | None:
    """1 where all equalities claimed in the step hold, 0 where one is false, `None` where none is claimed or can be told.

    >>> [judge_arithmetic(step) for step in ("so 17 / 3 = 5.67", "3 + 4 = 7, 7 + 1 = 9", "Let x + 1 = 3")]
    [1.0, 0.0, None]
    """
    verdicts = [holds for holds in map(_holds, claimed_equalities(step)) if holds is not None]
    return float(all(verdicts)) if verdicts else None


def _holds(claim: Equality) -> bool | None:
    equal = equal_mathematics(claim.left, claim.right)
    return _rounded(claim) if equal is False else equal


def _rounded(claim: Equality) -> bool:
    """Whether the right side is a decimal number that the left side rounds to."""
    decimals = claim.right.partition(".")[2]
    value, stated = numeric_value(claim.left), numeric_value(claim.right)
    if not decimals.isdigit() or value is None or stated is None:
        return False
    return abs(value - stated) <= 0.5 * 10.0 ** -len(decimals) * (1 + 1e-9)
