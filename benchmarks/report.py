"""`python -m benchmarks.report [--json]`: how long a report takes to write, and a browser to open it.

A log of 20,000 decisions. Opening is measured in a headless Chromium, from the navigation until the first view is drawn, and so is a
change of the filters; against a page of 200 decisions in the same run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.filled_log import filled
from uniscale_integrations.report.page import write_report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=20_000)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    found = {name: measured(count) for name, count in (("small", 200), ("large", arguments.decisions))}
    for name, figures in found.items():
        sys.stdout.write(f"{name}: {json.dumps(figures)}\n")
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")


def measured(count: int) -> dict[str, float]:
    """Seconds to write and to open the report of so many decisions, and its megabytes."""
    with TemporaryDirectory() as folder:
        log, target = filled(f"sqlite:///{folder}/log.db", count), Path(folder) / "report.html"
        began = time.perf_counter()
        write_report(log, target)
        written = time.perf_counter() - began
        log.close()
        return {"decisions": count, "write_s": written, "megabytes": target.stat().st_size / 1e6, **_opened(target, Path(folder))}


def _opened(target: Path, folder: Path) -> dict[str, float]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for switch in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-background-networking",
        f"user-data-dir={folder}/profile",
    ):
        options.add_argument(f"--{switch}")
    browser: Any = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        opened, filtered = [], []
        for _ in range(5):
            browser.get("about:blank")
            browser.get(target.as_uri())
            # Until everything that the page does at its opening is done.
            opened.append(browser.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd") / 1e3)
            browser.find_element("css selector", "#tab-decisions").click()
            began = time.perf_counter()
            browser.find_element("css selector", "#filter-text").send_keys("17")
            filtered.append(time.perf_counter() - began)
        return {"open_s": median(opened), "filter_s": median(filtered)}
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
