"""Delays, executed work and gates by cohort, beside the error rates where a cell asked for gaps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import runs

from earmark.bench.metrics.gaps import gap_names
from earmark.bench.planning import Planned
from earmark.bench.rows import Measurement
from earmark.bench.score import score_cell
from earmark.bench.store import RunFolder
from earmark.bench.tables import Writer

CELL = "c" * 16
N_SPEAKERS, N_WORDS = 24, 5
CHUNK_S = 0.12
WORDS = " ".join("abcde")

Rows = dict[tuple[str, str, str], Measurement]


def plan(metrics: Sequence[str], cohorts: Sequence[str], slices: Sequence[str]) -> Planned:
    cell = runs.cell_row(CELL)
    same = {name: getattr(cell, name) for name in Planned.model_fields if hasattr(cell, name)}
    rest: dict[str, Any] = {
        "vocabulary": None, "timing_recordings": None, "limit": None, "exclude": {}, "timeout_minutes": 1.0,
        "memory_mib": None, "cohorts": list(cohorts), "metrics": list(metrics),
        "slices": list(slices),
    }  # fmt: skip
    return Planned(**(same | rest))


def macs(speaker: int) -> int:
    """Those of group b take twice as much."""
    return 1000 * (1 + speaker % 2) + speaker


def open_share(speaker: int) -> float:
    return 0.5 if speaker % 2 else 0.25


def observe(folder: RunFolder, *, gates: bool = True, silent: int = 0, named: bool = True) -> None:
    """Two recordings a speaker, 1.2 s and 2.4 s, five words each; group b's chunks take 50 ms instead of 10.

    The streams of the last ``silent`` speakers of group b show every word but never say one.
    """
    with Writer(folder.observations(CELL), CELL) as writer:
        for speaker in range(N_SPEAKERS):
            for place, n_chunks in enumerate((10, 20)):
                name = f"s{speaker:02}-{place}"
                metadata = {"group": "ab"[speaker % 2], "length": ("short", "long")[place]}
                heard = speaker % 2 == 0 or speaker < N_SPEAKERS - 2 * silent
                writer.add(
                    "utterances", utterance_id=name, speaker=f"s{speaker:02}" if named else None, split="measure",
                    condition="clean", reference=WORDS, hypothesis_raw=WORDS if heard else "",
                    audio_s=n_chunks * CHUNK_S, outcome="ok", metadata=json.dumps(metadata),
                )  # fmt: skip
                spent = macs(speaker) * n_chunks
                dense = 2 * (1 + place) * spent if gates else None
                writer.add("work", utterance_id=name, part="encoder", macs=spent, dense_macs=dense)
                writer.add("work", utterance_id=name, part="joint", macs=10 * n_chunks)
                if gates:
                    writer.add("probes", utterance_id=name, name="gate_rate_query", value=2 * open_share(speaker))
                    writer.add("probes", utterance_id=name, name="gate_rate_ffn", value=0.0)
                    writer.add("probes", utterance_id=name, name="cache_length", value=7.0)
                _stream(writer, name, n_chunks, 0.05 if speaker % 2 else 0.01, heard=heard)


def _stream(writer: Writer, name: str, n_chunks: int, service_s: float, *, heard: bool) -> None:
    for chunk in range(n_chunks):
        due_s = CHUNK_S * (chunk + 1)
        writer.add(
            "chunks", utterance_id=name, **{"pass": 0}, chunk=chunk, n_samples=1920, due_s=due_s, start_s=due_s,
            service_s=service_s, timed=True,
        )  # fmt: skip
    for index, word in enumerate(WORDS.split()):
        end_s = CHUNK_S * (index + 1)
        writer.add("reference_words", utterance_id=name, word=word, start_s=end_s - CHUNK_S, end_s=end_s)
        if heard:
            writer.add(
                "tokens", utterance_id=name, **{"pass": 0}, index=index, channel=0, kind="text", text=f" {word}",
                final=True, chunk=index, audio_s=None, emitted_s=end_s,
            )  # fmt: skip


def scored(
    tmp_path: Path,
    metrics: Sequence[str],
    cohorts: Sequence[str] = ("group",),
    slices: Sequence[str] = (),
    **world: Any,
) -> Rows:
    folder = RunFolder(tmp_path / "run")
    observe(folder, **world)
    rows = score_cell(runs.cell_row(CELL), plan(metrics, cohorts, slices), folder, "basic-1")
    keyed = {(row.scheme, row.cohort, row.metric): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def test_executed_work_by_cohort(tmp_path: Path) -> None:
    rows = scored(tmp_path, ["compute", "gaps"])
    rates = {
        group: np.mean([macs(speaker) + 10 for speaker in range(at, N_SPEAKERS, 2)]) / CHUNK_S
        for at, group in enumerate("ab")
    }
    for group, rate in rates.items():
        row = rows["group", group, "macs_per_audio_second"]
        assert row.value == pytest.approx(rate)
        assert (row.n, row.n_unit, row.n_speakers, row.status) == (24, "utterances", 12, "ok")
        assert row.ci_low is not None
        assert row.ci_high is not None
        assert row.ci_low < rate < row.ci_high
    gap = rows["group", "*", "macs_per_audio_second_gap_abs"]
    assert gap.value == pytest.approx(rates["b"] - rates["a"])
    assert (gap.unit, gap.better, gap.status) == ("MAC/s", "none", "ok")
    assert {"bottom:b", "top:a", "pair_selected_on_measure"} <= set(gap.flags)
    assert gap.null_q95 is not None
    assert gap.null_q95 < rates["b"] - rates["a"]
    assert gap.detectable is not None
    assert rows["group", "*", "macs_per_audio_second_gap_ratio"].value == pytest.approx(rates["b"] / rates["a"])
    assert rows["group", "*", "macs_per_audio_second_gap_rel"].value == pytest.approx(rates["b"] / rates["a"] - 1)


def test_gates_count_by_chunks(tmp_path: Path) -> None:
    rows = scored(tmp_path, ["compute", "gaps"])
    overall = rows["all", "all", "gate_rate"]
    assert (overall.value, overall.denominator) == (pytest.approx(0.375), 24 * 30)
    assert rows["group", "a", "gate_rate"].value == pytest.approx(0.25)
    assert rows["group", "b", "gate_rate"].value == pytest.approx(0.5)
    assert rows["group", "*", "gate_rate_gap_ratio"].value == pytest.approx(2.0)


def test_gates_and_savings_by_slice(tmp_path: Path) -> None:
    """Queries are on twice as often as all gates, feed-forwards never; of long recordings more work is left out."""
    rows = scored(tmp_path, ["compute"], cohorts=(), slices=("length", "group"))
    short = rows["length", "short", "gate_rate"]
    assert (short.value, short.n, short.n_speakers) == (pytest.approx(0.375), 24, 24)
    assert short.ci_low is not None
    assert short.ci_high is not None
    assert short.ci_low < 0.375 < short.ci_high
    assert rows["group", "b", "gate_rate"].value == pytest.approx(0.5)
    assert rows["group", "b query", "gate_rate"].value == pytest.approx(1.0)
    assert rows["group", "b ffn", "gate_rate"].value == 0.0
    saved = [rows["length", value, "ccr"].value for value in ("short", "long")]
    assert saved == pytest.approx([0.5, 0.75])
    assert not any("gap" in metric for *_, metric in rows)


def test_a_model_without_gates_has_no_row_of_them(tmp_path: Path) -> None:
    rows = scored(tmp_path, ["compute", "gaps"], gates=False)
    assert not any("gate_rate" in metric for *_, metric in rows)


def test_p95_of_word_delays_by_cohort(tmp_path: Path) -> None:
    rows = scored(tmp_path, ["latency", "gaps"])
    for group, service_ms in (("a", 10), ("b", 50)):
        row = rows["group", group, "upl_final_p95"]
        assert row.value == pytest.approx(service_ms)
        assert (row.n, row.n_unit, row.n_speakers, row.coverage) == (120, "words", 12, 1.0)
        # 120 words have 6 beyond p95
        assert (row.status, row.reason) == ("insufficient", "fewer than 10 speakers or 30 words beyond the percentile")
    gap = rows["group", "*", "upl_final_p95_gap_abs"]
    assert (gap.value, gap.status, gap.unit) == (pytest.approx(40), "insufficient", "ms")
    assert rows["group", "*", "upl_final_p95_gap_rel"].value == pytest.approx(4)


def test_coverage_of_delays_is_the_cohorts_own(tmp_path: Path) -> None:
    rows = scored(tmp_path, ["latency", "gaps"], silent=3)
    assert rows["group", "a", "upl_final_p95"].coverage == 1.0
    assert rows["group", "b", "upl_final_p95"].coverage == pytest.approx(9 / 12)
    assert rows["group", "b", "upl_final_p95"].n_speakers == 9


@pytest.mark.parametrize("metrics", [["latency", "compute"], ["wer", "latency", "compute"]])
def test_cohorts_only_where_gaps_are_asked_for(tmp_path: Path, metrics: list[str]) -> None:
    assert {scheme for scheme, *_ in scored(tmp_path, metrics)} <= {"all", "gate"}


def test_everything_beside_the_error_rates(tmp_path: Path) -> None:
    rows = scored(tmp_path, ["wer", "latency", "compute", "gaps"])
    across = {metric for scheme, cohort, metric in rows if (scheme, cohort) == ("group", "*")}
    for metric in ("upl_final_p95", "macs_per_audio_second", "gate_rate"):
        assert set(gap_names(metric)) <= across
        assert all(("group", group, metric) in rows for group in "ab")
    assert "gap_rel" in across


def test_no_speakers_no_cohorts(tmp_path: Path) -> None:
    rows = scored(tmp_path, ["wer", "latency", "compute", "gaps"], named=False)
    assert rows["group", "*", "wer"].reason == "the corpus names no speakers"
    assert not any(scheme == "group" and metric != "wer" for scheme, _, metric in rows)
    assert rows["all", "all", "gate_rate"].value == pytest.approx(0.375)


def test_the_same_rows_every_time(tmp_path: Path) -> None:
    metrics = ["latency", "compute", "gaps"]
    one, two = (scored(tmp_path / name, metrics) for name in ("one", "two"))
    assert [row.line() for row in one.values()] == [row.line() for row in two.values()]


def test_an_infinite_gap_is_unbounded(tmp_path: Path) -> None:
    from earmark.bench.metrics.percentiles import cohort_percentiles
    from earmark.bench.score.measure import Sheet
    from earmark.bench.score.schemes import Scheme
    from earmark.bench.score.words import gap_rows

    names = [f"{group}{i:02}" for group in "ab" for i in range(12)]
    values = [100.0 + i if name < "b" else float("inf") for i, name in enumerate(names)]
    found = cohort_percentiles(values, names, {name: name[0] for name in names}, 95, seed=0)
    sheet, scheme = Sheet(runs.cell_row(CELL), "basic-1"), Scheme("group", {}, 1.0)
    rows = list(gap_rows(sheet, scheme, found.gap.named("upl_final_p95"), gap_names("upl_final_p95"), normalizer=None))
    assert [(row.status, row.value, row.null_q95) for row in rows] == [("unbounded", None, None)] * 3
