"""The text that a model reads of a conversation, made with its own chat template, up to where its answer begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from uniscale_integrations.errors import MissingExtraError
from uniscale_integrations.search.conversation import Turn

Render = Callable[[Sequence[Turn]], str]
"""Makes the text for raw completions."""


def template_render(template: str, bos: str = "", eos: str = "") -> Render:
    """Rendering by a chat template, in a sandbox: templates come with models, from anywhere.

    Args:
        template: in Jinja, as models bring it.
        bos: the token that begins a text, where the template names it.
        eos: the one that ends it.

    Raises:
        MissingExtraError: Jinja is not installed.

    Example:
        >>> render = template_render("{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }} {% endfor %}>")
        >>> render([Turn("user", "2 + 2?")])
        '[user] 2 + 2? >'
    """
    try:
        from jinja2.exceptions import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise MissingExtraError("rendering chat templates", "local") from error

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.globals["raise_exception"] = refuse
    template_object = environment.from_string(template)

    def render(turns: Sequence[Turn]) -> str:
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        return template_object.render(messages=messages, add_generation_prompt=True, bos_token=bos, eos_token=eos)

    return render


def tokenizer_render(tokenizer: Any) -> Render:
    """Rendering by the chat template of a tokenizer of transformers."""

    def render(turns: Sequence[Turn]) -> str:
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    return render


def gguf_render(file: str | Path) -> Render | None:
    """Rendering by the chat template in a GGUF file's metadata; `None` where it has none.

    Raises:
        MissingExtraError: the package that reads such files is not installed.
    """
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise MissingExtraError("reading GGUF files", "local") from error
    reader = GGUFReader(str(file))

    def text_of(name: str) -> str:
        field = reader.get_field(name)
        return "" if field is None else str(field.contents())

    def token(name: str) -> str:
        field, tokens = reader.get_field(f"tokenizer.ggml.{name}_token_id"), reader.get_field("tokenizer.ggml.tokens")
        return "" if field is None or tokens is None else str(tokens.contents(int(field.contents())))

    template = text_of("tokenizer.chat_template")
    return template_render(template, token("bos"), token("eos")) if template else None
