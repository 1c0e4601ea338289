"""A LangSmith client whose feedback the engine hears, too."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langsmith import Client

from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.attribution import Credit
from uniscale_integrations.errors import UniScaleError
from uniscale_integrations.log.events import plain


class FeedbackClient:
    """Passes everything on to a LangSmith client, and feedback with a score to an engine as well.

    Whatever gives feedback through a client, such as LangChain's `EvaluatorCallbackHandler(client=...)`, then teaches the engine.

    Args:
        client: the client.
        engine: learns.
        credit: who is judged where a run took several decisions.

    Attributes:
        unheard: what could not be learned from, such as feedback on runs that no decision is behind; the client has it all the same.
    """

    def __init__(self, client: Client, engine: UniScale, *, credit: Credit = "all") -> None:
        self._client, self._engine, self._credit = client, engine, credit
        self.unheard: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def create_feedback(
        self, run_id: UUID | str | None = None, key: str = "unnamed", *, score: Any = None, **settings: Any
    ) -> Any:
        """As of the client; a score in [0, 1], true or false is feedback on the decisions within the run."""
        feedback = self._client.create_feedback(run_id, key, score=score, **settings)
        target = settings.get("feedback_target_run_id") or run_id
        score = plain(score)
        if target is not None and isinstance(score, (bool, int, float)):
            comment = str(settings.get("comment") or "")
            try:
                self._engine.feedback(
                    _uuid(target), float(score), source=f"langsmith:{key}", key=key, comment=comment, credit=self._credit
                )
            except UniScaleError as error:
                # Feedback is given on all kinds of runs; those of other models are no error here.
                self.unheard.append(f"{key} of run {target}: {error}")
        return feedback


def _uuid(run_id: UUID | str) -> UUID:
    return run_id if isinstance(run_id, UUID) else UUID(run_id)
