"""The report as one HTML file that fetches nothing and runs nothing but its own script."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Collection, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.report.collect import Alone, page_data

UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What could end the element that data stands in, as JSON says it too."""


def write_report(
    log: EventStore,
    target: str | Path,
    *,
    most_trees: int = 500,
    alone: Alone | None = None,
    policies: Collection[str] = (),
) -> dict[str, Any]:
    """Write a log's report.

    Args:
        log: what is reported.
        target: the file.
        most_trees: searches that are shown with their paths, the last ones that were kept.
        alone: what the models do without the engine, where that was measured, to compare with; otherwise those plain samples that the
            engine chose stand for it.
        policies: names "module:name" of policies of one's own, which are imported to show what they believe; what else the log names is
            not.

    Returns:
        what the page shows, as `page_data` gives it.

    Raises:
        LogError: the log cannot be read, or is what would be written over.
        ConfigurationError: the file cannot be written.
    """
    log.spare(Path(target))
    data = page_data(log, most_trees, alone, policies)
    try:
        Path(target).write_text(page(data), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write the report: {error}") from error
    return data


def page(data: Mapping[str, Any]) -> str:
    """The page that shows some data, which may hold any text.

    The page's own script is the only one that may run, by its hash; what stands in the data is text, in an element that is not run, and is
    put into the page as text.
    """
    style, script = _part("page.css"), _part("page.js")
    # In one pass, so that nothing in the data is taken for a place of the template.
    before, _, rest = _part("page.html").partition("@data@")
    after = rest.replace("@script@", script)
    for name, text in (("@style-hash@", _hash(style)), ("@script-hash@", _hash(script)), ("@style@", style)):
        before = before.replace(name, text)
    return before + _embed(data) + after


def _embed(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for sign, replacement in UNSAFE.items():
        text = text.replace(sign, replacement)
    return text


def _part(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a content security policy names a script or a style that stands in the page."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
