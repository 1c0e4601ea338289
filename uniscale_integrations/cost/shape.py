"""The few numbers of a language model that its cost depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from uniscale_integrations.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What a decoder-only language model is made of, as far as one forward pass costs anything.

    Attributes:
        parameters: all weights, each counted once.
        lookup_parameters: those of them that are looked up and never multiplied: an input embedding that is not also the output
            head. Zero with tied embeddings, where the head's multiplication uses the same matrix.
        layers: decoder layers.
        hidden: width of the residual stream.
        heads: query heads per layer.
        kv_heads: key-value heads per layer, fewer than `heads` with grouped queries.
        head_dim: width of one head.
        vocabulary: tokens that the head tells apart.
        bytes_per_weight: bytes that one weight takes in memory (2 for bfloat16, 0.5 for four-bit weights).
        bytes_per_kv: bytes that one number of the key-value cache takes.
        active_parameters: weights that one token passes through, lookups included, where that is less than `parameters`
            (a mixture of experts); `None` where it is all of them.

    Raises:
        ConfigurationError: a number that no model can have; the message names it.

    Example:
        >>> shape = ModelShape(
        ...     parameters=1_000_000, lookup_parameters=100_000, layers=4, hidden=128, heads=4, kv_heads=2, head_dim=32,
        ...     vocabulary=781, bytes_per_weight=4, bytes_per_kv=4,
        ... )
        >>> shape.matmul_parameters, shape.weight_bytes, shape.kv_bytes
        (900000, 3600000.0, 2048.0)
    """

    parameters: int
    lookup_parameters: int
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    bytes_per_weight: float
    bytes_per_kv: float
    active_parameters: int | None = None

    def __post_init__(self) -> None:
        for name in ("parameters", "layers", "hidden", "heads", "kv_heads", "head_dim", "vocabulary"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"{name} of a model shape must be a whole number of at least 1, got {value!r}")
        for name in ("bytes_per_weight", "bytes_per_kv"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigurationError(f"{name} of a model shape must be a number of bytes above 0, got {value!r}")
        if self.active_parameters is not None and not 0 < self.active_parameters <= self.parameters:
            raise ConfigurationError(
                f"active_parameters must be between 1 and the {self.parameters} there are, got {self.active_parameters!r}"
            )
        if self.lookup_parameters < 0 or self.matmul_parameters < 1:
            raise ConfigurationError(
                f"lookup_parameters must be at least 0 and leave weights to multiply with, got {self.lookup_parameters!r} of "
                f"{self.active_parameters or self.parameters} active parameters; tied embeddings have 0"
            )

    @property
    def matmul_parameters(self) -> int:
        """Weights that every token is multiplied with."""
        return (self.parameters if self.active_parameters is None else self.active_parameters) - self.lookup_parameters

    @property
    def weight_bytes(self) -> float:
        """Bytes of weights that one pass reads; a lookup reads one row of its table, which is nothing next to them."""
        return float(self.bytes_per_weight * self.matmul_parameters)

    @property
    def kv_bytes(self) -> float:
        """Bytes of key-value cache per token: a key and a value of every key-value head in every layer."""
        return float(2 * self.layers * self.kv_heads * self.head_dim * self.bytes_per_kv)

    @property
    def attention_flops(self) -> float:
        """FLOPs per pair of a new token and a token it sees: a query-key product and a weighted value, each 2 per number."""
        return float(4 * self.layers * self.heads * self.head_dim)

    @classmethod
    def from_config(
        cls,
        config: object,
        *,
        parameters: int,
        bytes_per_weight: float,
        bytes_per_kv: float | None = None,
        active_parameters: int | None = None,
        language_head: bool = True,
    ) -> ModelShape:
        """Read the shape from a `transformers` configuration, or from anything with attributes of the same names.

        Args:
            config: the model's configuration; of a multimodal one the `text_config` is read.
            parameters: all weights, each counted once (`model.num_parameters()`); a configuration does not say.
            bytes_per_weight: bytes of one weight.
            bytes_per_kv: bytes of one number in the cache; by default those of a weight, but at least 2, because a cache stays at
                16 bits when weights are quantised further.
            active_parameters: of a mixture of experts; by default worked out from the experts in the configuration.
            language_head: whether the model ends in a head over the vocabulary. False for a verifier whose head scores tokens:
                its embedding is only ever looked up, whatever the configuration says about tying.

        Raises:
            ConfigurationError: a number the configuration does not hold; the message lists the names that were tried.

        Example:
            >>> from types import SimpleNamespace
            >>> config = SimpleNamespace(
            ...     num_hidden_layers=2, hidden_size=64, num_attention_heads=4, vocab_size=100, tie_word_embeddings=False
            ... )
            >>> shape = ModelShape.from_config(config, parameters=90_000, bytes_per_weight=2)
            >>> shape.kv_heads, shape.head_dim, shape.lookup_parameters
            (4, 16, 6400)
        """
        config = getattr(config, "text_config", None) or config
        hidden = _read(config, "hidden_size", "n_embd", "d_model", "dim")
        heads = _read(config, "num_attention_heads", "n_head", "n_heads")
        layers = _read(config, "num_hidden_layers", "n_layer", "num_layers", "n_layers")
        vocabulary = _read(config, "vocab_size")
        tied_embeddings = language_head and bool(getattr(config, "tie_word_embeddings", False))
        if active_parameters is None:
            active_parameters = _active_parameters(config, parameters, layers, hidden)
        return cls(
            parameters=parameters,
            lookup_parameters=0 if tied_embeddings else vocabulary * hidden,
            layers=layers,
            hidden=hidden,
            heads=heads,
            kv_heads=_read(config, "num_key_value_heads", "num_kv_heads", default=heads),
            head_dim=_read(config, "head_dim", default=hidden // heads),
            vocabulary=vocabulary,
            bytes_per_weight=bytes_per_weight,
            bytes_per_kv=max(2.0, bytes_per_weight) if bytes_per_kv is None else bytes_per_kv,
            active_parameters=active_parameters,
        )


def _active_parameters(config: object, parameters: int, layers: int, hidden: int) -> int | None:
    """Weights on one token's way through a mixture of experts: all but the experts it is not sent to, of three matrices each."""
    experts = _read(config, "num_local_experts", "num_experts", "n_routed_experts", default=0)
    active = _read(config, "num_experts_per_tok", default=experts)
    if experts <= active:
        return None
    width = _read(config, "moe_intermediate_size", "intermediate_size")
    sparse_layers = layers - _read(config, "first_k_dense_replace", default=0)
    return parameters - sparse_layers * (experts - active) * 3 * hidden * width


def _read(config: object, *names: str, default: int | None = None) -> int:
    for name in names:
        value = getattr(config, name, None)
        if value is not None:
            return int(value)
    if default is None:
        raise ConfigurationError(
            f"{type(config).__name__} has no {' or '.join(names)}; build the ModelShape from its numbers instead of from_config"
        )
    return default
