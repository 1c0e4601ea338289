"""The former place of `search.common_prefix`."""

from __future__ import annotations

from uniscale_integrations.deprecation import former_module

__getattr__ = former_module(__name__, "uniscale_integrations.search.common_prefix", {"Agreed": "CommonPrefix"})
