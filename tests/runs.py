"""A tiny hand-written results folder, for tests of whatever reads result tables.

One finished run of the suite ``tiny``: two recognition cells on the CPU (``good``, ``poor``), one on a GPU, one
verification cell, one that failed and one that was unsupported; cohorts by gender (fair) and accent (a gap), a third
cohort too small to publish. The transcripts are such that counts can be checked by hand: see ``UTTERANCES``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.bench.planning import Planned
from earmark.bench.rows import Cell, CorpusInfo, Environment, Host, Measurement, PluginInfo, Run
from earmark.bench.store import RunFolder
from earmark.bench.tables import Writer

RUN_ID = "20260102T030405Z-abc123-0123456"
LATER_ID = "20260103T030405Z-abc123-0123456"
SHA = "0123456789abcdef0123456789abcdef01234567"
SUITE = "tiny"

UTTERANCES = (
    ("u1", "anna", "Turn on the light, please.", "turn the night please now"),  # 1 S, 1 D, 1 I of 5
    ("u2", "anna", "Stop.", "stop"),  # right
    ("u3", "ben", "two four six", "two for six"),  # 1 S of 3
    ("u4", "ben", "", "uh"),  # 1 I of 0
)
"""Utterance, speaker, reference, hypothesis of the cell ``good``: 5 errors in 9 words."""
TOKENS = (
    ("u1", " turn", 0.24), ("u1", " the", 0.36), ("u1", " ni", 0.48), ("u1", "ght", 0.60), ("u1", " please", 0.60),
    ("u1", " now", 0.60),
    ("u2", " stop", None), ("u3", " two", 0.12), ("u3", " for", 0.24), ("u3", " six", 0.36), ("u4", " uh", 0.12),
)  # fmt: skip
"""Utterance, text and claimed audio of the final tokens of ``good``."""
LACKING = "delta needs the package delta"
TRIALS = (("e1", "t1", "anna", "anna", True, 0.9), ("e2", "t2", "anna", "ben", False, -0.25))


def run_row(**changes: Any) -> Run:
    """A complete ``run.json``."""
    base: dict[str, Any] = {
        "run_id": RUN_ID, "suite": SUITE, "suite_digest": "s" * 16, "plan_digest": "p" * 16, "normalizer": "basic-1",
        "started_at": "2026-01-02T03:04:05+00:00", "finished_at": "2026-01-02T03:14:05+00:00", "complete": True,
        "earmark_version": "0.1.0", "git_sha": SHA, "git_dirty": False, "python": "3.11.9", "platform": "Linux",
        "packages": {"numpy": "2.0.0"},
        "plugins": {"alpha": PluginInfo(origin="in-tree", version="0.1.0", digest="d" * 16, license="Apache-2.0")},
        "host": Host(id="abc123abc123", cpu_model="A CPU", n_cpus=2, memory_mib=4096, gpu_model="A GPU"),
        "environment": Environment(threads=1, governor=None, affinity=[0, 1], load_start=0.5, load_end=1.0),
        "corpora": {
            "toy": CorpusInfo(
                fingerprint="f" * 16, revision=None, license="CC0-1.0", n_utterances=4, n_speakers=2,
                speakers_digest_by_split={"measure": "m" * 16},
            )
        },
        "command": ["earmark", "run", SUITE],
    }  # fmt: skip
    return Run(**(base | changes))


def cell_row(cell: str, **changes: Any) -> Cell:
    """A cell of the model ``alpha``, recognition on the CPU unless changed."""
    base: dict[str, Any] = {
        "cell": cell, "train_key": "t" * 16, "task": "recognition", "plugin": "alpha", "preset": "default",
        "corpus": "toy", "corpus_fingerprint": "f" * 16, "split": "measure", "condition": "clean", "seed": 0,
        "device": "cpu", "threads": 1, "chunk_ms": 120, "pacing": "virtual", "passes": 3, "status": "ok",
    }  # fmt: skip
    return Cell(**(base | changes))


def planned(cell: Cell, **changes: Any) -> Planned:
    """The plan of a cell, everything that was not asked for at its default."""
    same = {name: getattr(cell, name) for name in Planned.model_fields if hasattr(cell, name)}
    return Planned(**(same | {"timeout_minutes": 1.0, "metrics": ["eer", "gaps"]} | changes))


def measurement(cell: str, metric: str, value: float | None, **fields: Any) -> Measurement:
    """A measurement with the unit and direction of its metric."""
    from earmark.bench.metrics.names import METRICS

    known = METRICS[metric]
    return Measurement(cell=cell, metric=metric, value=value, unit=known.unit, better=known.better, **fields)


def ci(low: float, high: float) -> dict[str, Any]:
    """The fields of a 95 % interval."""
    return {"ci_low": low, "ci_high": high, "ci_level": 0.95, "ci_method": "percentile over speakers"}


def cells() -> list[Cell]:
    """The cells of the tiny run."""
    voice = {"task": "verification", "plugin": "echo", "chunk_ms": None, "pacing": "offline"}
    return [
        cell_row("good"),
        cell_row("poor", plugin="beta", flags=["one_remark"]),
        cell_row("gpu", device="cuda"),
        cell_row("voice", **voice, flags=["one_session"]),
        cell_row("fell", plugin="gamma", status="failed", reason="ValueError: the model broke"),
        cell_row("lacking", **(voice | {"plugin": "delta"}), status="unsupported", reason=LACKING),
    ]


def measurements() -> list[Measurement]:
    """The measurements of the tiny run."""
    return [
        *_recognizer("good", 0.125, 180.0), *_recognizer("poor", 0.25, 90.0), *_recognizer("gpu", 0.125, 12.5),
        *_cohorts("good", "wer", "gap_rel", denominator=1000.0), *_voice("voice"),
        *_cohorts("voice", "eer", "eer_gap_rel", n=400),
        measurement("poor", "wer", None, scheme="dialect", cohort="*", status="unsupported",
                    reason="the corpus has no column 'dialect'"),
        measurement("fell", "wer", None, status="failed", reason="ValueError: the model broke"),
        measurement("lacking", "eer", None, status="unsupported", reason=LACKING),
    ]  # fmt: skip


def build_results(root: Path, *, run: Run | None = None) -> RunFolder:
    """Write the tiny run below ``root``/results and return it; ``run`` replaces its ``run.json``."""
    row = run or run_row()
    folder = RunFolder(root / "results" / "v1" / row.suite / row.run_id)
    folder.write_run(row)
    folder.write_cells(cells())
    folder.write_measurements(measurements())
    _observe_recognizer(folder)
    _observe_voice(folder)
    return folder


NIGHTS = (0.100, 0.101, 0.099, 0.100, 0.130, 0.131, 0.129, 0.130)
"""Word error rates of eight nights, a loss of three points in the fifth."""


def build_nights(root: Path, values: Sequence[float] = NIGHTS, *, metric: str = "wer", **run: Any) -> Path:
    """A results folder of one run a night, in each of which one model has one figure."""
    for number, value in enumerate(values, start=1):
        name = f"202601{number:02}T000000Z-abc123-0123456"
        row = run_row(run_id=name, started_at=f"2026-01-{number:02}T00:00:00+00:00", **run)
        folder = RunFolder(root / "results" / "v1" / row.suite / name)
        folder.write_run(row)
        folder.write_cells([cell_row("good")])
        folder.write_measurements([measurement("good", metric, value)])
    return root / "results"


def _recognizer(cell: str, wer: float, upl_ms: float) -> list[Measurement]:
    counts = {"numerator": 1000 * wer, "denominator": 1000.0, "n": 100, "n_unit": "utterances", "n_speakers": 24}
    return [
        measurement(cell, "wer", wer, **counts, **ci(wer - 0.02, wer + 0.03), normalizer="basic-1"),
        measurement(cell, "cer", wer / 2, normalizer="basic-1"),
        measurement(cell, "upl_final_p50", upl_ms, n=900, n_unit="words", coverage=0.9, **ci(upl_ms - 5, upl_ms + 5)),
        measurement(cell, "upl_final_p90", None, n=900, n_unit="words", status="unbounded", reason="none came"),
        measurement(cell, "rtf_streaming", 0.03125, n=24, n_unit="streams", **ci(0.03, 0.035)),
        measurement(cell, "macs_per_audio_second", None, status="unsupported", reason="it does not count"),
        measurement(cell, "peak_rss_mib", 512.0),
    ]


def _voice(cell: str) -> list[Measurement]:
    return [
        measurement(cell, "eer", 0.0625, n=800, n_unit="trials", n_speakers=24, **ci(0.05, 0.08)),
        measurement(cell, "min_dcf_p01", 0.4321, n=800, n_unit="trials"),
        measurement(cell, "rtf_offline", 0.0125, n=24, n_unit="utterances", **ci(0.012, 0.013)),
        measurement(cell, "macs_per_audio_second", 1.25e9, n=24, n_unit="utterances"),
    ]


def _cohorts(cell: str, headline: str, gap: str, **sizes: Any) -> list[Measurement]:
    small = {"status": "insufficient", "reason": "fewer than 10 speakers or 30 errors"}
    pair = ["bottom:north", "pair_selected_on_measure", "top:south"]
    same = ["bottom:female", "pair_selected_on_measure", "top:male"]
    within = {"scheme": "accent", "n_speakers": 12}
    return [
        measurement(cell, headline, 0.2, cohort="north", **within, **sizes, **ci(0.15, 0.25)),
        measurement(cell, headline, 0.1, cohort="south", **within, **sizes, **ci(0.08, 0.12)),
        measurement(cell, headline, 0.3, scheme="accent", cohort="west", n_speakers=2, **small, **sizes),
        measurement(cell, gap, 1.0, scheme="accent", cohort="*", null_q95=0.4, detectable=0.6, flags=pair, n=2,
                    n_unit="cohorts", **ci(0.5, 1.6)),
        measurement(cell, headline, 0.13, scheme="gender", cohort="female", n_speakers=12, **sizes, **ci(0.11, 0.15)),
        measurement(cell, headline, 0.12, scheme="gender", cohort="male", n_speakers=12, **sizes, **ci(0.1, 0.14)),
        measurement(cell, gap, 0.0833, scheme="gender", cohort="*", null_q95=0.3, detectable=0.45, flags=same, n=2,
                    n_unit="cohorts", **ci(-0.1, 0.3)),
    ]  # fmt: skip


def _observe_recognizer(folder: RunFolder) -> None:
    with Writer(folder.observations("good"), "good") as writer:
        for name, speaker, reference, hypothesis in UTTERANCES:
            writer.add(
                "utterances", utterance_id=name, speaker=speaker, split="measure", condition="clean",
                reference=reference, hypothesis_raw=hypothesis, audio_s=0.6, outcome="ok", metadata="{}",
            )  # fmt: skip
        for index, (name, text, audio_s) in enumerate(TOKENS):
            writer.add("tokens", **_token(name, index, text, audio_s))
        writer.add("tokens", **(_token("u2", 0, " st", None) | {"final": False}))
        writer.add("tokens", **(_token("u2", 0, " again", None) | {"pass": 1}))
        chunk = {"pass": 0, "chunk": 1, "n_samples": 1920, "due_s": 0.24, "start_s": 0.24, "service_s": 0.01}
        writer.add("chunks", utterance_id="u2", **chunk)
        writer.add("reference_words", utterance_id="u2", word="Stop.", start_s=0.1, end_s=0.5)


def _token(utterance: str, index: int, text: str, audio_s: float | None) -> Mapping[str, Any]:
    return {
        "utterance_id": utterance, "pass": 0, "index": index, "channel": 0, "kind": "text", "text": text, "final": True,
        "chunk": 1, "audio_s": audio_s, "emitted_s": 0.7,
    }  # fmt: skip


def _observe_voice(folder: RunFolder) -> None:
    with Writer(folder.observations("voice"), "voice") as writer:
        for enroll, test, enroll_speaker, test_speaker, target, score in TRIALS:
            writer.add(
                "trials", enroll_id=enroll, test_id=test, enroll_speaker=enroll_speaker, test_speaker=test_speaker,
                target=target, score=score, list_name="all",
            )  # fmt: skip


WATCHED = [
    {"step": step, "loss": 1.0, "watched": {
        "accent": {
            "north": {"n": 9.0, "loss": 2.0 - step / 1000, "weight": 1.0 + step / 250},
            "south": {"n": 7.0, "loss": 1.0 - step / 1000, "weight": 1.0 - step / 500},
        },
        "gender": {"female": {"n": 16.0, "loss": 1.5, "weight": 1.0}},
    }}
    for step in (50, 150, 250)
]  # fmt: skip
"""The log of a training that came to weigh one accent more than the other, and nobody by gender."""


def build_repairs(root: Path) -> Path:
    """A results folder of a model and two repairs of it: one trained further, one that computes a tenth more."""
    macs = {"was": 1e9, "learned": 1e9, "grown": 1.1e9}
    repaired = {"train_key": "b" * 16, "mitigation": "method", "scheme": "accent"}
    learned, grown = (cell_row(name, **repaired, flags=[f"repair:{name}"]) for name in ("learned", "grown"))
    made = {"repair": {"name": "learned"}, "seed": 0, "steps": 250, "sha256": "2" * 64, "base_sha256": "1" * 64}
    row = run_row(checkpoints={"b" * 16: {"sha256": "1" * 64}, "c" * 16: made | {"log": WATCHED}})
    folder = RunFolder(root / "results" / "v1" / row.suite / row.run_id)
    folder.write_run(row)
    folder.write_cells([cell_row("was", train_key="b" * 16), learned, grown])
    folder.write_measurements([
        *(measurement(name, "macs_per_audio_second", value) for name, value in macs.items()),
        *_repair("learned", -0.05), *_repair("grown", -0.02), *_cohorts("was", "wer", "gap_rel", denominator=1000.0),
    ])  # fmt: skip
    return root / "results"


def build_gated(root: Path) -> Path:
    """A results folder of one recognizer with gates in two blocks, that computes more while it hears something."""
    about = PluginInfo(origin="in-tree", version="1", digest="d" * 16, license="Apache-2.0")
    row = run_row(plugins={"amortized": about})
    folder = RunFolder(root / "results" / "v1" / row.suite / row.run_id)
    folder.write_run(row)
    folder.write_cells([cell_row("good", plugin="amortized")])
    levels = {"loud ffn": 0.8, "quiet ffn": 0.2, "loud key": 0.6, "quiet key": 0.5}
    folder.write_measurements([
        measurement("good", "wer", 0.125),
        *(measurement("good", "gate_rate", on, scheme="level", cohort=name) for name, on in levels.items()),
    ])  # fmt: skip
    _observe_recognizer(folder)
    with Writer(folder.observations("good"), "good") as writer:
        for kind, block, on in (("key", 0, 0.25), ("key", 1, 0.75), ("ffn", 0, 0.5), ("ffn", 1, 1.0)):
            writer.add("probes", utterance_id="u1", name=f"gate_rate_{kind}_{block}", value=on)
    return root / "results"


def _repair(cell: str, gap: float) -> list[Measurement]:
    where: dict[str, Any] = {"scheme": "accent"}
    pair = ["bottom:north", "top:south"]
    return [
        measurement(cell, "wer_change", gap / 2, **ci(gap, 0.0)),
        measurement(cell, "wer_change", gap, cohort="north", **where, **ci(2 * gap, 0.0)),
        measurement(cell, "wer_change", 0.0, cohort="south", **where, **ci(-0.01, 0.01)),
        measurement(cell, "gap_abs_change", gap, cohort="*", flags=pair, **where, **ci(gap - 0.01, gap + 0.01)),
        measurement(cell, "wer_cohort_max", 0.2, cohort="*", **where),
        measurement(cell, "wer", 0.2, cohort="north", n_speakers=12, denominator=1000.0, **where, **ci(0.15, 0.25)),
    ]
