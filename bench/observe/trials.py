"""Trial lists: which pairs of recordings a verification model is asked about.

A corpus that brings a list is asked about that. Otherwise one is built. Where a speaker's target trials can be across
texts or sessions, they are; where all of them are across texts, non-targets are too, else the text decides. Non-targets
pair speakers of the same gender (or other columns) where that is known: impostors from another cohort are easy to tell
and flatter everybody. Speakers enter a list about equally often, so that a few who recorded much do not stand for all
(arXiv 2204.02281).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import median_high

from earmark.bench.api import InputError, TrialList

MIN_SPEAKERS = 3
MAX_NONTARGETS = 200_000
MAX_RECORDINGS = 32
"""Recordings of one speaker that enter a list, at most: 496 target trials."""
WITHIN = ("gender",)


@dataclass(frozen=True, slots=True)
class Voice:
    """A recording as far as trials care; ``group`` are the values that both speakers of a non-target trial share."""

    utterance_id: str
    speaker: str
    text: str
    group: tuple[str | None, ...] = ()
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


def build_trials(
    voices: Sequence[Voice], *, seed: int, within: Sequence[str] = WITHIN, max_nontargets: int = MAX_NONTARGETS
) -> list[Trial]:
    """Target and non-target trials of a set of recordings, in a fixed order; ``within`` names the groups' columns."""
    entering = _entering(voices)
    targets = [_trial(*pair, within) for pair in _targets(entering)]
    across_texts = bool(targets) and all(trial.text_relation == "different" for trial in targets)
    nontargets = _nontargets(entering, across_texts=across_texts, seed=seed, at_most=max_nontargets)
    return [*targets, *(_trial(*pair, within) for pair in nontargets)]


def listed_trials(voices: Sequence[Voice], listed: TrialList, *, within: Sequence[str] = WITHIN) -> list[Trial]:
    """Those trials of a list whose recordings are both here, in the order of the list."""
    known = {voice.utterance_id: voice for voice in voices}
    pairs = ((enroll, test) for _, enroll, test in listed.trials if enroll in known and test in known)
    return [_trial(known[enroll], known[test], within) for enroll, test in pairs]


def _entering(voices: Sequence[Voice]) -> list[Voice]:
    """At most as many recordings of a speaker as the median speaker has, of those with two or more; drawn by hash."""
    groups = _by_speaker(voices)
    several = [len(group) for group in groups.values() if len(group) > 1]
    at_most = min(MAX_RECORDINGS, median_high(several)) if several else MAX_RECORDINGS
    drawn = (sorted(group, key=lambda voice: _rank(0, voice.utterance_id))[:at_most] for group in groups.values())
    return sorted(itertools.chain.from_iterable(drawn), key=lambda voice: voice.utterance_id)


def _targets(voices: Sequence[Voice]) -> Iterator[tuple[Voice, Voice]]:
    """The pairs of each speaker: those across texts where there are any, and of these those across sessions."""
    for group in _by_speaker(voices).values():
        pairs = list(itertools.combinations(group, 2))
        for relation in (_text_relation, _session_relation):
            pairs = [pair for pair in pairs if relation(*pair) == "different"] or pairs
        yield from pairs


def _nontargets(voices: list[Voice], *, across_texts: bool, seed: int, at_most: int) -> Sequence[tuple[Voice, Voice]]:
    n_pairs = len(voices) * (len(voices) - 1) // 2
    if n_pairs <= 4 * at_most:
        pairs = [pair for pair in itertools.combinations(voices, 2) if _eligible(*pair, across_texts)]
        return _balanced(pairs, at_most, seed)
    return list(_sampled(voices, across_texts, seed, at_most))


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

    Recordings of one group stand in a ring, in an order drawn by hash; each is paired with those that follow it, so
    that every recording enrolls equally often.
    """
    each = max(1, at_most // len(voices))
    rings: dict[tuple[str | None, ...], list[Voice]] = defaultdict(list)
    for voice in sorted(voices, key=lambda voice: _rank(seed, voice.utterance_id)):
        rings[voice.group].append(voice)
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
    return all(
        one is None or other is None or one == other for one, other in zip(enroll.group, test.group, strict=True)
    )


def _trial(enroll: Voice, test: Voice, within: Sequence[str]) -> Trial:
    return Trial(
        enroll,
        test,
        target=enroll.speaker == test.speaker,
        pairing=_pairing(enroll, test, within),
        session_relation=_session_relation(enroll, test),
        text_relation=_text_relation(enroll, test),
    )


def _pairing(enroll: Voice, test: Voice, within: Sequence[str]) -> str:
    """``same speaker``; else the columns whose values the speakers share, or ``any`` where one is not known."""
    if enroll.speaker == test.speaker:
        return "same speaker"
    if not enroll.group or None in (*enroll.group, *test.group):
        return "any"
    shared = [name for name, one, other in zip(within, enroll.group, test.group, strict=True) if one == other]
    return f"within {' and '.join(shared)}" if shared else f"across {' and '.join(within)}"


def _session_relation(enroll: Voice, test: Voice) -> str:
    if enroll.session is None or test.session is None:
        return "unknown"
    return "same" if enroll.speaker == test.speaker and enroll.session == test.session else "different"


def _text_relation(enroll: Voice, test: Voice) -> str:
    if not enroll.text or not test.text:
        return "unknown"
    return "same" if enroll.text == test.text else "different"


def _by_speaker(voices: Sequence[Voice]) -> Mapping[str, list[Voice]]:
    groups: dict[str, list[Voice]] = defaultdict(list)
    for voice in sorted(voices, key=lambda voice: (voice.speaker, voice.utterance_id)):
        groups[voice.speaker].append(voice)
    return groups


def _rank(seed: int, *names: str) -> bytes:
    return sha256("\0".join([str(seed), *names]).encode()).digest()
