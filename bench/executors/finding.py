"""Jobs of the fairness protocol: embed recordings, find cohorts, assign speakers to them.

A finder is handed tables of discover and select. While it works nothing of the measure split can be opened in its
process, and when it assigns, the columns that tell how well somebody was understood aren't in the table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from earmark.bench import registry
from earmark.bench.api import CohortFinder, InputError, Table
from earmark.bench.corpora.schema import withheld
from earmark.bench.frozen import by_speaker
from earmark.bench.outcomes import OUTCOMES
from earmark.bench.protocol import Finding

Report = Callable[[Mapping[str, Any]], None]
Ending = tuple[list[str], list[str]]


def find(job: Mapping[str, Any], _report: Report) -> Ending:
    """Fit the finder on the job's tables; its folder gets ``scheme.json``: the scheme, and whom it puts where."""
    finding = Finding.model_validate(job["find"])
    finder = _finder(job, finding)
    tables = {split: pq.read_table(job["tables"][split]) for split in ("discover", "select")}
    with withheld("measure"):
        fitted = finder.fit(tables["discover"], tables["select"], seed=finding.seed)
        scheme = _plain_json(fitted.to_json(), finding.finder)
        frozen = finder.load(scheme)
        said = {split: _assign(frozen, table, finding) for split, table in tables.items()}
        if said["select"] != _assign(fitted, tables["select"], finding):
            raise ValueError("its scheme assigns otherwise once it is loaded again")
    content = json.dumps({"scheme": scheme, "assigned": said}, sort_keys=True, ensure_ascii=False)
    (Path(job["folder"]) / "scheme.json").write_text(content, encoding="utf-8")
    return [], []


def assign(job: Mapping[str, Any], _report: Report) -> Ending:
    """Put the speakers of the job's table into the frozen cohorts: ``assigned.json``, cohort by speaker."""
    finding = Finding.model_validate(job["assign"])
    table = pq.read_table(job["table"])
    found = _assign(_finder(job, finding).load(job["scheme"]), table, finding)
    (Path(job["folder"]) / "assigned.json").write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    return [], []


def embed(job: Mapping[str, Any], report: Report) -> Ending:
    """Embed every recording of a corpus: ``vectors.parquet`` with columns utterance_id and embedding."""
    from earmark.bench.corpora.load import load_corpus
    from earmark.bench.observe.settings import Settings, hear

    plugin = registry.scan(tuple(Path(p) for p in job["plugin_files"])).named(job["embed"], "model")
    build = registry.resolve(plugin.spec)
    preset = plugin.spec.presets[0] if hasattr(plugin.spec, "presets") else ""
    model = build(preset, options={}, vocabulary=None, seed=0, device="cpu")
    corpus = load_corpus(job["corpus"], cache=Path(job["cache"]), progress=lambda *_: None)
    plain = Settings(
        cell="", split="", condition="clean", seed=0, device="cpu", chunk_ms=None, pacing="offline", passes=1
    )
    found: dict[str, list[Any]] = {"utterance_id": [], "embedding": []}
    for done, row in enumerate(corpus.rows, start=1):
        samples = hear(row, plain, model.info.sample_rate_hz).samples
        vector = model.embed(samples[None], np.array([len(samples)], dtype=np.int64))[0]
        found["utterance_id"].append(row["id"])
        found["embedding"].append([float(x) for x in vector])
        report({"done": done, "total": len(corpus.rows), "what": "voices"})
    pq.write_table(pa.table(found), Path(job["folder"]) / "vectors.parquet")
    return [], list(model.info.trained_on)


def _finder(job: Mapping[str, Any], finding: Finding) -> CohortFinder:
    plugin = registry.scan(tuple(Path(p) for p in job["plugin_files"])).named(finding.finder, "fairness")
    return registry.resolve(plugin.spec)(options=finding.options)  # type: ignore[no-any-return]


def _assign(scheme: Any, table: Table, finding: Finding) -> dict[str, str]:
    rows = table.drop_columns([name for name in OUTCOMES if name in table.column_names])
    cohorts = scheme.assign(rows)
    if len(cohorts) != rows.num_rows or not all(isinstance(name, str) and name for name in cohorts):
        raise ValueError(
            f"{finding.finder} assigns {len(cohorts)} cohorts to {rows.num_rows} rows, or some without a name"
        )
    return by_speaker(rows["speaker"].to_pylist(), cohorts, f"cohorts {finding.name!r}")


def _plain_json(value: Any, finder: str) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"its scheme is no JSON: {error}", where=finder, fix="mend to_json()") from error
