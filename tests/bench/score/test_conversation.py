"""Scores of two conversations, each worked out by hand from the tables of ``talks``."""

from __future__ import annotations

from pathlib import Path

import pytest
import runs
import talks

from earmark.bench.rows import Measurement, Status
from earmark.bench.score import SEVERAL, score_cell
from earmark.bench.score.conversation import Talks, said_turns, score_talks
from earmark.bench.score.measure import Sheet
from earmark.bench.score.timed import walls
from earmark.bench.score.turns import score_turn_delays, score_turns
from earmark.bench.store import RunFolder

pytest.importorskip("meeteval", reason="NOT TESTED: meeteval isn't installed (it compiles; pip install meeteval)")

SHEET = Sheet(runs.cell_row("good", task="conversation"), "basic-1")
Found = dict[tuple[str, str, str], Measurement]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = talks.write_talks(tmp_path_factory.mktemp("talks"))
    read = Talks.read(folder, "basic-1")
    wall = said_turns(folder, "basic-1", walls(SHEET, folder))
    rows = [*score_talks(SHEET, read), *score_turns(SHEET, read), *score_turn_delays(SHEET, read, wall)]
    assert len({(m.scheme, m.cohort, m.metric) for m in rows}) == len(rows)
    return {(m.scheme, m.cohort, m.metric): m for m in rows}


def value(found: Found, metric: str, scheme: str = "all", cohort: str = "all") -> float | None:
    return found[scheme, cohort, metric].value


def test_rates_of_words(found: Found) -> None:
    """One of nine words is lost; pairing speakers with channels costs four more (f g lost here, inserted there)."""
    for metric, errors in (("orc_wer", 1), ("tcorc_wer", 1), ("di_cp_wer", 1), ("cp_wer", 5)):
        assert value(found, metric) == pytest.approx(errors / 9)
    assert found["all", "all", "orc_wer"].n_unit == "conversations"
    assert (value(found, "orc_deletion_rate"), value(found, "orc_insertion_rate")) == (pytest.approx(1 / 9), 0.0)


def test_slices_by_overlap_and_by_number_of_turns(found: Found) -> None:
    """1 s of 3.9 s of speech is spoken by two: between 20 and 30 percent."""
    assert value(found, "orc_wer", "overlap", "20 to 30 %") == 0.0
    assert value(found, "orc_wer", "overlap", "none") == 0.5
    assert value(found, "orc_wer", "turns", "3 turns") == 0.0
    assert value(found, "turn_count_accuracy", "turns", "1 turn") == 1.0


def test_turns_are_counted_and_found(found: Found) -> None:
    for metric in ("turn_count_accuracy", "turn_count_accuracy_over_2"):
        assert value(found, metric) == 1.0
    assert (value(found, "turn_count_error"), value(found, "turn_miss_rate")) == (0.0, 0.0)
    assert value(found, "turn_f1") == 1.0
    assert found["all", "all", "turn_f1"].flags == ["tolerance:1s"]


def test_delays_by_hand(found: Found) -> None:
    """Ends at 2 and 3 s are told with the audio up to 2.5 and 3 s, 0.1 s later by the wall; starts likewise."""
    assert value(found, "endpoint_emission_mean") == pytest.approx(250)
    assert value(found, "endpoint_emission_p50") == pytest.approx(250)
    assert value(found, "endpoint_p50") == pytest.approx(350)
    assert value(found, "startpoint_emission_mean") == pytest.approx(500)
    assert value(found, "startpoint_p90") == pytest.approx(600)
    assert value(found, "last_word_emission_mean") == pytest.approx(0.0)
    assert value(found, "first_word_emission_mean") == pytest.approx(500)
    assert (value(found, "early_cut_rate"), value(found, "endpoint_miss_rate")) == (0.0, 0.0)
    row = found["all", "all", "endpoint_emission_mean"]
    assert (row.n, row.n_unit, row.coverage) == (2, "turns", 1.0)


