"""What a corpus holds, in counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from earmark.bench.api import SPLITS, Corpus, Json
from earmark.bench.corpora.schema import Column, Row, column, columns, open_rows, speakers_of


@dataclass(frozen=True, slots=True)
class Amount:
    """How much speech: utterances, the speakers who made it, and its length."""

    n_utterances: int
    n_speakers: int
    duration_s: float

    @property
    def hours(self) -> float:
        return self.duration_s / 3600


@dataclass(frozen=True, slots=True)
class Description:
    """A corpus in numbers. ``sample_rates_hz`` counts files by their own rate; models hear everything at 16 kHz."""

    name: str
    fingerprint: str
    license: str
    source: str
    revision: str | None
    flags: tuple[str, ...]
    total: Amount
    splits: dict[str, Amount]
    columns: tuple[Column, ...]
    sample_rates_hz: dict[int, int] = field(default_factory=dict)
    n_with_words: int = 0
    n_with_segments: int = 0
    n_with_place: int = 0

    def to_json(self) -> Json:
        """Plain JSON: the fields, with hours and coverage worked out."""
        values: dict[str, Any] = asdict(self)
        values["flags"] = list(self.flags)
        values["total"] = _amount(self.total)
        values["splits"] = {name: _amount(amount) for name, amount in self.splits.items()}
        values["columns"] = [{**asdict(c), "coverage": c.coverage} for c in self.columns]
        values["sample_rates_hz"] = {str(rate): n for rate, n in self.sample_rates_hz.items()}
        return values

    def rows_for_table(self) -> list[tuple[str, str, str, str]]:
        """One row a split and one for all: name, utterances, speakers, hours, as text."""
        rows = [*self.splits.items(), ("all", self.total)]
        return [(name, f"{a.n_utterances:,}", f"{a.n_speakers:,}", f"{a.hours:.2f}") for name, a in rows]


def describe(corpus: Corpus, progress: Callable[[int, int, str], None] = lambda *_: None) -> Description:
    """Counts of a corpus; reads the header of every audio file for its rate."""
    rows = list(open_rows(corpus))
    by_split = {name: [row for row in rows if row["split"] == name] for name in SPLITS}
    return Description(
        name=corpus.name,
        fingerprint=corpus.fingerprint,
        license=corpus.license,
        source=corpus.source,
        revision=corpus.revision,
        flags=corpus.flags,
        total=_measure(rows),
        splits={name: _measure(of_split) for name, of_split in by_split.items() if of_split},
        columns=columns(corpus),
        sample_rates_hz=_sample_rates(corpus, progress),
        n_with_words=sum(bool(row["words"]) for row in rows),
        n_with_segments=sum(bool(row["segments"]) for row in rows),
        n_with_place=sum(row["lat"] is not None for row in rows),
    )


def _measure(rows: Sequence[Row]) -> Amount:
    speakers = {name for row in rows for name in speakers_of(row)}
    return Amount(len(rows), len(speakers), sum(row["duration_s"] for row in rows))


def _sample_rates(corpus: Corpus, progress: Callable[[int, int, str], None]) -> dict[int, int]:
    from earmark.bench.corpora.audio import sample_rate_hz

    counts: dict[int, int] = {}
    audio = column(corpus, "audio")
    for index, ref in enumerate(audio):
        if index % 100 == 0:
            progress(index, len(audio), "reading headers")
        rate = sample_rate_hz(ref)
        counts[rate] = counts.get(rate, 0) + 1
    return dict(sorted(counts.items()))


def _amount(amount: Amount) -> dict[str, Any]:
    return {**asdict(amount), "hours": amount.hours}
