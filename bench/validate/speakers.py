"""Who was heard: nobody that a model learned from, and everybody that the split is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import pyarrow.compute as pc

from earmark.bench.corpora.seen import UNDISCLOSED, seen_flags, speaker_digest
from earmark.bench.planning import digest
from earmark.bench.rows import Cell, CorpusInfo
from earmark.bench.validate.observed import MAIN
from earmark.bench.validate.stored import Problem, Stored


def speakers(stored: Stored) -> Iterator[Problem]:
    """Splits share no speaker, and the measured speakers are those of the split that the run says."""
    for name, corpus in stored.run.corpora.items():
        yield from _disjoint(name, corpus)
    known = {corpus.fingerprint: corpus for corpus in stored.run.corpora.values()}
    for cell in stored.heard:
        if cell.task in MAIN and cell.corpus_fingerprint in known:
            yield from _of_cell(stored, cell, known[cell.corpus_fingerprint])


def _disjoint(name: str, corpus: CorpusInfo) -> Iterator[Problem]:
    for one, other in combinations(sorted(corpus.speakers_by_split), 2):
        shared = set(corpus.speakers_by_split[one]) & set(corpus.speakers_by_split[other])
        if shared:
            told = f"{len(shared)} speakers are in {one} and in {other}, as {min(shared)}"
            yield Problem("speakers", f"run.json, {name}", told)


def _of_cell(stored: Stored, cell: Cell, corpus: CorpusInfo) -> Iterator[Problem]:
    table, where = stored.table(cell.cell, MAIN[cell.task]), f"cell {cell.cell}"
    heard = sorted(name for name in pc.unique(table["speaker"]).to_pylist() if name)
    if "split" in table.column_names:
        others = set(pc.unique(table["split"]).to_pylist()) - {cell.split}
        if others:
            yield Problem("speakers", where, f"recordings of split {', '.join(map(str, others))}, not {cell.split}")
    known = corpus.speakers_by_split.get(cell.split)
    if known is not None:
        strangers = [name for name in heard if speaker_digest(name) not in set(known)]
        if strangers:
            yield Problem("speakers", where, _told(strangers, corpus, cell.split))
    planned = stored.planned.get(cell.cell)
    whole = planned is not None and not planned.limit and not planned.exclude
    if whole and digest(heard) != corpus.speakers_digest_by_split.get(cell.split):
        told = f"its {len(heard)} speakers are not those of split {cell.split} in run.json"
        yield Problem("speakers", where, told)


def _told(strangers: Sequence[str], corpus: CorpusInfo, split: str) -> str:
    homes = {name for name, found in corpus.speakers_by_split.items() if speaker_digest(strangers[0]) in found}
    of = f"of split {', '.join(sorted(homes))}" if homes else "of no split"
    return f"{len(strangers)} speakers are not in split {split}, as {strangers[0]}, {of}"


def training_data(stored: Stored) -> Iterator[Problem]:
    """A cell measured on data that its plugin says its weights have seen carries the flag that says so."""
    for cell in stored.cells:
        plugin = stored.run.plugins.get(cell.plugin)
        if plugin is None or cell.status != "ok":
            continue
        missing = set(seen_flags(plugin.trained_on, cell.corpus, cell.train_corpus)) - set(cell.flags)
        for flag in sorted(missing - {UNDISCLOSED}):
            told = f"{cell.plugin} declares {', '.join(plugin.trained_on)} and the cell has no flag {flag}"
            yield Problem("training data", f"cell {cell.cell}", told)


def unchecked(stored: Stored) -> Iterator[str]:
    """Corpora whose speakers the run doesn't list, so that disjoint splits must be believed."""
    for name, corpus in stored.run.corpora.items():
        if not corpus.speakers_by_split:
            yield f"{name}: the run lists no speakers, so disjoint splits and complete ones can't be checked"
