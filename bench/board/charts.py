"""Charts as static SVG: drawn with Altair when the page is built, so that the page needs no library and no network.

Text and axes take the color of the page around them, so one drawing serves light and dark. Names out of tables are
data to Vega; it escapes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from earmark.bench.formatting import clean, unit
from earmark.bench.report import COST, HEADLINE, axis_text

if TYPE_CHECKING:
    from earmark.bench.report import CellView, Group
    from earmark.bench.rows import Measurement

INK = "currentColor"
PALETTE = ("#2f7fc1", "#d55e00", "#159a76", "#c765a0", "#c79200", "#7a6fd0", "#5f9ea0", "#a0603a")
MAX_NAMED = 12
"""Dots with their names beside them; more of them have a legend."""
MAX_DOTS = 120
"""Cohorts times models; beyond that a drawing says less than its table."""


def tradeoff(group: Group) -> str | None:
    """Error rate against latency or real-time factor, a dot a cell, with both intervals; None below two dots."""
    headline = HEADLINE[group.task]
    metric = next((name for name in COST[group.task] if any(_value(view.get(name)) for view in group.cells)), None)
    pairs = [(view, view.get(metric or ""), view.get(headline)) for view in group.cells]
    dots = [_dot(group, view, x, y) for view, x, y in pairs if x and y and _value(x) and _value(y) is not None]
    if metric is None or len(dots) < 2:
        return None
    import altair as alt

    xs = [dot["x"] for dot in dots]
    wide = min(xs) > 0 and max(xs) > 10 * min(xs)
    scale = alt.Scale(type="log" if wide else "linear", zero=False, nice=True, padding=20)
    x = alt.X("x:Q", title=_axis(metric), scale=scale)
    y = alt.Y("y:Q", title=_axis(headline), scale=alt.Scale(zero=False, padding=15))
    named = len(dots) <= MAX_NAMED
    color = _color("label", legend=not named)
    base = alt.Chart(alt.InlineData(values=dots)).encode(color=color)
    layers = [
        base.mark_rule(opacity=0.7).encode(x=x, y=alt.Y("y_low:Q"), y2="y_high:Q"),
        base.mark_rule(opacity=0.7).encode(y=y, x=alt.X("x_low:Q"), x2="x_high:Q"),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y),
    ]
    if named:
        name = base.mark_text(align="left", dx=8, dy=-8, fontSize=12)
        layers.append(name.encode(x=x, y=y, text="label:N", color=alt.value(INK)))
    return drawn_svg(alt.layer(*layers).properties(width=520, height=280))


def cohort_dots(group: Group, scheme: str) -> str | None:
    """The error rate of every cohort of a scheme with its interval, models beside each other; None without cohorts."""
    headline = HEADLINE[group.task]
    rows = [
        _interval(row, "x") | {"cohort": clean(row.cohort), "label": _label(group, view), "enough": row.status == "ok"}
        for view in group.cells
        for found in view.schemes
        if found.name == scheme
        for row in found.cohorts
        if row.value is not None
    ]
    if not 1 <= len(rows) <= MAX_DOTS:
        return None
    import altair as alt

    n_labels = len({row["label"] for row in rows})
    worst_first = alt.EncodingSortField(field="x", op="max", order="descending")
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("cohort:N", title=None, sort=worst_first),
        yOffset=alt.YOffset("label:N"),
        color=_color("label", legend=n_labels > 1),
        opacity=alt.condition("datum.enough", alt.value(1.0), alt.value(0.35)),
    )
    x = alt.X("x:Q", title=_axis(headline), scale=alt.Scale(zero=True))
    chart = alt.layer(
        base.mark_rule(strokeWidth=2).encode(x=alt.X("x_low:Q"), x2="x_high:Q"),
        base.mark_point(filled=True, size=60).encode(x=x),
    )
    return drawn_svg(chart.properties(width=480, height=alt.Step(max(26, 14 * n_labels), **{"for": "position"})))


def _dot(group: Group, view: CellView, x: Measurement, y: Measurement) -> dict[str, Any]:
    return _interval(x, "x") | _interval(y, "y") | {"label": _label(group, view)}


def _label(group: Group, view: CellView) -> str:
    """The model, with whatever tells it from the others of its group."""
    return " ".join([clean(view.label), *(axis_text(view.cell, axis) for axis in group.varying)]).strip()


def _interval(row: Measurement, axis: str) -> dict[str, Any]:
    """A value and the ends of its interval (or the value again), in the unit of the axis."""
    ends = {axis: row.value, f"{axis}_low": row.ci_low, f"{axis}_high": row.ci_high}
    times = 100.0 if unit(row.metric) == "%" else 1.0
    return {name: times * (row.value or 0.0 if end is None else end) for name, end in ends.items()}


def _value(row: Measurement | None) -> float | None:
    return row.value if row else None


def _axis(metric: str) -> str:
    names = {"upl_final_p50": "median user-perceived latency", "rtf_streaming": "real-time factor", "wer": "WER",
             "rtf_offline": "real-time factor", "eer": "EER", "orc_wer": "ORC-WER"}  # fmt: skip
    measured_in = unit(metric)
    return names.get(metric, metric) + (f" ({measured_in})" if measured_in else "")


def _color(field: str, *, legend: bool = False) -> Any:
    import altair as alt

    shown = alt.Legend(title=None, orient="bottom") if legend else None
    return alt.Color(f"{field}:N", scale=alt.Scale(range=list(PALETTE)), legend=shown)


def drawn_svg(chart: Any) -> str:
    """A chart in the look of the page."""
    import vl_convert

    font = "system-ui, sans-serif"
    texts = {"labelColor": INK, "titleColor": INK, "labelFont": font, "titleFont": font, "labelFontSize": 12,
             "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 260}  # fmt: skip
    axis = texts | {"gridColor": INK, "gridOpacity": 0.12, "domainColor": INK, "domainOpacity": 0.4, "tickColor": INK,
                    "tickOpacity": 0.4, "titlePadding": 8}  # fmt: skip
    chart = chart.configure(font=font, background="transparent").configure_view(strokeOpacity=0)
    chart = chart.configure_axis(**axis).configure_legend(**texts)
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict(), allowed_base_urls=[])
    return svg
