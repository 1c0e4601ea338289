"""The report in a real browser."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.filled_log import SCRIPT
from tests.engine.test_rounds import engine
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.report.collect import page_data
from uniscale_integrations.report.page import write_report
from uniscale_integrations.space import Configuration

VIEWS = ["overview", "configurations", "front", "beliefs", "drift", "decisions"]


@pytest.fixture
def opened(browser: Any, page: Path) -> Iterator[Any]:
    """The page, opened, without an error on the console or a request to anywhere when the test is done."""
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get("about:blank")
    browser.get(page.as_uri())
    yield browser
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert {url.split(":")[0] for url in asked} <= {"file", "about", "data"}
    assert browser.title == "UniScale report"


def one(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def several(browser: Any, selector: str) -> list[Any]:
    found: list[Any] = browser.find_elements("css selector", selector)
    return found


def until(browser: Any, condition: Callable[[Any], Any]) -> Any:
    """What a condition gives once it is met: a view is drawn in the page's own time, and what was found before is not there any more."""
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(browser, 20, ignored_exceptions=[StaleElementReferenceException]).until(condition)


def click(browser: Any, selector: str) -> None:
    until(browser, lambda page: one(page, selector).click() or True)


def open_view(browser: Any, name: str) -> None:
    click(browser, f"#tab-{name}")
    until(browser, lambda page: one(page, f"#tab-{name}").get_attribute("aria-selected") == "true")


def test_models_alone_are_what_was_measured_or_plain_samples(browser: Any, log: EventStore, tmp_path: Path) -> None:
    measured = {"small": (0.25, 1e9), "large": (0.75, 4e9)}
    for name, alone in (("measured", measured), ("chosen", None)):
        write_report(log, tmp_path / f"{name}.html", alone=alone)
        browser.get((tmp_path / f"{name}.html").as_uri())
        open_view(browser, "front")
        squares = several(browser, "#view-front path.alone")
        if alone:
            told = [square.get_attribute("aria-label") for square in squares]
            assert [text.split("\n")[0] for text in told] == [f"{model} alone, one plain sample" for model in measured]
            assert "25.0 % right, 1.00 G eFLOPs" in told[0]
        else:
            assert squares


def pressed(browser: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*keys).perform()


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens(opened: Any, view: str) -> None:
    open_view(opened, view)
    panel = one(opened, f"#view-{view}")
    assert panel.is_displayed()
    assert several(panel, "svg.chart, table")
    assert "undefined" not in panel.text
    assert "NaN" not in opened.page_source


def test_the_overview_tells_what_the_log_holds(opened: Any, log: EventStore) -> None:
    data = page_data(log)
    tiles = {tile.text.split("\n")[1]: tile.text.split("\n")[0] for tile in several(opened, ".tile")}
    judged = [each for each in data["decisions"]["correct"] if each is not None]
    assert tiles["decisions"] == "400"
    [label] = [each for each in tiles if each.startswith("judged, ") and each.endswith(" of answers")]
    assert tiles[label] == str(len(judged))
    assert tiles["right, of those judged"] == f"{100 * sum(judged) / len(judged):.1f} %"
    assert tiles["failed"] == str(sum(bool(each) for each in data["decisions"]["failed"]))


def test_filters_filter(opened: Any, log: EventStore) -> None:
    from selenium.webdriver.support.ui import Select

    data = page_data(log)
    open_view(opened, "decisions")

    def found() -> int:
        return int(one(opened, "#found").text.split(" of ")[0])

    assert found() == 400
    came, model = Select(one(opened, "#filter-came")), Select(one(opened, "#filter-model"))
    decisions = data["decisions"]
    came.select_by_visible_text("failed")
    assert found() == sum(bool(each) for each in decisions["failed"])
    came.select_by_visible_text("wrong")
    assert found() == sum(each == 0.0 for each in decisions["correct"])
    came.select_by_visible_text("all")
    model.select_by_visible_text("large")
    large = {place for place, each in enumerate(data["configurations"]) if each["model"] == "large"}
    assert found() == sum(each in large for each in decisions["configuration"])
    model.select_by_visible_text("all")
    one(opened, "#with-tree").click()
    assert found() == 60
    one(opened, "#with-tree").click()
    one(opened, "#filter-text").send_keys("What is 17 +")
    assert found() == 1
    one(opened, "#filter-text").send_keys(" nonsense")
    assert found() == 0
    assert "No decision is like that." in one(opened, "#list").text


def test_pages_turn(opened: Any) -> None:
    open_view(opened, "decisions")
    newer, older = several(opened, ".pages button")
    assert not newer.is_enabled()
    older.click()
    assert "page 2 of 8" in one(opened, "#found").text


