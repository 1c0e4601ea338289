"""Choose the model and the amount of test-time search for every request, and learn from feedback (UniScale, arXiv 2605.30898).

Public names load on first use: importing this package imports no framework, no torch and no numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uniscale_integrations.engine import Model, UniScale
    from uniscale_integrations.errors import UniScaleError
    from uniscale_integrations.langchain import UniScaleChatModel
    from uniscale_integrations.llama_index import UniScaleLLM
    from uniscale_integrations.log.silence import Silence
    from uniscale_integrations.models.catalog import load_model
    from uniscale_integrations.policy.linucb import LinUCB
    from uniscale_integrations.policy.objective import Value, Weights
    from uniscale_integrations.policy.targets import AtLeast, Within
    from uniscale_integrations.search.budget import Budget
    from uniscale_integrations.search.ports import Sampling
    from uniscale_integrations.search.request import Request
    from uniscale_integrations.search.run import arun, run
    from uniscale_integrations.search.votes import VoteRule
    from uniscale_integrations.space import Configuration, ConfigurationSpace
    from uniscale_integrations.verifiers.load import load_prm

__version__ = "0.1.0"

__all__ = [
    "AtLeast",
    "Budget",
    "Configuration",
    "ConfigurationSpace",
    "LinUCB",
    "Model",
    "Request",
    "Sampling",
    "Silence",
    "UniScale",
    "UniScaleChatModel",
    "UniScaleError",
    "UniScaleLLM",
    "Value",
    "VoteRule",
    "Weights",
    "Within",
    "__version__",
    "arun",
    "load_model",
    "load_prm",
    "run",
]

_MODULES = {
    "AtLeast": "uniscale_integrations.policy.targets",
    "Budget": "uniscale_integrations.search.budget",
    "Configuration": "uniscale_integrations.space",
    "ConfigurationSpace": "uniscale_integrations.space",
    "LinUCB": "uniscale_integrations.policy.linucb",
    "Model": "uniscale_integrations.engine",
    "Request": "uniscale_integrations.search.request",
    "Sampling": "uniscale_integrations.search.ports",
    "Silence": "uniscale_integrations.log.silence",
    "UniScale": "uniscale_integrations.engine",
    "UniScaleChatModel": "uniscale_integrations.langchain",
    "UniScaleError": "uniscale_integrations.errors",
    "UniScaleLLM": "uniscale_integrations.llama_index",
    "Value": "uniscale_integrations.policy.objective",
    "VoteRule": "uniscale_integrations.search.votes",
    "Weights": "uniscale_integrations.policy.objective",
    "Within": "uniscale_integrations.policy.targets",
    "arun": "uniscale_integrations.search.run",
    "load_model": "uniscale_integrations.models.catalog",
    "load_prm": "uniscale_integrations.verifiers.load",
    "run": "uniscale_integrations.search.run",
}

_LOCAL = {"accelerate", "gguf", "huggingface_hub", "safetensors", "tokenizers", "torch", "transformers"}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(_MODULES[name])
    except ModuleNotFoundError as error:
        if error.name not in _LOCAL:
            raise
        from uniscale_integrations.errors import MissingExtraError

        raise MissingExtraError(f"{name} runs models in this process, which", "local") from error
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
