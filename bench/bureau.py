"""Finds the cohorts of a run, freezes them, and tells who is in which.

In this order: the finder gets tables of discover and select; what it found is hashed and written down, in the cache and
in ``run.json``; only then are other speakers put into its cohorts, by rows without outcomes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from filelock import FileLock

from earmark.bench import outcomes, progress, provenance
from earmark.bench.api import SPLITS, Corpus, InputError, Table
from earmark.bench.corpora.cache import cache_dir
from earmark.bench.disk import write_atomic
from earmark.bench.executors.local import Ended, run_cell
from earmark.bench.frozen import (
    Frozen,
    assigned_file,
    rank_rows,
    read_frozen,
    scheme_digest,
    schemes_folder,
    write_frozen,
)
from earmark.bench.metrics.cohorts import cohort_rates
from earmark.bench.metrics.statistics import per_speaker
from earmark.bench.planning import digest
from earmark.bench.preflight import Prepared
from earmark.bench.protocol import Finding
from earmark.bench.store import RunFolder

Say = Callable[[str], None]
TIMEOUT_S = 4 * 3600.0
MEMORY_SHARE = 0.8


class NotFound(Exception):
    """There are no cohorts, and this says why."""


@dataclass
class Bureau:
    """Of one run. ``frozen`` are the schemes by key, ``problems`` says why one isn't there."""

    prepared: Prepared
    folder: RunFolder
    normalizer: str
    say: Say
    frozen: dict[str, Frozen] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def find(self, findings: Mapping[str, Finding]) -> None:
        """Find and freeze every scheme; one that can't be found costs what depends on it, and nothing else."""
        for key, finding in findings.items():
            try:
                self.frozen[key] = self._known(finding) or self._found(finding)
                self._tell(finding, self.frozen[key])
            except (InputError, NotFound) as error:
                told = str(error).removeprefix(f"{finding.finder}: ")
                self.problems[key] = f"{finding.finder}: {told}"
                self.say(f"cohorts {finding.name} (seed {finding.seed}): none, {told}")

    def cohorts_of(self, finding: Finding, corpus: Corpus, asked: str) -> Mapping[str, str]:
        """The cohort of each speaker of a corpus under a frozen scheme."""
        path = assigned_file(finding.scheme_key, corpus.fingerprint)
        if not path.is_file():
            table = outcomes.without_outcomes(corpus, SPLITS, self._vectors(finding, asked, corpus))
            write_atomic(path, json.dumps(self._assigned(finding, table), ensure_ascii=False).encode())
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return found

    # --- finding --------------------------------------------------------------------------------------------------

    def _known(self, finding: Finding) -> Frozen | None:
        known = read_frozen(finding.scheme_key)
        if known is not None:
            self.say(f"cohorts {finding.name} (seed {finding.seed}): scheme {known.digest} is there")
        return known

    def _found(self, finding: Finding) -> Frozen:
        tables = self._tables(finding)
        with self._worker(finding) as (run, folder):
            paths = {split: str(folder / f"{split}.parquet") for split in tables}
            for split, table in tables.items():
                pq.write_table(table, paths[split])
            run({"find": finding.model_dump(mode="json"), "tables": paths})
            told = json.loads((folder / "scheme.json").read_text(encoding="utf-8"))
        frozen = self._ranked(finding, told["scheme"], told["assigned"], tables["discover"])
        write_frozen(finding.scheme_key, frozen)
        return frozen

    def _ranked(
        self, finding: Finding, scheme: Any, assigned: Mapping[str, Mapping[str, str]], discover: Table
    ) -> Frozen:
        """The cohorts by how they fared on discover."""
        rows = [row for row in discover.select(["speaker", "errors", "words"]).to_pylist() if row["speaker"]]
        sums = per_speaker([r["speaker"] for r in rows], [r["errors"] for r in rows], [r["words"] for r in rows])
        labels = [assigned["discover"][speaker] for speaker in sums.speakers]
        chosen = list(assigned["select"].values())
        return Frozen(
            finder=finding.finder,
            name=finding.name,
            scheme=scheme,
            digest=scheme_digest(finding.finder, scheme),
            ranking=rank_rows(cohort_rates(sums, labels, n_replicates=2, seed=0)),
            n_select={name: chosen.count(name) for name in sorted(set(chosen))},
            picture=outcomes.in_a_plane(discover, assigned["discover"]) if finding.embedder else (),
        )

    def _tables(self, finding: Finding) -> dict[str, Table]:
        asked, corpus = self._corpus(finding)
        vectors = self._vectors(finding, asked, corpus)
        tables = {}
        for split, cell in (("discover", finding.discover), ("select", finding.select)):
            heard = self.folder.observations(cell)
            if not heard.is_dir():
                why = self.prepared.unheard.get(cell)
                raise NotFound(f"the reference could not be observed on {split}{f': {why}' if why else ''}")
            table = outcomes.with_outcomes(corpus, outcomes.outcomes(heard, self.normalizer), vectors)
            if not any(table["speaker"].to_pylist()):
                raise NotFound(f"corpus {corpus.name} names no speakers, and cohorts are made of speakers")
            tables[split] = table
        return tables

    def _corpus(self, finding: Finding) -> tuple[str, Corpus]:
        return finding.corpus, self.prepared.corpora[finding.corpus]

    def _vectors(self, finding: Finding, asked: str, corpus: Corpus) -> outcomes.Vectors:
        """For every recording the mean embedding of its speaker, by the embedder that the suite names."""
        if finding.embedder is None:
            return {}
        key = digest([self.prepared.plugin_digests[finding.embedder], corpus.fingerprint])
        path = cache_dir() / "embeddings" / f"{key}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.is_file():
                with self._worker(finding, f"embedding {corpus.name} with {finding.embedder}") as (run, folder):
                    run({"embed": finding.embedder, "corpus": asked})
                    shutil.move(folder / "vectors.parquet", path)
        table = pq.read_table(path)
        found = dict(zip(table["utterance_id"].to_pylist(), table["embedding"].to_pylist(), strict=True))
        return outcomes.by_voice(corpus, found)

    def _assigned(self, finding: Finding, table: Table) -> Mapping[str, str]:
        with self._worker(finding) as (run, folder):
            pq.write_table(table, folder / "rows.parquet")
            scheme = self.frozen[finding.scheme_key].scheme
            run({"assign": finding.model_dump(mode="json"), "scheme": scheme, "table": str(folder / "rows.parquet")})
            found: dict[str, str] = json.loads((folder / "assigned.json").read_text(encoding="utf-8"))
        return found

    def _worker(self, finding: Finding, title: str | None = None) -> _Worker:
        return _Worker(self, finding, title or f"cohorts {finding.name} (seed {finding.seed}) by {finding.finder}")

    def _tell(self, finding: Finding, frozen: Frozen) -> None:
        """What ``run.json`` keeps of a scheme."""
        self.facts[frozen.digest] = {
            "finder": frozen.finder, "name": frozen.name, "seed": finding.seed, "options": finding.options,
            "embedder": finding.embedder, "json": frozen.scheme, "frozen_at": _written(finding.scheme_key),
            "reference_cell": finding.discover, "select_cell": finding.select,
            "ranking": frozen.to_json()["ranking"], "pair": list(frozen.pair or ()),
            "picture": [list(dot) for dot in frozen.picture],
        }  # fmt: skip
        ranked = ", ".join(f"{r.cohort} {100 * r.wer:.1f} %" for r in frozen.ranking if r.wer is not None)
        self.say(f"cohorts {finding.name} (seed {finding.seed}): {ranked}; frozen as {frozen.digest}")


