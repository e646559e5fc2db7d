"""The closed table of metric names: what a row of measurements may be called, in which unit and which way is better.

Rules. A name states one definition (``docs/metrics.md``) and has one unit; two definitions are two names. A percentile
ends in its number (``upl_final_p95``), statistics across cohorts say so (``wer_cohort_max``), and a bare ``gap_...`` is
that of word error rates; other metrics put their own name in front (``eer_gap_abs``). ``kind`` says what a rerun on
the same weights and audio may change: ``quality`` and ``compute`` repeat exactly, ``timing`` and ``memory`` do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal, TypeAlias

from earmark.bench.api import InputError

Better: TypeAlias = Literal["lower", "higher", "none"]
Kind: TypeAlias = Literal["quality", "compute", "timing", "memory"]


@dataclass(frozen=True, slots=True)
class MetricName:
    """One row of the table; ``unit`` is that of ``value``, where 1 stands for a plain ratio."""

    name: str
    unit: str
    better: Better
    kind: Kind
    description: str


_QUALITY: tuple[tuple[str, str, Better, str], ...] = (
    ("wer", "1", "lower", "word errors over reference words, summed over utterances"),
    ("wer_offline", "1", "lower", "WER of the offline, batched form of the same model"),
    ("offline_disagreement", "1", "lower", "share of recordings whose offline transcript is not the streamed one"),
    ("wer_speaker_mean", "1", "lower", "mean of the speakers' own word error rates"),
    ("wer_utterance_mean", "1", "lower", "mean of the utterances' own word error rates"),
    ("wer_raw", "1", "lower", "WER of the texts as they are, whitespace apart (normalizer raw-1)"),
    ("wer_raw_speaker_mean", "1", "lower", "mean of the speakers' own word error rates under raw-1"),
    ("wer_raw_utterance_mean", "1", "lower", "mean of the utterances' own word error rates under raw-1"),
    ("cer", "1", "lower", "character errors over reference characters, spaces included"),
    ("word_substitution_rate", "1", "lower", "substituted words over reference words"),
    ("word_deletion_rate", "1", "lower", "deleted words over reference words"),
    ("word_insertion_rate", "1", "lower", "inserted words over reference words"),
    ("orc_wer", "1", "lower", "word error rate under the best assignment of reference turns to output channels"),
    ("tcorc_wer", "1", "lower", "ORC word error rate whose matches lie within 5 s"),
    ("di_cp_wer", "1", "lower", "word error rate when every output turn may go to the speaker where it costs least"),
    ("cp_wer", "1", "lower", "word error rate under the best pairing of speakers with output channels"),
    ("orc_substitution_rate", "1", "lower", "of the ORC errors the substituted words, over reference words"),
    ("orc_deletion_rate", "1", "lower", "of the ORC errors the deleted words, over reference words"),
    ("orc_insertion_rate", "1", "lower", "of the ORC errors the inserted words, over reference words"),
    ("turn_count_accuracy", "1", "higher", "share of recordings whose number of turns is right"),
    ("turn_count_accuracy_over_2", "1", "higher", "the same of recordings with more than two turns"),
    ("turn_count_error", "turns", "none", "turns said minus turns spoken, mean over recordings"),
    ("turn_f1", "1", "higher", "turns matched one to one by their starts, twice, over turns spoken and turns said"),
    ("turn_miss_rate", "1", "lower", "spoken turns that were said as no turn, over turns spoken"),
    ("turn_spurious_rate", "1", "lower", "turns said that are no spoken one, over turns spoken"),
    ("early_cut_rate", "1", "lower", "end-of-turn tokens before the turn had ended, over those of turns but the last"),
    ("endpoint_miss_rate", "1", "lower", "turns without an end-of-turn token, over turns found but the last"),
    ("partial_revisions_per_word", "1", "lower", "words shown and later changed or withdrawn, per reference word"),
    ("eer", "1", "lower", "equal error rate, interpolated at the first threshold where misses overtake false accepts"),
    ("eer_hull", "1", "lower", "equal error rate of the convex hull of the ROC"),
    ("eer_nearest", "1", "lower", "mean of misses and false accepts at the threshold where they are nearest"),
    ("min_dcf_p01", "1", "lower", "normalized minimum detection cost at a target prior of 0.01"),
    ("min_dcf_p05", "1", "lower", "normalized minimum detection cost at a target prior of 0.05"),
    ("min_dcf", "1", "lower", "mean of the normalized minimum detection costs at priors of 0.01 and 0.005"),
    ("act_dcf_p01", "1", "lower", "normalized detection cost of calibrated scores at their own threshold, prior 0.01"),
    ("act_dcf_p05", "1", "lower", "normalized detection cost of calibrated scores at their own threshold, prior 0.05"),
    ("cllr", "bit", "lower", "cost of the calibrated scores as log-likelihood ratios"),
    ("min_cllr", "bit", "lower", "cllr of the best rising map of the scores"),
    ("calibration_loss", "bit", "lower", "cllr minus min_cllr"),
    (
        "eer_as_norm",
        "1",
        "lower",
        "EER of scores normalized by each recording's closest impostors among train speakers",
    ),
)
_COHORTS: tuple[tuple[str, str, Better, str], ...] = (
    ("gap_abs", "1", "lower", "WER of the bottom cohort minus WER of the top cohort"),
    ("gap_rel", "1", "lower", "gap_abs over the WER of the top cohort"),
    ("gap_rel_bottom", "1", "lower", "gap_abs over the WER of the bottom cohort"),
    ("gap_ratio", "1", "lower", "WER of the bottom cohort over WER of the top cohort"),
    ("gap_ratio_adjusted", "1", "lower", "gap_ratio at equal duration, noise, device and site, by a rate model"),
    ("gap_overall", "1", "lower", "WER of the bottom cohort minus the overall WER, over the overall WER"),
    ("sd_cohort", "1", "lower", "standard deviation of the cohorts' WER (biased upward by noise)"),
    ("wer_cohort_mean", "1", "lower", "mean of the cohorts' WER, every cohort counting the same"),
    ("wer_cohort_max", "1", "lower", "WER of the worst cohort"),
    ("wer_cohort_var", "1", "lower", "variance of the cohorts' WER (biased upward by noise)"),
    ("wer_cohort_var_debiased", "1", "lower", "wer_cohort_var minus the mean squared standard error, at least 0"),
    ("eer_gap_abs", "1", "lower", "EER of the bottom cohort minus EER of the top cohort"),
    ("eer_gap_rel", "1", "lower", "eer_gap_abs over the EER of the top cohort"),
    ("eer_gap_rel_bottom", "1", "lower", "eer_gap_abs over the EER of the bottom cohort"),
    ("eer_gap_ratio", "1", "lower", "EER of the bottom cohort over EER of the top cohort"),
    ("eer_gap_overall", "1", "lower", "EER of the bottom cohort minus the overall EER, over the overall EER"),
    ("eer_cohort_mean", "1", "lower", "mean of the cohorts' EER, every cohort counting the same"),
    ("eer_cohort_max", "1", "lower", "EER of the worst cohort"),
    ("eer_cohort_std", "1", "lower", "standard deviation of the cohorts' EER, over K cohorts (biased upward by noise)"),
    (
        "fmr_between_at_eer",
        "1",
        "lower",
        "share of non-targets between two cohorts accepted at the one threshold of EER",
    ),
    ("eer_change", "1", "lower", "EER of the repaired model minus EER of the same model before, on the same trials"),
    ("eer_gap_abs_change", "1", "lower", "EER gap after a repair minus before, of the pair that was apart most before"),
    ("eer_cohort_std_change", "1", "lower", "eer_cohort_std after a repair minus eer_cohort_std before"),
    (
        "wer_change",
        "1",
        "lower",
        "WER of the repaired model minus WER of the same model before, on the same utterances",
    ),
    ("gap_abs_change", "1", "lower", "gap_abs after a repair minus gap_abs before, on the same pair and speakers"),
    ("gap_rel_change", "1", "lower", "gap_rel after a repair minus gap_rel before, on the same pair and speakers"),
    ("bottom_share_speakers", "1", "none", "share of the measured speakers who are in the bottom cohort"),
    ("bottom_share_utterances", "1", "none", "share of the measured utterances that are in the bottom cohort"),
    ("bottom_share_words", "1", "none", "share of the measured reference words that are in the bottom cohort"),
)
_FINDERS: tuple[tuple[str, str, Better, str], ...] = (
    ("finder_power", "1", "higher", "share of planted worlds whose worst found cohort is the planted one, and flagged"),
    ("finder_jaccard", "1", "higher", "Jaccard index of the worst found cohort and the planted speakers"),
    ("finder_recall", "1", "higher", "share of the planted speakers who are in the worst found cohort"),
    ("finder_precision", "1", "higher", "share of the worst found cohort who are planted speakers"),
    ("finder_false_alarms", "1", "lower", "share of null worlds in which some cohort is flagged by the corrected test"),
    ("finder_false_alarms_uncorrected", "1", "lower", "the same with |T| > 1.96 for each cohort by itself"),
    ("finder_divides_null", "1", "lower", "share of null worlds in which speakers are divided at all"),
)
_COMPUTE: tuple[tuple[str, str, Better, str], ...] = (
    ("macs_per_audio_second", "MAC/s", "lower", "multiply-accumulates executed per second of audio"),
    (
        "macs_per_audio_second_streaming",
        "MAC/s",
        "lower",
        "macs_per_audio_second of an embedder that hears recordings as they come and is asked after every chunk",
    ),
    ("flops_per_audio_second", "FLOP/s", "lower", "floating-point operations per second of audio, two per MAC"),
    ("ccr", "1", "higher", "compute cost reduction: 1 minus executed over dense encoder MACs, arbitrators included"),
    ("n_parameters", "count", "lower", "parameters of the model"),
)
_GATES: tuple[str, str, Better, str] = (
    "gate_rate",
    "1",
    "none",
    "share of what is gated that was computed, mean over chunks and gates",
)
_GAPS: tuple[tuple[str, str, Better, Kind], ...] = (
    ("upl_final_p95", "ms", "lower", "timing"),
    ("macs_per_audio_second", "MAC/s", "none", "compute"),
    ("gate_rate", "1", "none", "compute"),
)
"""Metrics whose gaps between cohorts are recorded under their own names, beside those of error rates."""
_TIMING: tuple[tuple[str, str, Better, str], ...] = (
    ("rtf_streaming", "1", "lower", "processing time over audio, one stream, search included"),
    ("rtf_streaming_max_10s", "1", "lower", "largest rtf_streaming over any window of 10 s of audio"),
    ("rtf_offline", "1", "lower", "processing time over audio, each recording as a whole"),
    ("rtf_device", "1", "lower", "time that the device itself was at work over audio, other programs' work left out"),
    (
        "streams_realtime",
        "count",
        "higher",
        "streams served at once, 95 % of their chunks less than 300 ms after their audio was there",
    ),
    ("energy_per_audio_second", "J/s", "lower", "energy that the device took while streaming, per second of audio"),
)
_DELAYS: tuple[tuple[str, tuple[int, ...], Kind, str], ...] = (
    ("upl_final", (50, 90, 95, 99), "timing", "user-perceived latency, from the end of a word to its final text"),
    (
        "upl_first",
        (50, 90),
        "timing",
        "delay from the end of a word to the moment since which it stands in its place",
    ),
    ("emission", (50, 90), "quality", "audio heard past the end of a word when its text was final, compute left out"),
    ("first_token", (50, 90), "timing", "delay from the start of speech to the first text of the stream"),
    ("finalize", (50, 90), "timing", "delay from the end of the audio to the last result of the stream"),
    ("endpoint", (50, 90), "timing", "delay from the end of a turn to its end-of-turn token"),
    ("startpoint", (50, 90), "timing", "delay from the start of a turn to its start-of-turn token"),
    ("endpoint_emission", (50, 90), "quality", "audio heard past the end of a turn with its end-of-turn token"),
    ("last_word_emission", (50, 90), "quality", "audio heard past the end of a turn with its last text"),
    ("startpoint_emission", (50, 90), "quality", "audio heard past the start of a turn with its start-of-turn token"),
    ("first_word_emission", (50, 90), "quality", "audio heard past the start of a turn with its first text"),
    ("compute_chunk", (50, 95), "timing", "processing time of a chunk"),
    ("device_chunk", (50, 95), "timing", "time that the device itself spent on a chunk, other work left out"),
)
_MEMORY: tuple[tuple[str, str], ...] = (
    ("peak_rss_mib", "largest resident memory of the measuring process"),
    ("peak_device_allocated_mib", "largest memory of the device that was in use, weights included"),
    ("peak_device_reserved_mib", "largest memory of the device that was held, whether in use or not"),
)

_THRESHOLDS = {
    "eer": "threshold of the whole trial list's EER",
    "fmr_1pct": "threshold that accepts at most 1 % of all non-targets",
    "fmr_01pct": "threshold that accepts at most 0.1 % of all non-targets",
}
"""Thresholds that are set once, on the whole trial list."""
_AT_THRESHOLD: tuple[tuple[str, Better, str], ...] = (
    ("fnmr", "lower", "share of targets rejected"),
    ("fmr", "lower", "share of non-targets accepted"),
    ("fdr", "higher", "fairness discrepancy rate, 1 minus half the sum of the largest differences of FMR and of FNMR,"),
    ("garbe", "lower", "mean of the Gini coefficients of the cohorts' FMR and FNMR"),
    ("fnmr_ratio", "lower", "largest FNMR of a cohort over the smallest"),
    ("fmr_ratio", "lower", "largest FMR of a cohort over the smallest"),
)

_AVERAGED = ("endpoint_emission", "last_word_emission", "startpoint_emission", "first_word_emission")


def _rows() -> Iterator[MetricName]:
    for name, unit, better, text in (*_QUALITY, *_COHORTS, *_FINDERS):
        yield MetricName(name, unit, better, "quality", text)
    for point, threshold in _THRESHOLDS.items():
        for stem, better, text in _AT_THRESHOLD:
            yield MetricName(f"{stem}_at_{point}", "1", better, "quality", f"{text} at the one {threshold}")
    for stem, percentiles, kind, text in _DELAYS:
        for q in percentiles:
            yield MetricName(f"{stem}_p{q}", "ms", "lower", kind, f"percentile {q}: {text}")
        if stem in _AVERAGED:
            yield MetricName(f"{stem}_mean", "ms", "lower", kind, f"mean: {text}")
    for name, unit, better, text in _TIMING:
        yield MetricName(name, unit, better, "timing", text)
    for name, unit, better, text in (*_COMPUTE, _GATES):
        yield MetricName(name, unit, better, "compute", text)
    for name, unit, better, kind in _GAPS:
        yield MetricName(f"{name}_gap_abs", unit, better, kind, f"largest {name} of a cohort minus the smallest")
        yield MetricName(f"{name}_gap_rel", "1", better, kind, f"{name}_gap_abs over the smallest {name}")
        yield MetricName(f"{name}_gap_ratio", "1", better, kind, f"largest {name} of a cohort over the smallest")
    for name, text in _MEMORY:
        yield MetricName(name, "MiB", "lower", "memory", text)


METRICS: Mapping[str, MetricName] = MappingProxyType({row.name: row for row in _rows()})
"""Every metric by name, in the order in which tables show them."""


def metric(name: str) -> MetricName:
    """The metric called ``name``; raises InputError naming near ones."""
    found = METRICS.get(name)
    if found is None:
        near = get_close_matches(name, METRICS, n=3)
        raise InputError(
            f"no metric is called {name!r}", fix=f"did you mean {', '.join(near)}?" if near else "see docs/metrics.md"
        )
    return found


def metrics_table() -> str:
    """The table as Markdown, as it stands in ``docs/metrics.md``."""
    head = ("name", "unit", "better", "kind", "what it is")
    rows = [head, ("---",) * len(head)]
    rows += [(f"`{m.name}`", m.unit, m.better, m.kind, m.description) for m in METRICS.values()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
