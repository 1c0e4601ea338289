"""Prompt settings that an outer LLM takes over from its inner ones.

LlamaIndex fills in prompts by the settings of the LLM that it calls, and never sees those of the inner ones.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from llama_index.core.base.llms.generic_utils import messages_to_prompt as generic_messages_to_prompt
from llama_index.core.llms.llm import LLM, default_completion_to_prompt
from llama_index.core.types import PydanticProgramMode

from uniscale_integrations.llama_index.calling import Prompt

PROMPT_FIELDS: Mapping[str, Any] = {
    "completion_to_prompt": default_completion_to_prompt,
    "messages_to_prompt": generic_messages_to_prompt,
    "query_wrapper_prompt": None,
    "output_parser": None,
    "pydantic_program_mode": PydanticProgramMode.DEFAULT,
}
"""Fields by which LlamaIndex fills in prompts and asks for objects, with their defaults."""

_log = logging.getLogger(__name__)


def adopt_prompting(llm: LLM, inner: Collection[LLM]) -> None:
    """Set on an LLM what all inner ones agree on and it leaves open, their callbacks too; warn of what is not used.

    Args:
        llm: the outer LLM.
        inner: those of LlamaIndex.
    """
    managers = [each.callback_manager for each in inner]
    if managers and not llm.callback_manager.handlers and all(each is managers[0] for each in managers):
        # Those of the inner ones hear of nothing, since what is told of a search is told of the outer one.
        llm.callback_manager = managers[0]
    elif any(each.handlers and each is not llm.callback_manager for each in managers):
        _log.warning(
            "the inner LLMs have callback managers of their own, which are not told of anything; give the UniScaleLLM one"
        )
    prompts = {each.system_prompt for each in inner}
    if llm.system_prompt is None and prompts != {None} and len(prompts) == 1:
        llm.system_prompt = prompts.pop()
    elif prompts - {None, llm.system_prompt}:
        _log.warning("the inner LLMs have system prompts of their own, which are not used; give the UniScaleLLM one")
    for name, default in PROMPT_FIELDS.items():
        values = [getattr(each, name) for each in inner]
        if getattr(llm, name) == default and values and all(each is values[0] or each == values[0] for each in values):
            setattr(llm, name, values[0])
        elif any(each is not None and each != getattr(llm, name) and each != default for each in values):
            _log.warning("the inner LLMs differ in %s, and none is used; give the UniScaleLLM one", name)


def prompt_for(llm: LLM, inner: Collection[LLM], text: str, formatted: bool) -> Prompt:
    """A prompt for the inner LLM that answers, which applies its own template, unless the outer one has another.

    Args:
        llm: the outer LLM.
        inner: those of LlamaIndex.
        text: of the prompt.
        formatted: whether a template is applied already.
    """
    template = llm.completion_to_prompt
    if formatted or template in (None, default_completion_to_prompt, *(each.completion_to_prompt for each in inner)):
        return Prompt(text, formatted)
    assert template is not None
    return Prompt(template(text), True)
