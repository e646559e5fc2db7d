"""Rows of a device: there where something was read, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import runs

from earmark.bench.rows import Measurement
from earmark.bench.score.devices import score_device_time, score_gauges, score_streams
from earmark.bench.score.measure import Sheet
from earmark.bench.tables import Writer

SHEET = Sheet(runs.cell_row("c", device="cuda"), "basic-1")


def chunk(number: int, pass_: int, device_s: float | None, *, timed: bool = True) -> dict[str, object]:
    return {
        "utterance_id": "u", "pass": pass_, "chunk": number, "n_samples": 1, "due_s": 0.1, "start_s": 0.0,
        "service_s": 1.0, "timed": timed, "device_s": device_s,
    }  # fmt: skip


def test_a_chunk_counts_by_its_median_over_the_passes(tmp_path: Path) -> None:
    """Chunks of 2, 4 and 6 ms in the middle of three passes each; a recording that was not timed does not count."""
    with Writer(tmp_path, "c") as writer:
        for number, middle in enumerate((0.002, 0.004, 0.006)):
            for pass_, seconds in enumerate((0.001, middle, 0.5)):
                writer.add("chunks", **chunk(number, pass_, seconds))
        writer.add("chunks", **(chunk(0, 0, 9.0, timed=False) | {"utterance_id": "other"}))
    found = {row.metric: row for row in score_device_time(SHEET, tmp_path)}
    assert found["device_chunk_p50"].value == pytest.approx(4.0)
    assert found["device_chunk_p95"].value == pytest.approx(5.8)
    assert found["device_chunk_p50"].n == 3
    assert found["rtf_device"].value == pytest.approx(0.012 / 0.1)


def test_what_was_not_read_has_no_rows(tmp_path: Path) -> None:
    with Writer(tmp_path, "c") as writer:
        writer.add("chunks", **chunk(0, 0, None))
        writer.add("facts", utterance_id="", name="peak_rss_mib", value=5.0)
    rows = [*score_device_time(SHEET, tmp_path), *score_gauges(SHEET, tmp_path), *score_streams(SHEET, tmp_path)]
    assert rows == []


def gauges(folder: Path, energy_j: float | None, note: str | None) -> dict[str, Measurement]:
    with Writer(folder, "c") as writer:
        writer.add("facts", utterance_id="", name="peak_device_allocated_mib", value=3.0)
        writer.add("facts", utterance_id="", name="peak_device_reserved_mib", value=8.0)
        writer.add("facts", utterance_id="", name="energy_j", value=energy_j, note=note)
        writer.add("facts", utterance_id="", name="energy_audio_s", value=20.0)
    return {row.metric: row for row in score_gauges(SHEET, folder)}


def test_memory_and_energy(tmp_path: Path) -> None:
    found = gauges(tmp_path, 50.0, None)
    assert (found["peak_device_allocated_mib"].value, found["peak_device_reserved_mib"].value) == (3.0, 8.0)
    assert found["energy_per_audio_second"].value == pytest.approx(2.5)


def test_energy_that_could_not_be_read_is_unsupported(tmp_path: Path) -> None:
    row = gauges(tmp_path, None, "no NVML energy counter here: Error: Not Supported")["energy_per_audio_second"]
    assert (row.value, row.status, row.reason) == (
        None,
        "unsupported",
        "no NVML energy counter here: Error: Not Supported",
    )


def test_two_servers_count_together_and_the_slower_one_bounds_both(tmp_path: Path) -> None:
    """120 ms chunks: one stream each is held; with two, server 1 takes 70 ms a chunk and can't."""
    with Writer(tmp_path, "c") as writer:
        for n_streams in (1, 2):
            for server, seconds in enumerate((0.01, 0.07)):
                for k in range(33 * n_streams):
                    due_s = 0.12 * (k // n_streams) + 0.01 * (k % n_streams)
                    writer.add(
                        "concurrent", utterance_id="", attempt=n_streams, n_streams=n_streams, server=server,
                        stream=k % n_streams, due_s=due_s, service_s=seconds,
                    )  # fmt: skip
    (row,) = score_streams(SHEET, tmp_path)
    assert row.value == 2.0
    assert {"servers:2", "failed_at:4"} <= set(row.flags)
