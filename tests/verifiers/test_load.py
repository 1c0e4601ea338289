"""Reward models by name, in the layouts in which they are published."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import LlamaForSequenceClassification, PreTrainedTokenizerFast, Qwen2ForTokenClassification, Qwen2Model
from transformers.models.auto.modeling_auto import AutoModelForTokenClassification

from tests.tiny import CONFIGS, SPECIAL, TEMPLATE, causal, metaspace_tokenizer, save, tokenizer
from uniscale_integrations.errors import UnknownModelError
from uniscale_integrations.search.paths import Candidate, PathKey
from uniscale_integrations.search.paths import Path as SearchPath
from uniscale_integrations.verifiers.load import load_prm
from uniscale_integrations.verifiers.prm import DECIMALS, PRMVerifier
from uniscale_integrations.verifiers.reward_heads import ClassificationHead, HiddenHead, TokenHead

ROUNDING = 0.5 * 10**-DECIMALS + 1e-4
STEPS = ("1 + 2 = 3\n", "Answer: 3\n")


def scores(prm: PRMVerifier, question: str = "1 + 2?", steps: tuple[str, ...] = STEPS) -> tuple[float, ...]:
    root = SearchPath(PathKey(0, ()))
    [(found, _)] = asyncio.run(prm.open(question).score([(root, Candidate(steps, True))]))
    assert found is not None
    return found


def unseparated() -> Any:
    """A tokenizer whose vocabulary has no separator of steps."""
    backend = tokenizer(whole_alphabet=True).backend_tokenizer
    plain = type(backend).from_str(backend.to_str().replace(SPECIAL[3], "<unused>"))
    return PreTrainedTokenizerFast(tokenizer_object=plain, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


def hidden(body: nn.Module, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        states: torch.Tensor = body(input_ids=torch.tensor([ids])).last_hidden_state[0]
    return states


def add(folder: Path, weights: dict[str, torch.Tensor], drop: str = "", binary: bool = False) -> None:
    """Change the weights of a saved model."""
    file = folder / "model.safetensors"
    state = {k: v for k, v in load_file(file).items() if not drop or not k.startswith(drop)} | weights
    if binary:
        file.unlink()
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file({k: v.contiguous() for k, v in state.items()}, file, metadata={"format": "pt"})


def describe(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_the_embedded_reward_model_is_the_default() -> None:
    prm = load_prm()
    assert prm.name == "uniscale-prm"
    assert isinstance(prm.head, ClassificationHead)
    assert len(scores(prm)) == 2


def test_a_token_classifier_with_one_output_is_read_at_line_ends(tmp_path: Path) -> None:
    words = unseparated()
    config = CONFIGS["llama"](len(words), 128)
    config.num_labels = 1
    model = AutoModelForTokenClassification.from_config(config).eval()
    prm = load_prm(str(save(model, words, tmp_path / "single")))
    assert (prm.name, prm.head) == ("single", ClassificationHead())
    text = words("1 + 2?\n" + "".join(STEPS))["input_ids"]
    logits = model(torch.tensor([text])).logits[0, :, 0].sigmoid()
    ends = [len(words("1 + 2?\n" + STEPS[0])["input_ids"]) - 1, len(text) - 1]
    assert scores(prm) == pytest.approx([logits[end].item() for end in ends], abs=ROUNDING)


def test_a_token_classifier_with_a_separator_is_read_there(tmp_path: Path) -> None:
    words = tokenizer(whole_alphabet=True, template=TEMPLATE)
    config = CONFIGS["qwen2"](len(words), 256)
    config.num_labels = 2
    model = Qwen2ForTokenClassification(config).eval()
    prm = load_prm(str(save(model, words, tmp_path / "pair")))
    assert isinstance(prm.head, ClassificationHead)
    ids = prm.head.prompt(words, "1 + 2?") + words("1 + 2 = 3<extra_0>Answer: 3<extra_0>")["input_ids"]
    right = model(torch.tensor([ids])).logits[0].softmax(-1)[:, 1]
    expected = [right[place].item() for place, token in enumerate(ids) if token == 3]
    assert scores(prm) == pytest.approx(expected, abs=ROUNDING)


def test_qwen_math_prm_loads_without_the_code_it_ships_with(tmp_path: Path) -> None:
    words = tokenizer(whole_alphabet=True, template=TEMPLATE)
    body = causal("qwen2", len(words))
    folder = save(body, words, tmp_path / "qwen")
    torch.manual_seed(1)
    score = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    add(folder, {f"score.{name}": weight for name, weight in score.state_dict().items()}, drop="lm_head")
    code = {"AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig", "AutoModel": "modeling_qwen2_rm.Qwen2ForProcessRewardModel"}
    describe(folder, architectures=["Qwen2ForProcessRewardModel"], auto_map=code)
    (folder / "modeling_qwen2_rm.py").write_text("raise SystemExit('this must never run')")
    (folder / "configuration_qwen2_rm.py").write_text("raise SystemExit('this must never run')")
    prm = load_prm(str(folder))
    assert isinstance(prm.model, Qwen2Model)
    conversation = [
        {"role": "system", "content": "Please reason step by step, and put your final answer within \\boxed{}."},
        {"role": "user", "content": "1 + 2?"},
    ]
    text = words.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    ids = words(text + "1 + 2 = 3<extra_0>Answer: 3<extra_0>", add_special_tokens=False)["input_ids"]
    right = score(hidden(body.model, ids)).softmax(-1)[:, 1]
    assert scores(prm) == pytest.approx([right[place].item() for place, token in enumerate(ids) if token == 3], abs=ROUNDING)


@pytest.mark.parametrize("binary", [False, True])
def test_skywork_prm_is_read_through_its_value_head(tmp_path: Path, binary: bool) -> None:
    words = unseparated()
    body = causal("qwen2", len(words))
    folder = save(body, words, tmp_path / "skywork")
    torch.manual_seed(1)
    head = nn.Linear(32, 1)
    add(folder, {"v_head.summary.weight": head.weight.detach(), "v_head.summary.bias": head.bias.detach()}, binary=binary)
    describe(folder, architectures=["Qwen2ForPrmModel"])
    prm = load_prm(str(folder))
    assert isinstance(prm.head, HiddenHead)
    lines = [words(step.strip())["input_ids"] + words("\n")["input_ids"] for step in STEPS]
    prompt = words("<s>1 + 2?\n", add_special_tokens=False)["input_ids"]
    values = head(hidden(body.model, prompt + lines[0] + lines[1])).sigmoid()[:, 0]
    ends = [len(prompt) + len(lines[0]) - 1, len(prompt) + len(lines[0]) + len(lines[1]) - 1]
    assert scores(prm) == pytest.approx([values[end].item() for end in ends], abs=ROUNDING)


def test_math_shepherd_is_read_off_its_two_tokens(tmp_path: Path) -> None:
    words = metaspace_tokenizer()
    model = causal("llama", len(words))
    prm = load_prm(str(save(model, words, tmp_path / "shepherd")))
    assert isinstance(prm.head, TokenHead)
    ids = words("1 2 1 = 1 ки\n2 = 2 ки\n")["input_ids"]
    [mark] = words("ки", add_special_tokens=False)["input_ids"]
    pair = model(torch.tensor([ids])).logits[0][:, [prm.head.good, prm.head.bad]].softmax(-1)[:, 0]
    expected = [pair[place].item() for place, token in enumerate(ids) if token == mark]
    assert words.convert_ids_to_tokens([prm.head.good, prm.head.bad]) == ["▁+", "▁-"]
    assert scores(prm, "1 2", ("1 = 1\n", "2 = 2\n")) == pytest.approx(expected, abs=ROUNDING)


def test_a_language_model_without_the_mark_is_refused_instead_of_read_at_random(tmp_path: Path) -> None:
    words = unseparated()
    folder = save(causal("llama", len(words)), words, tmp_path / "plain")
    with pytest.raises(
        UnknownModelError, match=r"plain is a LlamaForCausalLM, which is none of the reward models known here.*head="
    ):
        load_prm(str(folder))
    plus, minus = words.convert_tokens_to_ids(["+", "-"])
    assert load_prm(str(folder), head=TokenHead(" :", plus, minus)).head.vocabulary_wide


def test_a_model_of_another_kind_is_refused_with_what_can_be_done(tmp_path: Path) -> None:
    words = unseparated()
    model = LlamaForSequenceClassification(CONFIGS["llama"](len(words), 64))
    with pytest.raises(UnknownModelError, match="is a LlamaForSequenceClassification, which is none of"):
        load_prm(str(save(model, words, tmp_path / "sequence")))


def test_a_classifier_without_its_head_is_refused_instead_of_given_a_random_one(tmp_path: Path) -> None:
    words = unseparated()
    folder = save(causal("llama", len(words)), words, tmp_path / "headless")
    describe(folder, architectures=["LlamaForTokenClassification"])
    with pytest.raises(
        UnknownModelError, match=r"not a LlamaForTokenClassification: its weights lack score\.bias, score\.weight"
    ):
        load_prm(str(folder))


@pytest.mark.parametrize("name", ["nobody/nothing", "not/../a name"])
def test_a_hub_name_that_cannot_be_reached_says_what_else_there_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnknownModelError, match=r"(could not be downloaded|no model).*embedded are uniscale-0\.3m"):
        load_prm(name)


def test_a_hub_model_is_read_from_its_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = unseparated()
    config = CONFIGS["llama"](len(words), 128)
    config.num_labels = 1
    folder = save(AutoModelForTokenClassification.from_config(config), words, tmp_path / "snapshot")
    add(folder, {}, binary=True)
    asked: list[str] = []

    def snapshot(name: str, allow_patterns: list[str]) -> str:
        asked.append(allow_patterns[-1])
        return str(folder)

    monkeypatch.setattr("uniscale_integrations.verifiers.load.snapshot_download", snapshot)
    assert load_prm("somebody/some-prm").name == "some-prm"
    assert asked == ["*.safetensors", "pytorch_model*.bin"]
