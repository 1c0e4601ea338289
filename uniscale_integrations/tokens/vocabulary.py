"""Vocabularies of tiktoken, from files that are on disk already; nothing is ever fetched.

tiktoken downloads a vocabulary that its cache lacks, and may hang where there is no network. Here a vocabulary is used only if its file
is in tiktoken's cache (`TIKTOKEN_CACHE_DIR`, `DATA_GYM_CACHE_DIR`, or its default in the temporary directory) or among those that
llama-index-core ships. Neither the environment nor tiktoken itself is changed.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import sha1, sha256
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from uniscale_integrations.concurrency.forks import ForkLock

if TYPE_CHECKING:
    from tiktoken import Encoding

O200K, CL100K = "o200k_base", "cl100k_base"

_CL100K = re.compile(r"gpt-?4(?![o.\d])|gpt-?3|text-embedding|davinci-002|babbage-002|llama-?3")
"""Models of the older vocabulary: GPT-4 before GPT-4o, GPT-3.5, embeddings; Llama 3's extends it."""

_log = logging.getLogger(__name__)


@lru_cache(maxsize=1024)
def vocabulary_of(model_name: str) -> str:
    """The vocabulary by which a model's tokens are counted: its own where tiktoken knows it, otherwise the nearest.

    Providers other than OpenAI publish no vocabulary that could be counted by offline. "o200k_base" is nearest to what models of
    200,000 tokens and more have, since it is as short in Chinese, Arabic and Russian as theirs.

    Args:
        model_name: with or without a provider before it.

    Example:
        >>> [vocabulary_of(name) for name in ("gpt-5-mini", "openai:gpt-4o", "azure/gpt-4-32k", "gpt-3.5-turbo", "claude-sonnet-4-5")]
        ['o200k_base', 'o200k_base', 'cl100k_base', 'cl100k_base', 'o200k_base']
    """
    name = model_name.lower()
    return CL100K if _CL100K.search(name) else O200K


def cache_directories() -> list[Path]:
    """Where files of vocabularies may be, in the order in which they are looked for."""
    names = [os.environ.get("TIKTOKEN_CACHE_DIR"), os.environ.get("DATA_GYM_CACHE_DIR")]
    directories = [Path(name) for name in names if name]
    directories.append(Path(tempfile.gettempdir()) / "data-gym-cache")
    try:
        # Finds the folder without importing what is in it.
        spec = find_spec("llama_index.core")
    except (ImportError, ValueError):
        spec = None
    if spec is not None:
        directories += [Path(place) / "_static" / "tiktoken_cache" for place in spec.submodule_search_locations or ()]
    return directories


class Vocabularies:
    """Vocabularies that are loaded once a process, in the background.

    Loading takes .4 to .9 s of one core and 40 to 70 MB; the last third of it holds the interpreter, so that it is best begun before the
    first request. A process that was forked meanwhile begins anew.

    Args:
        directories: where files may be.

    Example:
        >>> Vocabularies(lambda: []).load("o200k_base") is None
        True
    """

    def __init__(self, directories: Callable[[], Iterable[Path]] = cache_directories) -> None:
        self._directories = directories
        self._loaded: dict[str, Encoding | None] = {}
        self._threads: dict[str, Thread] = {}
        self._lock = ForkLock()

    def get(self, name: str) -> Encoding | None:
        """The vocabulary if it is loaded; waits for nothing and begins nothing."""
        return self._loaded.get(name)

    def prepare(self, *names: str) -> None:
        """Begin to load vocabularies in the background, those that are neither loaded nor being loaded."""
        for name in names:
            with self._lock:
                thread = self._threads.get(name)
                if name in self._loaded or (thread is not None and thread.is_alive()):
                    continue
                thread = self._threads[name] = Thread(target=self._load, args=(name,), name=f"load {name}", daemon=True)
                thread.start()

    def load(self, name: str) -> Encoding | None:
        """The vocabulary, loaded now if it is not yet; `None` where its file is not on disk, or tiktoken is not installed."""
        self.prepare(name)
        thread = self._threads.get(name)
        if thread is not None:
            thread.join()
        return self._loaded.get(name)

    def _load(self, name: str) -> None:
        try:
            self._loaded[name] = _encoding(name, list(self._directories()))
        except (ImportError, OSError, KeyError, AttributeError, TypeError, ValueError) as error:
            # No tiktoken, no file, or a tiktoken that is laid out in another way.
            self._loaded[name] = None
            _log.info("tokens are estimated, since the vocabulary %s cannot be read from disk: %s", name, error)


def _encoding(name: str, directories: Sequence[Path]) -> Encoding:
    """A vocabulary made by tiktoken's own constructor, which is given another function to read files with."""
    registry = sys.modules.get("tiktoken.registry")
    if registry is not None and name in registry.ENCODINGS:
        # The application has loaded it.
        return cast("Encoding", registry.ENCODINGS[name])
    from tiktoken import Encoding
    from tiktoken_ext import openai_public

    def ranks(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
        return _ranks(_file(url, expected_hash, directories))

    constructor = cast(Any, openai_public.ENCODING_CONSTRUCTORS[name])
    # The constructor's own globals have the function that downloads.
    offline = FunctionType(constructor.__code__, {**constructor.__globals__, "load_tiktoken_bpe": ranks})
    return Encoding(**offline())


def _file(url: str, expected_hash: str | None, directories: Sequence[Path]) -> bytes:
    key = sha1(url.encode(), usedforsecurity=False).hexdigest()
    for directory in directories:
        path = directory / key
        if path.is_file():
            data = path.read_bytes()
            if expected_hash is None or sha256(data).hexdigest() == expected_hash:
                return data
    raise FileNotFoundError(f"there is no file of {url} in {', '.join(map(str, directories)) or 'no folder'}")


def _ranks(data: bytes) -> dict[bytes, int]:
    return {b64decode(token): int(rank) for token, rank in map(bytes.split, data.splitlines()) if token}


VOCABULARIES = Vocabularies()
"""Those of this process."""
