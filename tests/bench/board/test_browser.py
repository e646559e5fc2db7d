"""The site in a real browser, opened from a disk: what a reader does with it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import runs
import talks
from boards import visit

from earmark.bench.board import build_board, cards

if TYPE_CHECKING:
    from boards import Visit
    from playwright.sync_api import Browser, Page

    from earmark.bench.rows import Measurement

pytestmark = [pytest.mark.browser, pytest.mark.slow]

VIEWS = (
    "#/overview", "#/overview/verification", "#/tradeoffs", "#/fairness", "#/model", "#/model/alpha",
    "#/model/echo", "#/history", f"#/compare?runs={runs.RUN_ID}+{runs.LATER_ID}", "#/numbers",
    f"#/number/{runs.RUN_ID}/good/wer", f"#/run/{runs.RUN_ID}",
    f"#/number/{runs.LATER_ID}/good/wer?utterance={runs.RUN_ID}~good~u1", f"#/number/{runs.RUN_ID}/voice/eer",
)  # fmt: skip


def column(page: Page, place: int) -> list[str]:
    """The texts of a column of the first table, without reported rows."""
    return page.locator(f"main table tbody tr:not(.reported) > :nth-child({place})").all_inner_texts()


def test_a_heading_sorts_by_mouse_and_by_keyboard(board: Visit) -> None:
    page = board.open("#/overview/recognition")
    headings = page.locator("main thead th").all_inner_texts()
    place = next(n for n, text in enumerate(headings, 1) if text.startswith("UPL p50"))
    heading = page.locator(f"main thead th:nth-child({place})")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [text.split()[0] for text in column(page, place)] == ["90.0", "180", "–"]  # what failed comes last
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert [text.split()[0] for text in column(page, place)] == ["180", "90.0", "–"]
    assert "sort=-upl_final_p50" in page.url


def test_filters_keep_what_was_asked_for(board: Visit) -> None:
    page = board.open("#/overview/recognition")
    assert "gamma" in page.inner_text("main table")
    page.get_by_label("status").select_option("ok")
    assert "gamma" not in page.inner_text("main table")
    page.get_by_label("find").fill("bet")
    assert column(page, 1) == ["beta"]
    assert page.evaluate("document.activeElement.id") == "filter-text"  # the next key lands there too


def test_cpu_and_gpu_never_share_a_table(board: Visit) -> None:
    page = board.open("#/overview/recognition?columns=upl_final_p50")
    assert not any("12.5" in text for text in column(page, 2))
    page.get_by_label("device").select_option("cuda")
    assert len(column(page, 1)) == 1
    assert any("12.5" in text for text in column(page, 4) + column(page, 3) + column(page, 2))


def test_an_address_brings_back_what_was_chosen(board: Visit) -> None:
    page = board.open("#/overview/recognition")
    page.get_by_label("status").select_option("ok")
    board.settle()
    page.get_by_text("Columns (").click()
    board.settle()
    page.get_by_label("CER %").click()
    board.settle()
    page.get_by_role("button", name="WER %").click()
    shown, address = page.inner_text("main table"), page.url
    page.goto("about:blank")
    page.goto(address)
    board.settle()
    assert page.inner_text("main table") == shown
    assert page.get_by_label("status").input_value() == "ok"
    assert "CER" not in page.inner_text("main thead")


def test_three_clicks_lead_from_a_number_to_its_utterance(board: Visit) -> None:
    page = board.open(f"#/overview/recognition?run={runs.RUN_ID}")
    page.get_by_role("link", name="12.5", exact=True).first.click()
    board.settle()
    told = page.inner_text("main")
    for fact in ("[10.5, 15.5]", "percentile over speakers", "A CPU", "earmark run tiny", runs.SHA, "125 of 1,000"):
        assert fact in told
    page.get_by_role("link", name="u1").click()
    board.settle()
    drawer = page.get_by_role("dialog")
    assert "3 in 5 words" in drawer.inner_text()
    assert drawer.locator(".aligned .step-S, .aligned .step-D, .aligned .step-I").count() == 3
    assert drawer.locator(".plot svg").count() == 1
    page.keyboard.press("Escape")
    drawer.wait_for(state="detached")
    assert "utterance" not in page.url


def test_the_drawer_shows_words_when_they_were_spoken_and_shown(board: Visit) -> None:
    page = board.open(f"#/number/{runs.RUN_ID}/good/wer?utterance={runs.RUN_ID}~good~u2")
    drawer = page.get_by_role("dialog")
    assert {"Stop.", "stop", "spoken", "shown"} <= set(drawer.locator(".plot svg text").all_text_contents())
    drawer.get_by_text("Times as a table").click()
    assert drawer.locator("table tbody tr").first.locator("td.number").all_inner_texts()[:2] == ["0.100", "0.500"]


def test_two_runs_stand_side_by_side_with_intervals(board: Visit) -> None:
    page = board.open("#/compare")
    for place in range(2):  # each click draws the view anew
        page.get_by_role("checkbox").nth(place).click()
        board.settle()
    row = page.locator("main table tbody tr", has_text="WER %").filter(has_text="12.5").first
    assert row.inner_text().count("[10.5, 15.5]") == 2
    assert "not told apart" in row.inner_text()


def test_a_step_is_marked_where_a_level_changed_with_what_was_noted(nights: Visit) -> None:
    page = nights.open("#/history/recognition?metric=wer")
    steps = page.locator("main table tbody td:last-child").all_inner_texts()
    assert [text for text in steps if text] == ["worse 10.0 to 13.0 %; harder recordings"]
    assert page.locator("main table tbody tr", has_text="worse").inner_text().startswith("2026-01-05")
    assert "harder recordings" in page.locator("section", has_text="Notes").first.inner_text()
    marks = page.locator(".plot svg .mark-symbol path").evaluate_all("(marks) => marks.map((m) => m.getAttribute('d'))")
    assert len([mark for mark in marks if "A" not in mark]) == 1  # a triangle has no arcs


def test_gaps_that_repairs_closed_stand_beside_what_they_cost(repairs: Visit) -> None:
    """One is trained 250 steps more: 5 points, 2 for 100 steps. One computes 10 % more: 2 points, 0.2 for each 1 %."""
    page = repairs.open("#/fairness")
    table = page.get_by_role("table", name="Gap closed and its cost")
    told = {
        row.split("\t")[0].split(" ")[-1]: row.split("\t")[1:] for row in table.locator("tbody tr").all_inner_texts()
    }
    told = {name: [cell.split("\n")[0].strip() for cell in cells] for name, cells in told.items()}
    assert told["learned"] == ["5.00", "+0.00 %", "–", "250", "no extra MACs", "2.00"]
    assert told["grown"] == ["2.00", "+10.00 %", "–", "–", "0.20", "–"]
    ledger = page.get_by_role("table", name="Before and after repairs").inner_text()
    assert "north / south" in ledger
    assert "-5.00" in ledger


def test_a_repair_that_weighs_shows_what_each_group_weighed_over_its_training(repairs: Visit) -> None:
    page = repairs.open("#/fairness?scheme=accent")
    drawn = page.locator("section", has=page.get_by_role("heading", name="Weights against losses by accent"))
    assert drawn.locator(".plot").count() == 1  # the other repair watched nobody
    assert {"mean loss", "mean weight", "north", "south"} <= set(drawn.locator(".plot svg text").all_text_contents())
    assert "Weights against losses" not in repairs.open("#/fairness?scheme=gender").inner_text("main")


def test_a_picture_is_described_by_what_it_shows(repairs: Visit) -> None:
    described = repairs.open("#/fairness").locator(".plot").evaluate_all("(all) => all.map((one) => one.ariaLabel)")
    assert "The error rate of every cohort with its interval; the numbers are in the table below" in described
    assert len({*described}) == len(described)


def test_rows_of_one_model_say_what_tells_them_apart(chromium: Browser, tmp_path: Path) -> None:
    folder = runs.build_results(tmp_path)
    changes: list[dict[str, Any]] = [{}, {"seed": 1}, {"chunk_ms": 480}, {"options": {"beam": 4}}]
    folder.write_cells([runs.cell_row(f"c{n}", **change) for n, change in enumerate(changes)])
    folder.write_measurements([runs.measurement(f"c{n}", "wer", 0.1 + n / 100) for n in range(len(changes))])
    page = build_board(tmp_path / "results", tmp_path / "site" / "index.html")
    for reading in visit(chromium, page):
        names = column(reading.open("#/overview/recognition?reported=no"), 1)
        assert len(set(names)) == len(names)
        assert all(
            said in name for said, name in zip(("seed 0", "seed 1", "chunks of 480 ms", "beam=4"), names, strict=True)
        )


def test_of_a_model_with_many_cells_the_best_are_drawn_and_the_page_says_so(chromium: Browser, tmp_path: Path) -> None:
    folder = runs.build_results(tmp_path)
    folder.write_cells([runs.cell_row(f"c{n}", seed=n) for n in range(10)])
    worst_first = [measurement for n in range(10) for measurement in _delayed(f"c{n}", 0.5 - n / 100)]
    folder.write_measurements(worst_first)
    page = build_board(tmp_path / "results", tmp_path / "site" / "index.html")
    for reading in visit(chromium, page, viewport={"width": 1280, "height": 900}):
        shown = reading.open("#/model/alpha").locator("main")
        assert "the best 8 of 10 by WER" in shown.inner_text()
        drawn = " ".join(
            shown.locator("section", has_text="Latency percentiles").locator("svg text").all_text_contents()
        )
        assert [n for n in range(10) if f"seed {n}" in drawn] == list(range(2, 10))


def _delayed(cell: str, wer: float) -> list[Measurement]:
    return [runs.measurement(cell, "wer", wer), runs.measurement(cell, "upl_final_p50", 100.0)]


def test_rows_of_several_runs_say_when_theirs_began(board: Visit) -> None:
    names = column(board.open("#/overview/recognition?runs=all&reported=no"), 1)
    assert len(names) == len(set(names)) == 6
    assert sum("run of 01-02 03:04" in name for name in names) == 3
    assert not any("run of" in name for name in column(board.open("#/overview/recognition?reported=no"), 1))


def test_equal_rows_keep_their_order_and_missing_ones_come_last_either_way(chromium: Browser, tmp_path: Path) -> None:
    values = {"a": 0.2, "b": None, "c": 0.1, "d": 0.2, "e": 0.3, "f": None}
    folder = runs.build_results(tmp_path)
    folder.write_cells([runs.cell_row(name, plugin=name) for name in values])
    folder.write_measurements([runs.measurement(n, "wer", v) for n, v in values.items() if v is not None])
    page = build_board(tmp_path / "results", tmp_path / "site" / "index.html")
    for reading in visit(chromium, page):
        assert column(reading.open("#/overview/recognition?reported=no&sort=wer"), 1) == list("cadebf")
        assert column(reading.open("#/overview/recognition?reported=no&sort=-wer"), 1) == list("eadcbf")


def test_gaps_of_cohorts_too_small_stand_below_the_others(chromium: Browser, tmp_path: Path) -> None:
    folder = runs.build_results(tmp_path)
    folder.write_cells([runs.cell_row(name, plugin=name) for name in ("few", "many")])
    told: dict[str, Any] = {"scheme": "accent", "cohort": "*", "flags": ["bottom:north", "top:south"]}
    small = {"status": "insufficient", "reason": "a cohort of the pair is too small"}
    few, many = (
        runs.measurement("few", "gap_rel", 9.0, **told, **small),
        runs.measurement("many", "gap_rel", 0.1, **told),
    )
    folder.write_measurements([few, many])
    page = build_board(tmp_path / "results", tmp_path / "site" / "index.html")
    for reading in visit(chromium, page):
        for sort in ("gap", "-gap"):
            assert column(reading.open(f"#/overview/fairness?sort={sort}"), 1) == ["many", "few"]


def test_on_a_phone_a_number_stands_beside_its_name(phone: Visit) -> None:
    page = phone.open("#/overview/recognition")
    assert page.locator("main thead th").nth(1).inner_text().startswith("WER")


def test_a_model_with_gates_shows_them_by_block_and_by_loudness_and_its_card(chromium: Browser, tmp_path: Path) -> None:
    page = build_board(runs.build_gated(tmp_path), tmp_path / "site" / "index.html")
    for reading in visit(chromium, page, viewport={"width": 1280, "height": 900}):
        shown = reading.open("#/model/amortized").locator("main")
        gates = shown.locator("section", has_text="Gates")
        assert {"0.25", "0.75", "0.50", "1.00", "key", "ffn"} <= set(
            gates.locator(".plot svg text").all_text_contents()
        )
        assert gates.locator(".plot").nth(1).locator(".mark-symbol.role-mark path").count() == 4
        card = shown.locator("details.card")
        assert not card.locator("p").first.is_visible()
        card.locator("summary").click()
        assert card.locator("p").first.is_visible()
        assert card.locator("table").count() > 0
        assert shown.locator("h1").all_inner_texts() == ["amortized"]


def test_of_a_card_only_plain_elements_are_shown(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = [["script", "alert(1)"], ["p", ["img", "x"], ["a", "<b>y</b>"]], ["h1", "not a second one"]]
    monkeypatch.setattr(cards, "cards", lambda _names: [("alpha", hostile)])
    runs.build_results(tmp_path)
    page = build_board(tmp_path / "results", tmp_path / "site" / "index.html")
    for reading in visit(chromium, page):
        shown = reading.open("#/model/alpha").locator("main")
        assert shown.locator("script, img, details.card a, details.card b").count() == 0
        assert "alert(1)" in str(shown.locator("details.card").text_content())
        assert shown.locator("h1").count() == 1


def test_the_conversation_with_most_errors_is_shown_in_time(chromium: Browser, tmp_path: Path) -> None:
    page = build_board(talks_of(tmp_path), tmp_path / "site" / "index.html")
    for reading in visit(chromium, page):
        found = reading.open("#/model/alpha").locator("section", has_text="A conversation in time")
        assert "one, heard by alpha" in found.inner_text()  # of the other one every word is right
        assert {"turns, channel 0", "shown", "A", "h"} <= set(found.locator("svg text").all_text_contents())


def talks_of(root: Path) -> Path:
    """A results folder of a recognizer that heard two conversations."""
    folder = runs.build_results(root)
    folder.write_cells([runs.cell_row("good", task="conversation")])
    folder.write_measurements([runs.measurement("good", "orc_wer", 1 / 9)])
    talks.write_talks(folder.observations("good"))
    return root / "results"


@pytest.mark.parametrize("kind", ["CSV", "JSON"])
def test_downloads_hold_exact_values(board: Visit, tmp_path: Path, kind: str) -> None:
    page = board.open(f"#/overview/recognition?run={runs.RUN_ID}")
    with page.expect_download() as caught:
        page.get_by_role("button", name=kind).click()
    path = tmp_path / "file"
    caught.value.save_as(path)
    text = path.read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text) if kind == "JSON" else list(csv.DictReader(text.splitlines()))
    found = {row["label"]: row for row in rows}
    assert float(found["alpha"]["wer"]) == 0.125
    assert float(found["alpha"]["wer_low"]) == 0.105
    assert found["alpha"]["upl_final_p90_status"] == "unbounded"
    assert found["gamma"]["wer"] in (None, "")
    assert "ValueError: the model broke" in found["gamma"]["status"]


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_drawn_without_complaint(board: Visit, view: str) -> None:
    page = board.open(view)
    assert page.locator("h1").count() == 1
    assert "can’t" not in page.inner_text("h1")
    assert "could not be drawn" not in page.inner_text("main")


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_in_the_dark_shows_every_view_without_scrolling_sideways(phone: Visit, view: str) -> None:
    page = phone.open(view)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert sum(map(int, re.findall(r"\d+", paper)[:3])) < 120 < 500 < sum(map(int, re.findall(r"\d+", ink)[:3]))


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious(board: Visit, view: str, dark: bool) -> None:
    from axe_playwright_python.sync_playwright import Axe

    board.page.emulate_media(color_scheme="dark" if dark else "light")
    found = Axe().run(board.open(view)).response["violations"]
    serious = [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []


def test_a_repair_of_the_device_in_the_address_is_no_crash(board: Visit) -> None:
    """Addresses are typed by people: what doesn't exist falls back, or says so."""
    assert board.open("#/overview/nothing?device=abacus&sort=-nothing&columns=nothing").locator("table").count() == 1
    assert "No such number" in board.open("#/number/a/b/c").inner_text("h1")
    assert "No such model" in board.open("#/model/%E0%A4%A").inner_text("h1")
    assert "not among" in board.open("#/overview?utterance=a~b~c").get_by_role("dialog").inner_text()


def test_turns_of_a_conversation_stand_in_lanes_of_their_channels(chromium: Browser, tmp_path: Path) -> None:
    page = build_board(talks_of(tmp_path), tmp_path / "site" / "index.html")
    for reading in visit(chromium, page):
        reading.open(f"#/number/{runs.RUN_ID}/good/orc_wer?utterance={runs.RUN_ID}~good~both")
        lanes = set(reading.page.get_by_role("dialog").locator(".plot svg text").all_text_contents())
        assert {f"{what}, channel {n}" for what in ("turns", "shown") for n in (0, 1)} <= lanes
        assert {"A", "B", "<end_of_turn>"} <= lanes
