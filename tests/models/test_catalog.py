"""Models by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaForTokenClassification

from tests.tiny import CONFIGS, causal, save, tokenizer
from uniscale_integrations.errors import GenerationError, UnknownModelError
from uniscale_integrations.models.catalog import PRM, family, language_models, load_model, locate
from uniscale_integrations.models.task import FAMILY_TASK, Task
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.segmenter import Lines


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def folder(tmp_path: Path, name: str = "qwen-2.5") -> Path:
    words = tokenizer()
    return save(causal("llama", len(words)), words, tmp_path / name)


def test_the_embedded_family_is_listed_smallest_first() -> None:
    assert list(family()) == ["uniscale-0.3m", "uniscale-1m", "uniscale-3m", PRM]
    assert language_models() == ("uniscale-0.3m", "uniscale-1m", "uniscale-3m")
    sizes = [family()[name].parameters for name in language_models()]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("name", ["uniscale-0.3m", "uniscale-1m", "uniscale-3m"])
def test_an_embedded_model_loads_by_name(name: str) -> None:
    model = load_model(name)
    assert (model.name, model.task) == (name, FAMILY_TASK)
    assert model.shape.parameters == family()[name].parameters


def test_a_folder_loads_under_its_own_name(tmp_path: Path) -> None:
    model = load_model(str(folder(tmp_path)))
    assert model.name == "qwen-2.5"
    assert model.task == Task()
    assert model.model.dtype == torch.float32


def test_instruction_delimiter_and_final_step_belong_to_a_task_that_may_be_named(tmp_path: Path) -> None:
    model = load_model(str(folder(tmp_path)), instruction="be brief.", delimiter=". ", final_step="^So ")
    assert model.task == Task("be brief.", Lines(". "), "^So ")
    assert model.tokenizer.decode(model.open("1 + 2?", Sampling()).question.tokens) == "1 + 2?\n\nbe brief.\n"
    assert load_model("uniscale-0.3m", instruction="be brief.").task == replace(FAMILY_TASK, instruction="be brief.")


def test_a_folder_in_the_home_directory_may_be_named_by_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_model("~/qwen-2.5").name == "qwen-2.5"


@pytest.mark.parametrize("name", ["uniscale-7b", "", "a/b/c", "./nowhere", "/no/where"])
def test_an_unknown_name_lists_what_there_is(name: str) -> None:
    with pytest.raises(
        UnknownModelError, match=r"no model .*embedded are uniscale-0\.3m.*a model folder, a \.gguf file or a hub name"
    ):
        load_model(name)


@pytest.mark.usefixtures("offline")
def test_a_hub_name_that_cannot_be_reached_says_what_else_there_is() -> None:
    with pytest.raises(UnknownModelError, match=r"'nobody/nothing' could not be loaded .*embedded are uniscale-0\.3m"):
        load_model("nobody/nothing")
    assert locate("nobody/nothing") == "nobody/nothing"


def test_a_missing_gguf_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match=r"no GGUF file at .*lost\.gguf"):
        load_model(str(tmp_path / "lost.gguf"))


def test_a_folder_without_weights_says_what_it_holds(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "model.safetensors").unlink()
    with pytest.raises(UnknownModelError, match=r"needs config\.json and \*\.safetensors, and holds .*config\.json"):
        load_model(str(path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnknownModelError, match="holds nothing"):
        load_model(str(tmp_path / "empty"))


def test_a_folder_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    path = folder(tmp_path)
    for file in path.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(UnknownModelError, match="could not be loaded"):
        load_model(str(path))


@pytest.mark.parametrize("cut", [10, 3000])
def test_damaged_weights_are_an_error_that_names_the_model(tmp_path: Path, cut: int) -> None:
    path = folder(tmp_path)
    weights = path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:cut])
    with pytest.raises(UnknownModelError, match=r"qwen-2\.5' could not be loaded"):
        load_model(str(path))


def test_a_model_whose_head_is_missing_is_refused_instead_of_given_a_random_one(tmp_path: Path) -> None:
    words = tokenizer()
    path = save(LlamaForTokenClassification(CONFIGS["llama"](len(words), 64)), words, tmp_path / "scorer")
    with pytest.raises(UnknownModelError, match=r"not a LlamaForCausalLM: its weights lack lm_head\.weight"):
        load_model(str(path))


def test_the_embedded_reward_model_is_not_a_language_model() -> None:
    with pytest.raises(
        UnknownModelError, match=r"uniscale-prm is a process reward model; embedded language models are uniscale-0\.3m"
    ):
        load_model(PRM)


def test_a_recurrent_model_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    from transformers import MambaConfig, MambaForCausalLM

    words = tokenizer()
    model = MambaForCausalLM(MambaConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=1, state_size=4))
    with pytest.raises(GenerationError, match="use a model with attention alone"):
        load_model(str(save(model, words, tmp_path / "mamba")))
