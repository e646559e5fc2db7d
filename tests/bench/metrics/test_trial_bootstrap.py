from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from earmark.bench.api import InputError
from earmark.bench.metrics import verification
from earmark.bench.metrics.trial_bootstrap import PIECE, WeightedTrials, eer_bootstrap, replicated, speaker_codes
from earmark.bench.metrics.verification import equal_error_rate


def trial_list(
    n_speakers: int = 6, n_trials: int = 80
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[str], list[str]]:
    rng = np.random.default_rng(3)
    enroll, test = rng.integers(n_speakers, size=(2, n_trials))
    test[: n_trials // 2] = enroll[: n_trials // 2]
    scores = np.round(rng.normal(size=n_trials) + 1.5 * (enroll == test), 1)  # rounded: ties
    return scores, enroll == test, [f"s{i}" for i in enroll], [f"s{i}" for i in test]


def plain(targets: NDArray[np.float64], others: NDArray[np.float64]) -> dict[str, float]:
    """Every measure by its own function, without weights; the log-likelihood ratios are twice the score less one."""
    llrs = 2 * targets - 1, 2 * others - 1
    found = {
        "eer": equal_error_rate(targets, others),
        "eer_hull": verification.equal_error_rate_hull(targets, others),
        "min_dcf_p01": verification.min_dcf(targets, others, 0.01),
        "min_dcf_p05": verification.min_dcf(targets, others, 0.05),
        "min_dcf": (verification.min_dcf(targets, others, 0.01) + verification.min_dcf(targets, others, 0.005)) / 2,
        "min_cllr": verification.min_cllr(targets, others),
        "cllr": verification.cllr(*llrs),
        "act_dcf_p01": verification.act_dcf(*llrs, 0.01, calibrated=True),
        "act_dcf_p05": verification.act_dcf(*llrs, 0.05, calibrated=True),
    }
    return found | {"calibration_loss": found["cllr"] - found["min_cllr"]}


def test_weights_are_copies_of_trials() -> None:
    """A target drawn k times stands k times in the list, a non-target k_i * k_j times."""
    scores, is_target, enroll, test = trial_list()
    _, a, b = speaker_codes(enroll, test)
    weighted = WeightedTrials(scores, is_target, a, b, llrs=2 * scores - 1)
    for k in np.random.default_rng(0).integers(0, 4, size=(12, 6)):
        copies = np.where(is_target, k[a], k[a] * k[b])
        targets, others = (np.repeat(scores[w], copies[w]) for w in (is_target, ~is_target))
        if len(targets) and len(others):
            assert weighted.measures(k.astype(float)) == pytest.approx(plain(targets, others))
        else:
            assert np.isnan(weighted.equal_error_rate(k.astype(float)))
            assert weighted.measures(k.astype(float)) == {}


@pytest.mark.parametrize("n_trials", [PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7])
@pytest.mark.parametrize("shift", [-3.0, 0.0, 0.7, 40.0])
def test_a_list_of_many_pieces_is_cut_nowhere(n_trials: int, shift: float) -> None:
    """Apart by ``shift``: pieces of one kind alone, and a crossing in the first piece, in the last and between."""
    _, is_target, enroll, test = trial_list(9, n_trials)
    _, a, b = speaker_codes(enroll, test)
    rng = np.random.default_rng(n_trials)
    scores = np.round(rng.normal(size=n_trials) + shift * is_target, 2)
    weighted = WeightedTrials(scores, is_target, a, b)
    for k in rng.integers(0, 3, size=(8, 9)):
        copies = np.where(is_target, k[a], k[a] * k[b])
        sides = [np.repeat(scores[w], copies[w]) for w in (is_target, ~is_target)]
        assert weighted.equal_error_rate(k.astype(float)) == equal_error_rate(*sides)


def test_equal_weights_give_the_plain_rate_exactly() -> None:
    scores, is_target, enroll, test = trial_list()
    _, a, b = speaker_codes(enroll, test)
    found = WeightedTrials(scores, is_target, a, b).equal_error_rate(np.ones(6))
    assert found == equal_error_rate(scores[is_target], scores[~is_target])


def test_without_likelihood_ratios_nothing_is_said_of_them() -> None:
    scores, is_target, enroll, test = trial_list()
    _, a, b = speaker_codes(enroll, test)
    found = WeightedTrials(scores, is_target, a, b).measures(np.ones(6))
    assert set(found) == {"eer", "eer_hull", "min_dcf_p01", "min_dcf_p05", "min_dcf", "min_cllr"}


def test_bootstrap_is_seeded_and_as_wide_as_speakers_differ() -> None:
    trials = trial_list(20, 600)
    once, again, other = (eer_bootstrap(*trials, n_replicates=50, seed=s) for s in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)
    scores, is_target, _, _ = trials
    assert abs(once.mean() - equal_error_rate(scores[is_target], scores[~is_target])) < 2 * once.std()
    assert 0 < once.std() < 0.1


def test_draws_without_a_side_are_left_out() -> None:
    scores, is_target, enroll, test = trial_list()
    _, a, b = speaker_codes(enroll, test)
    draws = np.array([[1.0] * 6, [6.0, 0, 0, 0, 0, 0], [2.0, 2.0, 2.0, 0, 0, 0]])  # the second has no non-target
    found = replicated(WeightedTrials(scores, is_target, a, b), draws)
    assert {len(values) for values in found.values()} == {2}


def test_labels_that_contradict_the_speakers_are_refused() -> None:
    with pytest.raises(InputError, match="contradicts"):
        eer_bootstrap([1.0, 0.0], [True, False], ["a", "a"], ["a", "a"], n_replicates=2, seed=0)
    with pytest.raises(InputError, match="one score"):
        eer_bootstrap([1.0, 0.0], [True, False], ["a"], ["a"], n_replicates=2, seed=0)
