"""Observations in, measurements out: pure, without a model or a corpus.

``score_cell`` reads one cell's observation tables and gives its rows; ``score_run`` rewrites a run's
``measurements.jsonl``, byte for byte the same on the same machine unless the normalizer is another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from earmark.bench import provenance
from earmark.bench.api import InputError
from earmark.bench.metrics.normalize import normalize
from earmark.bench.planning import Planned
from earmark.bench.rows import Cell, Measurement
from earmark.bench.score.changes import score_changes
from earmark.bench.score.compute import score_compute
from earmark.bench.score.conversation import Talks, said_turns, score_talks
from earmark.bench.score.delays import score_delays, score_stream
from earmark.bench.score.devices import score_device_time, score_gauges, score_streams
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import resolve
from earmark.bench.score.slices import score_slices
from earmark.bench.score.timed import walls
from earmark.bench.score.turns import score_turn_delays, score_turns
from earmark.bench.score.variants import score_eer_variants, score_word_variants
from earmark.bench.score.voice_changes import score_voice_changes
from earmark.bench.score.voice_stream import score_prefixes, score_voice_stream
from earmark.bench.score.voices import score_embedding_time, score_voices
from earmark.bench.score.words import Texts, score_offline, score_words
from earmark.bench.score.worlds import score_worlds
from earmark.bench.store import RunFolder
from earmark.bench.tables import read_table

HEADLINES = {
    "recognition": {"wer": "wer", "latency": "rtf_streaming", "compute": "macs_per_audio_second", "gaps": "gap_rel"},
    "verification": {"eer": "eer", "latency": "rtf_offline", "compute": "macs_per_audio_second", "gaps": "eer_gap_rel"},
    "conversation": {
        "wer": "orc_wer",
        "turns": "turn_count_accuracy",
        "latency": "rtf_streaming",
        "compute": "macs_per_audio_second",
        "gaps": "gap_rel",
    },
    "finding": {},
}
"""By task and metric group, the metric that stands for the group where a cell has no numbers."""
SEVERAL = "a conversation has several speakers: its errors are no single one's, so there are no cohorts"


def score_run(folder: RunFolder, normalizer: str | None = None) -> int:
    """Score every cell of a run again and rewrite its measurements; returns how many rows there are.

    With another ``normalizer`` the run is scored by that one from now on.
    """
    run, plan = folder.read_run(), folder.read_plan()
    chosen = normalizer or run.normalizer
    normalize("", chosen)
    planned = {cell.cell: cell for cell in plan.cells}
    rows = [row for cell in folder.read_cells() for row in score_cell(cell, planned[cell.cell], folder, chosen)]
    folder.write_measurements(rows)
    told = {"normalizer": chosen, "scored_by": provenance.scoring_digest(), "files": folder.file_digests()}
    folder.write_run(run.model_copy(update=told))
    return len(rows)


def score_cell(cell: Cell, planned: Planned, folder: RunFolder, normalizer: str) -> list[Measurement]:
    """The rows of one cell; a cell without observations has one row for each group of metrics, with its status."""
    sheet = Sheet(cell, normalizer)
    if cell.status != "ok":
        return list(_absent(sheet, planned))
    observations = folder.observations(cell.cell)
    if not observations.is_dir():
        raise InputError(
            "its observations are gone", where=f"{folder.path}, cell {cell.cell}", fix="run the suite again"
        )
    scorers = {
        "recognition": _recognition, "conversation": _conversation, "verification": _verification,
        "finding": score_worlds,
    }  # fmt: skip
    return list(scorers[cell.task](sheet, planned, observations))


def _absent(sheet: Sheet, planned: Planned) -> Iterator[Measurement]:
    if planned.world is not None:
        metric = "finder_power" if planned.world["planted"] else "finder_false_alarms"
        yield sheet.missing(metric, sheet.cell.status, sheet.cell.reason)
    for group, metric in HEADLINES[planned.task].items():
        if group in planned.metrics:
            yield sheet.missing(metric, sheet.cell.status, sheet.cell.reason, cohort="*" if group == "gaps" else "all")


def _recognition(sheet: Sheet, planned: Planned, folder: Path) -> Iterator[Measurement]:
    utterances = read_table(folder, "utterances").to_pylist()
    found = read_table(folder, "assignments").to_pylist()
    schemes, gaps = resolve(planned.cohorts, utterances, found), "gaps" in planned.metrics
    if "wer" in planned.metrics:
        talks = Talks.read(folder, sheet.normalizer)
        utterances = [row for row in utterances if row["utterance_id"] not in talks.wordless]
        texts = Texts.of(utterances, sheet.normalizer)
        yield from score_words(sheet, texts, schemes, gaps=gaps)
        yield from score_slices(sheet, texts, planned.slices)
        offline = read_table(folder, "offline").to_pylist()
        yield from score_offline(sheet, texts, {row["utterance_id"]: row["hypothesis_raw"] for row in offline})
        yield from score_word_variants(sheet, utterances)
        if talks.recordings:
            yield from score_talks(sheet, talks)
        if planned.baseline:
            before = read_table(folder.parent / planned.baseline, "utterances").to_pylist()
            yield from score_changes(sheet, texts, before, schemes)
    compared = schemes if gaps else ()
    if "latency" in planned.metrics:
        yield from score_delays(sheet, folder, compared)
        yield from score_device_time(sheet, folder)
        yield from score_streams(sheet, folder)
    if "compute" in planned.metrics:
        yield from score_compute(sheet, folder, utterances, compared, planned.slices)
        yield from score_gauges(sheet, folder)


def _conversation(sheet: Sheet, planned: Planned, folder: Path) -> Iterator[Measurement]:
    talks = Talks.read(folder, sheet.normalizer)
    if "wer" in planned.metrics:
        yield from score_talks(sheet, talks)
    if "turns" in planned.metrics:
        yield from score_turns(sheet, talks)
    if "latency" in planned.metrics:
        yield from score_stream(sheet, folder)
        yield from score_turn_delays(sheet, talks, said_turns(folder, sheet.normalizer, walls(sheet, folder)))
        yield from score_device_time(sheet, folder)
        yield from score_streams(sheet, folder)
    if "compute" in planned.metrics:
        yield from score_compute(sheet, folder, read_table(folder, "utterances").to_pylist())
        yield from score_gauges(sheet, folder)
    if "gaps" in planned.metrics:
        yield sheet.missing("gap_rel", "unsupported", SEVERAL, cohort="*")


def _verification(sheet: Sheet, planned: Planned, folder: Path) -> Iterator[Measurement]:
    embedded = read_table(folder, "embeddings").select(["utterance_id", "speaker", "metadata", "audio_s"]).to_pylist()
    found = read_table(folder, "assignments").to_pylist()
    schemes, gaps = resolve(planned.cohorts, embedded, found), "gaps" in planned.metrics
    if "eer" in planned.metrics:
        yield from score_voices(sheet, folder, schemes, gaps=gaps)
        yield from score_eer_variants(sheet, folder)
        yield from score_prefixes(sheet, folder)
        if planned.baseline:
            yield from score_voice_changes(sheet, folder, folder.parent / planned.baseline, schemes if gaps else ())
    if "latency" in planned.metrics:
        yield from score_embedding_time(sheet, folder)
        yield from score_voice_stream(sheet, folder)
        yield from score_device_time(sheet, folder)
    if "compute" in planned.metrics:
        yield from score_compute(sheet, folder, embedded, schemes if gaps else ())
        yield from score_gauges(sheet, folder)
