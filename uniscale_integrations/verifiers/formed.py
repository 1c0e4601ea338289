"""The former place of `verifiers.format_gate`."""

from __future__ import annotations

from uniscale_integrations.deprecation import former_module

__getattr__ = former_module(__name__, "uniscale_integrations.verifiers.format_gate", {"Formed": "FormatGate"})
