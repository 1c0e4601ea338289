"""Embedding models of either framework, and how close to each other they say that texts are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from uniscale_integrations.concurrency.threads import in_thread
from uniscale_integrations.errors import ConfigurationError, VerifierError

MAX_LENGTH = 20_000
"""Characters of a text that are embedded, about as much as embedding models take."""

Vectors = Sequence[Sequence[float]]

Embed = Callable[[Sequence[str]], Awaitable[Vectors]]
"""The vector of each text."""


def embedder(model: object) -> Embed:
    """What embeds texts by an `Embeddings` of LangChain or a `BaseEmbedding` of LlamaIndex.

    Raises:
        ConfigurationError: it is neither.
    """
    for name in ("embed_documents", "get_text_embedding_batch"):
        method = getattr(model, name, None)
        if callable(method):
            return partial(_embed, method)
    raise ConfigurationError(
        f"similarity must be an embedding model, Embeddings of LangChain or BaseEmbedding of LlamaIndex, got {model!r:.60}"
    )


async def _embed(method: Callable[[list[str]], Vectors], texts: Sequence[str]) -> Vectors:
    # Not every model has asynchronous methods of its own; those that all have hold up the event loop in one of the frameworks.
    return await in_thread(lambda: method([text[:MAX_LENGTH] for text in texts]))


def cosines(vectors: Vectors, count: int) -> list[list[float]]:
    """The cosine between any two vectors; 0 where it is negative, or a vector is nothing.

    Args:
        vectors: all of one length.
        count: how many there must be.

    Raises:
        VerifierError: they are others than that, or not finite.

    Example:
        >>> cosines([[3.0, 4.0], [3.0, 4.0], [-4.0, 3.0]], 3)
        [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    import numpy as np

    try:
        matrix = np.asarray(vectors, dtype=float)
    except ValueError as error:
        raise VerifierError(f"the vectors of an embedding model must be numbers, all as many: {error}") from error
    if matrix.ndim != 2 or len(matrix) != count or not np.isfinite(matrix).all():
        raise VerifierError(f"an embedding model must give {count} finite vectors, it gave values of the shape {matrix.shape}")
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit = matrix / np.where(lengths > 0, lengths, 1.0)
    result: list[list[float]] = np.clip((unit @ unit.T).round(12), 0.0, 1.0).tolist()
    return result
