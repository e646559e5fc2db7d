"""What a repair changed: the same utterances before and after, paired, for everybody, by cohort, and in the gap.

Speakers are drawn once for both sides (``metrics.ledger``), so what is common to them cancels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from earmark.bench.metrics.ledger import PairedCohorts, paired_cohorts
from earmark.bench.metrics.paired import Difference, paired_difference
from earmark.bench.metrics.resampling import label_groups
from earmark.bench.metrics.statistics import SpeakerSums
from earmark.bench.metrics.words import score_many
from earmark.bench.rows import Measurement
from earmark.bench.score.measure import Sheet
from earmark.bench.score.schemes import Scheme
from earmark.bench.score.words import Texts, among, paired_with, speaker_sums

NOT_HEARD = "the model as it was has not been measured on these utterances"
LEVELED = "leveled_down"
"""Flag of a gap that shrank mostly because those who were served best are served worse."""


def score_changes(
    sheet: Sheet, texts: Texts, before: Sequence[Mapping[str, Any]], schemes: Sequence[Scheme]
) -> Iterator[Measurement]:
    """Rows of what changed; ``before`` are the utterances of the model as it was."""
    said = {row["utterance_id"]: row["hypothesis_raw"] for row in before}
    if any(row["utterance_id"] not in said for row in texts.utterances):
        yield sheet.missing("wer_change", "unsupported", NOT_HEARD)
        return
    was = texts.said_as(said, sheet.normalizer)
    after, earlier = (speaker_sums(t.units, score_many(t.references, t.hypotheses)) for t in (texts, was))
    if not after.units.sum():
        yield sheet.missing("wer_change", "insufficient", "the references hold no words")
        return
    yield _row(sheet, "wer_change", _difference(sheet, earlier, after, "all"), len(after.speakers))
    for scheme in schemes:
        mine = [among(sums, scheme.cohort_of) for sums in (earlier, after)]
        if mine[1].speakers:
            yield from _by_cohort(sheet, scheme, *mine)


def _difference(sheet: Sheet, before: SpeakerSums, after: SpeakerSums, name: str) -> Difference:
    return paired_difference(before.errors, after.errors, after.units, seed=sheet.seed("wer_change", name))


def _by_cohort(sheet: Sheet, scheme: Scheme, before: SpeakerSums, after: SpeakerSums) -> Iterator[Measurement]:
    labels = [scheme.cohort_of[speaker] for speaker in after.speakers]
    groups, pair = label_groups(labels, len(labels)), paired_with(scheme, labels)
    found = _paired(sheet, scheme, before, after, labels, pair) if pair else None
    for name, at in groups.items():
        if not after.units[at].sum():
            continue
        was, now = (SpeakerSums((), s.errors[at], s.units[at], s.n_utterances[at]) for s in (before, after))
        change = found.cohorts[name] if found else _difference(sheet, was, now, f"{scheme.name} {name}")
        yield _row(sheet, "wer_change", change, len(at), scheme=scheme.name, cohort=name)
    if found is not None:
        yield from _gap_rows(sheet, scheme, found, len(labels))


def _paired(
    sheet: Sheet,
    scheme: Scheme,
    before: SpeakerSums,
    after: SpeakerSums,
    labels: Sequence[str],
    pair: tuple[str, str],
) -> PairedCohorts | None:
    """The ledger of the pair, or None where one of its cohorts, or another, said nothing."""
    if any(not after.units[at].sum() for at in label_groups(labels, len(labels)).values()):
        return None
    seed = sheet.seed("wer_change", scheme.name)
    return paired_cohorts(before.errors, after.errors, after.units, labels, pair=pair, seed=seed)


def _gap_rows(sheet: Sheet, scheme: Scheme, found: PairedCohorts, n_speakers: int) -> Iterator[Measurement]:
    flags = [f"bottom:{found.bottom}", f"top:{found.top}", *([LEVELED] if found.leveled_down else [])]
    where: dict[str, Any] = {"scheme": scheme.name, "cohort": "*", "flags": flags}
    for name, change in (("gap_abs_change", found.gap_abs), ("gap_rel_change", found.gap_rel)):
        if change is not None:
            yield _row(sheet, name, change, n_speakers, **where)


def _row(sheet: Sheet, name: str, change: Difference, n_speakers: int, **where: Any) -> Measurement:
    return sheet.row(
        name, change.value, interval=change.interval, n=n_speakers, n_unit="speakers", n_speakers=n_speakers,
        normalizer=sheet.normalizer, **where,
    )  # fmt: skip