def test_the_published_protocol_takes_conversations_counted_right(found: Found) -> None:
    row = found["protocol", "over 2 turns, counted right", "endpoint_emission_mean"]
    assert (row.value, row.n) == (pytest.approx(250), 2)


def test_a_model_without_turn_tokens_has_no_delays_of_them(tmp_path: Path) -> None:
    plain = {name: [token for token in said if token[2] not in "<>"] for name, said in talks.SAID.items()}
    read = Talks.read(talks.write_talks(tmp_path, said=plain), "basic-1")
    rows = {m.metric: m for m in score_turn_delays(SHEET, read, {}) if m.scheme == "all"}
    assert (rows["endpoint_emission_mean"].status, rows["early_cut_rate"].status) == ("unsupported",) * 2
    assert rows["last_word_emission_mean"].value is not None
    counts = {m.metric: m for m in score_turns(SHEET, read) if m.scheme == "all"}
    assert counts["turn_count_error"].value == pytest.approx(-0.5)  # f g is taken for more of d e
    assert counts["turn_spurious_rate"].value == 0.0


def test_ends_that_came_too_early_are_counted_and_not_averaged(tmp_path: Path) -> None:
    """The turn that ends at 2 s is closed with the audio up to 1.5 s."""
    early = [(2, 0, ">") if token == (4, 0, ">") else token for token in talks.SAID["both"] if token != (3, 0, " c")]
    read = Talks.read(talks.write_talks(tmp_path, said={**talks.SAID, "both": early}), "basic-1")
    rows = {m.metric: m for m in score_turn_delays(SHEET, read, {}) if m.scheme == "all"}
    assert rows["early_cut_rate"].value == 0.5
    assert rows["endpoint_emission_mean"].value == pytest.approx(0.0)
    assert (rows["endpoint_emission_mean"].n, rows["endpoint_emission_mean"].coverage) == (1, 0.5)


def test_a_corpus_that_names_no_speakers_has_no_cp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unnamed = {name: [(None, *turn[1:]) for turn in turns] for name, turns in talks.SPOKEN.items()}
    monkeypatch.setattr(talks, "SPOKEN", unnamed)
    read = Talks.read(talks.write_talks(tmp_path), "basic-1")
    rows = {m.metric: m for m in score_talks(SHEET, read) if m.scheme == "all"}
    assert (rows["cp_wer"].status, rows["di_cp_wer"].status) == ("unsupported", "unsupported")
    assert rows["orc_wer"].value == pytest.approx(1 / 9)


def test_turns_without_words_are_counted_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in meetings of which only the times of turns are known."""
    timed = {**talks.SPOKEN, "both": [(*turn[:4], "") for turn in talks.SPOKEN["both"]]}
    monkeypatch.setattr(talks, "SPOKEN", timed)
    read = Talks.read(talks.write_talks(tmp_path), "basic-1")
    words = {m.metric: m for m in score_talks(SHEET, read) if m.scheme == "all"}
    assert (words["orc_wer"].value, words["orc_wer"].n) == (0.5, 1)
    assert {m.metric: m for m in score_turns(SHEET, read)}["turn_count_accuracy_over_2"].value == 1.0


@pytest.mark.parametrize("status", ["ok", "failed"])
def test_whoever_asks_for_gaps_is_told_that_a_conversation_has_none(tmp_path: Path, status: Status) -> None:
    folder, cell = RunFolder(tmp_path), runs.cell_row("good", task="conversation", status=status, reason="it broke")
    folder.observations("good").mkdir(parents=True)
    talks.write_talks(folder.observations("good"))
    asked = score_cell(cell, runs.planned(cell, metrics=["turns", "gaps"]), folder, "basic-1")
    (row,) = [m for m in asked if m.metric == "gap_rel"]
    assert (row.value, row.cohort, row.status) == (None, "*", "unsupported" if status == "ok" else "failed")
    assert row.reason == (SEVERAL if status == "ok" else "it broke")
    silent = score_cell(cell, runs.planned(cell, metrics=["turns"]), folder, "basic-1")
    assert "gap_rel" not in {m.metric for m in silent}
