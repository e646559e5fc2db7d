"""What repairs of embedders changed, over all seeds of one or more runs: ``python -m earmark.bench.repaired RUN...``.

Every seed is shown, and the mean change with an interval for which speakers and seeds are drawn together, on the same
trials before and after. With few seeds no p value is printed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Interval
from earmark.bench.metrics.trial_changes import EVERYBODY, TrialChange, TrialChanges, trial_changes
from earmark.bench.planning import Planned
from earmark.bench.query import find_run
from earmark.bench.score.schemes import resolve
from earmark.bench.score.trials import Trials
from earmark.bench.store import RunFolder
from earmark.bench.tables import read_table

HEAD = ("model", "repair", "cohorts", "EER, %", "change", "gap, points", "change", "spread, points", "change")
LEGEND = (
    "before > after by seed; change of the mean in percent of before, with the 95 % interval over speakers and seeds; "
    "gap: EER of the cohort that was worst before less that of the one that was best; spread: standard deviation of "
    "the cohorts' EER"
)


Pair: TypeAlias = tuple[str, Planned]
"""The cell before, and the cell of the repaired model."""


@dataclass(frozen=True, slots=True)
class Line:
    """A repair over the seeds of a run, under one division of the speakers."""

    model: str
    repair: str
    scheme: str
    found: TrialChanges


def lines(
    folders: Sequence[RunFolder], schemes: Sequence[str] = (), *, against: str = "", n_replicates: int = 300
) -> Iterator[Line]:
    """Every repair of an embedder and every scheme, or those named; ``against`` is another repair, else no repair.

    Seeds may lie in runs of their own; of a cell that several of them have, that of the first counts.
    """
    at = {cell.cell: folder for folder in folders[::-1] for cell in folder.read_cells() if cell.status == "ok"}
    every = {cell.cell: cell for folder in folders for cell in folder.read_plan().cells}
    planned = [cell for cell in every.values() if cell.task == "verification" and cell.repair]
    others = {_of(cell): cell.cell for cell in planned if cell.repair == against}
    if against and not others:
        repairs = ", ".join(sorted({str(cell.repair) for cell in planned}))
        raise InputError(f"no repair is called {against!r}", where=folders[0].run_id, fix=f"there is {repairs}")
    groups: dict[tuple[str, str, str, str], list[Pair]] = defaultdict(list)
    for cell in planned:
        before = others.get(_of(cell)) if against else cell.baseline
        if cell.repair != against and before is not None and {cell.cell, before} <= set(at):
            groups[cell.plugin, str(cell.repair), cell.corpus, cell.condition].append((before, cell))
    read = cache(lambda name: Trials.read(at[name].observations(name)))
    for (model, repair, *_), pairs in groups.items():
        for scheme, cohort_of in _cohorts(at[pairs[0][1].cell], pairs[0][1], schemes).items():
            yield Line(model, repair, scheme, _over_seeds(read, pairs, cohort_of, n_replicates))


def _of(cell: Planned) -> tuple[str | None, int]:
    """What two repairs of the same model, heard in the same way, have in common."""
    return cell.baseline, cell.seed


def _cohorts(folder: RunFolder, cell: Planned, wanted: Sequence[str]) -> Mapping[str, Mapping[str, str] | None]:
    """Speakers by cohort, scheme by scheme; everybody together where nothing divides them."""
    columns = ["utterance_id", "speaker", "metadata", "audio_s"]
    heard = read_table(folder.observations(cell.cell), "embeddings").select(columns).to_pylist()
    known = resolve(list(wanted) or cell.cohorts, heard)
    return {scheme.name: scheme.cohort_of for scheme in known if scheme.problem is None} or {EVERYBODY: None}


def _over_seeds(
    trials_of: Callable[[str], Trials], pairs: Sequence[Pair], cohort_of: Mapping[str, str] | None, n_replicates: int
) -> TrialChanges:
    """On the trials that all seeds have: those drawn from very many differ from seed to seed."""
    ordered = sorted(pairs, key=lambda pair: pair[1].seed)
    read = [[trials_of(name) for name in (before, cell.cell)] for before, cell in ordered]
    names = [list(zip(one.enroll_id, one.test_id, strict=True)) for pair in read for one in pair]
    common = set(names[0]).intersection(*names[1:])
    shared = [one.only(common) for pair in read for one in pair]
    known = shared if cohort_of is None else [one.within(cohort_of) for one in shared]
    first = known[0]
    return trial_changes(
        [one.scores for one in known[::2]], [one.scores for one in known[1::2]], first.is_target,
        first.enroll_speaker, first.test_speaker, cohort_of, n_replicates=n_replicates, seed=0,
    )  # fmt: skip


def table(found: Sequence[Line]) -> str:
    """Lines as a Markdown table."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for line in found:
        across = [line.found.overall, line.found.gap, line.found.spread]
        pair = f" ({' / '.join(line.found.pair)})" if line.found.pair else ""
        cells = [text for change in across for text in _cells(change)]
        rows.append((line.model, line.repair, f"{line.scheme}{pair}", *cells))
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", LEGEND])


def _cells(change: TrialChange | None) -> tuple[str, str]:
    if change is None:
        return "–", "–"
    pairs = zip(change.before, change.after, strict=True)
    by_seed = ", ".join(f"{100 * before:.1f} > {100 * after:.1f}" for before, after in pairs)
    if change.relative is None:
        return by_seed, "–"
    return by_seed, f"{100 * change.relative:+.0f} %{_interval(change.relative_interval)}"


def _interval(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f" [{100 * interval.low:+.0f}, {100 * interval.high:+.0f}]"


def main(
    runs: Annotated[list[str] | None, typer.Argument(help="Ids of runs, beginnings or folders; none: latest.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the result tables.")] = Path("results"),
    cohorts: Annotated[str, typer.Option(help="Columns to divide speakers by, a comma between; none: the runs'.")] = "",
    against: Annotated[str, typer.Option(help="Another repair to compare with; none: the model as it was.")] = "",
    replicates: Annotated[int, typer.Option(help="Draws of speakers and seeds.", min=2)] = 300,
) -> None:
    """Print what every repair of an embedder in these runs changed, over their seeds."""
    try:
        wanted = [name for name in cohorts.split(",") if name]
        folders = [RunFolder(find_run(results, run)) for run in runs or ["latest"]]
        print(table(list(lines(folders, wanted, against=against, n_replicates=replicates))))
    except InputError as error:
        typer.echo(f"earmark: {error}", err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    typer.run(main)
