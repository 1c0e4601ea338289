"""The former place of `models.local.transformers`."""

from __future__ import annotations

from uniscale_integrations.deprecation import former_module

__getattr__ = former_module(__name__, "uniscale_integrations.models.local.transformers")
