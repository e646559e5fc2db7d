"""Scores what an embedder says of a recording as it comes: errors by seconds heard, and how long each answer takes.

Enrolment is the whole recording; the test recording is heard so far. A trial counts at a duration that its test
recording has; where there is no embedding yet, nobody is accepted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.bench import clock
from earmark.bench.metrics import verification
from earmark.bench.metrics.latency import real_time_factor
from earmark.bench.metrics.statistics import percentile_interval, speaker_bootstrap
from earmark.bench.metrics.trial_bootstrap import eer_bootstrap
from earmark.bench.rows import Measurement
from earmark.bench.score.delays import percentile_rows
from earmark.bench.score.measure import Sheet
from earmark.bench.score.trials import Trials
from earmark.bench.tables import read_table

SCHEME = "heard_s"
"""Scheme of the error rates by seconds heard; the cohort is the duration."""
NOBODY = -1.0
"""Score of a recording of which there is no embedding yet: the lowest that a cosine can be."""
N_REPLICATES = 200


def score_prefixes(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """An ``eer`` row for each duration; one that says why where the model heard no streams."""
    prefixes = read_table(folder, "prefixes").to_pylist()
    if not prefixes:
        reason = _reason(folder)
        if reason is not None:
            yield sheet.missing("eer", "unsupported", reason, scheme=SCHEME, cohort="*")
        return
    embedded = read_table(folder, "embeddings").to_pylist()
    whole = {row["utterance_id"]: _unit(row["vector"]) for row in embedded}
    trials = Trials.read(folder)
    by_length: dict[float, dict[str, NDArray[np.float64] | None]] = defaultdict(dict)
    for row in prefixes:
        by_length[row["heard_s"]][row["utterance_id"]] = None if row["vector"] is None else _unit(row["vector"])
    for heard_s, heard in sorted(by_length.items()):
        yield _at(sheet, trials, whole, heard, heard_s)


def _at(sheet: Sheet, trials: Trials, whole: Any, heard: Any, heard_s: float) -> Measurement:
    at = [place for place, name in enumerate(trials.test_id) if name in heard]
    enroll, test = [trials.enroll_id[i] for i in at], [trials.test_id[i] for i in at]
    scores = np.array([_score(whole[a], heard[b]) for a, b in zip(enroll, test, strict=True)])
    targets = trials.is_target[at]
    where: dict[str, Any] = {"scheme": SCHEME, "cohort": f"{heard_s:g}", "coverage": len(at) / len(trials.test_id)}
    if targets.all() or not targets.any():
        return sheet.missing("eer", "insufficient", "the list needs target and non-target trials", **where)
    names = [[side[i] for i in at] for side in (trials.enroll_speaker, trials.test_speaker)]
    drawn = eer_bootstrap(scores, targets, *names, n_replicates=N_REPLICATES, seed=sheet.seed("eer", f"{heard_s:g} s"))
    silent = sum(heard[name] is None for name in {*test})
    return sheet.row(
        "eer", verification.equal_error_rate(scores[targets], scores[~targets]),
        interval=percentile_interval(drawn, 0.95), n=len(at), n_unit="trials", n_speakers=len({*names[0], *names[1]}),
        flags=[f"targets:{int(targets.sum())}", *([f"no_embedding:{silent}"] if silent else [])], **where,
    )  # fmt: skip


def score_voice_stream(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """Real-time factor, delays and MACs of timed recordings as they came, a chunk's time its median over passes."""
    chunks = read_table(folder, "voice_chunks").to_pylist()
    if not chunks:
        reason = _reason(folder)
        if reason is not None:
            yield sheet.missing("rtf_streaming", "unsupported", reason)
        return
    streams = list(_streams(chunks))
    spent, audio = [float(service.sum()) for _, service, _ in streams], [float(due[-1]) for due, _, _ in streams]
    interval = speaker_bootstrap(spent, audio, seed=sheet.seed("rtf_streaming"), method="percentile")
    interval = replace(interval, method=f"{interval.method} over recordings")
    counted: dict[str, Any] = {"n": len(streams), "n_unit": "streams"}
    factor = real_time_factor(spent, audio)
    yield sheet.row("rtf_streaming", factor, interval=interval, numerator=sum(spent), denominator=sum(audio), **counted)
    by_chunk = [(1000 * service).tolist() for _, service, _ in streams]
    yield from percentile_rows(sheet, "compute_chunk", (50, 95), by_chunk, n_unit="chunks")
    last = [[1000 * float(clock.replay(due, service)[1][-1] - due[-1])] for due, service, _ in streams]
    yield from percentile_rows(sheet, "finalize", (50, 90), last, n_unit="streams")
    macs = sum(done for *_, done in streams)
    if macs:
        name = "macs_per_audio_second_streaming"
        yield sheet.row(name, macs / sum(audio), numerator=float(macs), denominator=sum(audio), **counted)


def _streams(chunks: list[dict[str, Any]]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], int]]:
    """Due times (n,), service times (n,) and MACs of each recording."""
    of: dict[str, dict[int, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in chunks:
        of[row["utterance_id"]][row["chunk"]].append(row)
    for by_place in of.values():
        rows = [by_place[place] for place in sorted(by_place)]
        due = np.array([passes[0]["due_s"] for passes in rows])
        service = np.array([np.median([row["service_s"] for row in passes]) for passes in rows])
        yield due, service, sum(passes[0]["macs"] for passes in rows)


def _reason(folder: Path) -> str | None:
    notes = [row["note"] for row in read_table(folder, "facts").to_pylist() if row["name"] == "no_embedding_stream"]
    return notes[0] if notes else None


def _unit(vector: list[float]) -> NDArray[np.float64]:
    exact = np.asarray(vector, dtype=np.float64)
    return np.asarray(exact / max(float(np.linalg.norm(exact)), 1e-30))


def _score(enrolled: NDArray[np.float64], heard: NDArray[np.float64] | None) -> float:
    return NOBODY if heard is None else float(enrolled @ heard)
