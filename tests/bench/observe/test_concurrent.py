"""Many streams at once: who is served when, and that the number found is what a server's speed allows."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from earmark.bench import crowd
from earmark.bench.api import Condition, ModelInfo, Samples, Update
from earmark.bench.observe import concurrent
from earmark.bench.observe.settings import Settings
from earmark.bench.rows import Cell
from earmark.bench.score.devices import score_streams
from earmark.bench.score.measure import Sheet
from earmark.bench.tables import Writer, read_table

CHUNK_MS, RATE_HZ = 100, 1000


def settings(threads: int = 1) -> Settings:
    return Settings(
        cell="c", split="measure", condition="clean", seed=0, device="cpu", chunk_ms=CHUNK_MS, pacing="virtual",
        passes=1, threads=threads, concurrent=True,
    )  # fmt: skip


class Listener:
    """Notes what it is given; a chunk takes ``service_s``."""

    info = ModelInfo(RATE_HZ)

    def __init__(self, service_s: float = 0.0) -> None:
        self.service_s = service_s
        self.streams: list[Heard] = []

    def stream(self, condition: Condition | None = None) -> Heard:
        self.streams.append(Heard(self.service_s))
        return self.streams[-1]


class Heard:
    def __init__(self, service_s: float) -> None:
        self.service_s, self.sizes, self.finished = service_s, list[int](), False

    def accept(self, samples: Samples) -> Update:
        assert not self.finished
        self.sizes.append(len(samples))
        time.sleep(self.service_s)
        return Update()

    def finish(self) -> Update:
        self.finished = True
        return Update()


RECORDINGS = [np.zeros(950, np.float32), np.zeros(1400, np.float32)]


def test_every_stream_speaks_for_a_whole_round_in_the_order_of_what_is_due() -> None:
    model = Listener()
    calls = concurrent.serve(model, RECORDINGS, settings(), 3, server=0)
    due = [due_s for _, due_s, _ in calls]
    assert due == sorted(due)
    assert due[-1] - due[0] < crowd.period_s(CHUNK_MS)
    by_stream = [[d for s, d, _ in calls if s == stream] for stream in range(3)]
    assert {len(found) for found in by_stream} == {40}
    for found in by_stream:
        np.testing.assert_allclose(np.diff(found), 0.1)
    assert len({round(found[0], 9) for found in by_stream}) == 3, "streams begin at moments of their own"


def test_a_stream_says_one_recording_after_the_other_each_to_its_end() -> None:
    model = Listener()
    concurrent.serve(model, RECORDINGS, settings(), 1, server=0)
    *over, last = model.streams
    assert [sum(heard.sizes) for heard in over] == [950, 1400, 950]
    assert all(heard.finished for heard in over)
    assert not last.finished
    assert sum(len(heard.sizes) for heard in model.streams) == 40


def row(folder: Path, model: Listener, threads: int = 1) -> dict[str, object]:
    cell = Cell(
        cell="c", train_key="t", task="recognition", plugin="p", preset="d", corpus="x", corpus_fingerprint="f",
        split="measure", condition="clean", seed=0, device="cpu", threads=threads, chunk_ms=CHUNK_MS, pacing="virtual",
        passes=1, status="ok",
    )  # fmt: skip
    (measured,) = score_streams(Sheet(cell, "basic-1"), folder)
    return measured.model_dump()


def observe(folder: Path, monkeypatch: pytest.MonkeyPatch, model: Listener, threads: int = 1) -> None:
    rows = [{"id": name} for name in "ab"]
    monkeypatch.setattr(concurrent, "hear", lambda *_: type("Heard", (), {"samples": RECORDINGS[1]}))
    with Writer(folder, "c") as writer:
        concurrent.write_concurrent(model, rows, settings(threads), writer, lambda *_: None)


def test_the_number_of_streams_is_what_the_service_time_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that says 12 ms for every chunk of 100 ms: eight streams, not nine."""
    monkeypatch.setattr(concurrent, "meter_of", lambda _device: lambda call: (0.012, None, call()))
    observe(tmp_path, monkeypatch, Listener())
    found = row(tmp_path, Listener())
    assert (found["value"], found["metric"], found["better"]) == (8.0, "streams_realtime", "higher")
    assert {"servers:1", "failed_at:9", "p95_under:300ms"} <= set(found["flags"])  # type: ignore[call-overload]
    assert found["n"] == read_table(tmp_path, "concurrent").num_rows


@pytest.mark.slow
def test_two_servers_really_work_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk sleeps 30 ms, so a server holds three streams and two hold six, whatever else the machine does."""
    monkeypatch.setattr(concurrent, "_alone", lambda _server: None)
    started = time.perf_counter()
    observe(tmp_path, monkeypatch, Listener(0.03), threads=2)
    took_s = time.perf_counter() - started
    found = row(tmp_path, Listener(), threads=2)
    asleep_s = sum(read_table(tmp_path, "concurrent")["service_s"].to_pylist())
    assert found["value"] in (4.0, 6.0)
    assert "servers:2" in found["flags"]  # type: ignore[operator]
    assert took_s < 0.8 * asleep_s
