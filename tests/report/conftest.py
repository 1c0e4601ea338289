"""Logs to report on, and a browser to look with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.filled_log import filled
from uniscale_integrations.log.ports import EventStore

QUIET = ("disable-background-networking", "disable-component-update", "disable-sync")
"""What keeps a browser from asking for anything by itself."""


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium with an empty profile."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("there is no chromium here; Debian has it in the packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for switch in (*QUIET, "headless=new", "no-sandbox", "disable-gpu"):
        options.add_argument(f"--{switch}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield found
    found.quit()


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStore]:
    found = filled(f"sqlite:///{tmp_path_factory.mktemp('log') / 'log.db'}", 400)
    yield found
    found.close()


@pytest.fixture(scope="session")
def page(log: EventStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from uniscale_integrations.report.page import write_report

    target = tmp_path_factory.mktemp("report") / "report.html"
    write_report(log, target)
    return target
