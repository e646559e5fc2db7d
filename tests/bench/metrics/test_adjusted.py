from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from speakers import spelled_out_standard_error

from earmark.bench.api import InputError
from earmark.bench.metrics import adjusted
from earmark.bench.metrics.adjusted import AdjustedGap, adjusted_gap

FIELDS = ("errors", "words", "speakers", "cohorts")


def recordings(
    *, effect: float = 1.0, noise: float = -0.08, n_each: int = 30, n: int = 10, seed: int = 0
) -> dict[str, Any]:
    """Cohorts a and b; b is heard at 5 dB less and its rate is ``effect`` times as high at the same SNR."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(2 * n_each):
        cohort, own = "ab"[i % 2], rng.normal(-0.02, 0.2)
        for _ in range(n):
            snr = rng.normal(10.0 if cohort == "b" else 15.0, 5.0)
            rate = 0.1 * math.exp(own + noise * (snr - 15)) * (effect if cohort == "b" else 1.0)
            rows.append((rng.poisson(20 * rate), 20, f"s{i}", cohort, snr, "xy"[int(rng.integers(2))]))
    errors, words, speakers, cohorts, snr, site = map(list, zip(*rows, strict=True))
    return dict(zip((*FIELDS, "snr_db", "site"), (errors, words, speakers, cohorts, snr, site), strict=True))


def gap(rows: dict[str, Any], *covariates: str, **more: Any) -> AdjustedGap:
    columns = {name: rows[name] for name in covariates}
    return adjusted_gap(*(rows[name] for name in FIELDS), columns, pair=("b", "a"), **more)


pytest.importorskip("statsmodels")


@pytest.mark.slow  # loading statsmodels takes a second
def test_unadjusted_is_the_ratio_of_pooled_rates() -> None:
    """With one indicator the model's rates are the pooled ones, and its sandwich the linearized standard error."""
    rows = recordings(n_each=200)
    found = gap(rows)
    errors, cohorts = np.array(rows["errors"], dtype=float), np.array(rows["cohorts"])
    pooled = [errors[cohorts == c].mean() / 20 for c in "ba"]
    assert found.unadjusted.value == pytest.approx(pooled[0] / pooled[1])
    assert found.adjusted.value == pytest.approx(found.unadjusted.value)
    sums = {c: np.array([errors[np.array(rows["speakers"]) == s].sum() for s in sorted(
        {s for s, k in zip(rows["speakers"], rows["cohorts"], strict=True) if k == c})]) for c in "ba"}  # fmt: skip
    relative = [
        spelled_out_standard_error(e, np.full(len(e), 200.0)) / (e.sum() / (200.0 * len(e))) for e in sums.values()
    ]
    interval = found.unadjusted.interval
    assert interval.low is not None
    assert interval.high is not None
    width = math.log(interval.high / interval.low) / (2 * 1.9659)  # Student's t at 398 degrees of freedom
    assert width == pytest.approx(math.hypot(*relative), rel=0.01)


@pytest.mark.slow
def test_a_gap_that_noise_makes_goes_away() -> None:
    found = gap(recordings(), "snr_db", "site")
    assert (found.status, found.covariates, found.n_rows, found.n_speakers) == ("ok", ("snr_db", "site"), 600, 60)
    assert found.unadjusted.interval.low is not None
    assert found.unadjusted.interval.low > 1.2  # exp(0.08 * 5) = 1.49 is expected
    assert found.adjusted.interval.low is not None
    assert found.adjusted.interval.high is not None
    assert found.adjusted.interval.low < 1 < found.adjusted.interval.high
    assert found.explained == pytest.approx(1.0, abs=0.35)


@pytest.mark.slow
def test_a_gap_of_its_own_stays() -> None:
    found = gap(recordings(effect=1.6, noise=0.0), "snr_db")
    assert found.adjusted.value == pytest.approx(1.6, rel=0.2)
    assert found.explained == pytest.approx(0.0, abs=0.2)


@pytest.mark.slow
def test_adjusted_intervals_cover() -> None:
    held = 0
    for seed in range(400):
        interval = gap(recordings(effect=1.3, n_each=12, n=6, seed=seed), "snr_db").adjusted.interval
        held += interval.low <= 1.3 <= interval.high  # type: ignore[operator]
    print(f"coverage of adjusted 95 % intervals, 12 speakers a cohort: {held / 400:.3f}")
    assert held / 400 == pytest.approx(0.95, abs=0.03)


def test_without_statsmodels_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjusted, "find_spec", lambda _name: None)
    found = gap(recordings(n_each=3, n=2), "snr_db")
    assert (found.status, found.adjusted.value, found.unadjusted.interval.method) == ("unsupported", None, "undefined")
    assert "statsmodels" in (found.reason or "")
    assert found.explained is None


def test_rows_without_words_or_covariates_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjusted, "find_spec", lambda _name: None)
    rows = recordings(n_each=3, n=2)
    rows["words"][0], rows["snr_db"][1], rows["site"][2] = 0, math.nan, None
    found = gap(rows, "snr_db", "site")
    assert (found.n_rows, found.n_left_out) == (9, 3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"errors": [0] * 12}, "cohort 'b' has no errors"),
        ({"site": list("xy" * 6), "cohorts": list("ab" * 6)}, "can't be told from the cohorts"),
        ({"speakers": ["one", "two"] * 6}, "coefficients need more speakers"),
    ],
)
def test_what_cannot_be_fitted_is_insufficient(change: dict[str, Any], reason: str) -> None:
    rows = recordings(n_each=3, n=2) | {"errors": [1] * 12} | change
    found = gap(rows, "site")
    assert (found.status, found.adjusted.value) == ("insufficient", None)
    assert reason in (found.reason or "")


def test_columns_must_be_of_one_length() -> None:
    rows = recordings(n_each=3, n=2)
    with pytest.raises(InputError, match="3 values of site for 12 recordings"):
        gap(rows | {"site": ["x"] * 3}, "site")


def test_a_pair_of_one_cohort_has_no_ratio() -> None:
    """Where every cohort has the same rate, the bottom cohort may be the top one as well."""
    rows = recordings(n_each=3, n=2)
    found = adjusted_gap(
        [1] * 12, rows["words"], rows["speakers"], rows["cohorts"], {"site": rows["site"]}, pair=("a", "a")
    )
    assert (found.status, found.reason) == ("insufficient", "'a' is both the bottom cohort and the top one")
