"""Trial lists: what is paired with what, and that nobody's text gives them away."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from earmark.bench.api import InputError, TrialList
from earmark.bench.observe.trials import Trial, Voice, build_trials, check_speakers, listed_trials


def voices(n_speakers: int = 6, n_texts: int = 2, *, gender: bool = True) -> list[Voice]:
    return [
        Voice(f"s{s}-t{t}", f"s{s}", f"text {t}", (("f", "m")[s % 2] if gender else None,), session="one")
        for s, t in itertools.product(range(n_speakers), range(n_texts))
    ]


def kinds(trials: list[Trial]) -> Counter[tuple[bool, str]]:
    return Counter((trial.target, trial.text_relation) for trial in trials)


def test_targets_across_texts_bring_impostors_across_texts() -> None:
    """6 speakers, 2 texts: 6 target pairs; 3 + 3 same-gender speaker pairs, in 2 of their 4 pairs the texts differ."""
    trials = build_trials(voices(), seed=0)
    assert kinds(trials) == {(True, "different"): 6, (False, "different"): 12}
    assert all(t.enroll.group == t.test.group for t in trials)
    assert {t.pairing for t in trials if not t.target} == {"within gender"}


def test_unknown_gender_pairs_with_anybody() -> None:
    trials = build_trials(voices(gender=False), seed=0)
    assert kinds(trials)[False, "different"] == 15 * 2
    assert {t.pairing for t in trials if not t.target} == {"any"}


def test_one_text_for_all_is_paired_as_it_is() -> None:
    same = [Voice(f"s{s}-{k}", f"s{s}", "open the door", ("f",)) for s in range(4) for k in range(2)]
    assert kinds(build_trials(same, seed=0)) == {(True, "same"): 4, (False, "same"): 6 * 4}


def test_sessions_are_compared_within_a_speaker() -> None:
    trials = build_trials(voices(), seed=0)
    assert {t.session_relation for t in trials if t.target} == {"same"}
    assert {t.session_relation for t in trials if not t.target} == {"different"}


def test_the_order_of_rows_does_not_matter() -> None:
    assert build_trials(voices(), seed=0) == build_trials(voices()[::-1], seed=0)


def impostors(n_speakers: int, n_texts: int, at_most: int) -> list[Trial]:
    return [t for t in build_trials(voices(n_speakers, n_texts), seed=1, max_nontargets=at_most) if not t.target]


def test_a_drawn_list_is_balanced_over_speakers() -> None:
    """20 speakers with 3 texts have 90 * 6 = 540 impostor pairs; 450 of them are 45 a speaker."""
    trials = impostors(20, 3, 450)
    used = Counter(speaker for t in trials for speaker in (t.enroll.speaker, t.test.speaker))
    assert 400 <= len(trials) <= 450
    assert max(used.values()) <= 45
    assert min(used.values()) >= 35


def test_a_large_corpus_is_sampled_without_listing_its_pairs() -> None:
    """80 recordings that enroll twice each: 160 trials, less the few that were met from the other side."""
    trials = impostors(40, 2, 160)
    pairs = [frozenset((t.enroll.utterance_id, t.test.utterance_id)) for t in trials]
    assert len(pairs) == len(set(pairs))
    assert 140 < len(trials) <= 160
    assert {name for pair in pairs for name in pair} == {voice.utterance_id for voice in voices(40, 2)}


def test_a_ring_shorter_than_the_reach_gives_no_pair_twice() -> None:
    few = [Voice(f"m{k}", f"m{k}", f"text {k}", ("m",)) for k in range(4)]
    many = [Voice(f"f{k}", f"f{k}", f"text {k}", ("f",)) for k in range(60)]
    trials = build_trials([*few, *many], seed=0, max_nontargets=64 * 7)
    pairs = [frozenset((t.enroll.utterance_id, t.test.utterance_id)) for t in trials]
    assert len(pairs) == len(set(pairs))


def test_a_speaker_with_very_many_recordings_has_no_more_targets_than_others_could() -> None:
    crowd = [Voice(f"a{k:03}", "a", f"text {k}") for k in range(200)]
    assert sum(t.target for t in build_trials(crowd, seed=0)) == 32 * 31 // 2


@pytest.mark.parametrize(("n_speakers", "n_texts"), [(2, 2), (10, 1), (0, 0)])
def test_too_few_speakers_is_one_clear_line(n_speakers: int, n_texts: int) -> None:
    with pytest.raises(InputError, match="at least 3 speakers with two recordings each") as caught:
        check_speakers(voices(n_speakers, n_texts), "corpus x")
    assert str(caught.value).startswith("corpus x: ")


def test_three_speakers_are_enough() -> None:
    check_speakers(voices(3, 2), "corpus x")


def test_targets_are_across_sessions_where_they_can_be() -> None:
    """Two sessions of three texts: of 15 pairs a speaker, 12 are across texts, 6 of these across sessions as well."""
    rounds = [
        Voice(f"s{s}-t{t}-r{r}", f"s{s}", f"text {t}", session=str(r))
        for s, t, r in itertools.product(range(4), range(3), range(2))
    ]
    targets = [t for t in build_trials(rounds, seed=0) if t.target]
    assert Counter(t.enroll.speaker for t in targets) == {f"s{s}": 6 for s in range(4)}
    assert {(t.text_relation, t.session_relation) for t in targets} == {("different", "different")}


def test_texts_that_nobody_wrote_down_are_unknown() -> None:
    silent = [Voice(f"s{s}-{k}", f"s{s}", "") for s in range(3) for k in range(2)]
    assert {t.text_relation for t in build_trials(silent, seed=0)} == {"unknown"}


def test_who_recorded_much_does_not_stand_for_all() -> None:
    """Nine speakers with 4 recordings, one with 30: everybody enters with 4."""
    few = [Voice(f"s{s}-{k}", f"s{s}", f"text {k}") for s in range(9) for k in range(4)]
    much = [Voice(f"much-{k:02}", "much", f"text {k}") for k in range(30)]
    trials = build_trials([*few, *much], seed=0)
    assert {n for _, n in Counter(t.enroll.speaker for t in trials if t.target).items()} == {6}
    used = Counter(speaker for t in trials if not t.target for speaker in (t.enroll.speaker, t.test.speaker))
    assert max(used.values()) < 1.5 * min(used.values())


def test_impostors_may_have_to_share_more_than_gender() -> None:
    within = ("gender", "accent")
    some = [
        Voice(f"s{s}-{k}", f"s{s}", f"text {k}", ("f", accent))
        for s, accent in enumerate(["a", "a", "b", "b", None])
        for k in range(2)
    ]
    nontargets = [t for t in build_trials(some, seed=0, within=within) if not t.target]
    pairs = {frozenset((t.enroll.speaker, t.test.speaker)): t.pairing for t in nontargets}
    assert pairs[frozenset(("s0", "s1"))] == "within gender and accent"
    assert frozenset(("s0", "s2")) not in pairs
    assert pairs[frozenset(("s0", "s4"))] == "any"


def test_a_list_is_taken_as_it_is() -> None:
    here = [Voice(f"s{s}-{k}", f"s{s}", "", (g,)) for s, g in enumerate("ffm") for k in range(2)]
    listed = TrialList(
        "o", ((True, "s0-0", "s0-1"), (False, "s0-0", "s2-1"), (False, "s1-0", "gone"), (False, "s1-0", "s0-0"))
    )
    trials = listed_trials(here, listed)
    assert [(t.enroll.utterance_id, t.test.utterance_id, t.target) for t in trials] == [
        ("s0-0", "s0-1", True), ("s0-0", "s2-1", False), ("s1-0", "s0-0", False),
    ]  # fmt: skip
    assert [t.pairing for t in trials] == ["same speaker", "across gender", "within gender"]
