"""`UniScale`: decides a configuration for each request, runs it, logs it, and learns from feedback that comes later."""

from uniscale_integrations.engine.known_prices import Prices
from uniscale_integrations.engine.model_registry import Model
from uniscale_integrations.engine.uniscale import UniScale

__all__ = ["Model", "Prices", "UniScale"]
