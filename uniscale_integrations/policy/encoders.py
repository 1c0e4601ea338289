"""What a question looks like to the policy: by its text alone, by an embedding, or, as in the paper, together with each configuration.

An embedding has hundreds of dimensions, and a policy that learns from one answer at a time could not tell which of them matter. So it is
projected on few: how near a question is to the examples of each kind. Nothing is fitted, and every worker computes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.actions import ActionFeatures
from uniscale_integrations.policy.instruction import features_of_prompt, instruction
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.kinds import EXAMPLES, TextFeatures, memberships
from uniscale_integrations.policy.lexical import NAMES
from uniscale_integrations.policy.policy import Context
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.space import Configuration

Embed = Callable[[str], Sequence[float]]
"""Gives the embedding of a text."""


@runtime_checkable
class QueryEncoder(Protocol):
    """Turns a question into a few numbers, the first of which is 1."""

    @property
    def name(self) -> str:
        """Tells it from others. The log keeps it with every decision, and with it, once, the names of the features."""
        ...

    @property
    def schema(self) -> FeatureSchema:
        """Names of the features; what was learned with one encoder is of use to another as far as they share names."""
        ...

    def __call__(self, text: str) -> Array:
        """The features, shape (len(schema),)."""
        ...


class WithNumbers:
    """An encoder's features of a text, followed by numbers that do not come from it.

    Args:
        encode: the encoder.
        numbers: their names.
        what: the name of them all, with their version.
    """

    def __init__(self, encode: QueryEncoder, numbers: Sequence[str], what: str) -> None:
        self.name = f"{encode.name} {what}"
        self.schema = FeatureSchema((*encode.schema.names, *numbers), encode.schema.kinds)
        self._encode, self._none = encode, np.zeros(len(numbers))

    def __call__(self, text: str, numbers: Array | None = None) -> Array:
        """The features; the numbers are 0 by default."""
        return np.concatenate([self._encode(text), self._none if numbers is None else numbers])

    def context(self, text: str, numbers: Array, configurations: Sequence[Configuration]) -> Context:
        """What a policy sees of a request."""
        return Context(self(text, numbers))


class EmbeddedFeatures:
    """The features of `TextFeatures`, the kinds told by an embedding instead of by the text's surface.

    Args:
        embed: gives the embedding of a text; any length.
        name: of the embedding.

    Raises:
        ConfigurationError: embeddings that are not finite, or differ in length.

    Example:
        >>> by_length = EmbeddedFeatures(lambda text: [len(text), 1.0], "length")
        >>> by_length("What is 2 + 2?").shape
        (30,)
    """

    def __init__(self, embed: Embed, name: str) -> None:
        self.name = f"embedded-kinds-1 {name}"
        kinds = {kind: f"{kind} by {name}" for kind in EXAMPLES}
        # What a text says of itself is the same however its kind is told.
        self.schema = FeatureSchema((*NAMES, *kinds.values()), frozenset(kinds.values()))
        self._embed = embed
        self._examples = np.stack([self._direction(example) for examples in EXAMPLES.values() for example in examples])
        apart = self._distances(self._examples)
        np.fill_diagonal(apart, np.inf)
        # Examples of one kind and of the next lie about as far apart as neighbours do.
        self._softness = max(float(np.median(apart.min(axis=1))) / 2.0, 1e-9)

    def __call__(self, text: str) -> Array:
        # Of a long prompt only what it asks, which no embedding is too small for.
        distances = self._distances(self._direction(instruction(text))[None])[0]
        prompt, _ = features_of_prompt(text)
        return np.concatenate([prompt, memberships(distances, self._softness)])

    def _distances(self, directions: Array) -> Array:
        """Squared distances to the examples, shape (n, examples)."""
        squares: Array = np.maximum(2.0 - 2.0 * directions @ self._examples.T, 0.0)
        return squares

    def _direction(self, text: str) -> Array:
        vector = np.asarray(self._embed(text), dtype=np.float64).ravel()
        length = float(np.sqrt(vector @ vector))
        if not (0.0 < length < float("inf")):
            raise ConfigurationError(
                f"{self.name}: the embedding of {text[:40]!r} must be finite numbers, not all 0, got {vector!r:.80}"
            )
        return vector / length


def query_encoder(source: object = None) -> QueryEncoder:
    """What makes the features of questions.

    Args:
        source: `None` for the text alone; a name, folder or hub name of a transformer; a LangChain `Embeddings`; a LlamaIndex
            `BaseEmbedding`; or an encoder, which is given back.

    Raises:
        ConfigurationError: none of these.
        UnknownModelError: no transformer of that name.
        MissingExtraError: what runs transformers is not installed.
    """
    if source is None:
        return TextFeatures()
    if isinstance(source, str):
        from uniscale_integrations.models.embed import load_embedding

        return EmbeddedFeatures(load_embedding(source), source)
    if isinstance(source, QueryEncoder):
        return source
    if callable(source) and hasattr(source, "kinds") and hasattr(source, "name"):
        return _Anonymous(source)
    # By their methods, so that neither framework need be installed.
    for method in ("embed_query", "get_text_embedding"):
        embed = getattr(source, method, None)
        if embed is not None:
            return EmbeddedFeatures(embed, _name_of(source))
    requirement = "a transformer's name, a LangChain Embeddings, a LlamaIndex BaseEmbedding or an encoder"
    raise ConfigurationError(f"features must come from {requirement}, got {source!r:.80}")


class _Anonymous:
    """An encoder that says how many features there are and which are kinds, but not what they are called.

    Args:
        encode: has a `name`, `kinds` for each feature after the first, and is called with a text.
    """

    def __init__(self, encode: Any) -> None:
        self.name = encode.name
        names = ("bias", *(f"{encode.name} {number}" for number in range(1, len(encode.kinds) + 1)))
        kinds = frozenset(name for name, kind in zip(names[1:], encode.kinds, strict=True) if kind)
        self.schema, self._encode = FeatureSchema(names, kinds), encode

    def __call__(self, text: str) -> Array:
        return np.asarray(self._encode(text), dtype=np.float64)


def _name_of(source: Any) -> str:
    model = getattr(source, "model_name", None) or getattr(source, "model", None)
    return f"{type(source).__name__} {model}" if isinstance(model, str) else type(source).__name__


class RequestEncoder(Protocol):
    """Turns a request into what a policy sees of it."""

    @property
    def name(self) -> str:
        """As of `QueryEncoder`."""
        ...

    @property
    def schema(self) -> FeatureSchema:
        """Names of the features that are logged."""
        ...

    def context(self, text: str, numbers: Array, configurations: Sequence[Configuration]) -> Context:
        """What a policy sees: of the question's text, of the conversation's numbers, of the configurations."""
        ...


class ContextEncoder(Protocol):
    """Turns a question and configurations into the features of a plain `LinUCB`."""

    def __call__(self, query: str, configurations: Sequence[Configuration]) -> Array:
        """One row for each configuration, shape (K, d)."""
        ...


@dataclass(frozen=True, slots=True)
class ProductContext:
    """`x = a (x) q`: what is known of a configuration times what is known of a question.

    Attributes:
        queries: makes the features of questions.
        actions: makes those of configurations.

    Example:
        >>> encode = ProductContext(TextFeatures(), ActionFeatures({}))
        >>> encode("What is 2 + 2?", [Configuration("small"), Configuration("large")]).shape
        (2, 90)
    """

    queries: QueryEncoder
    actions: ActionFeatures

    def __call__(self, query: str, configurations: Sequence[Configuration]) -> Array:
        rows: Array = np.einsum("km,n->kmn", self.actions(configurations), self.queries(query)).reshape(len(configurations), -1)
        return rows


class JointContext:
    """The encoder of the paper: a transformer reads the question and the configuration as one text.

    It can tell a learner more than a product can, costs one embedding for every configuration, and needs a small ridge, since texts that
    differ in a number only lie close together. What all texts have in common is taken off.

    Args:
        embed: gives the embedding of a text, such as `load_embedding("uniscale-3m")`.
        name: of the embedding, under which the log keeps what was made of it.
    """

    def __init__(self, embed: Embed, name: str = "embedding") -> None:
        self.name = f"joint-1 {name}"
        self._embed = embed
        self._common = np.mean([self._read(example) for examples in EXAMPLES.values() for example in examples], axis=0)
        self.schema = FeatureSchema(tuple(f"{self.name} {number}" for number in range(len(self._common))))

    def context(self, text: str, numbers: Array, configurations: Sequence[Configuration]) -> Context:
        """What a policy sees of a request; the numbers of a conversation are no part of it."""
        rows = self(text, configurations)
        return Context(rows.mean(axis=0), rows)

    def __call__(self, query: str, configurations: Sequence[Configuration]) -> Array:
        rows = np.stack([self._read(self.text(query, each)) for each in configurations]) - self._common
        features: Array = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return features

    def text(self, query: str, configuration: Configuration) -> str:
        """What is read."""
        model, (qp, cp, bs) = configuration.model, configuration.shape
        return f"model {model}, {qp} searches, {cp} candidates a step, {bs} paths kept: {query}"

    def _read(self, text: str) -> Array:
        vector = np.asarray(self._embed(text), dtype=np.float64).ravel()
        if not np.isfinite(vector).all():
            raise ConfigurationError(f"the embedding of {text[:40]!r} holds a value that is not finite")
        return vector
