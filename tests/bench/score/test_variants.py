"""Error rates by other rules, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest
import runs

from earmark.bench.metrics.verification import equal_error_rate_nearest
from earmark.bench.score.measure import Sheet
from earmark.bench.score.variants import score_word_variants


def said(speaker: str | None, reference: str, hypothesis: str) -> dict[str, Any]:
    return {"speaker": speaker, "reference": reference, "hypothesis_raw": hypothesis}


def test_six_rates_by_hand() -> None:
    """Raw errors: 2 of 4 (Turn, light,), 1 of 1, 0 of 2; normalized: 0 of 4, 1 of 1, 0 of 2."""
    utterances = [said("anna", "Turn on the light,", "turn on the light"), said("anna", "stop", "go"),
                  said("ben", "two four", "two four"), said("ben", "", "")]  # fmt: skip
    found = {row.metric: row for row in score_word_variants(Sheet(runs.cell_row("good"), "basic-1"), utterances)}
    assert found["wer_utterance_mean"].value == pytest.approx((0 + 1 + 0) / 3)
    assert found["wer_raw"].value == pytest.approx(3 / 7)
    assert found["wer_raw_utterance_mean"].value == pytest.approx((2 / 4 + 1 + 0) / 3)
    assert found["wer_raw_speaker_mean"].value == pytest.approx((3 / 5 + 0) / 2)
    assert {row.normalizer for name, row in found.items() if "raw" in name} == {"raw-1"}


def test_without_speakers_or_words_there_is_no_row() -> None:
    sheet = Sheet(runs.cell_row("good"), "basic-1")
    assert "wer_raw_speaker_mean" not in {row.metric for row in score_word_variants(sheet, [said(None, "a", "b")])}
    assert not list(score_word_variants(sheet, [said("anna", "", "b")]))


@pytest.mark.parametrize(
    ("targets", "others", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.3], [0.6, 0.4, 0.2, 0.1], 0.25),
        ([0.5, 0.5, 0.5, 0.9], [0.5, 0.1, 0.1, 0.1], 0.125),
        ([0.5, 0.5], [0.5, 0.5], 0.5),
        ([0.0, 1.0], [2.0, 3.0], 1.0),
    ],
)
def test_the_nearest_threshold(targets: list[float], others: list[float], expected: float) -> None:
    assert equal_error_rate_nearest(targets, others) == expected
