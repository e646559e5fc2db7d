"""The fairness protocol as part of a run: who sees what and when, what is frozen, repaired, chosen and told."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import tones
from workers import work_here

from earmark.bench import bureau, learning, observing, run, score
from earmark.bench.api import InputError
from earmark.bench.outcomes import OUTCOMES
from earmark.bench.preflight import Request
from earmark.bench.rows import Cell
from earmark.bench.tables import read_table

pytestmark = pytest.mark.slow

PLUGINS = Path(__file__).parents[1] / "plugins"
SPLITS = ("train", "discover", "select", "measure")
SUITE = """
schema = 1
name = "unit"
[defaults]
passes = 1
[[train]]
id = "words"
task = "recognition"
plugins = ["honest"]
corpus = "tones"
steps = 4
pieces = 8
recipe = { threads = 1 }
[[cohorts]]
id = "places"
finder = "halves"
reference = { train = "words", plugin = "honest" }
[[repair]]
id = "evened"
of = "words"
plugins = ["honest"]
method = "evens"
cohorts = "places"
steps = 3
recipe = { threads = 1 }
[[measure]]
of = ["words", "evened"]
corpus = ["tones"]
cohorts = ["places", "accent"]
metrics = ["wer", "gaps"]
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-two speakers a split; those with odd numbers live in the north."""
    folder = tones.write_tones(tmp_path_factory.mktemp("corpora") / "tones", 22 * len(SPLITS))
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        number = int(row["speaker"][1:])
        far = (10.0 + number / 2) * (1 if number // len(SPLITS) % 2 else -1)
        row |= {"split": SPLITS[number % len(SPLITS)], "lat": far, "lon": 0.0}
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the workers were asked to do; they run in this process, unpinned."""
    if "fair" in sys.modules:
        sys.modules["fair"].SEEN.clear()
    monkeypatch.setenv("EARMARK_CACHE", str(tmp_path / "cache"))
    return work_here(monkeypatch, (observing, learning, bureau), kind_of)


def kind_of(job: Mapping[str, Any]) -> str:
    kind = next(kind for kind in ("cell", "training", "repair", "find", "assign", "embed") if kind in job)
    return str(job["cell"]["split"]) if kind == "cell" else kind


def go(tmp_path: Path, corpus: Path, text: str = SUITE, **changes: Any) -> run.Outcome:
    path = tmp_path / "unit.toml"
    path.write_text(text, encoding="utf-8")
    base: dict[str, Any] = {
        "suite": str(path), "corpus": str(corpus), "results": tmp_path / "results", "quiet": True,
        "plugin_files": (PLUGINS / "honest.py", Path(__file__).parents[1] / "fair.py", Path(tones.__file__)),
    }  # fmt: skip
    return run.run_suite(Request(**(base | changes)), lambda _line: None)


def seen() -> list[dict[str, Any]]:
    """What the plugins of the last run were handed."""
    import fair

    return list(fair.SEEN)


def cell_of(outcome: run.Outcome, **wanted: Any) -> Cell:
    (cell,) = [c for c in outcome.folder.read_cells() if all(getattr(c, k) == v for k, v in wanted.items())]
    return cell


