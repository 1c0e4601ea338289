"""The door that every score passes: poisoned values are refused here, with their name, before they reach a search or a policy."""

from __future__ import annotations

from uniscale_integrations.errors import VerifierError


def check_scores(verifier_name: str, steps: tuple[str, ...], scores: tuple[float, ...], upper: float) -> tuple[float, ...]:
    """Return the scores as they are if each step has one and each is a number in [0, upper], with upper at most 1.

    Args:
        verifier_name: who gave them, for the message.
        steps: the steps that were scored.
        scores: one per step.
        upper: `v_sup`, the greatest score that the verifier says it gives; early stopping relies on it.

    Raises:
        VerifierError: a score is missing, surplus, not a number, NaN, infinite or out of range.

    Example:
        >>> check_scores("judge", ("3 + 4 = 7",), (0.75,), upper=1.0)
        (0.75,)
        >>> check_scores("judge", ("3 + 4 = 7",), (7.5,), upper=1.0)
        Traceback (most recent call last):
        uniscale_integrations.errors.VerifierError: verifier 'judge' gave 7.5 to step 1 of 1, '3 + 4 = 7'; a score is a number in [0, 1]
    """
    try:
        if len(scores) == len(steps):
            for score in scores:
                # A NaN compares false, so this refuses it too.
                if not 0.0 <= score <= upper <= 1.0:
                    break
            else:
                return scores if type(scores) is tuple else tuple(scores)
    except (TypeError, ValueError):
        pass
    raise VerifierError(_complaint(verifier_name, steps, scores, upper))


def _complaint(name: str, steps: tuple[str, ...], scores: tuple[float, ...], upper: float) -> str:
    if not _within(upper, 1.0):
        return f"verifier {name!r} says that its greatest score, `upper`, is {upper!r}; it must be a number in [0, 1]"
    if not isinstance(scores, (tuple, list)):
        return f"verifier {name!r} gave {scores!r} for {len(steps)} steps; give a tuple with one score in [0, 1] per step"
    if len(scores) != len(steps):
        return f"verifier {name!r} gave {len(scores)} scores for {len(steps)} steps, {scores!r}; give one score per step"
    position, score = next((place, value) for place, value in enumerate(scores) if not _within(value, upper))
    where = f"verifier {name!r} gave {score!r} to step {position + 1} of {len(steps)}, {_short(steps[position])!r}"
    if _within(score, 1.0):
        return f"{where}; that is more than its own `upper`, {upper!r}, which early stopping relies on: raise `upper`"
    return f"{where}; a score is a number in [0, {upper:g}]"


def _within(value: object, upper: float) -> bool:
    return isinstance(value, (int, float)) and 0.0 <= value <= upper


def _short(step: str) -> str:
    step = step.strip()
    return step if len(step) <= 80 else f"{step[:77]}..."
