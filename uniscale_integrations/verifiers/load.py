"""Reward models by name, the head told from what the model itself says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer

from uniscale_integrations.errors import UnknownModelError
from uniscale_integrations.models.catalog import PRM, complete, installed_names, load_pretrained, locate
from uniscale_integrations.texts import first_line
from uniscale_integrations.verifiers.prm import PRMVerifier
from uniscale_integrations.verifiers.reward_heads import ClassificationHead, Head, HiddenHead, TokenHead

QWEN_SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
QWEN_SEPARATOR = "<extra_0>"
SHEPHERD_SEPARATOR = " ки"
SKYWORK = "v_head.summary"
QWEN = ("score.0", "score.2")
DESCRIPTION = ("*.json", "*.jinja", "*.model", "*.txt")


def load_prm(name: str = PRM, *, device: str | None = None, dtype: Any = None, head: Head | None = None) -> PRMVerifier:
    """Load a process reward model.

    Without a `head`, it is told from the model. Among its weights, `v_head.summary` is Skywork-o1-Open-PRM's, and `score.0` with
    `score.2` is Qwen2.5-Math-PRM's; no code that comes with a model is run. A language model with a token `ки` is read as
    Math-Shepherd. A token classifier is read at `<extra_0>` where its vocabulary has that, and at each line's end otherwise, as the
    embedded one.

    Args:
        name: the embedded reward model, a model folder, or a hub name.
        device: where to run; the GPU if there is one.
        dtype: a torch dtype; float32 on a CPU, bfloat16 on a GPU by default.
        head: how to read scores off a model of another kind.

    Raises:
        UnknownModelError: nothing of that name, or a model whose scores nothing here can read.
    """
    location = _folder(name)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype or (torch.float32 if device == "cpu" else torch.bfloat16)
    tokenizer = load_pretrained(AutoTokenizer, name, location, trust_remote_code=False)
    head = head or _head(name, location, tokenizer)
    loader = (
        AutoModel
        if isinstance(head, HiddenHead)
        else AutoModelForCausalLM
        if head.vocabulary_wide
        else AutoModelForTokenClassification
    )
    model = complete(loader, name, location, dtype=dtype, trust_remote_code=False)
    return PRMVerifier(model.to(device), tokenizer, head, Path(name).name)


def _folder(name: str) -> str:
    """The folder of a model, downloaded where the name is one of the hub."""
    location = locate(name)
    if Path(location).is_dir():
        return location
    try:
        folder = snapshot_download(location, allow_patterns=[*DESCRIPTION, "*.safetensors"])
        if not any(Path(folder).glob("*.safetensors")):
            folder = snapshot_download(location, allow_patterns=[*DESCRIPTION, "pytorch_model*.bin"])
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise UnknownModelError(f"{name!r} could not be downloaded ({first_line(error)}); {installed_names()}") from error
    return str(folder)


def _head(name: str, location: str, tokenizer: Any) -> Head:
    config = load_pretrained(AutoConfig, name, location, trust_remote_code=False)
    kind = " ".join(getattr(config, "architectures", None) or []) or type(config).__name__
    weights = _weights(location)
    separated = QWEN_SEPARATOR in tokenizer.get_vocab()
    if f"{SKYWORK}.weight" in weights:
        return HiddenHead(_layers(weights, [SKYWORK]))
    if separated and f"{QWEN[1]}.weight" in weights:
        return HiddenHead(_layers(weights, QWEN), QWEN_SEPARATOR, chat=True, system=QWEN_SYSTEM)
    if "TokenClassification" in kind:
        return ClassificationHead(QWEN_SEPARATOR, QWEN_SYSTEM) if separated else ClassificationHead()
    marks = [tokenizer(mark, add_special_tokens=False)["input_ids"] for mark in ("+", "-", SHEPHERD_SEPARATOR.strip())]
    if "CausalLM" in kind and all(len(mark) == 1 for mark in marks):
        return TokenHead(SHEPHERD_SEPARATOR, int(marks[0][0]), int(marks[1][0]))
    raise UnknownModelError(
        f"{name} is a {kind}, which is none of the reward models known here (Qwen2.5-Math-PRM, Skywork-o1-Open-PRM, "
        "Math-Shepherd, a token classifier); say how to read its scores with head=, a HiddenHead, TokenHead or ClassificationHead"
    )


def _weights(location: str) -> Mapping[str, Path]:
    """The file of each weight by name."""
    names: dict[str, Path] = {}
    for file in sorted(Path(location).glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            names.update(dict.fromkeys(weights.keys(), file))
    for file in () if names else sorted(Path(location).glob("pytorch_model*.bin")):
        names.update(dict.fromkeys(_tensors(file), file))
    return names


def _tensors(file: Path) -> dict[str, Tensor]:
    if file.suffix == ".safetensors":
        return load_file(file)
    tensors: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    return tensors


def _layers(weights: Mapping[str, Path], names: Collection[str]) -> tuple[tuple[Tensor, Tensor], ...]:
    """Weight and bias of each of these linear layers."""
    keys = [(f"{name}.weight", f"{name}.bias") for name in names]
    return tuple((_tensors(weights[w])[w], _tensors(weights[b])[b]) for w, b in keys)
