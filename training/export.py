"""Stage 6, `python -m training.export`: the trained models into the package, in half precision, with a manifest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, PreTrainedTokenizerFast
from transformers.utils import logging

from training.corpus import WORK, Corpus
from training.language_model import RECIPES
from uniscale_integrations.models.catalog import FAMILY, PRM

LIMIT = 16 * 2**20


def export(name: str, kind: str) -> dict[str, object]:
    """Write one model; returns its entry of the manifest."""
    loader = AutoModelForTokenClassification if kind == "process reward model" else AutoModelForCausalLM
    model = loader.from_pretrained(WORK / name, dtype=torch.float16)
    target = FAMILY / name
    shutil.rmtree(target, ignore_errors=True)
    model.save_pretrained(target)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(WORK / "tokenizer")
    tokenizer.save_pretrained(target)
    return {"name": name, "kind": kind, "parameters": sum(p.numel() for p in model.parameters())}


def main() -> None:
    logging.disable_progress_bar()
    FAMILY.mkdir(exist_ok=True)
    kinds = dict.fromkeys(RECIPES, "language model") | {PRM: "process reward model"}
    described = FAMILY / "family.json"
    kept = {entry["name"]: entry for entry in json.loads(described.read_text())["models"]} if described.exists() else {}
    # A model that was not trained here stays as it is.
    corpus = Corpus.load(WORK / "corpus.npz")
    lengths = round(corpus.prompts.mean()), round((corpus.lengths() - corpus.prompts).mean())
    made = {name: export(name, kind) for name, kind in kinds.items() if (WORK / name).is_dir()}
    models = [(kept | made)[name] for name in kinds if name in kept | made]
    # What the family is asked and answers on average, in tokens.
    described.write_text(json.dumps({"lengths": lengths, "models": models}, indent=2) + "\n")
    size = sum(file.stat().st_size for file in Path(FAMILY).rglob("*.safetensors"))
    for entry in models:
        print(f"{entry['name']:16} {entry['parameters']:>9,} parameters")
    print(f"weights: {size / 2**20:.2f} MiB")
    if size > LIMIT:
        raise SystemExit(f"the weights take {size} bytes, more than the {LIMIT} that the package may hold")


if __name__ == "__main__":
    main()
