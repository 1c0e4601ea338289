"""The baseline without a kept cache: `generate` on the full prefix at every step, for all paths in one batch."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.local.transformers import TransformersModel
from uniscale_integrations.models.local.vocabulary import prompt_ids
from uniscale_integrations.search.paths import Candidate, Expansion, Path
from uniscale_integrations.search.ports import TEMPERATURE, Sampling


class FullPrefixGenerator:
    """The same model through the library's own `generate`, which reads every prefix again."""

    def __init__(self, model: TransformersModel) -> None:
        self.name = model.name
        self._model = model

    def open(self, question: str, sampling: Sampling) -> FullPrefixSession:
        return FullPrefixSession(self._model, question, sampling)


class FullPrefixSession:
    """One question; keeps nothing but texts."""

    together = True
    shared_usage = NOTHING
    notes: Sequence[str] = ()

    def __init__(self, model: TransformersModel, question: str, sampling: Sampling) -> None:
        self._model, self._sampling = model, sampling
        self._prompt = prompt_ids(model.tokenizer, [{"role": "user", "content": question}], model.task.instruction)
        [self._newline] = model.tokenizer("\n", add_special_tokens=False)["input_ids"]

    def estimate(self, expansion: Expansion) -> Usage:
        return NOTHING

    def retain(self, paths: Collection[Path]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        tokenizer = self._model.tokenizer
        prefixes = [
            self._prompt + tokenizer(expansion.path.text, add_special_tokens=False)["input_ids"]
            for expansion in expansions
            for _ in range(expansion.count)
        ]
        longest = max(map(len, prefixes))
        ids = torch.tensor([[tokenizer.pad_token_id] * (longest - len(row)) + row for row in prefixes])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in prefixes])
        with torch.inference_mode():
            output = self._model.model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=True,
                temperature=TEMPERATURE if self._sampling.temperature is None else self._sampling.temperature,
                top_k=0,
                max_new_tokens=self._sampling.max_step_tokens,
                eos_token_id=[tokenizer.eos_token_id, self._newline],
                pad_token_id=tokenizer.pad_token_id,
            )
        rows = iter(output[:, longest:].tolist())
        return [[self._candidate(next(rows)) for _ in range(expansion.count)] for expansion in expansions]

    def _candidate(self, row: list[int]) -> Candidate:
        tokens = [token for token in row if token != self._model.tokenizer.pad_token_id]
        text = self._model.decoder.vocabulary.text(tokens)
        pattern = self._model.decoder.final_step
        final = tokens[-1] == self._model.tokenizer.eos_token_id or bool(pattern and pattern.search(text))
        return Candidate((text,) if text.strip() else (), final, Usage(completion_tokens=float(len(tokens))))
