from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import runs

from earmark.bench.board import ranking
from earmark.bench.board.ranking import Standing

N_SPEAKERS = 40


def utterances(rate: float, seed: int) -> dict[str, tuple[str, int, int]]:
    """Two utterances of ten words from every speaker, with errors at about a rate."""
    rng = np.random.default_rng(seed)
    return {f"u{s}-{k}": (f"s{s}", int(rng.binomial(10, rate)), 10) for s in range(N_SPEAKERS) for k in range(2)}


def stand(
    errors: list[dict[str, tuple[str, int, int]]],
    rows: list[dict[str, Any]],
    heard: list[str | None] | None = None,
    **changes: Any,
) -> dict[int, Standing]:
    cells = [("host", runs.cell_row(f"c{n}", **changes)) for n in range(len(errors))]
    told = heard or [None] * len(cells)
    found = ranking.standings(cells, [True] * len(cells), rows, lambda at, _: errors[at], told)
    return {one.place: one for one in found}


def row(place: int, value: float, metric: str = "wer", half: float | None = 0.02, **more: Any) -> dict[str, Any]:
    ends = {"ci_low": None, "ci_high": None} if half is None else {"ci_low": value - half, "ci_high": value + half}
    return {"cell": place, "metric": metric, "value": value, "status": "ok", **ends, **more}


def test_one_heard_alike_is_tied_and_a_worse_one_is_not() -> None:
    """The second cell makes as many errors as the best, with other luck; the third makes three times as many."""
    errors = [utterances(0.10, 0), utterances(0.10, 1), utterances(0.30, 2)]
    rows = [row(n, sum(e for _, e, _ in told.values()) / (20 * N_SPEAKERS)) for n, told in enumerate(errors)]
    found = stand(errors, rows)
    best, tied = sorted((0, 1), key=lambda n: rows[n]["value"])
    assert found[best].best
    assert found[tied].tied
    assert found[tied].how == "paired over 40 speakers, 80 utterances"
    assert 2 not in found


def test_pairs_see_what_intervals_do_not() -> None:
    """Speakers differ far more than the two systems, which differ for every one of them."""
    one = {f"u{s}": (f"s{s}", s % 20, 40) for s in range(N_SPEAKERS)}
    other = {
        name: (speaker, errors + (n % 4 > 0), words) for n, (name, (speaker, errors, words)) in enumerate(one.items())
    }
    rows = [row(n, sum(e for _, e, _ in told.values()) / 1600, half=0.05) for n, told in enumerate([one, other])]
    assert stand([one, other], rows).keys() == {0}
    assert stand([{}, {}], rows).keys() == {0, 1}


def test_who_heard_other_recordings_is_no_rival() -> None:
    rows = [row(n, value) for n, value in enumerate((0.1, 0.3, 0.2, 0.4))]
    found = stand([{}] * 4, rows, heard=["all", "some", "some", "all"])
    assert {place for place, one in found.items() if one.best} == {0, 2}


def test_holm_corrects_over_rivals() -> None:
    """A difference of two standard errors counts between two cells (p = 0.046), not between six (five times that)."""
    half = 1.959964 * 0.01
    apart = 2.0 * 2**0.5 * 0.01
    two = stand([{}] * 2, [row(0, 0.1, half=half), row(1, 0.1 + apart, half=half)])
    assert two.keys() == {0}
    six = stand([{}] * 6, [row(0, 0.1, half=half), *(row(n, 0.1 + apart, half=half) for n in range(1, 6))])
    assert six.keys() == set(range(6))
    assert six[1].p == pytest.approx(5 * 0.0455, abs=1e-3)


def test_higher_is_better_where_the_metric_says_so() -> None:
    finder = [row(n, value, "finder_power") for n, value in enumerate((0.2, 0.6))]
    assert stand([{}] * 2, finder, task="finding")[1].best


@pytest.mark.parametrize(
    ("change", "n_fields"), [({"device": "cuda"}, 2), ({"condition": "snr0"}, 2), ({"seed": 1}, 1)]
)
def test_only_what_may_be_compared_competes(change: dict[str, Any], n_fields: int) -> None:
    cells = [("host", runs.cell_row(f"c{n}", **(change if n > 1 else {}))) for n in range(4)]
    rows = [row(n, 0.1 * (n + 1), half=0.001) for n in range(4)]
    found = ranking.standings(cells, [True] * 4, rows, lambda *_: {}, [None] * len(cells))
    assert sum(one.best for one in found) == n_fields


def test_timings_of_two_machines_do_not_compete() -> None:
    cells = [(host, runs.cell_row(host)) for host in ("a", "b")]
    rows = [row(n, 100.0 + n, metric, half=1.0) for n in (0, 1) for metric in ("upl_final_p50", "wer")]
    found = ranking.standings(cells, [True, True], rows, lambda *_: {}, [None] * len(cells))
    assert {one.metric for one in found} == {"wer"}


def test_what_is_not_shown_or_not_ok_does_not_compete() -> None:
    cells = [("host", runs.cell_row(f"c{n}")) for n in range(3)]
    rows = [row(0, 0.3), row(1, 0.1), row(2, 0.2) | {"status": "insufficient"}]
    assert ranking.standings(cells, [True, False, True], rows, lambda *_: {}, [None] * len(cells)) == []


def test_errors_are_paired_as_the_metric_counts_them() -> None:
    """Errors in words of the two cells are alike, those under ORC are not: only the second metric tells them apart."""
    by_metric = {"wer": [utterances(0.2, 0), utterances(0.2, 1)], "orc_wer": [utterances(0.1, 0), utterances(0.3, 1)]}
    cells = [("host", runs.cell_row(f"c{n}", task="conversation")) for n in range(2)]
    rows = [row(n, value, "orc_wer") for n, value in enumerate((0.1, 0.3))]
    found = ranking.standings(cells, [True, True], rows, lambda place, metric: by_metric[metric][place], [None] * 2)
    assert [(one.place, one.best) for one in found] == [(0, True)]
    alike = ranking.standings(cells, [True, True], rows, lambda place, _: by_metric["wer"][place], [None] * 2)
    assert len(alike) == 2
