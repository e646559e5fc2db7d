"""Trial lists: which pairs of recordings a verification model is asked about.

Where some speaker's target trials are always across different texts, non-targets are too, else the text decides.
Non-targets pair speakers of the same gender where the genders are known: cross-gender impostors are easy and flatter
everybody. Where pairs have to be sampled, speakers enter the list about equally often.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from earmark.bench.api import InputError

MIN_SPEAKERS = 3
MAX_NONTARGETS = 200_000
MAX_RECORDINGS = 32
"""Recordings of one speaker that enter target trials, at most: 496 pairs."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A recording as far as trials care."""

    utterance_id: str
    speaker: str
    text: str
    gender: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """``target``: is it the same speaker? Relations are ``same``, ``different`` or ``unknown``."""

    enroll: Voice
    test: Voice
    target: bool
    pairing: str
    session_relation: str
    text_relation: str


def check_speakers(voices: Sequence[Voice], where: str) -> None:
    """Verification needs some speakers with two recordings each; one clear line where a corpus has too few."""
    several = [group for group in _by_speaker(voices).values() if len(group) > 1]
    if len(several) >= MIN_SPEAKERS:
        return
    n_speakers = len(_by_speaker(voices))
    found = (
        f"{n_speakers} speakers, {len(several)} of them with two recordings or more" if n_speakers else "no speakers"
    )
    raise InputError(
        f"speaker verification needs at least {MIN_SPEAKERS} speakers with two recordings each, here are {found}",
        where=where,
        fix="add speakers to the manifest, or leave verification out with --plugins",
    )


def build_trials(voices: Sequence[Voice], *, seed: int, max_nontargets: int = MAX_NONTARGETS) -> list[Trial]:
    """Target and non-target trials of a set of recordings, in a fixed order."""
    targets = list(_targets(voices))
    across_texts = bool(targets) and all(trial.text_relation == "different" for trial in targets)
    nontargets = _nontargets(voices, across_texts=across_texts, seed=seed, at_most=max_nontargets)
    return [*targets, *nontargets]


def _targets(voices: Sequence[Voice]) -> Iterator[Trial]:
    """The pairs of a speaker, those across texts where the speaker has any; of very many, as many as of everybody."""
    for group in _by_speaker(voices).values():
        drawn = sorted(group, key=lambda voice: _rank(0, voice.utterance_id))[:MAX_RECORDINGS]
        pairs = list(itertools.combinations(sorted(drawn, key=lambda voice: voice.utterance_id), 2))
        across = [pair for pair in pairs if pair[0].text != pair[1].text]
        for enroll, test in across or pairs:
            yield _trial(enroll, test, pairing="same speaker")


def _nontargets(voices: Sequence[Voice], *, across_texts: bool, seed: int, at_most: int) -> list[Trial]:
    ordered = sorted(voices, key=lambda voice: voice.utterance_id)
    n_pairs = len(ordered) * (len(ordered) - 1) // 2
    if n_pairs <= 4 * at_most:
        pairs = [pair for pair in itertools.combinations(ordered, 2) if _eligible(*pair, across_texts)]
        return [_impostor(*pair) for pair in _balanced(pairs, at_most, seed)]
    return [_impostor(*pair) for pair in _sampled(ordered, across_texts, seed, at_most)]


def _balanced(pairs: list[tuple[Voice, Voice]], at_most: int, seed: int) -> list[tuple[Voice, Voice]]:
    """At most ``at_most`` pairs, drawn so that speakers appear about equally often."""
    if len(pairs) <= at_most:
        return pairs
    speakers = {voice.speaker for pair in pairs for voice in pair}
    quota = 2 * at_most / len(speakers)
    used: dict[str, int] = defaultdict(int)
    chosen = []
    for enroll, test in sorted(pairs, key=lambda pair: _rank(seed, pair[0].utterance_id, pair[1].utterance_id)):
        if used[enroll.speaker] < quota and used[test.speaker] < quota:
            used[enroll.speaker] += 1
            used[test.speaker] += 1
            chosen.append((enroll, test))
    return chosen


def _sampled(voices: list[Voice], across_texts: bool, seed: int, at_most: int) -> Iterator[tuple[Voice, Voice]]:
    """As many impostors for each recording, without listing every pair of a large corpus.

    Recordings of one gender stand in a ring, in an order drawn by hash; each is paired with those that follow it, so
    that every recording enrolls equally often.
    """
    each = max(1, at_most // len(voices))
    rings: dict[str | None, list[Voice]] = defaultdict(list)
    for voice in sorted(voices, key=lambda voice: _rank(seed, voice.utterance_id)):
        rings[voice.gender].append(voice)
    seen: set[frozenset[str]] = set()  # a ring shorter than the reach would meet itself again
    for ring in rings.values():
        for place, enroll in enumerate(ring):
            following = itertools.islice(itertools.chain(ring[place + 1 :], ring[:place]), 50 * each)
            eligible = (other for other in following if _eligible(enroll, other, across_texts))
            for other in itertools.islice(eligible, each):
                pair = frozenset((enroll.utterance_id, other.utterance_id))
                if pair not in seen:
                    seen.add(pair)
                    yield enroll, other


def _eligible(enroll: Voice, test: Voice, across_texts: bool) -> bool:
    if enroll.speaker == test.speaker or (across_texts and enroll.text == test.text):
        return False
    return enroll.gender is None or test.gender is None or enroll.gender == test.gender


def _impostor(enroll: Voice, test: Voice) -> Trial:
    return _trial(enroll, test, pairing="within gender" if enroll.gender and test.gender else "any")


def _trial(enroll: Voice, test: Voice, *, pairing: str) -> Trial:
    return Trial(
        enroll,
        test,
        target=enroll.speaker == test.speaker,
        pairing=pairing,
        session_relation=_session_relation(enroll, test),
        text_relation="same" if enroll.text == test.text else "different",
    )


def _session_relation(enroll: Voice, test: Voice) -> str:
    if enroll.session is None or test.session is None:
        return "unknown"
    return "same" if enroll.speaker == test.speaker and enroll.session == test.session else "different"


def _by_speaker(voices: Sequence[Voice]) -> Mapping[str, list[Voice]]:
    groups: dict[str, list[Voice]] = defaultdict(list)
    for voice in sorted(voices, key=lambda voice: (voice.speaker, voice.utterance_id)):
        groups[voice.speaker].append(voice)
    return groups


def _rank(seed: int, *names: str) -> bytes:
    return sha256("\0".join([str(seed), *names]).encode()).digest()
