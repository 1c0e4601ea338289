"""Decision ids on LangChain's own objects: messages, generations, runs, the state of an agent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult, LLMResult

from uniscale_integrations.adapters.stamp import decision_of, decision_on
from uniscale_integrations.langchain.run_ledger import LEDGER


def decisions_on(target: object) -> Sequence[str] | None:
    """The decisions behind a message, a list of messages, an agent's state, a result, or a run with its children.

    Returns:
        their ids in order; empty where it is such an object and no decision is behind it, `None` where it is none.
    """
    if isinstance(target, (str, bytes)):
        return None
    if _is_run(target):
        return list(_of_run(target))
    if _is_state(target):
        messages = target["messages"] if isinstance(target, Mapping) else target
        return list(_decisions_in(_last_turn(messages)))  # type: ignore[arg-type]
    if isinstance(target, (AIMessage, ChatGeneration, ChatResult, LLMResult)):
        return list(_decisions_in(target))
    return None


def _last_turn(messages: Sequence[object]) -> Sequence[object]:
    """What came after the last thing that a person said; what was before that has been judged, or not, before."""
    last = max((place for place, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
    return messages[last + 1 :]


def _is_state(target: object) -> bool:
    if isinstance(target, Mapping):
        return "messages" in target
    return isinstance(target, Sequence) and any(isinstance(each, AIMessage) for each in target)


def _is_run(target: object) -> bool:
    """Runs of LangChain's tracers and of LangSmith look alike and share no class."""
    return isinstance(getattr(target, "run_type", None), str) and all(hasattr(target, name) for name in ("child_runs", "outputs"))


def _of_run(run: Any) -> Iterator[str]:
    children = run.child_runs or ()
    if not children and run.run_type in ("llm", "chat_model"):
        yield from _decisions_in(run.outputs)
    for child in children:
        yield from _of_run(child)
    # A run that was read without its children may still be known here.
    yield from LEDGER.decisions(run.id) or ()


def _decisions_in(value: object) -> Iterator[str]:
    """Decisions anywhere in a value made of messages, results, and lists and mappings of them."""
    if isinstance(value, AIMessage):
        decision = decision_of(value)
        if decision is not None:
            yield decision
    elif isinstance(value, Mapping):
        decision = decision_on(value.get("response_metadata"))
        if decision is not None:
            yield decision
        for each in value.values():
            yield from _decisions_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _decisions_in(each)
    elif isinstance(value, ChatGeneration):
        yield from _decisions_in(value.message)
    elif isinstance(value, (ChatResult, LLMResult)):
        yield from _decisions_in(value.generations)
