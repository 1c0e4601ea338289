"""Reward models by name, the head told from what the model itself says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer

from uniscale_integrations.errors import UnknownModelError
from uniscale_integrations.models.catalog import PRM, locate, pretrained
from uniscale_integrations.verifiers.prm import PRMVerifier
from uniscale_integrations.verifiers.reward_heads import ClassificationHead, Head, TokenHead, ValueHead

QWEN_SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
QWEN_SEPARATOR = "<extra_0>"
SHEPHERD_SEPARATOR = " ки\n"
VALUE_HEAD = "v_head.summary"


def load_prm(name: str = PRM, *, device: str | None = None, dtype: Any = None, head: Head | None = None) -> PRMVerifier:
    """Load a process reward model.

    Without a `head`, it is told from the model: a `v_head` among its weights is Skywork's value head, `<extra_0>` in its vocabulary
    is Qwen2.5-Math-PRM's separator, `ки` beside a language model's head is Math-Shepherd's, and a token classifier with one output
    is read at each line's end, as the embedded one.

    Args:
        name: the embedded reward model, a model folder, or a hub name.
        device: where to run; the GPU if there is one.
        dtype: a torch dtype; float32 on a CPU, bfloat16 on a GPU by default.
        head: how to read scores off a model of another kind.

    Raises:
        UnknownModelError: nothing of that name, or a model whose scores nothing here can read.
    """
    location = locate(name)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype or (torch.float32 if device == "cpu" else torch.bfloat16)
    tokenizer = pretrained(AutoTokenizer, name, location)
    config = pretrained(AutoConfig, name, location)
    kind = " ".join(getattr(config, "architectures", None) or [])
    separated = QWEN_SEPARATOR in tokenizer.get_vocab()
    if isinstance(head, ValueHead) or (head is None and VALUE_HEAD in " ".join(_weights(location))):
        head = head or _value_head(location)
        model = pretrained(AutoModelForCausalLM, name, location, dtype=dtype)
    elif isinstance(head, TokenHead) or (head is None and "CausalLM" in kind and not separated):
        head = head or _shepherd(tokenizer, name)
        model = pretrained(AutoModelForCausalLM, name, location, dtype=dtype)
    else:
        model = pretrained(AutoModelForTokenClassification, name, location, dtype=dtype)
        head = head or (ClassificationHead(QWEN_SEPARATOR, QWEN_SYSTEM) if separated else ClassificationHead())
    return PRMVerifier(model.to(device), tokenizer, head, Path(name).name)


def _weights(location: str) -> list[str]:
    """Names of the weights in a folder; a hub name has no folder yet and gives none."""
    names: list[str] = []
    for file in sorted(Path(location).glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            names.extend(weights.keys())
    return names


def _value_head(location: str) -> ValueHead:
    for file in sorted(Path(location).glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            if f"{VALUE_HEAD}.weight" in weights.keys():  # noqa: SIM118 - not a dict, has no __contains__
                return ValueHead(weights.get_tensor(f"{VALUE_HEAD}.weight"), weights.get_tensor(f"{VALUE_HEAD}.bias"))
    raise UnknownModelError(f"{location} holds no {VALUE_HEAD}.weight; give the head yourself with head=ValueHead(weight, bias)")


def _shepherd(tokenizer: Any, name: str) -> TokenHead:
    good, bad = (tokenizer(sign, add_special_tokens=False)["input_ids"][-1:] for sign in ("+", "-"))
    marked = tokenizer("ки", add_special_tokens=False)["input_ids"]
    if not good or not bad or good == bad or not marked:
        raise UnknownModelError(f"{name} is a language model that cannot tell '+' from '-'; say how to read it with head=TokenHead(...)")
    return TokenHead(SHEPHERD_SEPARATOR, int(good[0]), int(bad[0]))
