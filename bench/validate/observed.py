"""Whether the observations of a cell fit together: the same recordings in every table, texts made of their tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from earmark.bench import clock
from earmark.bench.rows import Cell
from earmark.bench.validate.stored import Problem, Stored

MAIN = {"recognition": "utterances", "conversation": "utterances", "verification": "embeddings"}
"""By task, the table that has a row for each recording."""
PARTS = ("tokens", "chunks", "work", "probes", "reference_words", "offline")
REUSED = "reused:"
TIGHT = 1e-6
"""Seconds, and cosines of vectors in single precision, that may differ by rounding."""


def observations(stored: Stored) -> Iterator[Problem]:
    """No recording is missing from a table, is there twice, or was left out of one cell of a corpus and not another."""
    for cell in stored.heard:
        if cell.task in MAIN:
            yield from _recordings(stored, cell)
            yield from _OUTPUTS.get(cell.task, _nothing)(stored, cell)
            yield from _times(stored, cell)
    yield from _alike(stored)


def _recordings(stored: Stored, cell: Cell) -> Iterator[Problem]:
    main, where = MAIN[cell.task], f"cell {cell.cell}"
    names = stored.table(cell.cell, main)["utterance_id"]
    twice = len(names) - len(pc.unique(names))
    if twice:
        yield Problem("observations", where, f"{twice} recordings are in {main} twice")
    for part in PARTS:
        found = pc.unique(stored.table(cell.cell, part)["utterance_id"])
        strangers = pc.filter(found, pc.invert(pc.is_in(found, value_set=names.combine_chunks())))
        if len(strangers):
            told = f"{len(strangers)} recordings of {part} are not in {main}, as {strangers[0].as_py()}"
            yield Problem("observations", where, told)
    if not any(flag.startswith(REUSED) for flag in cell.flags):
        timed = pc.unique(stored.table(cell.cell, "chunks")["utterance_id"])
        unheard = pc.filter(names, pc.invert(pc.is_in(names, value_set=timed)))
        if len(unheard):
            told = f"{len(unheard)} recordings of {main} have no chunks, as {unheard[0].as_py()}"
            yield Problem("observations", where, told)
    yield from _number(stored, cell, len(names))


def _number(stored: Stored, cell: Cell, n: int) -> Iterator[Problem]:
    """So many recordings as the split has, up to the plan's limit; fewer only where the plan leaves some out."""
    planned = stored.planned.get(cell.cell)
    sizes = [c.recordings_by_split for c in stored.run.corpora.values() if c.fingerprint == cell.corpus_fingerprint]
    if planned is None or not sizes or cell.split not in sizes[0]:
        return
    expected = min(planned.limit or sizes[0][cell.split], sizes[0][cell.split])
    if n > expected or (n < expected and not planned.exclude):
        told = f"{n} recordings, of {sizes[0][cell.split]} in the split the plan wants {expected}"
        yield Problem("observations", f"cell {cell.cell}", told)


def _alike(stored: Stored) -> Iterator[Problem]:
    """Cells that were to hear the same recordings did, with the same references, speakers and metadata."""
    by_choice: dict[Any, list[tuple[Cell, pa.Table]]] = defaultdict(list)
    for cell in stored.heard:
        planned = stored.planned.get(cell.cell)
        if cell.task not in MAIN or planned is None:
            continue
        kept = ["utterance_id", "speaker", "metadata", *(["reference"] if MAIN[cell.task] == "utterances" else [])]
        table = stored.table(cell.cell, MAIN[cell.task]).select(kept).sort_by("utterance_id")
        choice = (MAIN[cell.task], cell.corpus_fingerprint, cell.split, planned.limit, str(planned.exclude))
        by_choice[choice].append((cell, table))
    for cells in by_choice.values():
        (first, table), *others = cells
        for cell, other in others:
            if not table["utterance_id"].equals(other["utterance_id"]):
                told = f"it heard {len(other)} recordings and cell {first.cell} of the same corpus {len(table)}"
                yield Problem("observations", f"cell {cell.cell}", told)
                continue
            for name in table.column_names[1:]:
                if not table[name].equals(other[name]):
                    told = f"{name} is not what it is in cell {first.cell} of the same corpus"
                    yield Problem("observations", f"cell {cell.cell}", told)


def _texts(stored: Stored, cell: Cell) -> Iterator[Problem]:
    """A hypothesis is its final tokens of the first pass, joined."""
    if "reused_differs" in cell.flags:
        return
    said: dict[str, list[tuple[int, str]]] = defaultdict(list)
    tokens = stored.table(cell.cell, "tokens")
    final = tokens.filter(pc.and_(tokens["final"], pc.equal(tokens["pass"], 0)))
    for row in final.select(["utterance_id", "index", "kind", "text"]).to_pylist():
        if row["kind"] == "text":
            said[row["utterance_id"]].append((row["index"], row["text"]))
    for row in stored.table(cell.cell, "utterances").select(["utterance_id", "hypothesis_raw"]).to_pylist():
        text = "".join(piece for _, piece in sorted(said[row["utterance_id"]])).strip()
        if text != row["hypothesis_raw"]:
            told = f"hypothesis_raw of {row['utterance_id']} is not what its tokens say: {text!r}"
            yield Problem("observations", f"cell {cell.cell}", told)
            return


