"""Two runs of a million utterances, compared: time and memory. ``pytest tests/benchmarks --benchmark-only -s``."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pairs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from earmark.bench.tables import SCHEMAS

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

N_UTTERANCES, N_SPEAKERS, N_COHORTS, N_TIMED, N_WORDS = 1_000_000, 10_000, 100, 100, 500
BUDGET_S, BUDGET_MIB = 30.0, 2048
NAMES = ("20260101T000000Z-abc123-0123456", "20260102T000000Z-abc123-0123456")


def texts(wrong: float, seed: int) -> tuple[list[str], list[str]]:
    """References of 3 to 14 words, the same for every seed, and hypotheses in which this share of words is wrong."""
    drawn, heard = np.random.default_rng(0), np.random.default_rng(seed)
    vocabulary = np.array([f"word{i}" for i in range(N_WORDS)], dtype=object)
    lengths = drawn.integers(3, 15, N_UTTERANCES)
    said = drawn.integers(N_WORDS, size=int(lengths.sum()))
    missed = np.where(heard.random(len(said)) < wrong, heard.integers(N_WORDS, size=len(said)), said)
    ends = np.cumsum(lengths).tolist()

    def joined(words: list[str]) -> list[str]:
        return [" ".join(words[end - n : end]) for end, n in zip(ends, lengths.tolist(), strict=True)]

    return joined(vocabulary[said].tolist()), joined(vocabulary[missed].tolist())


def write(root: Path, name: str, wrong: float, seed: int) -> None:
    folder = pairs.write_run(root, name, [pairs.cell("good")])
    observations = folder.observations("good")
    observations.mkdir(parents=True)
    speaker = np.arange(N_UTTERANCES) % N_SPEAKERS
    ids = pa.array([f"u{i:07}" for i in range(N_UTTERANCES)])
    references, hypotheses = texts(wrong, seed)
    columns = {
        "cell": pa.repeat("good", N_UTTERANCES), "utterance_id": ids,
        "speaker": pa.array([f"s{i:05}" for i in speaker.tolist()]), "split": pa.repeat("measure", N_UTTERANCES),
        "condition": pa.repeat("clean", N_UTTERANCES), "reference": pa.array(references),
        "hypothesis_raw": pa.array(hypotheses), "audio_s": pa.repeat(2.0, N_UTTERANCES),
        "outcome": pa.repeat("ok", N_UTTERANCES),
        "metadata": pa.array([f'{{"accent": "a{i % N_COHORTS}"}}' for i in speaker.tolist()]),
    }  # fmt: skip
    _write_table(observations, "utterances", columns)
    _write_chunks(observations, ids, seed)


def _write_chunks(observations: Path, ids: pa.Array, seed: int) -> None:
    """Four chunks a recording, three passes of those that are timed."""
    rng = np.random.default_rng(seed)
    place = np.concatenate([np.arange(N_UTTERANCES), *[np.arange(N_TIMED)] * 2]).repeat(4)
    number = np.concatenate([np.zeros(N_UTTERANCES), *[np.full(N_TIMED, p) for p in (1, 2)]]).repeat(4)
    chunk = np.tile(np.arange(4), len(place) // 4)
    due_s, service_s = 0.5 * (chunk + 1), rng.uniform(0.01, 0.011, len(place))
    columns = {
        "cell": pa.repeat("good", len(place)), "utterance_id": ids.take(pa.array(place)),
        "pass": pa.array(number.astype(int)), "chunk": pa.array(chunk), "n_samples": pa.repeat(8000, len(place)),
        "due_s": pa.array(due_s), "start_s": pa.array(due_s), "service_s": pa.array(service_s),
        "timed": pa.array(place < N_TIMED),
    }  # fmt: skip
    _write_table(observations, "chunks", columns)


def _write_table(observations: Path, name: str, columns: dict[str, pa.Array]) -> None:
    """The columns as the named table; those that are not given are empty."""
    n = len(columns["utterance_id"])
    whole = {field.name: columns.get(field.name, pa.nulls(n, field.type)) for field in SCHEMAS[name]}
    pq.write_table(pa.table(whole, schema=SCHEMAS[name]), observations / f"{name}.parquet")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("million")
    write(root, NAMES[0], 0.10, 1)
    write(root, NAMES[1], 0.095, 2)
    return root / "results"


@pytest.mark.slow
def test_two_runs_of_a_million_utterances(benchmark: BenchmarkFixture, results: Path) -> None:
    """The whole command, from tables to verdicts; the budget is 30 s and 2 GiB."""
    command = [sys.executable, "-m", "earmark", "compare", *NAMES, "--results", str(results), "--json"]

    def compared() -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    found = json.loads(benchmark.pedantic(compared, rounds=1))  # type: ignore[no-untyped-call]
    wer = next(change for change in found["changes"] if (change["metric"], change["cohort"]) == ("wer", "all"))
    assert (wer["verdict"], wer["n"]) == ("better", N_UTTERANCES)
    assert wer["change"] == pytest.approx(-0.005, abs=0.001)
    assert len([change for change in found["changes"] if change["scheme"] == "accent"]) == N_COHORTS
    if benchmark.stats is not None:  # none with --benchmark-disable
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        took, cpu_s, peak_mib = benchmark.stats.stats.mean, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        benchmark.extra_info.update(share_of_budget=took / BUDGET_S, cpu_s=cpu_s, peak_mib=peak_mib)
        spent = f"{took:.1f} s ({cpu_s:.1f} s of one core) of {BUDGET_S:.0f} s"
        print(f"compare, {N_UTTERANCES} utterances: {spent}, {peak_mib:.0f} of {BUDGET_MIB} MiB")