def test_cohorts_are_frozen_before_anybody_of_measure_is_heard(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    outcome = go(tmp_path, corpus)
    assert outcome.exit_code == 0
    assert jobs == ["training", "discover", "select", "find", "assign", "repair", "measure", "measure"]
    told, repaired = outcome.folder.read_run(), cell_of(outcome, mitigation="evens")
    ((digest, scheme),) = told.cohort_schemes.items()
    assert (repaired.scheme_digest, repaired.scheme, repaired.finder) == (digest, "places", "halves")
    assert scheme["json"] == {"border": pytest.approx(0.0, abs=60)}
    assert scheme["reference_cell"] == cell_of(outcome, split="discover").cell
    assert sorted(scheme["pair"]) == ["north", "south"]
    facts = next(f for f in told.checkpoints.values() if "base_sha256" in f)
    assert facts["target"] == scheme["pair"][:1]
    assert facts["base_sha256"] == told.checkpoints[repaired.train_key]["sha256"] != facts["sha256"]


def test_finders_see_outcomes_of_their_own_speakers_and_schemes_see_none(
    tmp_path: Path, corpus: Path, jobs: list[str]
) -> None:
    go(tmp_path, corpus)
    handed = seen()
    (fitted,) = [one for one in handed if "discover" in one]
    speakers = {}
    for split in ("discover", "select"):
        table: pa.Table = fitted[split]
        assert set(table["split"].to_pylist()) == {split}
        assert all(words == 4 for words in table["words"].to_pylist())
        assert sum(table["errors"].to_pylist()) > 0
        speakers[split] = set(table["speaker"].to_pylist())
    assert not speakers["discover"] & speakers["select"]
    assert fitted["seed"] == 0
    assigned = [one["assigned"] for one in handed if "assigned" in one]
    assert len(assigned) >= 3
    assert not any(set(OUTCOMES) & set(table.column_names) for table in assigned)
    (trained,) = [one for one in handed if "rows" in one]
    assert not set(OUTCOMES) & set(trained["rows"].column_names)
    assert set(trained["rows"]["cohort"].to_pylist()) == {"north", "south"}


def test_the_gap_is_that_of_the_pair_ranked_on_discover(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    outcome = go(tmp_path, corpus)
    (scheme,) = outcome.folder.read_run().cohort_schemes.values()
    base = cell_of(outcome, mitigation=None, split="measure")
    rows = [row for row in outcome.folder.read_measurements() if row.cell == base.cell and row.scheme == "places"]
    (gap,) = [row for row in rows if row.metric == "gap_abs"]
    assert {"pair_ranked_on_discover", f"bottom:{scheme['pair'][0]}", f"top:{scheme['pair'][1]}"} <= set(gap.flags)
    wer = {row.cohort: row.value for row in rows if row.metric == "wer"}
    assert gap.value == pytest.approx(wer[scheme["pair"][0]] - wer[scheme["pair"][1]])
    table = read_table(outcome.folder.observations(base.cell), "assignments").to_pylist()
    assert len({row["speaker"] for row in table}) == 22
    before = (outcome.folder.path / "measurements.jsonl").read_bytes()
    score.score_run(outcome.folder)
    assert (outcome.folder.path / "measurements.jsonl").read_bytes() == before


def test_what_a_repair_changed_is_paired_with_the_model_as_it_was(
    tmp_path: Path, corpus: Path, jobs: list[str]
) -> None:
    outcome = go(tmp_path, corpus)
    base, repaired = cell_of(outcome, mitigation=None, split="measure"), cell_of(outcome, mitigation="evens")
    found = {(row.cell, row.scheme, row.cohort, row.metric): row for row in outcome.folder.read_measurements()}
    for scheme, cohort in (("all", "all"), ("places", "north"), ("places", "south"), ("accent", "b")):
        before, after = (found[c.cell, scheme, cohort, "wer"].value for c in (base, repaired))
        change = found[repaired.cell, scheme, cohort, "wer_change"]
        assert change.value == pytest.approx((after or 0.0) - (before or 0.0))
    before, after = (found[c.cell, "places", "*", "gap_abs"].value for c in (base, repaired))
    assert found[repaired.cell, "places", "*", "gap_abs_change"].value == pytest.approx((after or 0) - (before or 0))
    assert (base.cell, "all", "all", "wer_change") not in found
    alone = go(tmp_path, corpus, SUITE.replace('of = ["words", "evened"]', 'of = ["evened"]'))
    rows = [row for row in alone.folder.read_measurements() if row.metric == "wer_change"]
    assert [(row.status, row.reason) for row in rows] == [
        ("unsupported", "the model as it was has not been measured on these utterances")
    ]


def test_known_cohorts_are_not_found_again_and_a_changed_scheme_is_refused(
    tmp_path: Path, corpus: Path, jobs: list[str]
) -> None:
    first = go(tmp_path, corpus)
    jobs.clear()
    again = go(tmp_path, corpus, new=True)
    assert "find" not in jobs
    assert "repair" not in jobs
    assert again.folder.read_run().cohort_schemes == first.folder.read_run().cohort_schemes
    (frozen,) = (tmp_path / "cache").glob("schemes/*/frozen.json")
    told = json.loads(frozen.read_text(encoding="utf-8"))
    frozen.write_text(json.dumps(told | {"scheme": {"border": 3.0}}), encoding="utf-8")
    outcome = go(tmp_path, corpus, SUITE.replace("passes = 1", "passes = 2"))
    cell = cell_of(outcome, mitigation="evens")
    assert cell.status == "unsupported"
    assert "it is not the scheme that was frozen; delete its folder" in (cell.reason or "")


def test_a_finder_that_reaches_for_measure_gets_an_error(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    text = SUITE.replace('finder = "halves"', f'finder = "peeks"\nwith = {{ corpus = "{corpus}" }}')
    outcome = go(tmp_path, corpus, text)
    base, repaired = cell_of(outcome, mitigation=None, split="measure"), cell_of(outcome, mitigation="evens")
    assert base.status == "ok"
    assert repaired.status == "unsupported"
    assert "split 'measure' is withheld while cohorts are found" in (repaired.reason or "")
    rows = [row for row in outcome.folder.read_measurements() if row.cell == base.cell and row.scheme == "places"]
    assert [(row.status, "withheld" in (row.reason or "")) for row in rows] == [("unsupported", True)]
    assert outcome.folder.read_run().cohort_schemes == {}


def test_a_repair_sees_train_speakers_and_no_others(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    outcome = go(tmp_path, corpus, SUITE.replace('"evens"', '"spies"'))
    assert cell_of(outcome, mitigation="spies").status == "failed"
    assert cell_of(outcome, mitigation=None, split="measure").status == "ok"
    assert outcome.exit_code == 1


def test_one_cohort_leaves_nothing_to_repair_and_says_so(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    outcome = go(tmp_path, corpus, SUITE.replace('"halves"', '"one"'))
    cell = cell_of(outcome, mitigation="evens")
    assert (cell.status, outcome.exit_code) == ("unsupported", 0)
    assert "found no two cohorts that could be ranked: there is nothing to repair" in (cell.reason or "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda row: row | {"speaker": None}, "names no speakers"),
        (lambda row: row | {"split": "train" if row["split"] == "select" else row["split"]}, "split 'select' is empty"),
    ],
)
def test_a_corpus_without_what_cohorts_need_is_measured_all_the_same(
    tmp_path: Path, corpus: Path, jobs: list[str], change: Callable[[dict[str, Any]], dict[str, Any]], why: str
) -> None:
    folder = tmp_path / "lacking"
    shutil.copytree(corpus, folder)
    rows = [change(json.loads(line)) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    outcome = go(tmp_path, folder)
    assert outcome.exit_code == 0
    base = cell_of(outcome, split="measure", mitigation=None)
    rows = [row for row in outcome.folder.read_measurements() if row.cell == base.cell]
    assert next(row for row in rows if (row.metric, row.cohort) == ("wer", "all")).value is not None
    assert any(row.scheme == "places" and row.status == "unsupported" and why in (row.reason or "") for row in rows)
    repaired = cell_of(outcome, mitigation="evens")
    assert (repaired.status, why in (repaired.reason or "")) == ("unsupported", True)


def test_a_value_is_chosen_on_select(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    text = SUITE.replace("steps = 3", 'steps = 3\nchoose = "share"\nwith = { share = [0.5, 1.0] }')
    outcome = go(tmp_path, corpus, text)
    assert jobs.count("repair") == 2
    assert jobs.count("select") == 3
    assert jobs.count("measure") == 2
    cell = cell_of(outcome, mitigation="evens", split="measure")
    facts = next(f for f in outcome.folder.read_run().checkpoints.values() if "rule" in f)
    assert [one["value"] for one in facts["heard"]] == [0.5, 1.0]
    assert f"chosen:share={facts['value']}" in cell.flags
    assert facts["value"] == 0.5  # the two are alike, and the first of equals is taken


def test_a_model_is_told_the_cohort_or_not(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    text = SUITE.replace('"evens"', '"tells"').replace("steps = 3", 'steps = 3\ncohort_input = ["known", "hidden"]')
    outcome = go(tmp_path, corpus, text)
    known, hidden = (cell_of(outcome, cohort_input=given) for given in ("known", "hidden"))
    assert (known.status, hidden.status) == ("ok", "ok"), (known.reason, hidden.reason)
    untold = go(tmp_path, corpus, SUITE.replace("steps = 3", 'steps = 3\ncohort_input = ["known"]'))
    cell = cell_of(untold, cohort_input="known")
    assert (cell.status, "tells its model nothing of cohorts" in (cell.reason or "")) == ("unsupported", True)


def test_every_seed_has_cohorts_of_its_own(tmp_path: Path, corpus: Path, jobs: list[str]) -> None:
    outcome = go(tmp_path, corpus, seeds=(0, 1))
    assert jobs.count("find") == 2
    schemes = outcome.folder.read_run().cohort_schemes.values()
    cells = {(c.seed, c.split): c.cell for c in outcome.folder.read_cells()}
    assert {s["reference_cell"] for s in schemes} <= {cells[0, "discover"], cells[1, "discover"]}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('cohorts = "places"', 'cohorts = "place"', "repair 'evened': cohorts names unknown block 'place'"),
        ('of = "words"', 'of = "word"', "repair 'evened': of names unknown block 'word'"),
        ('method = "evens"', 'method = "halves"', "halves is a finder, not a mitigation"),
        ('finder = "halves"', 'finder = "voices"', "no embedder is named"),
        ('finder = "halves"', 'finder = "halfs"', "unknown fairness 'halfs'; did you mean halves"),
        ("steps = 3", 'steps = 3\nchoose = "share"', "choose names 'share', of which there is no choice"),
        ("steps = 3", "steps = 3\ntarget = { worse = 1 }", "unknown key 'repair.1.target.worse'; did you mean 'worst'"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(
    tmp_path: Path, corpus: Path, jobs: list[str], old: str, new: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        go(tmp_path, corpus, SUITE.replace(old, new))
    assert message in str(caught.value)
    assert jobs == []
