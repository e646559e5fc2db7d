"""What there is, as text or JSON: plugins, suites, plans, corpora, this machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from earmark.bench import registry

if TYPE_CHECKING:
    from earmark.bench.api import Corpus
    from earmark.bench.corpora.describe import Description
    from earmark.bench.preflight import Estimate, Prepared


def as_json(found: registry.Found) -> dict[str, Any]:
    """Plugins by kind, broken ones with their cause, and suites."""
    plugins = [
        {"name": p.spec.name, "kind": p.kind, "origin": p.origin, "version": p.version, "title": p.title}
        for p in found.plugins
    ]
    broken = [{"name": b.name, "kind": b.kind, "origin": b.origin, "cause": b.cause} for b in found.broken]
    return {"plugins": plugins, "broken": broken, "suites": sorted(_suites())}


def as_text(found: registry.Found) -> Iterator[str]:
    """A line for each thing there is."""
    for kind, heading in (("model", "models"), ("fairness", "fairness methods"), ("corpus", "corpora")):
        plugins = [p for p in found.plugins if p.kind == kind]
        yield f"{heading}:" if plugins else f"{heading}: none"
        for plugin in plugins:
            origin = "" if plugin.origin == "in-tree" else f" [{plugin.origin} {plugin.version}]"
            yield f"  {plugin.spec.name:18} {plugin.title}{origin}{_lacks(plugin)}"
    yield "suites:"
    yield from (f"  {name:18} {text}" for name, text in sorted(_suites().items()))
    for broken in found.broken:
        yield f"broken {broken.kind} {broken.name} [{broken.origin}]: {broken.cause}"


def plan_text(prepared: Prepared, cost: Estimate) -> Iterator[str]:
    """A line for each checkpoint, scheme, repair and cell, and what the cells cost."""
    from earmark.bench.planning import corpus_label

    for training in prepared.trainings.values():
        learned = f"{training.steps} steps on {corpus_label(training.corpus)}, {training.device}, seed {training.seed}"
        begun = f", from {training.base.train_key}" if training.base else ""
        yield f"{training.train_key}  train {training.plugin} ({training.preset}): {learned}{begun}"
    for finding in prepared.protocol.findings.values():
        where = f"{corpus_label(finding.corpus)}, seed {finding.seed}"
        yield f"{finding.scheme_key}  find {finding.name} by {finding.finder} on {where}"
    for repair in prepared.protocol.repairs.values():
        learned = f"{repair.steps} steps, {json.dumps(repair.options, sort_keys=True)}, seed {repair.base.seed}"
        yield f"{repair.repair_key}  repair {repair.base.plugin} by {repair.name} ({repair.method}): {learned}"
    for cell in prepared.cells:
        where = f"{cell.corpus}/{cell.split} {cell.condition}, {cell.device}, seed {cell.seed}"
        how = f"{cell.chunk_ms} ms chunks, {cell.pacing}" if cell.chunk_ms else cell.pacing
        repaired = f" repaired by {cell.repair}" if cell.repair else ""
        yield f"{cell.cell}  {cell.plugin}{repaired} ({cell.preset}) on {where}, {how}, {cell.passes} passes"
    yield (
        f"{cost.n_cells} cells, {cost.audio_s / 60:.1f} minutes of audio to stream, about {cost.disk_mib:.1f} MiB of "
        f"disk ({cost.free_mib / 1024:.0f} GiB free)"
    )


def load(name: str) -> Corpus:
    """A corpus by name or path, with progress."""
    from earmark.bench import progress
    from earmark.bench.corpora.cache import cache_dir
    from earmark.bench.corpora.load import load_corpus

    with progress.shown(f"corpus {name}") as advance:
        return load_corpus(name, cache=cache_dir(), progress=advance)


def describe(name: str) -> Description:
    """A corpus in numbers."""
    from earmark.bench.corpora.describe import describe as described

    return described(load(name))


def print_description(found: Description) -> None:
    """A corpus in numbers, as tables in the terminal."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    console.print(
        f"[bold]{found.name}[/bold]: {found.total.hours:.2f} h, {found.total.n_speakers} speakers", markup=True
    )
    facts = {
        "licence": found.license,
        "source": found.source,
        "fingerprint": found.fingerprint,
        "stored at": ", ".join(f"{rate} Hz ({n})" for rate, n in found.sample_rates_hz.items()),
        "word times": f"{found.n_with_words} recordings",
        "segments": f"{found.n_with_segments} recordings",
        "places": f"{found.n_with_place} recordings",
        "flags": ", ".join(found.flags) or "none",
    }
    for name, value in facts.items():
        console.print(f"  {name:12} {value}", markup=False, highlight=False)
    splits = Table("split", "utterances", "speakers", "hours", title="splits", title_justify="left")
    for row in found.rows_for_table():
        splits.add_row(*row)
    console.print(splits)
    columns = Table("column", "coverage", "values", title="metadata", title_justify="left")
    for column in found.columns:
        columns.add_row(column.name, f"{100 * (column.coverage or 0):.0f} %", str(column.n_values))
    console.print(columns)


def doctor() -> dict[str, Any]:
    """What this machine has, and what each plugin lacks."""
    from earmark.bench import provenance
    from earmark.bench.corpora.cache import cache_dir

    host, found = provenance.host(), registry.scan()
    facts: dict[str, Any] = {
        "python": sys.version.split()[0],
        **provenance.packages(),
        "cpu": f"{host.cpu_model}, {host.n_cpus} processors",
        "memory": f"{host.memory_mib} MiB",
        "gpu": host.gpu_model or "none: rows on cuda would say unsupported",
        "cache": str(cache_dir()),
    }
    facts |= {f"model {p.spec.name}": _lacks(p).strip(" ()") or "ready" for p in found.plugins if p.kind == "model"}
    return facts | {f"broken {b.name}": b.cause for b in found.broken}


def _lacks(plugin: registry.Plugin) -> str:
    missing = registry.missing(plugin.spec)
    return f" (needs: pip install {' '.join(missing)})" if missing else ""


def _suites() -> dict[str, str]:
    from earmark.bench.suites import described

    return described()
