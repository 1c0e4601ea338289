"""Answers in a form: the inner model is told of it in its own way, what comes is parsed here."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from uniscale_integrations.errors import ConfigurationError

METHODS = ("function_calling", "json_schema", "json_mode")


def structured(
    model: BaseChatModel,
    schema: Any,
    *,
    method: str,
    include_raw: bool = False,
    strict: bool | None = None,
) -> Runnable[LanguageModelInput, Any]:
    """A model whose answers have a form, and a parser behind it.

    Args:
        model: takes `response_format`, and tools.
        schema: a pydantic class, a typed dict, or a JSON schema; `None` for any JSON.
        method: of `METHODS`.
        include_raw: whether to give `{"raw", "parsed", "parsing_error"}`.
        strict: whether the provider shall enforce the schema.

    Raises:
        ConfigurationError: no such method.
    """
    if method not in METHODS:
        raise ConfigurationError(f"no method {method!r} for structured output; there are {', '.join(METHODS)}")
    parser: BaseOutputParser[Any] | Runnable[Any, Any]
    if method == "function_calling":
        tool = convert_to_openai_tool(schema, strict=strict)
        name = tool["function"]["name"]
        told = {"kwargs": {"method": method}, "schema": tool}
        asking: Runnable[Any, Any] = model.bind_tools(
            [schema], tool_choice=name, strict=strict, ls_structured_output_format=told
        )
        parser = (
            PydanticToolsParser(tools=[schema], first_tool_only=True)
            if _is_model(schema)
            else JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
        )
    else:
        form: dict[str, Any] = {"type": "json_object"}
        json_schema = {} if schema is None else convert_to_json_schema(schema, strict=strict)
        if method == "json_schema":
            name = json_schema.get("title", "answer")
            form = {"type": "json_schema", "json_schema": {"name": name, "schema": json_schema, "strict": strict is not False}}
        told = {"kwargs": {"method": method, "strict": strict}, "schema": json_schema}
        asking = model.bind(response_format=form, ls_structured_output_format=told)
        parser = PydanticOutputParser(pydantic_object=schema) if _is_model(schema) else JsonOutputParser()
    if not include_raw:
        return asking | parser
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=asking) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _is_model(schema: object) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)
