"""Model names: the embedded family, folders, GGUF files and hub names, all loaded the same way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from uniscale_integrations.cost.lengths import TYPICAL, Lengths
from uniscale_integrations.errors import MissingExtraError, UnknownModelError

try:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging
except ImportError as error:
    raise MissingExtraError("running models in this process", "local") from error

from uniscale_integrations.models.local.gguf import Notify, convert
from uniscale_integrations.models.local.transformers import TransformersModel
from uniscale_integrations.models.task import FAMILY_TASK, Task
from uniscale_integrations.texts import first_line

FAMILY = Path(__file__).parent / "family"
PRM = "uniscale-prm"
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One member of the embedded family, as its manifest describes it."""

    name: str
    folder: Path
    parameters: int
    kind: str


@lru_cache
def _manifest() -> Mapping[str, Any]:
    return json.loads((FAMILY / "family.json").read_text())  # type: ignore[no-any-return]


@lru_cache
def family() -> Mapping[str, CatalogEntry]:
    """The embedded family by name, smallest model first.

    >>> list(family())
    ['uniscale-0.3m', 'uniscale-1m', 'uniscale-3m', 'uniscale-prm']
    """
    return {e["name"]: CatalogEntry(e["name"], FAMILY / e["name"], e["parameters"], e["kind"]) for e in _manifest()["models"]}


def language_models() -> tuple[str, ...]:
    """Names of the embedded language models, smallest first."""
    return tuple(name for name, entry in family().items() if entry.kind == "language model")


def installed_names() -> str:
    """What a model's name can be, for messages."""
    return f"embedded are {', '.join(family())}; otherwise give a model folder, a .gguf file or a hub name (owner/name)"


def locate(name: str, notify: Notify = lambda message: None) -> str:
    """What to hand to `from_pretrained` for a name: a folder, or the name itself where it can only be a hub name.

    Raises:
        UnknownModelError: no such model; lists the embedded ones and says what else a name can be.
    """
    if name in family():
        return str(family()[name].folder)
    path = Path(name).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise UnknownModelError(f"no GGUF file at {name}; give the path of one that exists")
        return str(convert(path, notify))
    if name and path.is_dir():
        weights = [file for pattern in WEIGHTS for file in path.glob(pattern)]
        if not (path / "config.json").is_file() or not weights:
            contents = ", ".join(sorted(child.name for child in path.iterdir())[:8]) or "nothing"
            raise UnknownModelError(f"{name} is not a model folder: it needs config.json and *.safetensors, and holds {contents}")
        return str(path)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return name
    raise UnknownModelError(f"no model {name!r}; {installed_names()}")


def load_pretrained(loader: Any, name: str, location: str, **options: Any) -> Any:
    """`loader.from_pretrained`, with the errors of a missing or unreadable model told in words."""
    try:
        with _without_bars():
            return loader.from_pretrained(location, **options)
    except (OSError, ValueError, SafetensorError) as error:
        raise UnknownModelError(f"{name!r} could not be loaded ({first_line(error)}); {installed_names()}") from error


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keeps the library's progress bars off an application's terminal; small models are there at once, and downloads show their own."""
    bars_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars_on:
            logging.enable_progress_bar()


def complete(loader: Any, name: str, location: str, **options: Any) -> Any:
    """A model with every weight of it found, where transformers would start those that are missing from random numbers.

    Raises:
        UnknownModelError: weights are missing; names them.
    """
    model, report = load_pretrained(loader, name, location, output_loading_info=True, **options)
    missing = sorted(report["missing_keys"])
    if missing:
        raise UnknownModelError(
            f"{name!r} is not a {type(model).__name__}: its weights lack {', '.join(missing[:3])}"
            + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        )
    return model


def model_name(name: str) -> str:
    """What a model is called once it is loaded: a folder or a file as its last part is.

    >>> model_name("uniscale-1m"), model_name("/models/SmolLM2-135M.Q8_0.gguf")
    ('uniscale-1m', 'SmolLM2-135M.Q8_0')
    """
    path = Path(name).expanduser()
    if name in family():
        return name
    if path.suffix == ".gguf":
        return path.stem
    return path.resolve().name if path.is_dir() else name


def load_model(
    name: str,
    *,
    device: str | None = None,
    dtype: Any = None,
    notify: Notify = lambda message: None,
    task: Task | None = None,
    instruction: str | None = None,
    delimiter: str | None = None,
    final_step: str | None = None,
) -> TransformersModel:
    """Load a causal language model.

    Args:
        name: an embedded model, a model folder, a .gguf file, or a hub name.
        device: where to run; the GPU if there is one.
        dtype: a torch dtype; float32 on a CPU, bfloat16 on a GPU by default.
        notify: told what takes long.
        task: how the model is asked and its answers are read. The embedded models bring their own; others read the user's messages
            through their chat template, nothing else, and end their answers themselves.
        instruction: of the task, put after every question.
        delimiter: of the task, the text that ends a step.
        final_step: of the task, a pattern; a step that matches it ends the answer.

    Raises:
        UnknownModelError: nothing of that name, or not a language model; lists what is available.

    Example:
        >>> load_model("uniscale-1m").name
        'uniscale-1m'
    """
    if name in family() and name not in language_models():
        raise UnknownModelError(f"{name} is a {family()[name].kind}; embedded language models are {', '.join(language_models())}")
    location = locate(name, notify)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype or (torch.float32 if device == "cpu" else torch.bfloat16)
    tokenizer = load_pretrained(AutoTokenizer, name, location)
    model = complete(AutoModelForCausalLM, name, location, dtype=dtype).to(device)
    task = (task or (FAMILY_TASK if name in family() else Task())).with_(
        instruction=instruction, delimiter=delimiter, final_step=final_step
    )
    lengths = Lengths(*_manifest()["lengths"]) if name in family() else TYPICAL
    return TransformersModel(model, tokenizer, model_name(name), task=task, lengths=lengths)
