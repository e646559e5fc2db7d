"""Regions of voices: a speaker is in one, and alike voices are in one together."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from earmark.bench.api import Unsupported
from earmark.bench.contract.standins import StandIn, StandInTrainer
from earmark.fairness.oversampling.method import build
from earmark.models._blocks.clusters import k_means, nearest, voice_regions


def test_centroids_begin_where_they_are_told_and_keep_their_order() -> None:
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(center, 0.1, (20, 2)) for center in (0.0, 5.0, 9.0)])
    begin = np.array([[9.0, 9.0], [0.0, 0.0], [5.0, 5.0]])
    found = k_means(vectors, 3, restarts=1, rng=rng, begin=begin)
    np.testing.assert_allclose(found, begin, atol=0.2)
    assert nearest(vectors, found).tolist() == [1] * 20 + [2] * 20 + [0] * 20


def test_every_recording_of_a_speaker_is_in_the_speakers_region() -> None:
    trainer, model = StandInTrainer(), StandIn()
    regions = voice_regions(model, trainer, 3, seed=0, plugin="test")
    assert len(regions) == len(trainer.rows)
    assert set(regions) == {"voices 0", "voices 1", "voices 2"}
    of: dict[str, set[str]] = defaultdict(set)
    for speaker, region in zip(trainer.rows["speaker"].to_pylist(), regions, strict=True):
        of[speaker].add(region)
    assert {len(found) for found in of.values()} == {1}
    assert voice_regions(model, trainer, 3, seed=0, plugin="test") == regions


def test_a_model_that_embeds_nobody_has_no_regions() -> None:
    with pytest.raises(Unsupported, match="embeds no speakers"):
        voice_regions(object(), StandInTrainer(), 2, seed=0, plugin="test")  # type: ignore[arg-type]


def test_oversampling_by_voices_needs_no_cohorts_and_makes_clusters_equal() -> None:
    asked: dict[str, list[float]] = {}

    class Noting(StandInTrainer):
        def fit(self, model, **how):  # type: ignore[no-untyped-def]
            asked.update(how)
            return super().fit(model, **how)

    trainer, model = Noting(), StandIn()
    build(options={"voices": 3, "exponent": 1.0}).apply(model, [], trainer)
    regions = voice_regions(model, trainer, 3, seed=0, plugin="test")
    shares: dict[str, float] = defaultdict(float)
    for region, weight in zip(regions, asked["row_weights"], strict=True):
        shares[region] += weight
    assert len(set(np.round(list(shares.values()), 6))) == 1
