from __future__ import annotations

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import runs

from earmark.bench import export as exporting
from earmark.bench.api import InputError
from earmark.bench.export import export
from earmark.bench.metrics.words import WordErrors, score_words
from earmark.bench.store import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return runs.build_results(tmp_path)


def lines(folder: RunFolder, out: Path, format_: str, suffix: str) -> list[str]:
    paths = {path.name: path for path in export(folder.path.parents[2], "latest", out, format_)}
    return paths[suffix].read_text(encoding="utf-8").splitlines()


def test_csv_has_a_row_for_each_measurement(folder: RunFolder, tmp_path: Path) -> None:
    (path,) = export(folder.path.parents[2], "latest", tmp_path / "new" / "out.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(runs.measurements())
    gap = next(row for row in rows if row["metric"] == "gap_rel" and row["scheme"] == "accent")
    assert (gap["value"], gap["flags"], gap["cell_flags"]) == (
        "1",
        "bottom:north pair_selected_on_measure top:south",
        "",
    )
    assert [p.name for p in path.parent.iterdir()] == ["out.csv"]


def test_parquet_keeps_types_and_all_runs(folder: RunFolder, tmp_path: Path) -> None:
    runs.build_results(tmp_path, run=runs.run_row(run_id="20270101T000000Z-abc123-7654321"))
    (path,) = export(folder.path.parents[2], None, tmp_path / "out.parquet", "parquet")
    table = pq.read_table(path)
    assert table.num_rows == 2 * len(runs.measurements())
    assert len(set(table["run_id"].to_pylist())) == 2
    first = next(
        row for row in table.to_pylist() if (row["cell"], row["scheme"], row["metric"]) == ("voice", "all", "eer")
    )
    assert (first["value"], first["n"], first["cell_flags"]) == (0.0625, 800, ["one_session"])


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_an_exported_folder_is_a_dataset(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    out = tmp_path / "exported"
    export(folder.path.parents[2], None, out / f"flat.{format_}", format_)
    found = load_dataset(str(out), cache_dir=str(tmp_path / "cache"))["train"]
    assert found.num_rows == len(runs.measurements())
    row = next(r for r in found if (r["cell"], r["scheme"], r["metric"]) == ("voice", "all", "eer"))
    assert (row["value"], row["n"], row["plugin"]) == (0.0625, 800, "echo")


def test_trn_gives_the_counts_of_the_table(folder: RunFolder, tmp_path: Path) -> None:
    reference = lines(folder, tmp_path / "x", "trn", "alpha-good.ref.trn")
    hypothesis = lines(folder, tmp_path / "x", "trn", "alpha-good.hyp.trn")
    assert reference[0] == "turn on the light please (anna-u1)"
    assert reference[3] == "(ben-u4)"
    pairs = [(r.rpartition("(")[0], h.rpartition("(")[0]) for r, h in zip(reference, hypothesis, strict=True)]
    assert sum((score_words(r, h) for r, h in pairs), WordErrors()) == WordErrors(2, 1, 2, 9)


def test_stm_has_the_place_of_each_recording(folder: RunFolder, tmp_path: Path) -> None:
    found = lines(folder, tmp_path / "x", "stm", "alpha-good.ref.stm")
    assert found[1] == "u2 1 anna 0.000 0.600 stop"
    assert found[3] == "u4 1 ben 0.000 0.600"


def test_ctm_joins_pieces_and_shares_time_evenly(folder: RunFolder, tmp_path: Path) -> None:
    found = lines(folder, tmp_path / "x", "ctm", "alpha-good.hyp.ctm")
    assert found[:6] == [
        "u1 1 0.000 0.240 turn",
        "u1 1 0.240 0.120 the",
        "u1 1 0.360 0.080 night",  # night, please and now all end at 0.60
        "u1 1 0.440 0.080 please",
        "u1 1 0.520 0.080 now",
        "u2 1 0.000 0.240 stop",  # no claim: the audio that had been fed; neither the partial nor the second pass
    ]
    assert lines(folder, tmp_path / "x", "ctm", "alpha-good.ref.ctm") == ["u2 1 0.100 0.400 stop"]


def test_ctm_words_never_overlap_or_run_backwards() -> None:
    tokens = [
        {"utterance_id": "u", "pass": 0, "kind": "text", "text": f" w{n}", "final": True, "chunk": 0, "audio_s": end}
        for n, end in enumerate([0.5, 0.4, 0.4, 1.0, 1.0, 1.0])
    ]
    (timed,) = exporting.heard_words(tokens, {}, str.strip).values()
    assert [word for word, _, _ in timed] == [f"w{n}" for n in range(6)]
    ends = [0.0] + [end for _, _, end in timed]
    for (_, begin, end), before in zip(timed, ends, strict=False):
        assert end >= begin >= before - 1e-12
    assert timed[-1][2] == pytest.approx(1.0)


def test_voxceleb_trials_and_scores(folder: RunFolder, tmp_path: Path) -> None:
    assert lines(folder, tmp_path / "x", "trials", "echo-voice.trials.txt") == ["1 e1 t1", "0 e2 t2"]
    assert lines(folder, tmp_path / "x", "trials", "echo-voice.scores.txt") == ["0.9 e1 t1", "-0.25 e2 t2"]


def test_names_that_a_format_can_not_hold_are_encoded() -> None:
    row = {"speaker": None, "utterance_id": "a b(c)\n%", "reference": "x"}
    assert list(exporting.trn([row], "reference", str)) == ["x (unknown-a%20b%28c%29%0A%25)"]


def test_a_plugin_s_name_is_no_path(tmp_path: Path) -> None:
    folder = runs.build_results(tmp_path)
    folder.write_cells([runs.cell_row("good", plugin="../../evil")])
    for path in export(folder.path.parents[2], "latest", tmp_path / "x", "trn"):
        assert path.resolve().parent == (tmp_path / "x").resolve()


def test_an_unknown_format_is_told_the_nearest(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="parquet"):
        export(folder.path.parents[2], "latest", tmp_path / "x", "parquette")


def test_a_format_without_its_task_is_an_error(folder: RunFolder, tmp_path: Path) -> None:
    folder.write_cells([cell for cell in runs.cells() if cell.task == "recognition"])
    with pytest.raises(InputError, match="no verification cell"):
        export(folder.path.parents[2], "latest", tmp_path / "x", "trials")
