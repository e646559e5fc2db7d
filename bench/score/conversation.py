"""Scores conversations: words under the best assignment of turns to channels, by overlap and by number of turns.

Intervals resample conversations. A recognizer of one channel that heard conversations is scored likewise.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from earmark.bench.api import Unsupported
from earmark.bench.corpora.conversations.plan import overlap_ratio
from earmark.bench.metrics import conversation as metrics
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.resampling import percentile_interval, replicate_rates, undefined_interval
from earmark.bench.metrics.statistics import Interval, speaker_bootstrap
from earmark.bench.metrics.words import WordErrors
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.tables import read_table

N_REPLICATES, LEVEL = 1000, 0.95
OVERLAP, TURNS = "overlap", "turns"
"""Schemes by which conversations are told apart: their overlap condition, and how many turns they have."""
CONDITION = "overlap_condition"
"""The column of the metadata that names a conversation's overlap condition."""
_RATES: tuple[tuple[str, Callable[[Talks], metrics.Matched]], ...] = (
    ("orc_wer", lambda talks: talks.best),
    ("tcorc_wer", lambda talks: metrics.time_constrained_orc(talks.wordy)),
    ("di_cp_wer", lambda talks: metrics.diarization_invariant(talks.wordy)),
    ("cp_wer", lambda talks: metrics.concatenated(talks.wordy)),
)
_NEED_SPEAKERS = ("di_cp_wer", "cp_wer")
_BINS = ((0.0, "none"), (0.1, "up to 10 %"), (0.2, "10 to 20 %"), (0.3, "20 to 30 %"), (0.4, "30 to 40 %"))


@dataclass(frozen=True)
class Talks:
    """A cell's conversations, texts normalized: those with words, and in which slice each one is, by scheme."""

    recordings: Sequence[metrics.Recording]
    slices: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(cls, folder: Path, normalizer: str) -> Talks:
        """The conversations of a cell's observations; none where no row named turns."""
        spoken = _spoken(folder, normalizer)
        said = said_turns(folder, normalizer, _fed(folder))
        named = {row["utterance_id"]: json.loads(row["metadata"] or "{}") for row in _utterances(folder)}
        recordings = [metrics.Recording(name, spoken[name], said[name]) for name in sorted(spoken)]
        overlap = {r.name: str(named[r.name].get(CONDITION) or _overlap(r)) for r in recordings}
        turns = {r.name: f"{len(r.spoken)} turn{'s' * (len(r.spoken) > 1)}" for r in recordings}
        return cls(recordings, {OVERLAP: overlap, TURNS: turns})

    @property
    def wordy(self) -> list[metrics.Recording]:
        """Those whose every turn has its words in the reference."""
        return [r for r in self.recordings if all(turn.text for turn in r.spoken)]

    @property
    def wordless(self) -> frozenset[str]:
        """Names of those of which only the times of turns are known."""
        return frozenset(r.name for r in self.recordings if not any(turn.text for turn in r.spoken))

    @cached_property
    def best(self) -> metrics.Matched:
        """The errors of :attr:`wordy` under ORC, which several scores rest on."""
        return metrics.orc(self.wordy)


def score_talks(sheet: Sheet, talks: Talks) -> Iterator[Measurement]:
    """Rows of a cell's word error rates; those under ORC also by slice."""
    for name, match in _RATES:
        lacking = _lacking(name, talks.wordy)
        if lacking:
            yield sheet.missing(name, "unsupported", lacking)
            continue
        try:
            found = match(talks)
        except Unsupported as error:
            yield sheet.missing(name, "unsupported", str(error))
            continue
        flags = [f"greedy:{len(found.greedy)}"] if found.greedy else []
        yield _rate(sheet, name, found.errors, flags=flags)
        if name == "orc_wer":
            yield from _kinds(sheet, found.errors)
            yield from by_slice(talks, found.errors, partial(_rate, sheet, name, flags=flags))


def by_slice(talks: Talks, found: Mapping[str, Any], row: Callable[..., Measurement]) -> Iterator[Measurement]:
    """``row`` of the conversations of each slice, for every scheme; ``found`` holds what is known of each by name."""
    for scheme, slice_of in talks.slices.items():
        parts: dict[str, dict[str, Any]] = defaultdict(dict)
        for name, value in found.items():
            parts[slice_of[name]][name] = value
        for cohort, part in sorted(parts.items()):
            yield row(part, scheme=scheme, cohort=cohort)


