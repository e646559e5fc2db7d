"""Builds measurement rows: units from the closed table, infinities as ``unbounded``, seeds by content."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from earmark.bench.metrics.names import metric
from earmark.bench.metrics.statistics import Interval
from earmark.bench.rows import Cell, Measurement, Status


@dataclass(frozen=True, slots=True)
class Sheet:
    """Makes the rows of one cell."""

    cell: Cell
    normalizer: str

    def row(self, name: str, value: float | None, *, interval: Interval | None = None, **fields: Any) -> Measurement:
        """A row; a missing value needs a ``status``, an infinite one becomes ``unbounded``."""
        known = metric(name)
        if value is not None and math.isinf(value):
            value, fields["status"] = None, "unbounded"
            fields["reason"] = fields.get("reason") or "some outputs never came: they count as infinity"
        return Measurement(
            cell=self.cell.cell,
            metric=known.name,
            value=value,
            unit=known.unit,
            better=known.better,
            flags=sorted({*self.cell.flags, *fields.pop("flags", ())}),
            **(_interval_fields(interval) | fields),
        )

    def missing(self, name: str, status: Status, reason: str | None, **fields: Any) -> Measurement:
        """A row for a number that there is not, saying why."""
        return self.row(name, None, status=status, reason=reason, **fields)

    def seed(self, *names: str) -> int:
        """A seed that depends on what is computed, never on the order of computing."""
        text = "\0".join([self.cell.cell, *names])
        return int.from_bytes(sha256(text.encode()).digest()[:4], "big")


def _interval_fields(interval: Interval | None) -> dict[str, Any]:
    if interval is None or interval.low is None or interval.high is None:
        return {"ci_method": interval.method} if interval else {}
    if math.isinf(interval.low) or math.isinf(interval.high):
        return {"ci_method": f"{interval.method} (unbounded)"}
    return {
        "ci_low": interval.low,
        "ci_high": interval.high,
        "ci_level": interval.level,
        "ci_method": interval.method,
    }
