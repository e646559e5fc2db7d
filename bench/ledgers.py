"""Before and after: what each repair of a run changed, for everybody, for the worst and the best cohort, in the gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from earmark.bench.report import ACROSS, ALL, CellView, Group
from earmark.bench.rows import Measurement

LEVELED = "leveled_down"


@dataclass(frozen=True, slots=True)
class Names:
    """The metrics of a ledger, by what they say; ``spread`` is what is left between cohorts."""

    change: str
    gap: str
    mean: str
    worst: str
    spread: str
    spread_title: str


NAMES: Mapping[str, Names] = {
    "verification": Names(
        "eer_change", "eer_gap_abs_change", "eer_cohort_mean", "eer_cohort_max", "eer_cohort_std", "cohort deviation"
    )
}
"""By task, where they are not those of words."""
OF_WORDS = Names(
    "wer_change", "gap_abs_change", "wer_cohort_mean", "wer_cohort_max", "wer_cohort_var_debiased", "cohort variance"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One repaired model under a scheme; rows that were not measured are None."""

    view: CellView
    scheme: str
    bottom: str
    top: str
    overall: Measurement | None
    of_bottom: Measurement | None
    of_top: Measurement | None
    gap: Measurement | None
    mean: Measurement | None
    worst: Measurement | None
    spread: Measurement | None

    @property
    def leveled_down(self) -> bool:
        """Whether the gap shrank mostly because the best served are served worse."""
        return self.gap is not None and LEVELED in self.gap.flags


def names(group: Group) -> Names:
    """The metrics that a group's ledger is read from."""
    return NAMES.get(group.task, OF_WORDS)


def entries(group: Group) -> Iterator[Entry]:
    """The repaired models of a group, in its order: under the scheme they were repaired for, or each of the cell's."""
    for view in group.cells:
        if view.cell.mitigation is not None:
            rows = {(row.scheme, row.cohort, row.metric): row for row in view.measurements}
            schemes = [scheme for scheme, _, metric in rows if metric == names(group).gap]
            for scheme in schemes if view.cell.scheme is None else [view.cell.scheme]:
                found = _entry(view, rows, scheme, names(group))
                if found is not None:
                    yield found


def _entry(
    view: CellView, rows: Mapping[tuple[str, str, str], Measurement], scheme: str, metrics: Names
) -> Entry | None:
    gap = rows.get((scheme, ACROSS, metrics.gap))
    told = dict(flag.split(":", 1) for flag in (gap.flags if gap else ()) if ":" in flag)
    if not {"bottom", "top"} <= told.keys():
        return None
    bottom, top = told["bottom"], told["top"]
    return Entry(
        view, scheme, bottom, top,
        overall=rows.get((ALL, ALL, metrics.change)),
        of_bottom=rows.get((scheme, bottom, metrics.change)),
        of_top=rows.get((scheme, top, metrics.change)),
        gap=gap,
        mean=rows.get((scheme, ACROSS, metrics.mean)),
        worst=rows.get((scheme, ACROSS, metrics.worst)),
        spread=rows.get((scheme, ACROSS, metrics.spread)),
    )  # fmt: skip
