"""Turns in other tools' formats: what meeteval's own command line makes of them is what is in the tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import runs
import talks

from earmark.bench.api import InputError
from earmark.bench.export import export
from earmark.bench.metrics.conversation import Recording, SaidTurn, SpokenTurn, orc, seglst
from earmark.bench.score.conversation import Talks, score_talks
from earmark.bench.score.measure import Sheet
from earmark.bench.segments import json_lines, stm
from earmark.bench.store import RunFolder

pytest.importorskip("meeteval", reason="NOT TESTED: meeteval isn't installed (it compiles; pip install meeteval)")

CELL = runs.cell_row("talk", task="conversation")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run of one cell, whose observations are those of ``talks``."""
    built = runs.build_results(tmp_path)
    built.write_cells([CELL])
    talks.write_talks(built.observations("talk"), "talk")
    return built


def written(folder: RunFolder, out: Path, format_: str) -> dict[str, Path]:
    return {path.name.partition(".")[2]: path for path in export(folder.path.parents[2], "latest", out, format_)}


def test_rttm_has_the_spans_of_turns(folder: RunFolder, tmp_path: Path) -> None:
    paths = written(folder, tmp_path / "x", "rttm")
    assert paths["ref.rttm"].read_text().splitlines()[:2] == [
        "SPEAKER both 1 0.100000 1.900000 <NA> <NA> A <NA> <NA>",
        "SPEAKER both 1 1.000000 2.000000 <NA> <NA> B <NA> <NA>",
    ]
    assert paths["hyp.rttm"].read_text().splitlines() == [
        "SPEAKER both 1 0.500000 2.000000 <NA> <NA> 0 <NA> <NA>",
        "SPEAKER both 1 1.500000 1.500000 <NA> <NA> 1 <NA> <NA>",
        "SPEAKER both 1 4.500000 0.500000 <NA> <NA> 1 <NA> <NA>",
        "SPEAKER one 1 1.000000 0.000000 <NA> <NA> 0 <NA> <NA>",
    ]


def test_stm_and_seglst_hold_what_is_scored(folder: RunFolder, tmp_path: Path) -> None:
    reference = written(folder, tmp_path / "x", "stm")["ref.stm"].read_text().splitlines()
    assert reference[0] == "both 1 A 0.100000 2.000000 a b c"
    rows = json.loads(written(folder, tmp_path / "x", "seglst")["hyp.seglst.json"].read_text())
    assert rows[0] == {"session_id": "both", "speaker": "0", "words": "a b c", "start_time": 0.5, "end_time": 2.0}


def test_recognition_without_turns_has_nothing_to_write(tmp_path: Path) -> None:
    built = runs.build_results(tmp_path)
    with pytest.raises(InputError, match="names turns"):
        export(built.path.parents[2], "latest", tmp_path / "x", "rttm")
    assert written(built, tmp_path / "y", "stm").keys() == {"ref.stm"}


def meeteval(command: str, reference: Path, hypothesis: Path, out: Path, *options: str) -> dict[str, float]:
    """The average that meeteval's command line writes."""
    tool = Path(sys.executable).with_name("meeteval-wer")
    files = [
        "-r",
        str(reference),
        "-h",
        str(hypothesis),
        "--average-out",
        str(out),
        "--per-reco-out",
        str(out.with_stem("each")),
    ]
    subprocess.run([tool, command, *files, *options], check=True, capture_output=True)
    found: dict[str, float] = json.loads(out.read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["stm", "seglst"])
@pytest.mark.parametrize(
    ("metric", "command", "options"),
    [
        ("orc_wer", "orcwer", ()), ("tcorc_wer", "tcorcwer", ("--collar", "5")), ("cp_wer", "cpwer", ()),
        ("di_cp_wer", "greedy_dicpwer", ()),
    ],
)  # fmt: skip
def test_meeteval_s_command_line_gives_the_number_of_the_table(
    folder: RunFolder, tmp_path: Path, format_: str, metric: str, command: str, options: tuple[str, ...]
) -> None:
    paths = written(folder, tmp_path / "x", format_)
    (reference,) = (path for name, path in paths.items() if name.startswith("ref"))
    (hypothesis,) = (path for name, path in paths.items() if name.startswith("hyp"))
    told = meeteval(command, reference, hypothesis, tmp_path / "average.json", *options)
    read = Talks.read(folder.observations("talk"), "basic-1")
    (row,) = (m for m in score_talks(Sheet(CELL, "basic-1"), read) if m.metric == metric and m.scheme == "all")
    assert (told["errors"], told["length"]) == (row.numerator, row.denominator)
    assert told["error_rate"] == pytest.approx(row.value)


@pytest.mark.slow
def test_a_recording_in_which_nothing_was_said_is_not_left_out(tmp_path: Path) -> None:
    found = [
        Recording("silent talk", [SpokenTurn("a b", 0, 1, "A (x)")], []),
        Recording("other", [SpokenTurn("c", 0, 1, "B")], [SaidTurn(1, "c", 1, 1)]),
    ]
    for name, lines in zip(("ref", "hyp"), seglst(found), strict=True):
        (tmp_path / f"{name}.stm").write_text("\n".join(stm(lines)) + "\n")
        (tmp_path / f"{name}.json").write_text("\n".join(json_lines(lines)) + "\n")
    wanted = sum(e.errors for e in orc(found).errors.values())
    for ending in ("stm", "json"):
        told = meeteval("orcwer", tmp_path / f"ref.{ending}", tmp_path / f"hyp.{ending}", tmp_path / "average.json")
        assert (told["errors"], told["length"]) == (wanted, 3) == (2, 3)
