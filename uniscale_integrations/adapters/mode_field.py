"""The `mode` of a framework's model, which pydantic checks and writes as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainSerializer

from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.targets import Mode, Target


def _record(mode: object) -> object:
    return mode.record() if isinstance(mode, Objective | Target) else mode


ModeField = Annotated[Mode | Mapping[str, Any] | None, PlainSerializer(_record, when_used="json")]
"""The name of a mode, three weights, an objective or a target; in JSON what `record` gives of those."""
