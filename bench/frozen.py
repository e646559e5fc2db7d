"""Cohorts as they were frozen: the scheme, its digest, how its cohorts ranked on discover, and who is in which.

A frozen scheme lies in ``<cache>/schemes/<scheme key>/``; nobody hears a measure speaker before it does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from earmark.bench.api import InputError
from earmark.bench.corpora.cache import cache_dir
from earmark.bench.disk import write_atomic
from earmark.bench.planning import digest
from earmark.bench.suite import Target


@dataclass(frozen=True, slots=True)
class Rank:
    """A cohort as it stood on discover; ``status`` is ``insufficient`` where it was too small to be ranked."""

    cohort: str
    wer: float | None
    n_speakers: int
    errors: int
    words: int
    status: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """A scheme that nobody changes any more; ``ranking`` begins with the worst cohort."""

    finder: str
    name: str
    scheme: Any
    """What the finder's ``load`` takes: JSON."""
    digest: str
    ranking: tuple[Rank, ...]
    n_select: Mapping[str, int]
    """Speakers of each cohort on select."""
    picture: tuple[tuple[float, float, str], ...] = ()
    """Discover speakers in a plane, with their cohorts, where they were divided by their voices."""

    @property
    def ranked(self) -> list[str]:
        """The cohorts large enough to be ranked, worst first."""
        return [rank.cohort for rank in self.ranking if rank.status == "ok"]

    @property
    def pair(self) -> tuple[str, str] | None:
        """The worst and the best cohort on discover; None where fewer than two could be ranked."""
        return (self.ranked[0], self.ranked[-1]) if len(self.ranked) > 1 else None

    def targets(self, wanted: Target) -> list[str]:
        """The cohorts that are to be repaired. InputError where there are none, or not those."""
        known = [rank.cohort for rank in self.ranking]
        absent = [name for name in wanted.names if name not in known]
        if absent:
            raise InputError(f"{self.name} has no cohort {absent[0]!r}", fix=f"there is {', '.join(known)}")
        if self.pair is None:
            raise InputError(
                f"{self.name} found no two cohorts that could be ranked: there is nothing to repair",
                fix="see its ranking",
            )
        return list(wanted.names) or self.ranked[: min(wanted.worst, len(self.ranked) - 1)]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def scheme_digest(finder: str, scheme: Any) -> str:
    """Digest (16 digits) of what a finder found."""
    return digest([finder, scheme])


def schemes_folder(scheme_key: str) -> Path:
    return cache_dir() / "schemes" / scheme_key


def read_frozen(scheme_key: str) -> Frozen | None:
    """The scheme of this key, or None where nobody has found it yet. InputError where it was changed afterwards."""
    path = schemes_folder(scheme_key) / "frozen.json"
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        picture = tuple((x, y, cohort) for x, y, cohort in told["picture"])
        frozen = Frozen(**{**told, "ranking": tuple(Rank(**rank) for rank in told["ranking"]), "picture": picture})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError("it can't be read", where=f"scheme {scheme_key}", fix="delete its folder") from error
    if scheme_digest(frozen.finder, frozen.scheme) != frozen.digest:
        raise InputError(
            "it is not the scheme that was frozen",
            where=f"scheme {scheme_key}",
            fix="delete its folder, and find it again",
        )
    return frozen


def write_frozen(scheme_key: str, frozen: Frozen) -> None:
    text = json.dumps(frozen.to_json(), indent=1, sort_keys=True, ensure_ascii=False)
    write_atomic(schemes_folder(scheme_key) / "frozen.json", text.encode())


def assigned_file(scheme_key: str, corpus_fingerprint: str) -> Path:
    """Where the cohort of each speaker of a corpus is kept."""
    return schemes_folder(scheme_key) / f"assigned-{corpus_fingerprint[:16]}.json"


def by_speaker(speakers: Sequence[str | None], cohorts: Sequence[str], where: str) -> dict[str, str]:
    """The cohort of each speaker, in name order. InputError where one speaker is in two."""
    found: dict[str, str] = {}
    for speaker, cohort in zip(speakers, cohorts, strict=True):
        if speaker is None:
            continue
        if found.setdefault(speaker, cohort) != cohort:
            what = f"speaker {speaker!r} is in two cohorts, {found[speaker]!r} and {cohort!r}"
            raise InputError(what, where=where, fix="a scheme divides speakers, not utterances")
    return dict(sorted(found.items()))


def rank_rows(cohorts: Iterable[Any]) -> tuple[Rank, ...]:
    """Cohort rates (``metrics.cohorts.CohortRate``) as a ranking: worst first, then those too small to be ranked."""
    ranks = [Rank(c.name, c.rate, c.n_speakers, c.errors, c.units, c.status) for c in cohorts]
    return tuple(sorted(ranks, key=lambda r: (r.status != "ok", -(r.wer if r.wer is not None else -1.0), r.cohort)))
