"""Every page of the cookbook runs from its first line to its last."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import run_page

PAGES = sorted((Path(__file__).parent.parent / "cookbook").glob("*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_runs(page: Path) -> None:
    run = run_page(page)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()
