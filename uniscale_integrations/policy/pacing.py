"""The former place of `policy.request_pacing`."""

from __future__ import annotations

from uniscale_integrations.deprecation import former_module

__getattr__ = former_module(__name__, "uniscale_integrations.policy.request_pacing")
