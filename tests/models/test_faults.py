"""Whose fault an error is, by its HTTP state."""

from __future__ import annotations

import pytest

from uniscale_integrations.models.faults import Fault, fault_of

OF_THE_MODEL = (401, 402, 403, 404, 405, 407, 408, 410, 429)
PASSING = (409, 423, 425)


class StateError(Exception):
    def __init__(self, status_code: int, text: str = "no") -> None:
        super().__init__(text)
        self.status_code = status_code


@pytest.mark.parametrize("state", range(400, 600))
def test_only_what_any_request_would_meet_rests_a_model(state: int) -> None:
    expected = Fault.MODEL if state >= 500 or state in OF_THE_MODEL else Fault.UNCLEAR if state in PASSING else Fault.REQUEST
    assert fault_of(StateError(state)) is expected


@pytest.mark.parametrize("state", [400, 413, 422])
def test_what_is_too_long_for_one_model_may_suit_another(state: int) -> None:
    assert fault_of(StateError(state, "This model's maximum context length is 8192 tokens.")) is Fault.CONTEXT