def test_a_tree_opens_with_scores_fates_votes_and_ledger(opened: Any) -> None:
    open_view(opened, "decisions")
    several(opened, "td.q button")[1].click()
    detail = one(opened, "tr.open td[colspan]")
    shown = (
        "exact match",
        "Vote",
        "First this.",
        "Answer: 4",
        "the answer",
        "V=0.900",
        "can reach 0.5 at most",
        "pruned",
        "generator",
    )
    for said in shown:
        assert said in detail.text
    assert "<b>Or that.</b>" in detail.text
    assert "never started: 0.9 is out of reach" in detail.text
    assert opened.execute_script("return location.hash").startswith("#decisions/d")
    # The address of a decision opens it again.
    opened.refresh()
    assert "First this." in one(opened, "tr.open td[colspan]").text
    several(opened, "td.q button")[1].click()
    assert not several(opened, "tr.open")


def test_a_search_without_its_paths_says_so(opened: Any) -> None:
    open_view(opened, "decisions")
    one(opened, "#filter-text").send_keys("What is 17 +")
    one(opened, "td.q button").click()
    assert "has not kept the paths" in one(opened, "tr.open td[colspan]").text


def test_a_question_that_would_run_stays_text(opened: Any) -> None:
    open_view(opened, "decisions")
    newest = one(opened, "td.q button")
    assert newest.get_attribute("textContent") == SCRIPT
    newest.click()
    assert not several(opened, "main script, main img, main b")
    assert opened.title == "UniScale report"
    assert len(several(opened, "script")) == 2


def test_the_keyboard_reaches_everything(opened: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    one(opened, "#tab-overview").send_keys(Keys.ARROW_RIGHT)
    assert several(opened, "#view-configurations")
    pressed(opened, Keys.END)
    assert several(opened, "#view-decisions")
    pressed(opened, Keys.ARROW_RIGHT)
    assert several(opened, "#view-overview")
    pressed(opened, Keys.END, Keys.TAB)
    assert opened.switch_to.active_element.get_attribute("id") == "main" or opened.switch_to.active_element.tag_name == "input"
    several(opened, "td.q button")[1].send_keys(Keys.ENTER)
    assert several(opened, "tr.open")
    assert opened.switch_to.active_element.get_attribute("aria-expanded") == "true"


def test_light_and_dark(opened: Any) -> None:
    def ground() -> str:
        return str(opened.execute_script("return getComputedStyle(document.body).backgroundColor"))

    before = ground()
    one(opened, "#theme").click()
    assert ground() != before
    one(opened, "#theme").click()
    assert ground() == before


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_need_not_scroll_sideways(opened: Any, view: str) -> None:
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 380, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        open_view(opened, view)
        assert opened.execute_script("return document.documentElement.scrollWidth") <= 380
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_costs_in_another_unit_are_told_of_and_drawn_nowhere(browser: Any, tmp_path: Path) -> None:
    log = open_log("sqlite://")
    for place, (model, eflops, usd) in enumerate([("counted", 5e9, 0.0)] * 3 + [("priced", 0.0, 0.02)] * 2):
        decision = DecisionEvent(f"d{place}", Configuration(model), (1.0, 0.5), "my own", (0.4, 0.3, 0.3))
        outcome = Outcome(decision.decision_id, None, eflops=eflops, usd=usd)
        log.append(decision, outcome, Feedback(decision.decision_id, 1.0, "test"))
    write_report(log, tmp_path / "report.html")
    browser.get((tmp_path / "report.html").as_uri())
    open_view(browser, "overview")
    told = one(browser, "#view-overview").text
    assert "$0.0200" in told
    assert "3 decisions counted eFLOPs, and have no place where costs are shown." in told
    open_view(browser, "front")
    marks = [mark.get_attribute("aria-label") for mark in several(browser, "#view-front circle.hollow")]
    assert [mark.split("\n")[0] for mark in marks] == ["(priced,1,1,1)"]
    assert browser.get_log("browser") == []


def test_an_empty_log(browser: Any, tmp_path: Path) -> None:
    write_report(open_log("sqlite://"), tmp_path / "report.html")
    browser.get((tmp_path / "report.html").as_uri())
    for view in VIEWS:
        open_view(browser, view)
        assert "no decision yet" in one(browser, f"#view-{view}").text
    assert browser.get_log("browser") == []


def test_a_request_of_several_rounds_is_drawn_with_all_of_them(browser: Any, tmp_path: Path) -> None:
    made = engine(store_queries=True, store_paths=True)
    stopped = made.run("What is 2 + 3?")
    made.feedback(stopped, 1.0)
    write_report(made.log, tmp_path / "rounds.html")
    browser.get(f"{(tmp_path / 'rounds.html').as_uri()}#decisions/{stopped.rounds[1].decision_id}")
    text = one(browser, "#view-decisions").text
    assert "Rounds of this request" in text
    assert text.index("(small,1,1,1)") < text.rindex("(large,1,1,1)")
    assert "the answer" in text
    click(browser, "#view-decisions td a")
    until(browser, lambda page: stopped.rounds[0].decision_id in one(page, "#view-decisions").text)
