from __future__ import annotations

from earmark.bench.board.published import reported_rows
from earmark.bench.metrics.names import METRICS


def test_published_figures_have_sources_and_known_metrics() -> None:
    rows = reported_rows()
    assert len({(r["task"], r["corpus"], r["condition"], r["plugin"], r["variant"], r["source"]) for r in rows}) == len(
        rows
    )
    assert all(row["source"].startswith("arXiv ") for row in rows)
    assert {metric for row in rows for metric in row["figures"]} <= METRICS.keys()
    (found,) = [r for r in rows if r["variant"] == "ConvRNN-T" and r["condition"] == "test-clean"]
    assert found["figures"] == {"wer": 0.0511, "n_parameters": 29e6}