def _scores(stored: Stored, cell: Cell) -> Iterator[Problem]:
    """A trial's score is the cosine of its two embeddings, and its speakers are theirs."""
    table, trials = stored.table(cell.cell, "embeddings"), stored.table(cell.cell, "trials")
    place = {name: at for at, name in enumerate(table["utterance_id"].to_pylist())}
    speakers = np.array(table["speaker"].to_pylist(), dtype=object)
    where = f"cell {cell.cell}"
    sides = []
    for side in ("enroll", "test"):
        at = [place.get(name, -1) for name in trials[f"{side}_id"].to_pylist()]
        if -1 in at:
            told = f"trial {at.index(-1)} names a recording without an embedding"
            yield Problem("observations", where, told)
            return
        sides.append(np.array(at, dtype=np.int64))
        if (speakers[sides[-1]] != np.array(trials[f"{side}_speaker"].to_pylist(), dtype=object)).any():
            yield Problem("observations", where, f"{side}_speaker of some trial is not its embedding's speaker")
    target = np.asarray(trials["target"]).astype(bool)
    if (target != (speakers[sides[0]] == speakers[sides[1]])).any():
        yield Problem("observations", where, "target of some trial contradicts its speakers")
    if not len(target):
        return
    vectors = np.array(table["vector"].to_pylist(), dtype=np.float64)
    cosine = np.einsum("ij,ij->i", vectors[sides[0]], vectors[sides[1]])
    off = np.abs(cosine - np.asarray(trials["score"]))
    if off.max() > 1e-4:
        worst = int(off.argmax())
        told = f"score of trial {worst} is {trials['score'][worst].as_py():.6f}, its embeddings say {cosine[worst]:.6f}"
        yield Problem("observations", where, told)


def _nothing(_stored: Stored, _cell: Cell) -> Iterator[Problem]:
    yield from ()


_OUTPUTS: Mapping[str, Callable[[Stored, Cell], Iterator[Problem]]] = {"recognition": _texts, "verification": _scores}


def _times(stored: Stored, cell: Cell) -> Iterator[Problem]:
    """Chunks come in order and are served in positive time; on a virtual clock they start when the replay says."""
    chunks = stored.table(cell.cell, "chunks").sort_by(
        [(name, "ascending") for name in ("utterance_id", "pass", "chunk")]
    )
    where = f"cell {cell.cell}"
    if not len(chunks):
        return
    service_s, due_s, start_s = (np.asarray(chunks[name]) for name in ("service_s", "due_s", "start_s"))
    if (service_s <= 0).any():
        yield Problem("plausibility", where, "a chunk was served in no time")
    streams = _streams(chunks)
    wrong = 0
    for first, last in streams:
        due, start = due_s[first:last], start_s[first:last]
        if (np.diff(due) < 0).any() or (start < due - TIGHT).any():
            wrong += 1
        elif cell.pacing == "virtual":
            wrong += bool(np.abs(clock.replay(due, service_s[first:last])[0] - start).max() > TIGHT)
    if wrong:
        told = f"start_s of {wrong} streams does not follow from due_s and service_s"
        yield Problem("plausibility", where, told)
    late = _late(stored.table(cell.cell, "tokens"), chunks)
    if late:
        told = f"emitted_s of {late} tokens is not when their chunk was served"
        yield Problem("plausibility", where, told)


def _late(tokens: pa.Table, chunks: pa.Table) -> int:
    """Tokens that were there at another moment than the end of their chunk; those without a moment don't count."""
    keys = ["utterance_id", "pass", "chunk"]
    said = tokens.select([*keys, "emitted_s"]).filter(pc.is_valid(tokens["emitted_s"]))
    both = said.join(chunks.select([*keys, "start_s", "service_s"]), keys, join_type="inner")
    off = pc.abs(pc.subtract(both["emitted_s"], pc.add(both["start_s"], both["service_s"])))
    return int(pc.sum(pc.greater(off, TIGHT)).as_py() or 0)


def _streams(chunks: pa.Table) -> Iterator[tuple[int, int]]:
    """Where the rows of each recording and pass begin and end."""
    names = np.array(chunks["utterance_id"].to_pylist(), dtype=object)
    passes = np.asarray(chunks["pass"])
    edges = np.flatnonzero((names[1:] != names[:-1]) | (passes[1:] != passes[:-1])) + 1
    yield from zip([0, *edges.tolist()], [*edges.tolist(), len(names)], strict=True)
