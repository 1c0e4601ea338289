"""The engine as what LangChain's own router asks which model to take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uniscale_integrations.errors import ConfigurationError, MissingExtraError

try:
    from langchain_core.decisions import BaseDecisionModel, Choice, ChoiceAnswer, ClassifierResponse
except ModuleNotFoundError as error:
    raise MissingExtraError(
        "a decision model, which langchain-core has from 1.8 on,", "langchain", '"langchain-core>=1.8"'
    ) from error

from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import var_child_runnable_config
from pydantic import ConfigDict, Field

from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.journal import Decision
from uniscale_integrations.langchain.run_ledger import LEDGER, install


class UniScaleDecisionModel(BaseDecisionModel):
    """Chooses a label of a `Choice` as the engine would choose a model, for `ModelRouterMiddleware`.

    The engine only decides; the router's own models answer. So its space should have plain configurations, and what it learns comes from
    feedback: on the agent's run, or on the decision, whose id is the response's `request_id`.

    Args:
        engine: decides.
        routes: the model of the engine behind each label; labels are models' names by default.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    engine: UniScale = Field(exclude=True)
    routes: Mapping[str, str] = Field(default_factory=dict)
    model: str = "uniscale"

    def model_post_init(self, context: Any, /) -> None:
        """Have decisions noted with the runs that they are taken in."""
        install()

    @property
    def _provider(self) -> str:
        return "uniscale"

    def _classify(self, state: Any, questions: Mapping[str, Any]) -> ClassifierResponse:
        answers: dict[str, Any] = {}
        decisions: list[Decision] = []
        for name, question in questions.items():
            if not isinstance(question, Choice):
                raise ConfigurationError(f"the engine chooses models only; {name!r} is a {question.type}, and must be a choice")
            labels = {self.routes.get(label, label): label for label in question.criteria}
            models = self.engine.models
            unknown = [label for model, label in labels.items() if model not in models]
            if unknown:
                raise ConfigurationError(
                    f"{unknown[0]!r} is no model of the engine, which has {', '.join(models)}; name its model in `routes`"
                )
            decision = self.engine.decide(_text(state), models=frozenset(labels))
            choice = labels[decision.configuration.model]
            # The choice is deterministic.
            shares = {label: float(label == choice) for label in question.criteria}
            answers[name] = ChoiceAnswer(type="choice", choice=choice, probabilities=shares, confidence=1.0)
            decisions.append(decision)
            _note(decision)
        return ClassifierResponse(model=self.model, answers=answers, request_id=decisions[-1].id if decisions else None)


def _text(state: Any) -> str:
    """What the question is: of a message its text, of several the last, of anything else all of it."""
    if isinstance(state, BaseMessage):
        return str(state.text)
    if isinstance(state, str):
        return state
    if isinstance(state, Mapping):
        return "\n".join(_text(value) for value in state.values())
    return _text(state[-1]) if isinstance(state, (list, tuple)) and state else str(state)


def _note(decision: Decision) -> None:
    """Note the decision with the run that it was taken in, as a chat model's would be."""
    config = var_child_runnable_config.get()
    run_id = getattr((config or {}).get("callbacks"), "parent_run_id", None)
    if run_id is not None:
        LEDGER.note(run_id, decision.id)
