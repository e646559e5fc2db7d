"""How often a finder finds what was planted, and how often it claims what was not.

A draw is a whole study: cohorts are found on discover and select, ranked on discover, and judged on the measure
speakers, whom the finder never saw. Judged means the simultaneous test of all cohorts against the overall rate
(:func:`earmark.bench.metrics.simultaneous.max_t`); what each cohort alone would show is counted beside it. Only
cohorts of ten speakers and thirty errors are judged, as in every table.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from earmark.bench.metrics.gaps import status_of
from earmark.bench.metrics.resampling import Floats, Integers
from earmark.bench.metrics.standing import standing
from earmark.bench.worlds.world import Drawn, World, draw

if TYPE_CHECKING:
    from earmark.bench.api import CohortScheme, Json, Table

OUTCOMES = ("errors", "words")
OVERLAP = 0.5
"""Jaccard index of bottom cohort and planted speakers from which the one counts as having found the other."""


class Fit(Protocol):
    """What is measured: the ``fit`` of a cohort finder."""

    def __call__(self, discover: Table, select: Table, *, seed: int) -> CohortScheme: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """One draw. Shares are of measure speakers; without a bottom cohort (one cohort only) all are 0."""

    seed: int
    n_cohorts: int
    bottom: str | None
    bottom_share: float
    jaccard: float
    recall: float
    precision: float
    bottom_flagged: bool
    n_flagged: int
    n_flagged_uncorrected: int

    @property
    def hit(self) -> bool:
        """The bottom cohort is the planted one, by ``OVERLAP``, and the corrected test flags it as worse."""
        return self.bottom_flagged and self.jaccard >= OVERLAP


def measure(
    fit: Fit,
    world: World,
    truth: str,
    *,
    n_draws: int,
    seed: int,
    n_replicates: int = 500,
    progress: Callable[[int, int, str], None] = lambda *_: None,
) -> list[Outcome]:
    """Outcomes of ``n_draws`` worlds with seeds of their own; ``truth`` names the group looked for."""
    found = []
    for number in range(n_draws):
        found.append(play(fit, world, truth, seed=seed * 1_000_003 + number, n_replicates=n_replicates))
        progress(number + 1, n_draws, truth)
    return found


def play(fit: Fit, world: World, truth: str, *, seed: int, n_replicates: int = 500) -> Outcome:
    """One study in the world of this seed, from finding to judging."""
    drawn = draw(world, seed)
    scheme = fit(drawn.tables["discover"], drawn.tables["select"], seed=seed)
    cohorts = {split: speaker_cohorts(scheme, drawn, split) for split in ("discover", "measure")}
    errors, words = speaker_counts(drawn, "measure")
    flags = standing(errors, words, cohorts["measure"], seed=seed, n_replicates=n_replicates)
    bottom = worst(*speaker_counts(drawn, "discover"), cohorts["discover"])
    inside = np.array([name == bottom for name in cohorts["measure"]])
    planted = drawn.members["measure"][truth]
    both, either = int((inside & planted).sum()), int((inside | planted).sum())
    return Outcome(
        seed=seed,
        n_cohorts=len(set(cohorts["discover"])),
        bottom=bottom,
        bottom_share=float(inside.mean()),
        jaccard=both / either if either else 0.0,
        recall=both / max(int(planted.sum()), 1),
        precision=both / max(int(inside.sum()), 1),
        bottom_flagged=bottom in flags.worse,
        n_flagged=len(flags.worse) + len(flags.better),
        n_flagged_uncorrected=len(flags.uncorrected),
    )


def worst(errors: Floats, words: Floats, cohorts: Sequence[str]) -> str | None:
    """The large enough cohort of the highest rate; None below two cohorts or where none is large enough."""
    names, rates = np.array(cohorts), {}
    for name in sorted(set(cohorts)):
        at = names == name
        if status_of(int(at.sum()), float(errors[at].sum())) == "ok" and words[at].sum():
            rates[name] = float(errors[at].sum() / words[at].sum())
    return max(rates, key=rates.__getitem__) if rates and len(set(cohorts)) > 1 else None


def speaker_cohorts(scheme: CohortScheme, drawn: Drawn, split: str) -> list[str]:
    """The cohort of each speaker: that of most rows, the first by name of equals. Outcomes are taken out before."""
    assigned = scheme.assign(drawn.tables[split].drop_columns([*OUTCOMES]))
    names, which = np.unique(np.array(assigned), return_inverse=True)
    who = _speaker_of_row(drawn, split)
    votes = np.bincount(who * len(names) + which, minlength=len(drawn.speakers[split]) * len(names))
    return names[votes.reshape(-1, len(names)).argmax(axis=1)].tolist()  # type: ignore[no-any-return]


def speaker_counts(drawn: Drawn, split: str) -> tuple[Floats, Floats]:
    """Errors and words (S,) of each speaker."""
    who = _speaker_of_row(drawn, split)
    errors, words = (drawn.tables[split][name].to_numpy().astype(np.float64) for name in OUTCOMES)
    return np.bincount(who, errors).astype(np.float64), np.bincount(who, words).astype(np.float64)


def _speaker_of_row(drawn: Drawn, split: str) -> Integers:
    """Rows are speaker by speaker, as many for each."""
    n_speakers = len(drawn.speakers[split])
    return np.repeat(np.arange(n_speakers), len(drawn.tables[split]) // n_speakers)


@dataclass(frozen=True, slots=True)
class _Dealt:
    """A scheme that puts speakers into groups by a hash of their names: nothing can be true about them."""

    n_groups: int

    def assign(self, rows: Table) -> list[str]:
        return [f"n{zlib.crc32(name.encode()) % self.n_groups}" for name in rows["speaker"].to_pylist()]

    def to_json(self) -> Json:
        return {"n_groups": self.n_groups}


def random_groups(discover: Table, select: Table, *, seed: int) -> CohortScheme:  # noqa: ARG001 (nothing is found)
    """A finder that finds nothing: four null groups, whatever the rows. Shows what the judging itself lets through."""
    return _Dealt(4)


# --- summaries ----------------------------------------------------------------------------------------------------


def summarize(outcomes: Sequence[Outcome], *, finder: str, world: str) -> dict[str, Any]:
    """One row of the table: shares of draws with their exact binomial intervals (95 %), and means over draws.

    ``power``: hits. ``found``: two cohorts or more. ``any_flagged`` in a null world is the false-alarm rate;
    ``any_uncorrected`` what |T| > 1.96 for each cohort alone would have flagged. Jaccard index, recall and precision
    are means over the draws with a bottom cohort, None without any.
    """
    with_bottom = [o for o in outcomes if o.bottom is not None]
    events = {
        "found": [o.n_cohorts > 1 for o in outcomes],
        "power": [o.hit for o in outcomes],
        "overlaps": [o.jaccard >= OVERLAP for o in outcomes],
        "bottom_flagged": [o.bottom_flagged for o in outcomes],
        "any_flagged": [o.n_flagged > 0 for o in outcomes],
        "any_uncorrected": [o.n_flagged_uncorrected > 0 for o in outcomes],
    }
    row: dict[str, Any] = {"finder": finder, "world": world, "n_draws": len(outcomes)}
    for name, happened in events.items():
        low, high = binomial_interval(sum(happened), len(happened))
        row |= {name: sum(happened) / len(happened), f"{name}_low": low, f"{name}_high": high}
    for name in ("bottom_share", "jaccard", "recall", "precision"):
        values = [asdict(o)[name] for o in with_bottom]
        row[name] = float(np.mean(values)) if values else None
    return row


def binomial_interval(n_hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share (Clopper and Pearson, 1934).

    >>> [round(bound, 4) for bound in binomial_interval(0, 200)]
    [0.0, 0.0183]
    """
    from scipy.stats import binomtest

    found = binomtest(n_hits, n).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)
