"""What an answer says."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Value:
    """What an answer says.

    Attributes:
        kind: of what sort it is.
        key: what all that say the same share.
        unit: what it is measured in, or the name that it has; empty for neither.
        bare: keys, of answers of its kind without a unit, that say the same where nothing else does.
        expression: in LaTeX, where only algebra can tell what else is the same.
    """

    kind: str
    key: Hashable
    unit: str = ""
    bare: tuple[Hashable, ...] = ()
    expression: str = field(default="", compare=False)
