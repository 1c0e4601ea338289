"""The former place of `replay.upper_bounds`."""

from __future__ import annotations

from uniscale_integrations.deprecation import former_module

__getattr__ = former_module(__name__, "uniscale_integrations.replay.upper_bounds")
