"""Static pictures: drawn with Altair when the page is built, so that they need no library and no network.

Text and axes take the color of the page around them, so one drawing serves light and dark. Names out of tables are
data to Vega; it escapes them.
"""

from __future__ import annotations

from typing import Any

INK = "currentColor"
PALETTE = (
    "#2f7fc1", "#d55e00", "#159a76", "#c765a0", "#b08600", "#7a6fd0", "#5f9ea0", "#a0603a", "#8a8f98", "#c0392b",
    "#6b8e23", "#3fa9d6",
)  # fmt: skip
"""The colors of the page's own drawings."""


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
