"""Compute: the reduction is over the parts that have a dense bound, and there is none where nothing tells one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import runs

from earmark.bench.api import CountsDenseWork, CountsWork
from earmark.bench.observe.recognition import _write_extras
from earmark.bench.observe.settings import Recording
from earmark.bench.rows import Measurement
from earmark.bench.score.compute import score_compute
from earmark.bench.score.measure import Sheet
from earmark.bench.tables import Writer


class Stream:
    """One that has finished, and says what it took."""

    def __init__(self, **work: int) -> None:
        self._work = work

    def work(self) -> Mapping[str, int]:
        return self._work


class Sparing(Stream):
    def dense_work(self) -> Mapping[str, int]:
        return {"encoder": 100, "arbitrator": 0}


class Gated(Stream):
    """Rates of two parts, and of what is loud and quiet in it."""

    def __init__(self, **probes: float) -> None:
        super().__init__(encoder=1)
        self._probes = probes

    def probes(self) -> Mapping[str, float]:
        return self._probes


def scored(folder: Path, *streams: Stream) -> dict[str, Measurement]:
    return {row.metric: row for row in rows_of(folder, *streams)}


def rows_of(folder: Path, *streams: Stream) -> list[Measurement]:
    """Measurements of recordings of 2 s each."""
    with Writer(folder, "good") as writer:
        for number, stream in enumerate(streams):
            _write_extras(stream, Recording(str(number), np.zeros(2, dtype=np.float32), {}, 1), writer)
    found = score_compute(
        Sheet(runs.cell_row("good"), "basic-1"),
        folder,
        [{"utterance_id": str(n), "audio_s": 2.0, "speaker": None} for n in range(len(streams))],
    )
    return list(found)


def test_savings_are_of_the_parts_with_a_dense_bound(tmp_path: Path) -> None:
    """1 - (40 + 5 + 70 + 5) / (100 + 100); predictor and joint are no part of it, but of all that was executed."""
    found = scored(
        tmp_path, Sparing(encoder=40, arbitrator=5, predictor=30), Sparing(encoder=70, arbitrator=5, predictor=20)
    )
    assert found["ccr"].value == pytest.approx(0.4)
    assert (found["ccr"].numerator, found["ccr"].denominator, found["ccr"].n) == (80, 200, 2)
    assert found["macs_per_audio_second"].value == pytest.approx(170 / 4)


def test_an_arbitrator_that_turns_nothing_off_costs(tmp_path: Path) -> None:
    assert scored(tmp_path, Sparing(encoder=100, arbitrator=5))["ccr"].value == pytest.approx(-0.05)


def test_a_model_that_tells_no_dense_bound_has_no_reduction(tmp_path: Path) -> None:
    assert isinstance(Stream(), CountsWork)
    assert not isinstance(Stream(), CountsDenseWork)
    assert isinstance(Sparing(), CountsDenseWork)
    found = scored(tmp_path, Stream(encoder=40))
    assert "ccr" not in found
    assert found["macs_per_audio_second"].value == 20


def test_rates_of_gates_are_told_part_by_part_and_by_level(tmp_path: Path) -> None:
    """Recordings of one length count alike; levels count by their frames, and a recording without any is left out."""
    one = Gated(gate_rate_query_0=0.2, gate_rate_ffn_0=0.6, loud_rate_query=0.5, loud_frames=30.0, keys_held=7.0)
    other = Gated(
        gate_rate_query_0=0.4, gate_rate_ffn_0=0.0,
        loud_rate_query=0.1, loud_frames=10.0, quiet_rate_query=0.3, quiet_frames=5.0,
    )  # fmt: skip
    found = {(row.scheme, row.cohort): row for row in rows_of(tmp_path, one, other) if row.metric == "gate_rate"}
    values = {place: row.value for place, row in found.items()}
    assert values == pytest.approx(
        {
            ("all", "all"): 0.3, ("gate", "query_0"): 0.3, ("gate", "ffn_0"): 0.3,
            ("level", "loud query"): 0.4, ("level", "quiet query"): 0.3,
        }
    )  # fmt: skip
    assert (found["level", "loud query"].denominator, found["level", "quiet query"].n) == (40, 1)


def test_a_model_without_gates_has_no_rates_of_them(tmp_path: Path) -> None:
    assert "gate_rate" not in scored(tmp_path, Gated(keys_held=7.0))
