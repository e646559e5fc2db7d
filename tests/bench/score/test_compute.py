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


def scored(folder: Path, *streams: Stream) -> dict[str, Measurement]:
    """Measurements by metric of recordings of 2 s each."""
    with Writer(folder, "good") as writer:
        for number, stream in enumerate(streams):
            _write_extras(stream, Recording(str(number), np.zeros(2, dtype=np.float32), {}, 1), writer)
    rows = score_compute(
        Sheet(runs.cell_row("good"), "basic-1"),
        folder,
        [{"utterance_id": str(n), "audio_s": 2.0, "speaker": None} for n in range(len(streams))],
    )
    return {row.metric: row for row in rows}


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
