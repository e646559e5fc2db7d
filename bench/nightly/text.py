"""A night on one screen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from earmark.bench import formatting
from earmark.bench.compare import summary
from earmark.bench.nightly.judging import Judged
from earmark.bench.nightly.records import Finding, Night
from earmark.bench.store import RunFolder

MOST = 12
"""Findings and notes that are written out; the record has them all."""


def screen(record: Night, baseline: Night | None, judged: Judged | None, folder: RunFolder, *, minutes: float) -> str:
    """What got worse, first; then against what, and where to look."""
    return "\n".join(_lines(record, baseline, judged, folder, minutes))


def _lines(
    record: Night, baseline: Night | None, judged: Judged | None, folder: RunFolder, minutes: float
) -> Iterator[str]:
    cells, state = folder.read_cells(), folder.read_run().environment
    sha = (record.git_sha or "unknown commit")[:7]
    yield (
        f"{record.suite}: {_headline(record)} "
        f"({len(cells)} cells on {', '.join(record.devices)}, {minutes:.1f} minutes, load {state.load_start:.1f})"
    )
    yield f"  tonight  {record.run_id} ({sha})"
    if baseline is not None:
        yield f"  against  {baseline.run_id} ({(baseline.git_sha or 'unknown commit')[:7]}), the last good night"
    yield from _findings(record.findings)
    if judged is not None:
        yield f"  compare: {summary(judged.comparison)}; this machine took {judged.drift:.2f} x the time for everything"
        yield from (f"  better   {label}: {metrics}" for label, metrics in _better(judged))
    yield from (f"  note     {formatting.clean(note)}" for note in record.notes[:MOST])
    yield f"  tables   {folder.path}"


def _headline(record: Night) -> str:
    if any(finding.kind == "uncompared" for finding in record.findings):
        return "NOT COMPARED"
    return "NOTHING GOT WORSE" if record.verdict == "good" else f"{len(record.findings)} WORSE"


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings[:MOST]:
        yield f"  WORSE    {formatting.clean(finding.label)}"
        yield f"           {finding.kind}: {formatting.clean(finding.text)}"
    if len(findings) > MOST:
        yield f"           ... and {len(findings) - MOST} more, in the record"


def _better(judged: Judged) -> Iterator[tuple[str, str]]:
    """Timings are left out: they are better whenever the machine is."""
    found: dict[str, list[str]] = defaultdict(list)
    for change in judged.comparison.better:
        if change.kind != "timing" and change.metric not in found[change.label]:
            found[change.label].append(change.metric)
    yield from ((label, ", ".join(metrics)) for label, metrics in list(found.items())[:MOST] if metrics)
