"""What is to be searched: one question with everything that decides how."""

from __future__ import annotations

from dataclasses import dataclass

from uniscale_integrations.cost.hardware import H100, HardwareProfile
from uniscale_integrations.search.aggregation import MEAN, Aggregation
from uniscale_integrations.search.beam import Schedule
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Emit
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration


@dataclass(frozen=True, slots=True)
class Request:
    """One question with everything that decides how it is searched.

    Attributes:
        question: what to answer.
        configuration: `(M, QP, CP, BS)`; its model name is the generator's.
        sampling: temperature, step length, depth, seed.
        budget: what may be spent.
        early_stopping: whether to stop paths that can no longer win.
        schedule: all trees at once ("lockstep"), or the first one first and the others in waves ("leader").
        aggregation: how step scores become a path's value.
        hardware: the profile that prices compute and memory traffic.
        conversation: what is asked, where it is more than the question.
        emit: see `SupportsConversation.open_conversation`.
        decision_id: the decision that chose the configuration, where one did.
    """

    question: str
    configuration: Configuration
    sampling: Sampling = Sampling()
    budget: Budget = Budget()
    early_stopping: bool = True
    schedule: Schedule = "leader"
    aggregation: Aggregation = MEAN
    hardware: HardwareProfile = H100
    conversation: Conversation | None = None
    emit: Emit | None = None
    decision_id: str | None = None