@dataclass
class _Worker:
    """A worker process with a folder of its own, which is gone afterwards."""

    bureau: Bureau
    finding: Finding
    title: str
    place: Path | None = None

    def __enter__(self) -> tuple[Callable[[Mapping[str, Any]], Ended], Path]:
        self.place = Path(tempfile.mkdtemp(prefix=".work.", dir=_made(schemes_folder(self.finding.scheme_key))))
        return self._run, self.place

    def __exit__(self, *_error: object) -> None:
        shutil.rmtree(self.place or "", ignore_errors=True)

    def _run(self, job: Mapping[str, Any]) -> Ended:
        request = self.bureau.prepared.request
        common = {
            "threads": 1, "cache": str(cache_dir()), "folder": str(self.place),
            "plugin_files": [str(path) for path in request.plugin_files],
        }  # fmt: skip
        log = self.bureau.folder.path / "logs" / f"{self.finding.scheme_key}.txt"
        with progress.shown(self.title, quiet=request.quiet) as advance:
            ended = run_cell(
                {**job, **common}, timeout_s=TIMEOUT_S, memory_mib=int(MEMORY_SHARE * provenance.memory_mib()), log=log,
                advance=advance,
            )  # fmt: skip
        if ended.status != "ok":
            raise NotFound(ended.reason or ended.status)
        return ended


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _written(scheme_key: str) -> str:
    seconds = (schemes_folder(scheme_key) / "frozen.json").stat().st_mtime
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def assignment_rows(
    name: str, frozen: Frozen | None, problem: str | None, cohort_of: Mapping[str, str], speakers: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows of a cell's ``assignments``: who of its speakers is in which cohort, or one row that says why nobody is."""
    if frozen is None:
        return [{"scheme": name, "note": problem or "its cohorts were not found"}]
    roles = dict(zip(frozen.pair or (), ("bottom", "top"), strict=False))
    return [
        {
            "scheme": name, "scheme_digest": frozen.digest, "speaker": speaker, "cohort": cohort_of[speaker],
            "role": roles.get(cohort_of[speaker]),
        }
        for speaker in speakers
        if speaker in cohort_of
    ]  # fmt: skip
