"""Names and texts that want to be more than text: the page shows them, and does nothing that they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import runs
from boards import Visit, visit

from earmark.bench.annotations import FILE
from earmark.bench.board import build_board
from earmark.bench.rows import CorpusInfo, PluginInfo
from earmark.bench.store import RunFolder
from earmark.bench.tables import Writer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TEXTS = {
    "script": "<script>alert(1)</script>",
    "image": '"><img src=x onerror=alert(1)>',
    "template": "{{7*7}}",
    "right-to-left": "\u202eevil\u200f\u2067txt\u2069",
    "long": "x" * 10_000,
}
HIDDEN = dict.fromkeys(map(ord, "\u202e\u200f\u2067\u2069"), "\ufffd")
"""Marks that turn text around are shown as replacement characters."""
FIELDS = (
    "plugin", "corpus", "key", "option", "reason", "speaker", "utterance", "reference", "hypothesis", "scheme",
    "cohort", "suite", "command", "note", "machine", "flag", "learned",
)  # fmt: skip
VIEWS = {
    "#/overview/recognition": ("plugin", "option", "reason"),
    "#/fairness": ("plugin", "scheme", "cohort"),
    "#/history": ("plugin", "option", "note"),
    "#/model/{plugin}": ("plugin", "option", "reason"),
    "#/number/{run}/good/wer": (
        "plugin", "corpus", "key", "option", "speaker", "utterance", "reference", "hypothesis", "suite", "command",
        "machine", "flag", "learned",
    ),
    "#/number/{run}/good/wer?utterance={run}~good~{utterance}": ("speaker", "utterance", "reference", "hypothesis"),
}  # fmt: skip
"""What each view must show in full; the last is the drawer."""


class Hostile:
    """A text with the name of its field before it, so that each is looked for on its own."""

    def __init__(self, text: str) -> None:
        self.fields = {name: f"{name}{text}" for name in FIELDS}

    def __getitem__(self, name: str) -> str:
        return self.fields[name]

    def shown(self, name: str) -> str:
        return self[name].translate(HIDDEN)

    def write(self, root: Path) -> None:
        (root / "results").mkdir(parents=True)
        told = f"[[annotation]]\nrun = '{runs.RUN_ID}'\nnote = {json.dumps(self['note'], ensure_ascii=False)}\n"
        (root / "results" / FILE).write_text(told, encoding="utf-8")
        folder = RunFolder(root / "results" / "v1" / runs.SUITE / runs.RUN_ID)
        toy = next(iter(runs.run_row().corpora.values()))
        folder.write_run(
            runs.run_row(
                suite=self["suite"], command=["earmark", "run", self["command"]], normalizer="raw-1",
                host=runs.run_row().host.model_copy(update={"cpu_model": self["machine"]}),
                plugins={self["plugin"]: PluginInfo(origin="o", version="1", digest="d", license=self["plugin"])},
                corpora={self["corpus"]: CorpusInfo(**toy.model_dump())},
            )
        )  # fmt: skip
        alike = {"plugin": self["plugin"], "corpus": self["corpus"], "train_corpus": self["learned"]}
        options = {self["key"]: self["option"]}
        fell = runs.cell_row("fell", **alike, status="failed", reason=self["reason"])
        folder.write_cells([runs.cell_row("good", **alike, options=options, flags=[self["flag"]]), fell])
        folder.write_measurements(
            [
                runs.measurement("good", "wer", 0.1, **runs.ci(0.05, 0.2)),
                *(runs.measurement("good", "wer", value, scheme=self["scheme"], cohort=cohort, n_speakers=12)
                  for value, cohort in ((0.2, self["cohort"]), (0.1, "b"))),
                runs.measurement("fell", "wer", None, status="failed", reason=self["reason"]),
            ]
        )  # fmt: skip
        self._observe(folder)

    def _observe(self, folder: RunFolder) -> None:
        with Writer(folder.observations("good"), "good") as writer:
            writer.add(
                "utterances", utterance_id=self["utterance"], speaker=self["speaker"], split="measure",
                condition="clean", reference=self["reference"], hypothesis_raw=self["hypothesis"], audio_s=0.6,
                outcome="ok", metadata="{}",
            )  # fmt: skip
            word = {"utterance_id": self["utterance"], "word": self["reference"], "start_s": 0.1, "end_s": 0.5}
            writer.add("reference_words", **word)
            token = {"pass": 0, "index": 0, "channel": 0, "kind": "text", "final": True, "chunk": 1, "audio_s": 0.5}
            writer.add("tokens", utterance_id=self["utterance"], text=self["hypothesis"], emitted_s=0.6, **token)

    def address(self, view: str) -> str:
        return view.format(run=runs.RUN_ID, **{name: quote(text, safe="") for name, text in self.fields.items()})


@pytest.fixture(scope="module", params=TEXTS)
def hostile(request: pytest.FixtureRequest) -> Hostile:
    return Hostile(TEXTS[request.param])


@pytest.fixture(scope="module")
def hostile_site(hostile: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile")
    hostile.write(root)
    return build_board(root / "results", root / "site" / "index.html")


@pytest.fixture
def opened(chromium: Browser, hostile_site: Path) -> Iterator[Visit]:
    yield from visit(chromium, hostile_site, viewport={"width": 1280, "height": 900})


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_text_is_shown_as_text(opened: Visit, hostile: Hostile, view: str) -> None:
    page = opened.open(hostile.address(view))
    place = "dialog" if "utterance=" in view else "main"
    said = page.locator(place).evaluate("(place) => place.textContent")
    parts = {name: hostile.shown(name).split() if place == "dialog" else [hostile.shown(name)] for name in VIEWS[view]}
    assert [name for name, words in parts.items() if not all(word in said for word in words)] == []
    assert "could not be drawn" not in said
    assert page.locator("body :is(img, iframe, object, embed, main script, dialog script)").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
