"""What UniScale changes in LlamaIndex for the whole process, in one step and reversible."""

from __future__ import annotations

from uniscale_integrations.llama_index import instrumentation, isolation


def install() -> None:
    """Hide inner calls from LlamaIndex's handlers, and note decisions with spans. Idempotent; constructing a `UniScaleLLM` does it."""
    isolation.install()
    instrumentation.install()


def uninstall() -> None:
    """Take back what `install` has done, until it is called or a `UniScaleLLM` is constructed again."""
    instrumentation.uninstall()
    isolation.uninstall()
