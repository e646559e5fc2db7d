"""The same errors by other people's rules: rows that the linter holds against the headline (``earmark.bench.linter``).

Word error rates are pooled over words, over speakers and over utterances, each as the run's normalizer leaves the
texts and with whitespace alone normalized; the equal error rate is also taken at the nearest threshold. None is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from earmark.bench.metrics.resampling import Floats
from earmark.bench.metrics.statistics import per_speaker, speaker_mean_rate
from earmark.bench.metrics.texts import normalize_many, word_errors
from earmark.bench.metrics.verification import equal_error_rate_nearest
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.trials import Trials

RAW = "raw-1"


def score_word_variants(sheet: Sheet, utterances: Sequence[Mapping[str, Any]]) -> Iterator[Measurement]:
    """Rows of the word error rate by other poolings and by the raw texts; those that are there already are not."""
    speakers = [row["speaker"] for row in utterances]
    errors, words = _counted(utterances, sheet.normalizer)
    yield from _row(sheet, "wer_utterance_mean", _mean_rate(errors, words), len(utterances), sheet.normalizer)
    errors, words = _counted(utterances, RAW)
    if not words.sum():
        return
    yield from _row(sheet, "wer_raw", float(errors.sum() / words.sum()), len(utterances), RAW)
    yield from _row(sheet, "wer_raw_utterance_mean", _mean_rate(errors, words), len(utterances), RAW)
    named = [at for at, speaker in enumerate(speakers) if speaker]
    if named:
        sums = per_speaker([speakers[at] for at in named], errors[named], words[named])
        mean = speaker_mean_rate(sums.errors, sums.units)
        yield from _row(sheet, "wer_raw_speaker_mean", mean, len(utterances), RAW)


def score_eer_variants(sheet: Sheet, folder: Path) -> Iterator[Measurement]:
    """The row of the equal error rate at the nearest threshold."""
    trials = Trials.read(folder)
    if trials.both_sides:
        yield sheet.row("eer_nearest", equal_error_rate_nearest(*trials.sides), n=len(trials.scores), n_unit="trials")


def _counted(utterances: Sequence[Mapping[str, Any]], normalizer: str) -> tuple[Floats, Floats]:
    """Word errors and reference words (N,)."""
    references = normalize_many((row["reference"] for row in utterances), normalizer)
    hypotheses = normalize_many((row["hypothesis_raw"] for row in utterances), normalizer)
    errors = word_errors(references, hypotheses).astype(np.float64)
    return errors, np.array([len(text.split()) for text in references], dtype=np.float64)


def _mean_rate(errors: Floats, words: Floats) -> float | None:
    return float(np.mean(errors[words > 0] / words[words > 0])) if (words > 0).any() else None


def _row(sheet: Sheet, name: str, value: float | None, n: int, normalizer: str) -> Iterator[Measurement]:
    if value is not None:
        yield sheet.row(name, value, n=n, n_unit="utterances", normalizer=normalizer)
