"""Numbers and names as people read them: percent, milliseconds, powers of ten, intervals; the same everywhere.

Units stand in headings (:func:`unit`), not beside every number.
"""

from __future__ import annotations

import unicodedata

from earmark.bench.metrics.names import METRICS
from earmark.bench.rows import Measurement

NOTHING = "–"
_PLAIN = ("rtf_", "min_dcf", "act_dcf", "fdr_", "garbe_", "partial_revisions", "wer_cohort_var")
_WORDS = {"unbounded": "∞", "out_of_memory": "out of memory"}
_POWERS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def unit(metric: str) -> str:
    """The unit that :func:`number` counts in, for a heading; empty for a plain ratio."""
    known = METRICS[metric].unit if metric in METRICS else ""
    if known not in ("1", ""):
        return "" if known == "count" else known
    return "%" if known and _is_share(metric) else ""


def number(metric: str, value: float) -> str:
    """A value of that metric, without its unit.

    >>> number("wer", 0.0512), number("upl_final_p50", 312.4), number("macs_per_audio_second", 1.25e9)
    ('5.12', '312', '1.25 G')
    """
    return _digits(metric, value, value)


def with_interval(row: Measurement | None) -> str:
    """A measurement and its interval, with as many decimals in the interval as in the value."""
    return f"{value(row)} {interval(row)}".rstrip()


def interval(row: Measurement | None) -> str:
    """A measurement's interval alone; empty where it has none."""
    if row is None or row.value is None or row.ci_low is None or row.ci_high is None:
        return ""
    low, high = (_digits(row.metric, bound, row.value) for bound in (row.ci_low, row.ci_high))
    return f"[{low}, {high}]"


def value(row: Measurement | None) -> str:
    """A measurement's value, or the word for why there is none; a dash where it was not asked for."""
    if row is None:
        return NOTHING
    return status(row.status) if row.value is None else number(row.metric, row.value)


def status(name: str) -> str:
    """A status as a reader sees it.

    >>> status("out_of_memory"), status("failed")
    ('out of memory', 'failed')
    """
    return _WORDS.get(name, name)


def clean(text: object) -> str:
    """Text from tables, fit for a terminal: no control characters, no line breaks.

    >>> clean("a\\x1b[31mb\\nc")
    'a\\ufffd[31mb\\ufffdc'
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)


def _is_share(metric: str) -> bool:
    return not metric.startswith(_PLAIN) and not _is_ratio(metric)


def _is_ratio(metric: str) -> bool:
    return metric.endswith("_ratio") or "_ratio_at_" in metric


def form(metric: str) -> str:
    """How a metric's digits are written: ``ms``, ``MiB``, ``powers`` of ten, ``ratio``, ``plain`` or ``percent``."""
    kind = METRICS[metric].unit if metric in METRICS else "1"
    if kind != "1":
        return kind if kind in ("ms", "MiB") else "powers"
    if _is_ratio(metric):
        return "ratio"
    return "plain" if metric.startswith(_PLAIN) else "percent"


def _digits(metric: str, amount: float, guide: float) -> str:
    """``amount`` with the decimals that suit ``guide``."""
    match form(metric):
        case "ms":
            return f"{amount:.{0 if abs(guide) >= 100 else 1}f}"
        case "MiB":
            return f"{amount:.0f}"
        case "powers":
            return _powers(amount)
        case "ratio":
            return f"{amount:.2f}"
        case "plain":
            return f"{amount:#.3g}".removesuffix(".")
        case _:
            return f"{100 * amount:.{1 if abs(guide) >= 0.0995 else 2}f}"


def _powers(amount: float) -> str:
    for power, letter in _POWERS:
        if abs(amount) >= power:
            return f"{amount / power:#.3g}".removesuffix(".") + f" {letter}"
    return f"{amount:.3g}"
