"""Pictures of speaker verification: error tradeoffs, scores and false matches by cohort, weights against losses.

Pure functions from observations to Altair charts; ``charts.drawn_svg`` makes a static picture of one. Each is None
where there is nothing to draw. Names out of tables are data to Vega; it escapes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from earmark.bench.board.charts import INK, PALETTE
from earmark.bench.formatting import clean
from earmark.bench.metrics.cohort_trials import CohortTrials
from earmark.bench.metrics.det import det_curve, deviate
from earmark.bench.metrics.false_matches import false_match_matrix
from earmark.bench.metrics.verification import equal_error_rate, error_rates_at

if TYPE_CHECKING:
    import pyarrow as pa

EVERYBODY = "all"
MAX_COHORTS = len(PALETTE) - 1
"""Cohorts with a curve of their own, those with the most target trials: beyond that colors repeat."""
TICKS = (0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 0.999)
N_BINS = 60
_COLUMNS = ("score", "target", "enroll_speaker", "test_speaker")


def trials_of(trials: pa.Table, cohort_of: Mapping[str, str]) -> CohortTrials:
    """The ``trials`` table of a cell with its speakers in cohorts; trials of speakers without one are left out."""
    rows = trials.select(list(_COLUMNS)).to_pylist()
    known = [row for row in rows if row["enroll_speaker"] in cohort_of and row["test_speaker"] in cohort_of]
    scores, target, enroll, test = ([row[name] for row in known] for name in _COLUMNS)
    return CohortTrials.read(scores, target, enroll, test, cohort_of)


def det_curves(trials: CohortTrials, threshold: float | None = None) -> Any | None:
    """P_miss over P_fa of everybody and of each cohort, on normal-deviate scales.

    A dot is a curve's own EER; a ring stands where the one ``threshold`` puts it: rings far apart are cohorts served
    differently, whatever their EERs.
    """
    lists = {EVERYBODY: trials.sides()} | dict(_largest(trials))
    lines = [row for name, sides in lists.items() for row in _det_rows(name, *sides)]
    if not lines:
        return None
    import altair as alt

    dots = [row for name, sides in lists.items() for row in _marks(name, sides, threshold)]
    reach = [(row["x"], row["y"]) for row in (*lines, *dots)]
    low, high = np.min(reach) - 0.1, np.max(reach) + 0.1
    scale = alt.Scale(domain=[low, high], nice=False)
    x = alt.X("x:Q", title="false match rate (%)", scale=scale, axis=_deviate_axis(low, high))
    y = alt.Y("y:Q", title="false non-match rate (%)", scale=scale, axis=_deviate_axis(low, high))
    color = _color("list", list(lists))
    diagonal = alt.Chart(alt.InlineData(values=[{"x": low, "y": low}, {"x": high, "y": high}]))
    curves = alt.Chart(alt.InlineData(values=lines)).mark_line(strokeWidth=1.6)
    marks = alt.Chart(alt.InlineData(values=dots)).mark_point(size=75, strokeWidth=2, opacity=1)
    own = alt.Fill("list:N", scale=_colors(list(lists)), legend=alt.Legend(title=None, orient="right"))
    fill = alt.condition("datum.what == 'EER'", own, alt.value("transparent"))
    return alt.layer(
        diagonal.mark_line(color=INK, opacity=0.35, strokeDash=[4, 4]).encode(x=x, y=y),
        curves.encode(x=x, y=y, color=color, detail="list:N", order="order:Q"),
        marks.encode(x=x, y=y, color=color, fill=fill, tooltip=["list:N", "what:N", "said:N"]),
    ).properties(width=360, height=360)


def score_histograms(trials: CohortTrials, threshold: float | None = None) -> Any | None:
    """Densities of the scores of target and non-target trials, of everybody and of each cohort, over one axis."""
    lists = {EVERYBODY: trials.sides()} | dict(_largest(trials))
    edges = np.histogram_bin_edges(trials.scores, N_BINS)
    if np.ptp(trials.scores) == 0:
        return None
    import altair as alt

    rows = [row for name, sides in lists.items() for row in _density_rows(name, sides, edges)]
    base = alt.Chart().transform_calculate(threshold="null" if threshold is None else repr(float(threshold)))
    kinds = alt.Scale(domain=["same speaker", "different speakers"], range=[PALETTE[0], PALETTE[1]])
    area = base.mark_area(interpolate="step-after", opacity=0.45, line={"strokeWidth": 1}).encode(
        x=alt.X("score:Q", title="score", scale=alt.Scale(domain=[edges[0], edges[-1]], nice=False)),
        y=alt.Y("density:Q", title=None, stack=None, axis=alt.Axis(labels=False, ticks=False, grid=False)),
        color=alt.Color("kind:N", scale=kinds, legend=alt.Legend(title=None, orient="bottom")),
    )
    rule = base.mark_rule(color=INK, strokeDash=[4, 4]).encode(x=alt.X("threshold:Q", aggregate="min"))
    chart = alt.layer(area, rule, data=alt.InlineData(values=rows)).properties(width=440, height=64)
    header = alt.Header(title=None, labelAngle=0, labelAlign="left", labelColor=INK)
    return chart.facet(row=alt.Row("list:N", sort=list(lists), header=header)).resolve_scale(y="independent")


def false_matches(trials: CohortTrials, threshold: float) -> Any | None:
    """FMR by the cohorts of the two speakers at one threshold: inside cohorts on the diagonal, across beside it."""
    errors, counts = false_match_matrix(trials, threshold)
    rows = [
        {"one": clean(trials.names[i]), "two": clean(trials.names[j]), "rate": 100 * errors[i, j] / counts[i, j],
         "said": f"{100 * errors[i, j] / counts[i, j]:.1f}", "n": int(counts[i, j])}
        for i, j in np.argwhere(counts > 0)
    ]  # fmt: skip
    if len(rows) < 2:
        return None
    import altair as alt

    plain = alt.Axis(title=None, grid=False, ticks=False, domain=False)
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=alt.X("one:N", axis=plain), y=alt.Y("two:N", axis=plain))
    color = alt.Color("rate:Q", title="false match rate (%)", scale=alt.Scale(scheme="oranges", zero=True))
    text = base.mark_text(fontSize=11, color="#1a1a1a").encode(text="said:N")
    step = alt.Step(38)
    return alt.layer(
        base.mark_rect().encode(color=color, tooltip=["one:N", "two:N", "said:N", "n:Q"]), text
    ).properties(width=step, height=step)


def weights_and_losses(log: Sequence[Mapping[str, Any]], column: str) -> Any | None:
    """Mean weight over mean loss of each group of a watched column, a path from the first look of training to the last.

    ``log`` are the rows of a training's log whose ``watched`` holds ``{column: {group: {n, loss, weight}}}``. Whoever
    is weighed by need climbs to the right: more weight where there is more loss.
    """
    rows = [
        {"step": row["step"], "group": clean(group), "loss": told["loss"], "weight": told["weight"], "n": told["n"]}
        for row in log
        for group, told in row.get("watched", {}).get(column, {}).items()
    ]
    if len({row["step"] for row in rows}) < 2:
        return None
    import altair as alt

    last = max(row["step"] for row in rows)
    groups = sorted({row["group"] for row in rows})
    color = _color("group", groups, legend="bottom")
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("loss:Q", title="mean loss", scale=alt.Scale(zero=False, padding=10)),
        y=alt.Y("weight:Q", title="mean weight", scale=alt.Scale(zero=False, padding=10)),
        color=color,
    )
    ends = alt.Chart(alt.InlineData(values=[row for row in rows if row["step"] == last])).mark_point(
        filled=True, size=70, opacity=1
    )
    return alt.layer(
        base.mark_line(strokeWidth=1.2, opacity=0.7).encode(order="step:Q", detail="group:N"),
        base.mark_point(size=22, opacity=0.8).encode(tooltip=["group:N", "step:Q", "n:Q", "loss:Q", "weight:Q"]),
        ends.encode(x="loss:Q", y="weight:Q", color=color),
    ).properties(width=400, height=280)


def _largest(trials: CohortTrials) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """The cohorts with trials of both kinds, as many as have a color, in order of name."""
    sides = {name: trials.sides(trials.inside(c)) for c, name in enumerate(trials.names)}
    known = [name for name, (targets, others) in sides.items() if len(targets) and len(others)]
    kept = sorted(known, key=lambda name: (-len(sides[name][0]), name))[:MAX_COHORTS]
    return ((clean(name), sides[name]) for name in sorted(kept) if name != EVERYBODY)


def _det_rows(name: str, targets: Any, others: Any) -> Iterator[dict[str, Any]]:
    curve = det_curve(targets, others)
    for order, (x, y) in enumerate(zip(deviate(curve.p_fa), deviate(curve.p_miss), strict=True)):
        yield {"list": name, "x": float(x), "y": float(y), "order": order}


def _marks(name: str, sides: tuple[Any, Any], threshold: float | None) -> Iterator[dict[str, Any]]:
    """The EER of a list, and where the one threshold puts it; what is 0 or 1 has no place on the scales."""
    eer = equal_error_rate(*sides)
    points = {"EER": (eer, eer)}
    if threshold is not None:
        points["at the one threshold"] = error_rates_at(threshold, *sides)
    for what, (fnmr, fmr) in points.items():
        if 0 < fnmr < 1 and 0 < fmr < 1:
            said = f"FNMR {100 * fnmr:.2f} %, FMR {100 * fmr:.2f} %"
            x, y = deviate([fmr, fnmr]).tolist()
            yield {"list": name, "what": what, "x": x, "y": y, "said": said}


def _density_rows(name: str, sides: tuple[Any, Any], edges: Any) -> Iterator[dict[str, Any]]:
    for kind, scores in zip(("same speaker", "different speakers"), sides, strict=True):
        density, _ = np.histogram(scores, edges, density=True)
        for left, height in zip(edges[:-1], density, strict=True):
            yield {"list": name, "kind": kind, "score": float(left), "density": float(height)}


def _deviate_axis(low: float, high: float) -> Any:
    import altair as alt

    shown = {float(place): p for p, place in zip(TICKS, deviate(TICKS), strict=True) if low <= place <= high}
    labels = " ".join(f"abs(datum.value - {place!r}) < 1e-6 ? '{100 * p:g}' :" for place, p in shown.items())
    return alt.Axis(values=list(shown), labelExpr=f"{labels} ''", labelOverlap="greedy")


def _color(field: str, names: Sequence[str], legend: Literal["right", "bottom"] = "right") -> Any:
    import altair as alt

    return alt.Color(f"{field}:N", scale=_colors(names), legend=alt.Legend(title=None, orient=legend))


def _colors(names: Sequence[str]) -> Any:
    """A color for each name, the first for everybody's list."""
    import altair as alt

    return alt.Scale(domain=list(names), range=[PALETTE[k % len(PALETTE)] for k in range(len(names))])
