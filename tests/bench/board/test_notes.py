from __future__ import annotations

from pathlib import Path

import pytest

from earmark.bench.api import InputError
from earmark.bench.board.notes import FILE, read_notes
from earmark.bench.board.published import reported_rows
from earmark.bench.metrics.names import METRICS

NOTES = """
[[note]]
at = 2026-11-25T02:00:00Z
text = "silence is cut"
plugin = "rnnt"

[[note]]
commit = "c1dc3cf"
text = "a new corpus"
"""


def test_notes_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert read_notes(tmp_path) == []
    (tmp_path / FILE).write_text(NOTES)
    first, second = read_notes(tmp_path)
    assert (first["text"], first["plugin"], first["at"]) == ("silence is cut", "rnnt", "2026-11-25T02:00:00Z")
    assert (second["commit"], second["at"]) == ("c1dc3cf", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[note]]\ntext = 'x'", "needs at, run or commit"),
        ("[[note]]\nat = 2026-01-01T00:00:00Z\ntexts = 'x'", "text"),
        ("[[note", "can't|Expected|expected"),
    ],
)
def test_a_bad_note_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        read_notes(tmp_path)
    assert FILE in str(caught.value)


def test_published_figures_have_sources_and_known_metrics() -> None:
    rows = reported_rows()
    assert len({(r["task"], r["corpus"], r["condition"], r["plugin"], r["variant"], r["source"]) for r in rows}) == len(
        rows
    )
    assert all(row["source"].startswith("arXiv ") for row in rows)
    assert {metric for row in rows for metric in row["figures"]} <= METRICS.keys()
    (found,) = [r for r in rows if r["variant"] == "ConvRNN-T" and r["condition"] == "test-clean"]
    assert found["figures"] == {"wer": 0.0511, "n_parameters": 29e6}
