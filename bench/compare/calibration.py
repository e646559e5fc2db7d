"""Whether comparisons keep their promises: how often they name what is not there, and find what is.

Two tests of false alarms, on real outputs, and one of power, in a world of texts with known error rates:

- *halves*: one checkpoint, its speakers dealt to two disjoint halves, one of which is called A and the other B;
- *swapped*: two models on the same recordings, their labels swapped for half of the speakers, drawn anew each time:
  what is compared is as different as the models are, and neither side is better;
- *planted*: speakers whose words the second system gets wrong less often by a share, with some errors mended and others
  new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from earmark.bench.compare.changes import Change, judge, of_difference
from earmark.bench.compare.timing import Passes, Recordings, changes_between
from earmark.bench.compare.words import Heard, character_changes, word_changes
from earmark.bench.metrics.matched import MatchedErrors, matched_errors
from earmark.bench.metrics.paired import unpaired_difference
from earmark.bench.metrics.resampling import Floats, label_groups
from earmark.bench.metrics.texts import character_errors
from earmark.bench.score.schemes import Scheme

ALPHA, LEVEL = 0.05, 0.95
COMMON: dict[str, Any] = {"label": "calibration", "cells": ("a", "b")}
GROUPS = ("north", "south")
N_UTTERANCES, N_WORDS, RATE, SIGMA = 40, 8, 0.1, 0.5
"""Of each speaker of a planted world: utterances, words in each, and the log-normal error rate."""
_VOCABULARY = np.array([f"w{i}" for i in range(50)])
Advance = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Tally:
    """Of so many draws: metrics tested, those that would be flagged by themselves (p at most ``ALPHA``, or an interval
    without zero), those flagged by the comparison, and draws that flag any."""

    n_draws: int
    n_tests: int
    n_below: int
    n_flagged: int
    n_draws_flagged: int

    @classmethod
    def of(cls, draws: Iterable[Sequence[Change]]) -> Tally:
        judged = [judge(changes, ALPHA) for changes in draws]
        tests = [[c for c in changes if c.p_value is not None or c.noise is not None] for changes in judged]
        flagged = [sum(c.verdict in ("worse", "better") for c in changes) for changes in tests]
        below = sum(_by_itself(c) for changes in tests for c in changes)
        return cls(len(judged), sum(map(len, tests)), below, sum(flagged), sum(map(bool, flagged)))


def _by_itself(change: Change) -> bool:
    """Whether this change alone would be one: by its p value, or a timing by its interval."""
    if change.p_value is not None:
        return change.p_value <= ALPHA
    return not (change.ci_low or 0.0) <= 0 <= (change.ci_high or 0.0)


# --- false alarms -------------------------------------------------------------------------------------------------


def swapped(heard: Heard, rng: np.random.Generator) -> Heard:
    """The same recordings with the two systems' labels swapped for half of the units."""
    n = len(heard.units)
    chosen = np.isin(heard.unit_of, rng.permutation(n)[: n // 2])
    e = heard.errors
    first, second = (np.where(chosen, *pair) for pair in ((e.second, e.first), (e.first, e.second)))
    texts = list(zip(chosen.tolist(), heard.before, heard.after, strict=True))
    return replace(
        heard,
        before=[b if swap else a for swap, a, b in texts],
        after=[a if swap else b for swap, a, b in texts],
        errors=replace(e, first=first, second=second),
    )


def swapped_draws(
    heard: Heard, schemes: Sequence[Scheme], *, n_draws: int, seed: int, advance: Advance = lambda *_: None
) -> Tally:
    """Comparisons of two systems neither of which is better, by the tests of ``earmark compare``."""

    def draw(number: int) -> list[Change]:
        mixed = swapped(heard, np.random.default_rng([seed, number]))
        advance(number + 1, n_draws, "swapped")
        return [*word_changes(mixed, schemes, COMMON, seed + number), *character_changes(mixed, COMMON, seed + number)]

    return Tally.of(map(draw, range(n_draws)))


def timing_draws(sides: Sequence[Passes], *, n_draws: int, seed: int, advance: Advance = lambda *_: None) -> Tally:
    """Timings of two recognizers whose labels are swapped for half of the timed recordings, every pass alike."""
    names = sorted(sides[0].typical)

    def draw(number: int) -> list[Change]:
        order = np.random.default_rng([seed, number]).permutation(len(names))
        chosen = {names[i] for i in order[: len(names) // 2].tolist()}
        advance(number + 1, n_draws, "timings")
        return list(changes_between(_exchanged(sides, chosen), COMMON, LEVEL))

    return Tally.of(map(draw, range(n_draws)))


def _exchanged(sides: Sequence[Passes], chosen: set[str]) -> list[Passes]:
    """Both sides with these recordings exchanged."""

    def mixed(mine: Recordings, theirs: Recordings) -> Recordings:
        return {name: (theirs if name in chosen else mine)[name] for name in mine}

    return [
        Passes(mixed(mine.typical, theirs.typical), tuple(map(mixed, mine.each, theirs.each)))
        for mine, theirs in (sides, sides[::-1])
    ]


def halves_draws(
    heard: Heard, schemes: Sequence[Scheme], *, n_draws: int, seed: int, advance: Advance = lambda *_: None
) -> Tally:
    """Comparisons of one system (the first) with itself on other speakers, who are nobody's pairs."""
    words, errors = (heard.by_unit(counts) for counts in (heard.errors.words, heard.errors.first))
    characters = heard.by_unit(np.array([len(text) for text in heard.references]))
    wrong = heard.by_unit(character_errors(heard.references, heard.before))
    place = {name: at for at, name in enumerate(heard.units)}
    cohorts = [
        (s.name, name, np.array([place[known] for known in speakers]))
        for s in schemes
        for name, speakers in _cohorts(s, place).items()
    ]

    def draw(number: int) -> list[Change]:
        first = np.zeros(len(words), dtype=bool)
        first[np.random.default_rng([seed, number]).permutation(len(words))[: len(words) // 2]] = True
        advance(number + 1, n_draws, "halves")
        found = [
            _apart("wer", errors, words, first, seed + number),
            _apart("cer", wrong, characters, first, seed + number),
        ]
        return found + [
            replace(_apart("wer", errors[at], words[at], first[at], seed + number), scheme=scheme, cohort=cohort)
            for scheme, cohort, at in cohorts
            if 0 < first[at].sum() < len(at)
        ]

    return Tally.of(map(draw, range(n_draws)))


def _cohorts(scheme: Scheme, place: dict[str, int]) -> dict[str, list[str]]:
    known = [name for name in place if name in scheme.cohort_of]
    groups = label_groups([scheme.cohort_of[name] for name in known], len(known))
    return {name: [known[i] for i in at.tolist()] for name, at in groups.items()}


def _apart(metric: str, errors: Floats, units: Floats, first: NDArray[np.bool_], seed: int) -> Change:
    found = unpaired_difference(errors[first], units[first], errors[~first], units[~first], seed=seed)
    return Change("halves", ("a", "a"), metric, **of_difference(found))


# --- power --------------------------------------------------------------------------------------------------------


def planted(n_speakers: int, gain: float, mended: float, rng: np.random.Generator) -> Heard:
    """Two systems of which the second is wrong ``gain`` less often, relatively.

    It mends a share ``mended`` of the first one's errors, and errs elsewhere for as many as keep the gain.
    """
    rates = np.minimum(RATE * np.exp(rng.normal(-(SIGMA**2) / 2, SIGMA, n_speakers)), 0.9)
    shape = (n_speakers, N_UTTERANCES, N_WORDS)
    said, rate = rng.integers(len(_VOCABULARY), size=shape), rates[:, None, None]
    wrong = rng.random(shape) < rate
    new = rng.random(shape) < (mended - gain) * rate / (1 - rate)
    still = np.where(wrong, rng.random(shape) >= mended, new)
    references, before, after = (_texts(said, side) for side in (np.zeros(shape, dtype=bool), wrong, still))
    units = tuple(f"s{i:04}" for i in range(n_speakers))
    unit_of = np.repeat(np.arange(n_speakers), N_UTTERANCES)
    errors: MatchedErrors = matched_errors(references, before, after)
    return Heard(pa.table({}), units, n_speakers, unit_of, references, before, after, errors)


def found_share(
    n_speakers: int, gain: float, mended: float, *, n_draws: int, seed: int, advance: Advance = lambda *_: None
) -> float:
    """The share of worlds in which the comparison calls the second system's word error rate better.

    Holm's family has the word and character error rates and the word error rates of two cohorts.
    """
    n_found = 0
    for number in range(n_draws):
        heard = planted(n_speakers, gain, mended, np.random.default_rng([seed, number]))
        cohort_of = {name: GROUPS[i % 2] for i, name in enumerate(heard.units)}
        scheme = Scheme("group", cohort_of, 1.0)
        changes = [*word_changes(heard, [scheme], COMMON, number), *character_changes(heard, COMMON, number)]
        overall = next(c for c in judge(changes, ALPHA) if (c.metric, c.cohort) == ("wer", "all"))
        n_found += overall.verdict == "better"
        advance(number + 1, n_draws, f"planted, {mended:.0%} mended")
    return n_found / n_draws


def _texts(said: NDArray[np.int64], wrong: NDArray[np.bool_]) -> list[str]:
    words = np.where(wrong, "x", _VOCABULARY[said]).reshape(-1, N_WORDS)
    return [" ".join(row) for row in words.tolist()]
