"""GGUF files: dequantised once into a folder that loads in seconds afterwards."""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from uniscale_integrations.cost.hardware import home
from uniscale_integrations.errors import MissingExtraError, UnknownModelError

Notify = Callable[[str], None]

FORMAT = 2
"""Of the folders that are made; those of an earlier one are made anew."""


def convert(file: Path, notify: Notify = lambda message: None) -> Path:
    """The folder with the weights of a GGUF file, made on first use.

    The folder's name stands for the file's size and time of change, so a changed file is converted again. The folder appears only when
    it is complete.

    Args:
        file: path of the .gguf file.
        notify: told when a conversion begins, since it takes a minute.

    Raises:
        UnknownModelError: the file cannot be read as a model; says why.
        MissingExtraError: the package that reads such files is not installed.
    """
    status = file.stat()
    identity = f"{FORMAT}|{file.resolve()}|{status.st_size}|{status.st_mtime_ns}"
    mark = blake2b(identity.encode(), digest_size=8).hexdigest()
    target = home() / "gguf" / f"{file.stem}-{mark}"
    if (target / "config.json").exists():
        return target
    notify(f"converting {file.name} once; this takes a minute")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f"{target.name}.", suffix=".partial", dir=target.parent))
    try:
        _convert(file, partial)
        partial.replace(target)
    except OSError:
        # Another process converted the same file meanwhile; both hold the same.
        if not (target / "config.json").exists():
            raise
    finally:
        rmtree(partial, ignore_errors=True)
    return target


def _convert(file: Path, folder: Path) -> None:
    try:
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    except ImportError as error:
        raise MissingExtraError("reading GGUF files", "local") from error
    except (ValueError, KeyError, IndexError, OSError, RuntimeError, struct.error) as error:
        raise UnknownModelError(f"{file} cannot be loaded as a GGUF model: {error}") from error
    _save(model, folder)
    tokenizer.save_pretrained(folder)


def _save(model: PreTrainedModel, folder: Path) -> None:
    """Weights and configuration by hand: a model loaded from GGUF counts as quantised and refuses to save itself."""
    names: dict[int, str] = {}
    weights = {}
    for name, tensor in model.state_dict().items():
        if names.setdefault(tensor.data_ptr(), name) == name:
            weights[name] = tensor.contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    # What `transformers serve` and other loaders go by.
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    if model.generation_config is not None:
        model.generation_config.save_pretrained(folder)
