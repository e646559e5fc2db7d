"""What two recognizers wrote about the same recordings: error rates by speaker, by cohort, and the texts that moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from earmark.bench.compare.changes import Change, of_difference, tested
from earmark.bench.compare.reading import columns, require_same, sorted_by
from earmark.bench.metrics.gaps import MIN_ERRORS, MIN_SPEAKERS
from earmark.bench.metrics.matched import MatchedErrors, matched_errors, matched_pairs
from earmark.bench.metrics.resampling import Floats, Integers, label_groups
from earmark.bench.metrics.texts import character_errors, normalize_many
from earmark.bench.score.schemes import Scheme, resolve
from earmark.bench.tables import read_table

TOO_SMALL = f"fewer than {MIN_SPEAKERS} speakers or {MIN_ERRORS} errors"
FOUND_ANEW = "its cohorts were found anew: they are other speakers"
_IDENTITY = ("utterance_id", "speaker", "reference")
Texts: TypeAlias = list[str]


@dataclass(frozen=True, slots=True)
class Moved:
    """An utterance whose errors changed; texts are normalized."""

    label: str
    utterance_id: str
    speaker: str | None
    reference: str
    before: str
    after: str
    errors_before: int
    errors_after: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Heard:
    """N utterances of S speakers heard by two recognizers; ``unit_of`` (N,) are the speakers' places.

    An utterance whose speaker nobody named is a unit by itself, after the named ones.
    """

    utterances: pa.Table
    units: tuple[str, ...]
    n_named: int
    unit_of: Integers
    references: Texts
    before: Texts
    after: Texts
    errors: MatchedErrors

    @classmethod
    def read(cls, a: Path, b: Path, normalizer: str) -> Heard:
        """Raises InputError unless both cells heard the same speakers say the same."""
        wanted = [*_IDENTITY, "hypothesis_raw"]
        one, other = (sorted_by(columns(folder, "utterances", wanted), "utterance_id") for folder in (a, b))
        require_same(one, other, _IDENTITY, "recordings")
        references = _normalized(one["reference"], normalizer)
        before, after = (_normalized(side["hypothesis_raw"], normalizer) for side in (one, other))
        units, n_named, unit_of = _units(one)
        errors = matched_errors(references, before, after)
        kept = one.select(["utterance_id", "speaker"])
        return cls(kept, units, n_named, unit_of, references, before, after, errors)

    def by_unit(self, counts: NDArray[Any]) -> Floats:
        """Sums (S,) of counts (N,)."""
        return np.bincount(self.unit_of, weights=counts, minlength=len(self.units)).astype(np.float64)

    def moved(self, label: str, n: int) -> tuple[Moved, ...]:
        """The ``n`` utterances whose number of errors changed most, larger changes and then names first."""
        change = np.abs(self.errors.second - self.errors.first)
        changed = np.flatnonzero(change)
        order = changed[np.lexsort((changed, -change[changed]))][:n]
        named = self.utterances.take(pa.array(order)).to_pylist()
        return tuple(
            Moved(
                label, row["utterance_id"], row["speaker"], self.references[i], self.before[i], self.after[i],
                int(self.errors.first[i]), int(self.errors.second[i]),
            )
            for i, row in zip(order.tolist(), named, strict=True)
        )  # fmt: skip


def word_changes(heard: Heard, schemes: Sequence[Scheme], common: dict[str, Any], seed: int) -> Iterator[Change]:
    """Word error rates: overall with both tests, then by cohort."""
    before, after, words = (heard.by_unit(c) for c in (heard.errors.first, heard.errors.second, heard.errors.words))
    if not words.sum():
        yield Change(**common, metric="wer", before=None, after=None, reason="the references hold no words")
        return
    sizes: dict[str, Any] = {"n": len(heard.unit_of), "n_unit": "utterances", "n_speakers": heard.n_named or None}
    pairs = matched_pairs(heard.errors)
    found = of_difference(tested(before, after, words, seed=seed))
    yield Change(**common, metric="wer", **found, **sizes, p_matched_pairs=pairs.p_value)
    place = {name: at for at, name in enumerate(heard.units[: heard.n_named])}
    for scheme in schemes:
        if scheme.problem == FOUND_ANEW:
            yield Change(
                **common, metric="wer", scheme=scheme.name, cohort="*", before=None, after=None, reason=FOUND_ANEW
            )
        known = [name for name in place if name in scheme.cohort_of]
        groups = label_groups([scheme.cohort_of[name] for name in known], len(known))
        for cohort, at in groups.items():
            places = np.array([place[known[i]] for i in at.tolist()], dtype=np.int64)
            yield of_cohort(common, scheme.name, cohort, before[places], after[places], words[places], seed)


def character_changes(heard: Heard, common: dict[str, Any], seed: int) -> Iterator[Change]:
    """The character error rate, over everybody."""
    characters = heard.by_unit(np.fromiter(map(len, heard.references), dtype=np.int64, count=len(heard.references)))
    if characters.sum():
        before, after = (
            heard.by_unit(character_errors(heard.references, said)) for said in (heard.before, heard.after)
        )
        found = of_difference(tested(before, after, characters, seed=seed))
        yield Change(**common, metric="cer", **found, n_speakers=heard.n_named or None)


def of_cohort(
    common: dict[str, Any], scheme: str, cohort: str, before: Floats, after: Floats, words: Floats, seed: int
) -> Change:
    """The word error rate of some speakers (S,); one that is not tested where they are too few."""
    where: dict[str, Any] = {**common, "metric": "wer", "scheme": scheme, "cohort": cohort, "n_speakers": len(words)}
    if not words.sum():
        return Change(**where, before=None, after=None, reason="no reference words")
    if len(words) < MIN_SPEAKERS or max(before.sum(), after.sum()) < MIN_ERRORS:
        was, now = (float(side.sum() / words.sum()) for side in (before, after))
        return Change(**where, before=was, after=now, reason=TOO_SMALL)
    return Change(**where, **of_difference(tested(before, after, words, seed=seed)))


def schemes_of(wanted: Sequence[str], a: Path, b: Path, *, table: str = "utterances") -> list[Scheme]:
    """The cohorts of both cells; those that a finder found only where both were measured under the same frozen ones."""
    rows = columns(a, table, ["speaker", "metadata"]).group_by(["speaker", "metadata"]).aggregate([])
    mine, theirs = (read_table(folder, "assignments").to_pylist() for folder in (a, b))
    digests = [{row["scheme"]: row["scheme_digest"] for row in found} for found in (mine, theirs)]
    found = resolve(wanted, rows.to_pylist(), mine)
    changed = {name for name in digests[0] if digests[0][name] != digests[1].get(name)}
    return [Scheme(s.name, {}, None, FOUND_ANEW) if s.name in changed else s for s in found]


def _normalized(texts: pa.ChunkedArray, normalizer: str) -> Texts:
    """Each text normalized; equal ones are one object."""
    encoded = texts.combine_chunks().dictionary_encode()
    known = normalize_many(encoded.dictionary.to_pylist(), normalizer)
    return [known[code] for code in encoded.indices.to_pylist()]


def _units(table: pa.Table) -> tuple[tuple[str, ...], int, Integers]:
    """Names of what is resampled, how many of them are speakers, and the unit of each utterance."""
    speakers = pc.if_else(pc.equal(table["speaker"], ""), None, table["speaker"]).combine_chunks()
    encoded = speakers.dictionary_encode()
    named = encoded.dictionary.to_pylist()
    codes = np.asarray(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)).astype(np.int64)
    unnamed = np.flatnonzero(codes < 0)
    codes[unnamed] = len(named) + np.arange(len(unnamed))
    ids = table["utterance_id"].take(pa.array(unnamed)).to_pylist()
    return (*named, *(f"utterance {name}" for name in ids)), len(named), codes
