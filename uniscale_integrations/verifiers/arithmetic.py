"""A rule that recomputes the arithmetic a step claims."""

from __future__ import annotations

import re

from uniscale_integrations.answers import mathematics
from uniscale_integrations.answers.arithmetic import value_of
from uniscale_integrations.answers.mathematics import rounds
from uniscale_integrations.concurrency.processes import in_process
from uniscale_integrations.concurrency.threads import read_aside
from uniscale_integrations.verifiers.equalities import Equality, claimed_equalities
from uniscale_integrations.verifiers.rules import SECONDS, CallableVerifier

MAX_LENGTH = 6_000
"""Characters at the end of a step in which claims are looked for."""

MAX_CLAIMS = 200
"""Of a step, which are recomputed: a text that claims more is no calculation."""


class MathVerifier(CallableVerifier):
    """0 for a step that claims a false equality such as "3 + 4 = 8", 1 for a step whose claims all hold.

    It reads the steps and nothing else; it never sees a reference answer. A step that claims nothing, or nothing that can be
    recomputed for sure (unknowns, units inside the expression, remainders), is not judged. A result with decimals may be rounded:
    "17 / 3 = 5.67" holds, "17 / 3 = 6" does not.

    Numbers are computed exactly. What has no exact value that is small, as "2 ^ 0.5 = 1.41", is left to math-verify where it is installed
    (`pip install "uniscale-integrations[rules]"`), in a process of its own; a candidate that takes too long has no score.

    Example:
        >>> import asyncio
        >>> from uniscale_integrations.search.paths import Candidate, Path, PathKey
        >>> candidate = Candidate(("3 + 4 = 7, times 2 is more", "7 * 2 = 15", "I am done"), final=True)
        >>> asyncio.run(MathVerifier().open("What is (3 + 4) * 2?").score([(Path(PathKey(0, ())), candidate)]))[0][0]
        (1.0, 0.0, 1.0)
    """

    loop_free = True
    _in_processes = True

    def __init__(self, *, name: str = "math") -> None:
        super().__init__(lambda question, path_text, step: judge_arithmetic(step), name=name)


async def judge_arithmetic(step: str) -> float | None:
    """1 where all equalities claimed in the step hold, 0 where one is false, `None` where none is claimed or can be told.

    Raises:
        NotInTime: algebra had to be asked and took too long.

    >>> import asyncio
    >>> [asyncio.run(judge_arithmetic(step)) for step in ("so 17 / 3 = 5.67", "3 + 4 = 7, 7 + 1 = 9", "Let x + 1 = 3")]
    [1.0, 0.0, None]
    """
    claims, verdicts = await read_aside(_claims, step)
    if False in verdicts:
        return 0.0
    open_claims = [
        claim for claim, holds in zip(claims, verdicts, strict=True) if holds is None and all(map(mathematics.tame, claim))
    ]
    if open_claims:
        verdicts += await in_process(mathematics.__name__, "hold", open_claims, seconds=SECONDS)
    settled_verdicts = [holds for holds in verdicts if holds is not None]
    return float(all(settled_verdicts)) if settled_verdicts else None


def _claims(step: str) -> tuple[list[Equality], list[bool | None]]:
    claims = claimed_equalities(step[-MAX_LENGTH:])[:MAX_CLAIMS]
    return claims, [_holds(claim) for claim in claims]


def _holds(claim: Equality) -> bool | None:
    """Whether a claim holds, `None` where a side has no exact value that is small."""
    left, right = (value_of(_PERCENT.sub(r"(\1/100)", side)) for side in claim)
    if left is None or right is None:
        return None
    return left == right or rounds(left, right, claim.right)


_PERCENT = re.compile(r"([0-9.]+)\\?%")
