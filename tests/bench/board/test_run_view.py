"""The page of one run in a real browser: how each cell ended, words where a reader expects them, files of a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import runs

if TYPE_CHECKING:
    from boards import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_run_says_how_each_of_its_cells_ended(board: Visit) -> None:
    page = board.open(f"#/run/{runs.RUN_ID}")
    lines = page.locator("main table tbody tr").all_inner_texts()
    assert len(lines) == len(runs.cells())
    (failed,) = (text for text in lines if text.startswith("gamma"))
    assert "the model broke" in failed
    (unsupported,) = (text for text in lines if text.startswith("delta"))
    assert runs.LACKING in unsupported
    page.get_by_role("link", name="12.5", exact=True).first.click()
    board.settle()
    assert page.inner_text("h1").startswith("WER 12.5 %")


def test_a_number_is_downloaded_with_all_its_fields(board: Visit, tmp_path: Path) -> None:
    page = board.open(f"#/number/{runs.RUN_ID}/good/wer")
    assert "1 thread for models" in page.inner_text("main")
    with page.expect_download() as caught:
        page.get_by_role("button", name="JSON of number-wer").click()
    caught.value.save_as(tmp_path / "number.json")
    (row,) = json.loads((tmp_path / "number.json").read_text(encoding="utf-8"))
    assert (row["value"], row["ci_low"], row["numerator"]) == (0.125, 0.105, 125.0)
    assert row["git_sha"] == runs.SHA
    assert row["command"] == "earmark run tiny"


def test_a_corpus_whose_name_holds_its_settings_does_not_widen_a_phone(phone: Visit) -> None:
    page = phone.open(f"#/run/{runs.RUN_ID}")
    name = "conversations(style=libricss,max_turns=3,rooms=0,dev=0,measure=120):synthetic-digits"
    changed = "(name) => [...document.querySelectorAll('main dt')].map((term) => (term.textContent = name)).length"
    assert page.evaluate(changed, name) > 3
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
