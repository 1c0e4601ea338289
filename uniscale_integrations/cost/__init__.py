"""Cost of a request: what models use, what hardware makes of it, and the ledger that adds it up.

Measuring a machine lives in `uniscale_integrations.cost.calibrate`, the only module here that imports torch, when it is called.
"""

from __future__ import annotations

from uniscale_integrations.cost.eflops import Share, decode_usage, forward_usage, row_usages, tokens_usage
from uniscale_integrations.cost.hardware import PROFILES, HardwareProfile, calibration_path, profile
from uniscale_integrations.cost.ledger import Charge, Ledger
from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.cost.price import Price
from uniscale_integrations.cost.shape import ModelShape
from uniscale_integrations.cost.usage import NOTHING, Usage

__all__ = [
    "NOTHING",
    "PROFILES",
    "Charge",
    "CostScale",
    "HardwareProfile",
    "Ledger",
    "ModelShape",
    "Price",
    "Share",
    "Usage",
    "calibration_path",
    "decode_usage",
    "forward_usage",
    "profile",
    "row_usages",
    "tokens_usage",
]
