"""Which models an engine chooses from, and what is told of them."""

from __future__ import annotations

import pytest

from benchmarks.instant import InstantGenerator
from uniscale_integrations.engine.model_registry import loaded
from uniscale_integrations.errors import ConfigurationError


@pytest.mark.parametrize("model", ["uniscale-0.3m", InstantGenerator()], ids=["a local model", "a generator"])
def test_a_price_is_never_dropped(model: str | InstantGenerator) -> None:
    name = model if isinstance(model, str) else model.name
    with pytest.raises(ConfigurationError, match=f"a price of '{name}', which counts its own cost in eFLOPs"):
        loaded([model], {name: (1.0, 2.0)})
    with pytest.raises(ConfigurationError, match=f"a price of 'another', but the models are {name}"):
        loaded([model], {"another": (1.0, 2.0)})
