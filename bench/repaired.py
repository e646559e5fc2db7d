"""What repairs of embedders changed, over all seeds of a run: ``python -m earmark.bench.repaired RUN``.

Every seed is shown, and the mean change with an interval for which speakers and seeds are drawn together, on the same
trials before and after. With few seeds no p value is printed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from earmark.bench.api import InputError
from earmark.bench.metrics.resampling import Interval
from earmark.bench.metrics.trial_changes import TrialChange, TrialChanges, trial_changes
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


@dataclass(frozen=True, slots=True)
class Line:
    """A repair over the seeds of a run, under one division of the speakers."""

    model: str
    repair: str
    scheme: str
    found: TrialChanges


def lines(folder: RunFolder, schemes: Sequence[str] = (), *, n_replicates: int = 300) -> Iterator[Line]:
    """Every repair of an embedder and every scheme, or those named. InputError where seeds had different trials."""
    done = {cell.cell for cell in folder.read_cells() if cell.status == "ok"}
    groups: dict[tuple[str, str, str, str], list[Planned]] = defaultdict(list)
    for cell in folder.read_plan().cells:
        if cell.task == "verification" and cell.repair and {cell.cell, cell.baseline} <= done:
            groups[cell.plugin, cell.repair, cell.corpus, cell.condition].append(cell)
    for (model, repair, *_), cells in groups.items():
        for scheme, cohort_of in _cohorts(folder, cells[0], schemes).items():
            yield Line(model, repair, scheme, _over_seeds(folder, cells, cohort_of, n_replicates))


def _cohorts(folder: RunFolder, cell: Planned, wanted: Sequence[str]) -> dict[str, Mapping[str, str]]:
    columns = ["utterance_id", "speaker", "metadata", "audio_s"]
    heard = read_table(folder.observations(cell.cell), "embeddings").select(columns).to_pylist()
    known = resolve(list(wanted) or cell.cohorts, heard)
    return {scheme.name: scheme.cohort_of for scheme in known if scheme.problem is None}


def _over_seeds(
    folder: RunFolder, cells: Sequence[Planned], cohort_of: Mapping[str, str], n_replicates: int
) -> TrialChanges:
    sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    first: Trials | None = None
    for cell in sorted(cells, key=lambda cell: cell.seed):
        for name, scores in zip((cell.baseline, cell.cell), sides, strict=True):
            trials = Trials.read(folder.observations(str(name))).within(cohort_of)
            first = first or trials
            if (trials.enroll_id, trials.test_id) != (first.enroll_id, first.test_id):
                raise InputError("its seeds were tried on different trials", where=folder.run_id, fix="raise no limit")
            scores.append(trials.scores)
    assert first is not None
    return trial_changes(
        sides[0], sides[1], first.is_target, first.enroll_speaker, first.test_speaker, cohort_of,
        n_replicates=n_replicates, seed=0,
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
    run: Annotated[str, typer.Argument(help="A run's id, its beginning, its folder, or latest.")] = "latest",
    results: Annotated[Path, typer.Option(help="Folder of the result tables.")] = Path("results"),
    cohorts: Annotated[str, typer.Option(help="Columns to divide speakers by, a comma between; none: the run's.")] = "",
    replicates: Annotated[int, typer.Option(help="Draws of speakers and seeds.", min=2)] = 300,
) -> None:
    """Print what every repair of an embedder in a run changed, over its seeds."""
    try:
        wanted = [name for name in cohorts.split(",") if name]
        print(table(list(lines(RunFolder(find_run(results, run)), wanted, n_replicates=replicates))))
    except InputError as error:
        typer.echo(f"earmark: {error}", err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    typer.run(main)
