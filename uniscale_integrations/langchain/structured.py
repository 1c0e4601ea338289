"""Structured output: the model that answers is asked for it in its own way, and its own parser reads the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import (
    Runnable,
    RunnableBinding,
    RunnableLambda,
    RunnableMap,
    RunnablePassthrough,
    RunnableSequence,
)

from uniscale_integrations.adapters.stamp import search_on
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.langchain.offers import FORM_OPTION, FormChain, StructuredOutput, raw_check

METHODS = ("function_calling", "json_schema", "json_mode")


def structured_chain(
    model: BaseChatModel, form: StructuredOutput, inner: Mapping[str, BaseChatModel], *, include_raw: bool = False
) -> Runnable[LanguageModelInput, Any]:
    """A model whose answers have a form, and what reads them.

    Args:
        model: asks the inner models.
        form: what `with_structured_output` was given.
        inner: the inner models of LangChain by name.
        include_raw: whether to give `{"raw", "parsed", "parsing_error"}`.

    Raises:
        ConfigurationError: no such method, where no inner model is one of LangChain and says so itself.
        Exception: what an inner model raises where it does not know the method or the schema.
    """
    if not inner and form.method not in (None, *METHODS):
        raise ConfigurationError(f"no method {form.method!r} for structured output; there are {', '.join(METHODS)}")
    if not inner and not form.json_schema and form.method != "json_mode":
        raise ConfigurationError("structured output needs a schema: a pydantic class, a typed dict, or a JSON schema")
    trace_format = {"kwargs": {name: value for name, value in form.items() if name != "schema"}, "schema": form.json_schema}
    request: Runnable[Any, Any] = model.bind(**{FORM_OPTION: form}, ls_structured_output_format=trace_format)
    chains = {name: form.chain(each, include_raw=include_raw) for name, each in inner.items()}
    parsers = {name: _parser_of(chain) for name, chain in chains.items()}
    ways = [_way_of(form.chain(each) if include_raw else chains[name]) for name, each in inner.items()]
    if include_raw:
        checks = {name: raw_check(chain) for name, chain in chains.items()}
        if any(checks.values()):
            request = request | _parser(checks, RunnablePassthrough(), inner, ways, include_raw=False)
        request = RunnableMap(raw=request)
    return request | _parser(parsers, _default_parser(form, include_raw), inner, ways, include_raw)


def _parser(
    parsers: Mapping[str, Runnable[Any, Any] | None],
    default: Runnable[Any, Any],
    inner: Mapping[str, BaseChatModel],
    ways: Sequence[object],
    include_raw: bool,
) -> Runnable[Any, Any]:
    """Parses an answer as the model that gave it does.

    Args:
        parsers: of the models by name.
        default: for answers of other models.
        inner: the models.
        ways: how each of them asks for the form.
        include_raw: as of `structured_chain`.
    """
    kinds = {(type(model), asks) for model, asks in zip(inner.values(), ways, strict=True)}
    if len(kinds) == 1 and (first := next(iter(parsers.values()))) is not None:
        # They all parse alike, and may do so while the answer streams.
        return first

    def parser_for(output: Any) -> Runnable[Any, Any]:
        message = output["raw"] if include_raw else output
        search = search_on(message.response_metadata) if isinstance(message, AIMessage) else None
        return (parsers.get(search[0].model) if search else None) or default

    return RunnableLambda(parser_for)


def _way_of(chain: Runnable[Any, Any]) -> object:
    """How a model asks for a form: the method, what it binds for it, and what stands behind it, by which its answers are read."""
    parts = FormChain.of(chain)
    if parts is None:
        return type(chain)
    bound = parts.asks.kwargs if isinstance(parts.asks, RunnableBinding) else {}
    told = bound.get("ls_structured_output_format")
    method = told["kwargs"].get("method") if isinstance(told, Mapping) and isinstance(told.get("kwargs"), Mapping) else None
    reads = parts.reads.steps if isinstance(parts.reads, RunnableSequence) else [parts.reads]
    return method, tuple(sorted(bound)), tuple(map(type, reads))


def _parser_of(chain: Runnable[Any, Any]) -> Runnable[Any, Any] | None:
    """What stands behind the model in its own chain for a form."""
    parts = FormChain.of(chain)
    return None if parts is None else parts.reads


def _default_parser(form: StructuredOutput, include_raw: bool) -> Runnable[Any, Any]:
    """For answers of models that are not of LangChain."""
    parser: BaseOutputParser[Any]
    if form.method == "function_calling":
        parser = (
            PydanticToolsParser(tools=[form.pydantic], first_tool_only=True)
            if form.pydantic
            else JsonOutputKeyToolsParser(key_name=form.options()["tools"][0]["function"]["name"], first_tool_only=True)
        )
    else:
        parser = PydanticOutputParser(pydantic_object=form.pydantic) if form.pydantic else JsonOutputParser()
    if not include_raw:
        return parser
    success = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failure = RunnablePassthrough.assign(parsed=lambda _: None)
    return success.with_fallbacks([failure], exception_key="parsing_error")
