"""Metrics: pure functions over plain data, defined in `docs/metrics.md`."""
