"""The former place of `policy.default_policy`."""

from __future__ import annotations

from uniscale_integrations.deprecation import former_module

__getattr__ = former_module(__name__, "uniscale_integrations.policy.default_policy")