def over_conversations(
    sheet: Sheet,
    name: str,
    amounts: Mapping[str, float],
    units: Mapping[str, float],
    where: Mapping[str, str],
    *,
    counted: bool = False,
) -> Interval:
    """The interval of the sum of amounts over the sum of units, by resampling conversations.

    Errors that are ``counted`` have the interval of error rates; shares and means, which may be negative, percentiles.
    """
    sums, seed = [amounts[key] for key in units], sheet.seed(name, *where.values())
    if counted:
        interval = speaker_bootstrap(sums, [*units.values()], seed=seed)
    elif len(units) < 2:
        interval = undefined_interval(LEVEL)
    else:
        drawn = replicate_rates(sums, [*units.values()], N_REPLICATES, np.random.default_rng(seed))
        interval = percentile_interval(drawn.rates, LEVEL)
    return replace(interval, method=f"{interval.method} over conversations")


def _rate(
    sheet: Sheet, name: str, errors: Mapping[str, WordErrors], *, flags: Sequence[str] = (), **where: str
) -> Measurement:
    total = sum(errors.values(), WordErrors())
    fields: dict[str, Any] = {
        **where, "numerator": total.errors, "denominator": total.reference_words, "n": len(errors),
        "n_unit": "conversations", "normalizer": sheet.normalizer, "flags": flags,
    }  # fmt: skip
    if total.rate is None:
        return sheet.missing(name, "insufficient", "the references hold no words", **fields)
    amounts = {key: float(e.errors) for key, e in errors.items()}
    units = {key: float(e.reference_words) for key, e in errors.items()}
    interval = over_conversations(sheet, name, amounts, units, where, counted=True)
    return sheet.row(name, total.rate, interval=interval, **fields)


def _kinds(sheet: Sheet, errors: Mapping[str, WordErrors]) -> Iterator[Measurement]:
    """Of the ORC errors how many are of which kind, where no other rate has said so."""
    total = sum(errors.values(), WordErrors())
    counts = {"substitution": total.substitutions, "deletion": total.deletions, "insertion": total.insertions}
    for kind, count in counts.items():
        if total.reference_words:
            yield sheet.row(
                f"orc_{kind}_rate", count / total.reference_words, numerator=count, denominator=total.reference_words,
                n=len(errors), n_unit="conversations", normalizer=sheet.normalizer,
            )  # fmt: skip


def _lacking(name: str, wordy: Sequence[metrics.Recording]) -> str | None:
    """Why a rate can't be given for these conversations."""
    if not wordy:
        return "no conversation has the words of all its turns"
    if name in _NEED_SPEAKERS and not all(turn.speaker for r in wordy for turn in r.spoken):
        return "the corpus does not name the speakers of all turns"
    return None


def _overlap(recording: metrics.Recording) -> str:
    """The bin of the share of speech in which several talk."""
    ratio = overlap_ratio([(turn.start_s, turn.end_s) for turn in recording.spoken])
    return next((label for limit, label in _BINS if ratio <= limit), "over 40 %")


def _utterances(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_table(folder, "utterances").select(["utterance_id", "metadata"]).to_pylist()
    return rows


def _spoken(folder: Path, normalizer: str) -> dict[str, list[metrics.SpokenTurn]]:
    found: dict[str, list[metrics.SpokenTurn]] = defaultdict(list)
    for row in sorted(read_table(folder, "reference_turns").to_pylist(), key=lambda row: row["turn"]):
        text = normalize(row["text"] or "", normalizer)
        turn = metrics.SpokenTurn(text, row["start_s"], row["end_s"], row["speaker"])
        found[row["utterance_id"]].append(turn)
    return found


def said_turns(
    folder: Path, normalizer: str, clock_s: Mapping[tuple[str, int], float]
) -> dict[str, list[metrics.SaidTurn]]:
    """The turns of the first pass by recording, with words; ``clock_s`` is the time of a recording's chunk."""
    marks: dict[str, list[metrics.Mark]] = defaultdict(list)
    for row in sorted(read_table(folder, "tokens").to_pylist(), key=lambda row: row["index"]):
        at_s = clock_s.get((row["utterance_id"], row["chunk"]))
        if row["final"] and row["pass"] == 0 and at_s is not None:
            marks[row["utterance_id"]].append(metrics.Mark(row["channel"], row["kind"], row["text"], at_s))
    found: dict[str, list[metrics.SaidTurn]] = defaultdict(list)
    for name, heard in marks.items():
        turns = [turn.normalized(lambda text: normalize(text, normalizer)) for turn in metrics.read_turns(heard)]
        found[name] = [turn for turn in turns if turn.text]
    return found


def _fed(folder: Path) -> dict[tuple[str, int], float]:
    """Of each chunk of the first pass, how much audio had been fed with it."""
    chunks = read_table(folder, "chunks").select(["utterance_id", "pass", "chunk", "due_s"]).to_pylist()
    return {(row["utterance_id"], row["chunk"]): row["due_s"] for row in chunks if row["pass"] == 0}
