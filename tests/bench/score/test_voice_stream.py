"""Embedders that hear recordings as they come: what is observed of them, and what is scored."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import runs

from earmark.bench.api import Array, Lengths, ModelInfo, Samples, Unsupported
from earmark.bench.metrics.verification import equal_error_rate
from earmark.bench.observe import voice_stream as observing
from earmark.bench.observe.settings import Settings
from earmark.bench.score.measure import Sheet
from earmark.bench.score.voice_changes import score_voice_changes
from earmark.bench.score.voice_stream import score_prefixes, score_voice_stream
from earmark.bench.tables import Writer, read_table

CELL = "c" * 16
SHEET = Sheet(runs.cell_row(CELL, task="verification"), "basic-1")
RATE_HZ = 16_000


class Summing:
    """Its embedding is how long it has heard, after the first 0.7 s; 10 MACs a sample."""

    info = ModelInfo(RATE_HZ)

    def __init__(self) -> None:
        self.n = 0

    def embed(self, samples: Samples, lengths: Lengths) -> Array:
        return np.stack([np.array([n, 1.0], dtype=np.float32) for n in lengths])

    def embedding_stream(self) -> Summing:
        return Summing()

    def accept(self, samples: Samples) -> None:
        self.n += len(samples)

    def embedding(self) -> Array | None:
        return np.array([self.n, 1.0], dtype=np.float32) if self.n > 0.7 * RATE_HZ else None

    def work(self) -> Mapping[str, int]:
        return {"all": 10 * self.n}


class Whole(Summing):
    def embedding_stream(self) -> Summing:
        raise Unsupported("this one hears whole recordings")


def observed(model: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...]) -> Path:
    settings = Settings(
        cell=CELL, split="measure", condition="clean", seed=0, device="cpu", chunk_ms=None, pacing="offline", passes=2,
        timing_recordings=1,
    )  # fmt: skip
    rows = [{"id": f"u{i}", "s": s} for i, s in enumerate(seconds)]

    def hear(row: Any, settings: Settings, rate_hz: int) -> Any:
        samples = np.zeros(round(row["s"] * rate_hz), dtype=np.float32)
        return observing.Recording(row["id"], samples, row, rate_hz)

    monkeypatch.setattr(observing, "hear", hear)
    with Writer(folder, CELL) as writer:
        observing.observe_stream(model, rows, settings, writer, lambda *_: None)
    return folder


def test_prefixes_are_kept_and_timed_recordings_heard_whole_in_every_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = observed(Summing(), tmp_path, monkeypatch, (2.5, 1.25, 5.0))
    prefixes = {(r["utterance_id"], r["heard_s"]): r["vector"] for r in read_table(folder, "prefixes").to_pylist()}
    assert prefixes == {
        **{(f"u{i}", 0.5): None for i in range(3)},
        **{(f"u{i}", 1.0): [16_000.0, 1.0] for i in range(3)},
        **{(name, 2.0): [32_000.0, 1.0] for name in ("u0", "u2")},
        ("u2", 4.0): [64_000.0, 1.0],
    }
    chunks = read_table(folder, "voice_chunks").to_pylist()
    (timed,) = {row["utterance_id"] for row in chunks}
    seconds = {"u0": 2.5, "u1": 1.25, "u2": 5.0}[timed]
    for number in (0, 1):
        mine = [row for row in chunks if row["pass"] == number]
        assert sum(row["n_samples"] for row in mine) == round(seconds * RATE_HZ)
        assert mine[-1]["due_s"] == pytest.approx(seconds)
        assert [row["answered"] for row in mine] == [row["due_s"] > 0.7 for row in mine]
    rows = {row.metric: row for row in score_voice_stream(SHEET, folder)}
    assert rows["macs_per_audio_second_streaming"].value == pytest.approx(10 * RATE_HZ)
    assert {"rtf_streaming", "compute_chunk_p50", "compute_chunk_p95", "finalize_p50", "finalize_p90"} <= set(rows)


def test_only_timed_recordings_are_asked_for_an_answer_after_every_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Asked(Summing):
        def embedding_stream(self) -> Summing:
            return Asked()

        def embedding(self) -> Array | None:
            asked.append(self.n)
            return super().embedding()

    observed(Asked(), tmp_path, monkeypatch, (5.0, 5.0))
    every_chunk = 5.0 / observing.CHUNK_S
    assert len(asked) == 3 * every_chunk + len(observing.HEARD_S)  # warm-up, two passes, and the other recording


def test_times_are_medians_over_passes_replayed_on_schedule(tmp_path: Path) -> None:
    services = {0: (0.05, 0.02), 1: (0.15, 0.02), 2: (0.07, 0.08)}
    with Writer(tmp_path, CELL) as writer:
        for number, pair in services.items():
            for chunk, service_s in enumerate(pair):
                writer.add(
                    "voice_chunks", utterance_id="u", **{"pass": number}, chunk=chunk, n_samples=1600,
                    due_s=0.1 * (chunk + 1), service_s=service_s, macs=5, answered=True,
                )  # fmt: skip
    rows = {row.metric: row for row in score_voice_stream(SHEET, tmp_path)}
    assert rows["rtf_streaming"].value == pytest.approx((0.07 + 0.02) / 0.2)
    assert rows["finalize_p50"].value == pytest.approx(20.0)  # the first is done at 0.17, before the second is due
    assert rows["macs_per_audio_second_streaming"].value == pytest.approx(50.0)


def test_a_model_that_hears_no_stream_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = observed(Whole(), tmp_path, monkeypatch, (1.0,))
    (row,) = score_prefixes(SHEET, folder)
    assert (row.status, row.reason, row.scheme) == ("unsupported", "this one hears whole recordings", "heard_s")
    (row,) = score_voice_stream(SHEET, folder)
    assert (row.metric, row.status) == ("rtf_streaming", "unsupported")


def angle(degrees: float) -> list[float]:
    return [float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))]


def trials(folder: Path, scores: dict[tuple[str, str], float] | None = None) -> list[tuple[str, str]]:
    """Twelve speakers with two recordings each, all pairs."""
    names = [f"s{i:02}-{take}" for i in range(12) for take in range(2)]
    pairs = list(itertools.combinations(names, 2))
    with Writer(folder, CELL) as writer:
        for i, name in enumerate(names):
            writer.add(
                "embeddings", utterance_id=name, speaker=name[:3], vector=angle(14 * (i // 2)), audio_s=2.0,
                outcome="ok", metadata=json.dumps({"half": "ab"[int(name[1:3]) % 2]}),
            )  # fmt: skip
            writer.add("prefixes", utterance_id=name, heard_s=0.5, vector=angle(14 * (i // 2) + 9 * (i % 3)))
            if i % 4 < 3:
                writer.add("prefixes", utterance_id=name, heard_s=1.0, vector=None if i == 5 else angle(14 * (i // 2)))
        for one, two in pairs:
            writer.add(
                "trials", enroll_id=one, test_id=two, enroll_speaker=one[:3], test_speaker=two[:3],
                target=one[:3] == two[:3], score=0.0 if scores is None else scores[one, two], list_name="built",
                pairing="any", session_relation="different", text_relation="different",
            )  # fmt: skip
    return pairs


def test_errors_by_seconds_heard_pair_the_whole_with_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("earmark.bench.score.voice_stream.N_REPLICATES", 20)
    pairs = trials(tmp_path)
    rows = {row.cohort: row for row in score_prefixes(SHEET, tmp_path)}
    assert set(rows) == {"0.5", "1"}

    def number(name: str) -> int:
        return 2 * int(name[1:3]) + int(name[4])

    def score(one: str, two: str) -> float:
        i, j = number(one), number(two)
        return float(np.cos(np.radians(14 * (i // 2 - j // 2) - 9 * (j % 3))))

    sides: dict[bool, list[float]] = {True: [], False: []}
    for one, two in pairs:
        sides[one[:3] == two[:3]].append(score(one, two))
    assert rows["0.5"].value == pytest.approx(equal_error_rate(sides[True], sides[False]))
    assert rows["0.5"].coverage == 1.0
    kept = [(one, two) for one, two in pairs if number(two) % 4 < 3]
    assert rows["1"].n == len(kept)
    assert rows["1"].coverage == pytest.approx(len(kept) / len(pairs))
    assert "no_embedding:1" in rows["1"].flags


def test_a_repair_is_paired_with_the_model_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"s{i:02}-{take}" for i in range(12) for take in range(2)]
    pairs = list(itertools.combinations(names, 2))
    was = {pair: float(rng.normal() + 1.5 * (pair[0][:3] == pair[1][:3])) for pair in pairs}
    now = {pair: value + 1.5 * (pair[0][:3] == pair[1][:3]) for pair, value in was.items()}
    trials(tmp_path / "before", was)
    trials(tmp_path / "after", now)
    rows = list(score_voice_changes(SHEET, tmp_path / "after", tmp_path / "before", []))
    (row,) = rows
    sides = [
        [[v for p, v in s.items() if (p[0][:3] == p[1][:3]) is same] for same in (True, False)] for s in (was, now)
    ]
    assert row.metric == "eer_change"
    assert row.value == pytest.approx(equal_error_rate(*sides[1]) - equal_error_rate(*sides[0]))
    assert row.value < 0
    trials(tmp_path / "other")
    with Writer(tmp_path / "other", CELL) as writer:
        writer.add("trials", enroll_id="x", test_id="y", enroll_speaker="x", test_speaker="y", target=False, score=0.0)
    (row,) = score_voice_changes(SHEET, tmp_path / "after", tmp_path / "other", [])
    assert (row.status, row.metric) == ("unsupported", "eer_change")
