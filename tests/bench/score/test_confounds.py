"""Gaps at equal recordings: what a corpus tells is adjusted for, and a gap made by it alone goes away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import runs

from earmark.bench.metrics.standing import standing
from earmark.bench.metrics.words import WordErrors
from earmark.bench.score.confounds import Recordings, adjusted_row
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme

SCHEME = Scheme("gender", {f"s{i}": "ab"[i % 2] for i in range(60)}, 1.0)
PAIR = ("b", "a")


def recordings(noise: Mapping[str, float], own: float, *, told: bool = True) -> Recordings:
    """Ten recordings a speaker, 20 words each; ``noise`` is the share of noisy ones, at a triple rate, by cohort."""
    rng = np.random.default_rng(0)
    utterances, errors = [], []
    for speaker, cohort in SCHEME.cohort_of.items():
        for place in range(10):
            noisy = rng.random() < noise[cohort]
            rate = 0.1 * (3.0 if noisy else 1.0) * (own if cohort == "b" else 1.0)
            metadata = {"snr_db": "0" if noisy else "30"} if told else {}
            row: dict[str, Any] = {"utterance_id": f"{speaker}-{place}", "speaker": speaker, "audio_s": 3.0}
            utterances.append({**row, "metadata": json.dumps(metadata)})
            errors.append(WordErrors(insertions=int(rng.poisson(20 * rate)), reference_words=20))
    return Recordings(utterances, errors)


def sheet() -> Sheet:
    return Sheet(runs.cell_row("c" * 16), "basic-1")


def test_a_gap_that_is_noise_goes_away_at_equal_noise() -> None:
    found = recordings({"a": 0.1, "b": 0.9}, own=1.0).adjusted(SCHEME, PAIR)
    assert found.unadjusted.value == pytest.approx(2.8 / 1.2, rel=0.15)
    assert found.adjusted.value == pytest.approx(1.0, abs=0.15)
    assert found.adjusted.interval.low is not None
    assert found.adjusted.interval.low < 1.0


def test_a_gap_that_is_not_noise_stays() -> None:
    row = adjusted_row(sheet(), SCHEME, PAIR, recordings({"a": 0.5, "b": 0.5}, own=2.0))
    assert row.value == pytest.approx(2.0, rel=0.15)
    assert (row.n, row.n_speakers, row.coverage) == (600, 60, 1.0)
    assert "adjusted_for:snr_db" in row.flags


def test_what_is_not_told_is_not_adjusted_for() -> None:
    untold = recordings({"a": 0.1, "b": 0.9}, own=1.0, told=False)
    assert untold.covariates == {}
    row = adjusted_row(sheet(), SCHEME, PAIR, untold)
    assert "adjusted_for:nothing" in row.flags
    assert row.value == pytest.approx(2.8 / 1.2, rel=0.15)


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (["a", "b", None], True), (["a", "a", "a"], False), (["a", None, None], False),
        ([str(i) for i in range(11)], False),
    ],
)  # fmt: skip
def test_a_column_informs_if_it_is_known_and_varies(values: list[str | None], kept: bool) -> None:
    rows = [{"metadata": json.dumps({"site": value} if value else {}), "audio_s": 1.0} for value in values]
    assert ("site" in Recordings(rows, []).covariates) == kept


def test_a_scheme_is_not_adjusted_for_itself() -> None:
    scheme = Scheme("snr_db", SCHEME.cohort_of, 1.0)
    row = adjusted_row(sheet(), scheme, PAIR, recordings({"a": 0.1, "b": 0.9}, own=1.0))
    assert "adjusted_for:nothing" in row.flags


def test_a_cohort_without_errors_has_no_ratio() -> None:
    rows = recordings({"a": 0.5, "b": 0.5}, own=1.0)
    zero = [WordErrors(reference_words=20)] * len(rows.errors)
    row = adjusted_row(sheet(), SCHEME, PAIR, Recordings(rows.utterances, zero))
    assert (row.value, row.status) == (None, "insufficient")
    assert row.reason == "cohort 'b' has no errors"


def test_cohorts_that_differ_from_all_are_marked_by_the_corrected_test() -> None:
    """Of two cohorts at a rate of 0.1 and 0.2 both differ from all; of twenty equal ones nobody does."""
    rng = np.random.default_rng(1)
    words = np.full(400, 200.0)
    halves = rng.poisson(np.where(np.arange(400) % 2, 20, 40)).astype(float)
    found = standing(halves, words, ["high", "low"] * 200, seed=0)
    assert (found.of("high"), found.of("low"), found.of("absent")) == ("worse", "better", None)
    twenty = [f"c{i % 20}" for i in range(400)]
    equal = [standing(rng.poisson(20.0, 400).astype(float), words, twenty, seed=s, n_replicates=300) for s in range(20)]
    assert sum(bool(one.worse or one.better) for one in equal) <= 4
    assert sum(len(one.uncorrected) for one in equal) > 2
    assert any("only_uncorrected" in {one.of(name) for name in twenty} for one in equal)
