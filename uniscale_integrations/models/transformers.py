"""The place of `models.local.transformers` before; its names are found there."""

from __future__ import annotations

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    from uniscale_integrations.models.local import transformers

    warnings.warn(
        "uniscale_integrations.models.transformers is now uniscale_integrations.models.local.transformers",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(transformers, name)
