"""Small runs to compare: recognizers that err where they are told to, timed in three passes; embedders with scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import runs

from earmark.bench.corpora.seen import speaker_digest
from earmark.bench.planning import Planned, digest
from earmark.bench.rows import Cell
from earmark.bench.score import score_run
from earmark.bench.store import Plan, RunFolder, read_json
from earmark.bench.suite import Suite
from earmark.bench.tables import Writer

SPEAKERS, SAID = 24, 10
"""Speakers, half of them in each accent, and utterances of each."""
REFERENCE = "one two three four five six"
CHUNKS, PASSES, TIMED = 4, 3, 8
Hear = Callable[[int, int], str]
"""What is heard of a speaker's utterance."""
Serve = Callable[[int, int], float]
"""Seconds that a recording's chunk takes in a pass."""


def erring(share: float, seed: int) -> Hear:
    """Substitutes each word with this probability."""
    rng = np.random.default_rng(seed)
    wrong = rng.random((SPEAKERS, SAID, 6)) < share

    def hear(speaker: int, utterance: int) -> str:
        words = REFERENCE.split()
        return " ".join("x" if bad else word for word, bad in zip(words, wrong[speaker, utterance], strict=True))

    return hear


def steady(service_s: float, *, jitter: float = 0.01) -> Serve:
    """Takes this long, give or take a share that grows with the pass."""
    return lambda _chunk, number: service_s * (1 + jitter * number)


SERVE = steady(0.01)


def cell(name: str, **changes: Any) -> Cell:
    return runs.cell_row(name, **changes)


def planned(row: Cell, **changes: Any) -> Planned:
    """The plan of a cell."""
    names = set(Planned.model_fields) & set(Cell.model_fields)
    rest: dict[str, Any] = {
        "vocabulary": None, "timing_recordings": TIMED, "limit": None, "exclude": {}, "timeout_minutes": 1.0,
        "memory_mib": None, "cohorts": ["accent"],
        "metrics": ["eer" if row.task == "verification" else "wer", "latency", "compute", "gaps"],
    }  # fmt: skip
    return Planned.model_validate({name: getattr(row, name) for name in names} | rest | changes)


def write_run(
    root: Path, name: str, cells: Sequence[Cell], *, plan: dict[str, Any] | None = None, **run: Any
) -> RunFolder:
    """An empty run of these cells; its id is ``name``."""
    row = runs.run_row(run_id=name, **run)
    folder = RunFolder(root / "results" / "v1" / row.suite / name)
    block = {"id": "base", "task": "recognition", "plugins": ["alpha"]}
    suite = Suite.model_validate(
        {"schema": 1, "name": row.suite, "train": [block], "measure": [{"of": ["base"], "corpus": ["toy"]}]}
    )
    folder.write_run(row)
    folder.write_plan(Plan(suite, tuple(planned(cell, **(plan or {})) for cell in cells)))
    folder.write_cells(cells)
    folder.write_measurements(())
    return folder


def hear(folder: RunFolder, cell: str, said: Hear, serve: Serve = SERVE, macs: int = 1000) -> None:
    """Observations of a recognizer: words end every 0.1 s and are final in the second chunk."""
    with Writer(folder.observations(cell), cell) as writer:
        for speaker in range(SPEAKERS):
            for number in range(SAID):
                _utterance(writer, speaker, number, said(speaker, number), serve, macs)


def _utterance(writer: Writer, speaker: int, number: int, text: str, serve: Serve, macs: int) -> None:
    name = f"s{speaker:02}-{number}"
    accent = "north" if speaker % 2 else "south"
    writer.add(
        "utterances", utterance_id=name, speaker=f"s{speaker:02}", split="measure", condition="clean",
        reference=REFERENCE, hypothesis_raw=text, audio_s=0.6, outcome="ok", metadata=f'{{"accent": "{accent}"}}',
    )  # fmt: skip
    writer.add("work", utterance_id=name, part="encoder", macs=macs + speaker, dense_macs=None)
    timed = number == 0 and speaker < TIMED
    for index, word in enumerate(REFERENCE.split() if timed else ()):
        writer.add("reference_words", utterance_id=name, word=word, start_s=0.1 * index, end_s=0.1 * (index + 1))
    for index, word in enumerate(text.split()):
        writer.add(
            "tokens", utterance_id=name, **{"pass": 0}, index=index, channel=0, kind="text", text=f" {word}",
            final=True, chunk=1, audio_s=None, emitted_s=0.3 + serve(1, 0),
        )  # fmt: skip
    for n_pass in range(PASSES if timed else 1):
        for chunk in range(CHUNKS):
            due_s = 0.15 * (chunk + 1)
            writer.add(
                "chunks", utterance_id=name, **{"pass": n_pass}, chunk=chunk, n_samples=2400, due_s=due_s,
                start_s=due_s, service_s=serve(chunk, n_pass), timed=timed,
            )  # fmt: skip


def finish(folder: RunFolder) -> RunFolder:
    """Score a run and write everything about it that ``earmark validate`` asks for."""
    run, plan = folder.read_run(), read_json(folder.path / "plan.json")
    names = [f"s{speaker:02}" for speaker in range(SPEAKERS)]
    toy = run.corpora["toy"].model_copy(
        update={
            "speakers_digest_by_split": {"measure": digest(names), "train": digest(["t00"])},
            "speakers_by_split": {"measure": sorted(map(speaker_digest, names)), "train": [speaker_digest("t00")]},
            "recordings_by_split": {"measure": SPEAKERS * SAID, "train": 1},
        }
    )
    told = {
        "suite_digest": digest(plan["suite"]), "corpora": {"toy": toy},
        "plan_digest": digest([plan["suite"]["name"], plan["suite"]["normalizer"], plan["cells"]]),
    }  # fmt: skip
    folder.write_run(run.model_copy(update=told))
    score_run(folder)
    return folder


def embed(folder: RunFolder, cell: str, shift: float, seed: int, serve: Serve = SERVE) -> None:
    """Trials of an embedder whose target scores lie ``shift`` above the others."""
    rng = np.random.default_rng(seed)
    with Writer(folder.observations(cell), cell) as writer:
        for speaker in range(SPEAKERS):
            name, accent = f"s{speaker:02}", "north" if speaker % 2 else "south"
            writer.add(
                "embeddings", utterance_id=name, speaker=name, vector=[1.0], audio_s=1.0, service_s=0.01, outcome="ok",
                metadata=f'{{"accent": "{accent}"}}',
            )  # fmt: skip
            for n_pass in range(PASSES):
                writer.add(
                    "chunks", utterance_id=name, **{"pass": n_pass}, chunk=0, n_samples=16000, due_s=1.0, start_s=1.0,
                    service_s=serve(0, n_pass), timed=True,
                )  # fmt: skip
            for number, other in enumerate([speaker] * 8 + [o for o in range(SPEAKERS) if o != speaker]):
                target = other == speaker
                writer.add(
                    "trials", enroll_id=name, test_id=f"t{other:02}-{number}", enroll_speaker=name,
                    test_speaker=f"s{other:02}", target=target, score=float(rng.normal() + shift * target),
                    list_name="all", pairing="within", session_relation="same", text_relation="different",
                )  # fmt: skip
