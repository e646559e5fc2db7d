"""Scores what a device tells: its own time, its memory and energy, how many streams it serves at once.

A row is there where something was read: a processor has no pool or energy counter of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.compute as pc

from earmark.bench import crowd
from earmark.bench.rows import Measurement
from earmark.bench.score.delays import percentile_rows
from earmark.bench.score.measure import Sheet
from earmark.bench.tables import read_table

PEAKS = ("peak_device_allocated_mib", "peak_device_reserved_mib")


def score_device_time(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """Rows of the device's own time of the timed chunks, the median over the passes; nothing where it was not read."""
    chunks = read_table(folder, "chunks")
    chunks = chunks.filter(pc.and_(chunks["timed"], pc.is_valid(chunks["device_s"])))
    passes: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    audio_s: dict[str, float] = {}
    for row in chunks.select(["utterance_id", "chunk", "device_s", "due_s"]).to_pylist():
        passes[row["utterance_id"]][row["chunk"]].append(row["device_s"])
        audio_s[row["utterance_id"]] = max(row["due_s"], audio_s.get(row["utterance_id"], 0.0))
    if not passes:
        return
    typical = {name: [median(found) for found in passes[name].values()] for name in sorted(passes)}
    spent, audio = sum(map(sum, typical.values())), sum(audio_s.values())
    sizes: dict[str, Any] = {"numerator": spent, "denominator": audio, "n": len(typical), "n_unit": "streams"}
    if audio:
        yield sheet.row("rtf_device", spent / audio, **sizes)
    in_ms = [[1000 * seconds for seconds in found] for found in typical.values()]
    yield from percentile_rows(sheet, "device_chunk", (50, 95), in_ms, n_unit="chunks")


def score_streams(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """How many streams all servers together held in real time, from every chunk of every attempt."""
    rows = read_table(folder, "concurrent").to_pylist()
    if not rows:
        return
    attempts: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        attempts[row["attempt"]].append(row)
    n_servers = 1 + max(row["server"] for row in rows)
    found = crowd.bracket(_attempt(tried, sheet.cell.chunk_ms or 1) for tried in attempts.values())
    flags = [f"servers:{n_servers}", f"p95_under:{crowd.LIMIT_MS:g}ms"]
    flags += [f"failed_at:{n_servers * found.failed}"] if found.failed else ["at_least"]
    yield sheet.row("streams_realtime", float(n_servers * found.held), n=len(rows), n_unit="chunks", flags=flags)


def _attempt(rows: Sequence[Mapping[str, Any]], chunk_ms: int) -> crowd.Attempt:
    servers: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        servers[row["server"]].append(row)
    period_s = crowd.period_s(chunk_ms)
    rounds = [
        crowd.Round([r["due_s"] for r in one], [r["service_s"] for r in one], period_s) for one in servers.values()
    ]
    return crowd.Attempt(rows[0]["n_streams"], crowd.p95_ms(rounds))


def score_gauges(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """Rows of the device's memory and energy."""
    facts = {fact["name"]: fact for fact in read_table(folder, "facts").to_pylist()}
    for name in PEAKS:
        if name in facts:
            yield sheet.row(name, facts[name]["value"])
    if "energy_j" not in facts:
        return
    spent, audio_s = facts["energy_j"]["value"], facts["energy_audio_s"]["value"]
    if spent is None:
        yield sheet.missing("energy_per_audio_second", "unsupported", facts["energy_j"]["note"])
    else:
        yield sheet.row("energy_per_audio_second", spent / audio_s, numerator=spent, denominator=audio_s)
