"""What a model is for: what is put after its questions, where its steps and its answers end."""

from __future__ import annotations

from dataclasses import dataclass, replace

from uniscale_integrations.search.segmenter import Lines, Segmenter, Units


@dataclass(frozen=True, slots=True)
class Task:
    """How a local model is asked and read, beside its own chat template; by default it reads the user's messages and nothing else.

    Attributes:
        instruction: put after every question.
        segmenter: tells where steps end.
        final_step: a step that matches this ends the answer, besides the model's own end; `None` for that alone.
        horizon: the most steps that its answers have, where that is known; it makes early stopping tighter.
        step_tokens: the longest step of its answers but the last, where that is known; keeps one that goes astray short.
        sampled: whether a plain sample is drawn as candidates that compete are, where a request does not say how; otherwise as the
            model's generation config says, which most often is greedily.

    Example:
        >>> Task().instruction, Task().with_(delimiter="; ").segmenter
        ('', Lines(delimiter='; '))
    """

    instruction: str = ""
    segmenter: Segmenter = Units()
    final_step: str | None = None
    horizon: int | None = None
    step_tokens: int | None = None
    sampled: bool = False

    def with_(self, *, instruction: str | None = None, delimiter: str | None = None, final_step: str | None = None) -> Task:
        """The same task but for what is given; steps that a delimiter ends are pieces between delimiters that say anything."""
        return replace(
            self,
            instruction=self.instruction if instruction is None else instruction,
            segmenter=self.segmenter if delimiter is None else Lines(delimiter),
            final_step=self.final_step if final_step is None else final_step,
        )


FAMILY_TASK = Task(segmenter=Lines(), final_step=r"^\s*\**Answer:", horizon=12, step_tokens=64, sampled=True)
"""Of the embedded models: one short step a line, the last one 'Answer: ' and the answer alone."""
