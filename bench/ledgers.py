"""Before and after: what each repair of a run changed, for everybody, for the worst and the best cohort, in the gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from earmark.bench.report import ACROSS, ALL, CellView, Group
from earmark.bench.rows import Measurement

LEVELED = "leveled_down"


@dataclass(frozen=True, slots=True)
class Entry:
    """One repaired model under the scheme that it was repaired for; rows that were not measured are None."""

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
    variance: Measurement | None

    @property
    def leveled_down(self) -> bool:
        """Whether the gap shrank mostly because the best served are served worse."""
        return self.gap is not None and LEVELED in self.gap.flags


def entries(group: Group) -> Iterator[Entry]:
    """The repaired models of a group, in its order."""
    for view in group.cells:
        if view.cell.mitigation is not None and view.cell.scheme is not None:
            found = _entry(view, view.cell.scheme)
            if found is not None:
                yield found


def _entry(view: CellView, scheme: str) -> Entry | None:
    rows = {(row.scheme, row.cohort, row.metric): row for row in view.measurements}
    gap = rows.get((scheme, ACROSS, "gap_abs_change"))
    told = dict(flag.split(":", 1) for flag in (gap.flags if gap else ()) if ":" in flag)
    if not {"bottom", "top"} <= told.keys():
        return None
    bottom, top = told["bottom"], told["top"]
    return Entry(
        view, scheme, bottom, top,
        overall=rows.get((ALL, ALL, "wer_change")),
        of_bottom=rows.get((scheme, bottom, "wer_change")),
        of_top=rows.get((scheme, top, "wer_change")),
        gap=gap,
        mean=rows.get((scheme, ACROSS, "wer_cohort_mean")),
        worst=rows.get((scheme, ACROSS, "wer_cohort_max")),
        variance=rows.get((scheme, ACROSS, "wer_cohort_var_debiased")),
    )  # fmt: skip
