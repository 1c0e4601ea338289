"""Vocabularies come from disk or not at all."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from threading import get_ident, main_thread
from typing import Any

import pytest
import tiktoken.model

from uniscale_integrations.tokens.vocabulary import CL100K, O200K, Vocabularies, cache_directories, vocabulary_of


def test_the_vocabulary_of_a_model_is_tiktoken_s_where_that_knows_it() -> None:
    table = {
        **tiktoken.model.MODEL_TO_ENCODING,
        **{f"{name}x": kind for name, kind in tiktoken.model.MODEL_PREFIX_TO_ENCODING.items()},
    }
    known = {name: kind for name, kind in table.items() if kind in (O200K, CL100K)}
    assert len(known) > 20
    assert {name: vocabulary_of(name) for name in known} == known
    assert {vocabulary_of(f"openai:{name}") for name, kind in known.items() if kind == CL100K} == {CL100K}
    assert {vocabulary_of(name) for name in ("gpt-oss-120b", "claude-sonnet-4-5", "gemini-2.5-pro", "qwen3-8b", "")} == {O200K}


def test_it_is_loaded_in_the_background_without_the_network_or_a_change_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something was to be fetched")

    threads: list[int] = []

    def directories() -> list[Path]:
        threads.append(get_ident())
        return cache_directories()

    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = dict(os.environ)
    vocabularies = Vocabularies(directories)
    assert vocabularies.get(O200K) is None, "asking begins nothing"
    vocabularies.prepare(O200K)
    encoding = vocabularies.load(O200K)
    assert encoding is not None
    assert encoding.decode(encoding.encode_ordinary("Grüße, 世界!")) == "Grüße, 世界!"
    assert vocabularies.get(O200K) is encoding
    assert len(threads) == 1
    assert threads[0] != main_thread().ident
    assert dict(os.environ) == before


@pytest.mark.parametrize("content", [None, b"", b"not what was expected"])
def test_a_file_that_is_missing_or_another_one_is_not_used_and_not_touched(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790"
    if content is not None:
        file.write_bytes(content)
    with caplog.at_level("INFO"):
        assert Vocabularies(lambda: [tmp_path]).load(O200K) is None
    assert "tokens are estimated" in caplog.text
    assert not file.exists() if content is None else file.read_bytes() == content


def test_tiktoken_s_own_cache_is_looked_into_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert cache_directories()[0] == tmp_path
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert tmp_path not in cache_directories()
