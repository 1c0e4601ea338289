"""The README is short, its links and those of the pages lead somewhere, and every page is listed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted(ROOT.glob("docs/*.md"))
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "training" / "README.md", *DOCS]


def prose(document: Path) -> str:
    """Without blocks and spans of code, which may look like headings and links."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<!`)`[^`\n]*\]\([^`\n]*`", "", text)


def anchors(document: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    titles = re.findall(r"^#+ +(.*?) *$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def links(document: Path) -> list[tuple[str, str]]:
    """The relative ones: the file, empty for the document itself, and the anchor."""
    found = re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", prose(document))
    return [(file, anchor) for file, anchor in found]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    for file, anchor in links(document):
        target = document.parent / file if file else document
        assert target.exists(), f"{file} is not there"
        assert target.resolve().is_relative_to(ROOT)
        assert not anchor or anchor in anchors(target), f"{file} has no heading {anchor}"


@pytest.mark.parametrize("start", [README, ROOT / "docs" / "README.md"], ids=["README.md", "docs/README.md"])
def test_every_page_is_listed(start: Path) -> None:
    listed = {(start.parent / file).resolve() for file, _ in links(start)}
    assert {page for page in DOCS if page.name != "README.md"} <= listed


def test_the_readme_is_short_and_begins_with_code() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines, 1) if line == "```python"]
    assert len(lines) <= 150
    assert starts[0] <= 20
    assert len(starts) == 2
    for start in starts:
        block = lines[start : lines.index("```", start)]
        assert len(block) <= 12
        assert any("feedback(" in line for line in block)
