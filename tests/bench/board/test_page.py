from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import runs

from earmark.bench.api import InputError
from earmark.bench.board import build_board, page
from earmark.bench.store import RunFolder

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}${7*7}"


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text between tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("board")
    runs.build_results(root)
    return build_board(root / "results", root / "page" / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tradeoff", "cohort_dots"):
        monkeypatch.setattr(page.charts, name, lambda *_: None)


def build(folder: RunFolder) -> str:
    results = folder.path.parents[2]
    return build_board(results, results.parent / "page.html").read_text(encoding="utf-8")


def test_nothing_on_the_page_points_to_the_network(html: str) -> None:
    for tag, attributes in Elements(html).tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "use", "image")
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster", "data"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)|//cdn|jsdelivr|unpkg", html)
    left = re.sub(r'xmlns(:xlink)?="http://www\.w3\.org/[^"]*"', "", html)
    assert "http:" not in left
    assert "https:" not in left


def test_the_page_runs_no_script_but_its_own(html: str) -> None:
    found = Elements(html)
    assert sum(tag == "script" for tag, _ in found.tags) == 1
    policy = next(a["content"] for tag, a in found.tags if tag == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in (policy or "")
    assert "script-src 'sha256-" in (policy or "")
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)


def test_statuses_and_intervals_are_visible(html: str) -> None:
    for part in ("12.5 <small>[10.5, 15.5]</small>", "ValueError: the model broke", runs.LACKING, "∞", "above chance",
                 "within chance", "fewer than 10 speakers", "one_session"):  # fmt: skip
        assert part in html


def test_cpu_and_gpu_stand_in_tables_of_their_own(html: str) -> None:
    articles = html.split("<article>")[1:]
    devices = [re.findall(r'class="device">(\w+)<', article) for article in articles]
    assert devices == [["cpu"], ["cuda"], ["cpu"]]


def test_headings_can_be_sorted_by_keyboard_and_say_how_they_are(html: str) -> None:
    for table in re.findall(r'<table class="sortable">.*?</table>', html, re.DOTALL):
        head = table.split("</thead>")[0]
        plain = head.count('<th scope="col">drawn</th>')  # a picture can't be sorted
        assert head.count('<button type="button">') == head.count("<th ") - plain
        assert 'scope="col"' in head
    assert [a["aria-sort"] for _, a in Elements(html).tags if "aria-sort" in a] == ["ascending"] * 3


def test_provenance_is_at_the_foot(html: str) -> None:
    foot = html.rpartition("Where these numbers come from")[2]
    for fact in (runs.RUN_ID, runs.SHA, "abc123abc123", "basic-1", "earmark run tiny", "0.1.0"):
        assert fact in foot


def test_charts_are_drawn_into_the_page(html: str) -> None:
    assert html.count("<figure") >= 3
    assert html.count("<svg") >= 5
    assert "currentColor" in html
    assert "prefers-color-scheme: dark" in html


def test_text_from_tables_stays_text(tmp_path: Path) -> None:
    folder = runs.build_results(tmp_path, run=runs.run_row(command=["earmark", HOSTILE], python=HOSTILE))
    changed = {"plugin": HOSTILE, "corpus": HOSTILE, "reason": HOSTILE, "flags": [HOSTILE], "condition": HOSTILE}
    folder.write_cells(
        [c.model_copy(update=changed) if c.cell in ("good", "poor", "fell") else c for c in runs.cells()]
    )
    named = {"cohort": HOSTILE}
    rows = [row.model_copy(update=named if row.cohort == "north" else {}) for row in runs.measurements()]
    folder.write_measurements(rows)
    html = build(folder)
    found = Elements(html)
    assert sum(tag == "script" for tag, _ in found.tags) == 1
    assert "<script>alert" not in html
    assert any(HOSTILE in words for words in found.words)


def test_a_newest_complete_run_is_shown_and_others_are_named(tmp_path: Path) -> None:
    runs.build_results(tmp_path)
    newer = "20270101T000000Z-abc123-7654321"
    runs.build_results(tmp_path, run=runs.run_row(run_id=newer))
    begun = "20280101T000000Z-abc123-7654321"
    folder = runs.build_results(tmp_path, run=runs.run_row(run_id=begun, complete=False, finished_at=None))
    shown, others = page.choose([RunFolder(folder.path.parent / name) for name in (runs.RUN_ID, newer, begun)])
    assert [f.run_id for f in shown] == [newer]
    assert others == [f"tiny/{begun}", f"tiny/{runs.RUN_ID}"]


@pytest.mark.usefixtures("no_charts")
def test_an_unfinished_run_is_shown_as_such_where_there_is_no_other(tmp_path: Path) -> None:
    assert ">incomplete<" in build(runs.build_results(tmp_path, run=runs.run_row(complete=False, finished_at=None)))


@pytest.mark.usefixtures("no_charts")
def test_rows_beyond_what_a_page_holds_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_ROWS", 2)
    assert "1 more rows are in the tables" in build(runs.build_results(tmp_path))


def test_nothing_to_show_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no runs are stored"):
        build_board(tmp_path, tmp_path / "index.html")


@pytest.mark.slow
def test_building_a_page_loads_no_torch(tmp_path: Path) -> None:
    runs.build_results(tmp_path)
    code = (
        "import sys; from pathlib import Path; from earmark.bench.board import build_board;"
        "build_board(Path(sys.argv[1]), Path(sys.argv[2])); sys.exit('torch' in sys.modules)"
    )
    paths = [str(tmp_path / "results"), str(tmp_path / "page.html")]
    assert subprocess.run([sys.executable, "-c", code, *paths], check=False).returncode == 0


_DOM = """
const make = (spec) => ({ dataset: spec.sort === undefined ? {} : { sort: spec.sort }, textContent: spec.text ?? "" });
const rows = ROWS.map((cells) => ({ cells: cells.map(make), name: cells[0].text }));
const body = { rows, append: (...all) => { body.rows = all; } };
const heading = (classes) => {
  const attributes = {}, button = { addEventListener: (_, f) => { button.click = f; } };
  return { classList: { contains: (c) => classes.includes(c) }, querySelector: () => button, button,
    getAttribute: (n) => attributes[n] ?? null, setAttribute: (n, v) => { attributes[n] = v; },
    removeAttribute: (n) => { delete attributes[n]; } };
};
const headings = [heading([]), heading(["number"])];
const document = { querySelectorAll: () => [{ tHead: { rows: [{ cells: headings }] }, tBodies: [body] }] };
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_script_sorts_numbers_as_numbers_and_keeps_what_is_missing_last() -> None:
    cells = [("a", "10"), ("b", ""), ("c", "9"), ("d", "1e999"), ("e", "-1")]
    rows = json.dumps([[{"text": name}, {"text": "x", "sort": key}] for name, key in cells])
    check = """
    const order = () => body.rows.map((row) => row.name).join("");
    const said = [];
    for (const column of [1, 1, 0, 0]) {
      headings[column].button.click();
      said.push([order(), headings.map((h) => h.getAttribute("aria-sort"))]);
    }
    console.log(JSON.stringify(said));
    """
    script = Path(page.__file__).with_name("board.js").read_text(encoding="utf-8")
    code = _DOM.replace("ROWS", rows) + script.replace('"use strict";', "") + check
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [
        ["ecadb", [None, "ascending"]],
        ["daceb", [None, "descending"]],
        ["abcde", ["ascending", None]],
        ["edcba", ["descending", None]],
    ]
