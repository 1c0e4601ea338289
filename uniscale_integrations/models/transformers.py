"""The place of `models.local.transformers` before; its class is found there."""

from __future__ import annotations

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    if name != "TransformersModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from uniscale_integrations.models.local.transformers import TransformersModel

    warnings.warn(f"{__name__} is now {TransformersModel.__module__}", DeprecationWarning, stacklevel=2)
    return TransformersModel
