"""The error world: what is drawn is what was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.bench.api import InputError
from earmark.bench.contract.standins import outcome_rows
from earmark.bench.worlds import GROUPS, SPLITS, World, draw
from earmark.bench.worlds.world import AREA_CODES, _area_of, _box, _difficulty, _inside

SMALL = World(n_speakers={"discover": 30, "select": 20, "measure": 25}, n_utterances=4)
LARGE = World(n_speakers={"discover": 3000, "select": 10, "measure": 10}, n_utterances=4, words=20.0)


def test_tables_have_what_finders_may_see_and_speakers_are_in_one_split() -> None:
    drawn = draw(SMALL, 0)
    for split in SPLITS:
        rows = drawn.tables[split]
        assert set(rows.column_names) == set(outcome_rows("discover", n_speakers=1, per_speaker=1).column_names)
        assert len(rows) == 4 * SMALL.n_speakers[split]
        assert rows["speaker"].to_pylist() == [name for name in drawn.speakers[split] for _ in range(4)]
        assert set(rows["split"].to_pylist()) == {split}
        assert {group: len(who) for group, who in drawn.members[split].items()} == dict.fromkeys(
            GROUPS, SMALL.n_speakers[split]
        )
    assert len({name for names in drawn.speakers.values() for name in names}) == 75


def test_a_seed_gives_one_world_and_effects_change_the_errors_alone() -> None:
    one, same, other = draw(SMALL, 1), draw(SMALL, 1), draw(SMALL, 2)
    harder = draw(SMALL.with_effects({"voice": 9.0}), 1)
    for split in SPLITS:
        assert one.tables[split].equals(same.tables[split])
        assert not one.tables[split].equals(other.tables[split])
        for group in GROUPS:
            assert (one.members[split][group] == harder.members[split][group]).all()
        assert one.tables[split]["lat"].equals(harder.tables[split]["lat"])
    errors = [int(np.sum(w.tables["discover"]["errors"].to_numpy())) for w in (one, harder)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("group", GROUPS)
def test_members_of_a_group_have_so_many_times_the_errors(group: str) -> None:
    """Rate 0.1 outside and 0.3 inside, to four standard errors of 0.5 / sqrt(speakers) and a little for counts."""
    drawn = draw(LARGE.with_effects({group: 3.0}), 0)
    rows = drawn.tables["discover"]
    errors, words = (rows[name].to_numpy().reshape(-1, 4).sum(axis=1) for name in ("errors", "words"))
    inside = drawn.members["discover"][group]
    for at, rate in ((inside, 0.3), (~inside, 0.1)):
        tolerance = 4 * np.sqrt(0.25 / at.sum() + 0.25 / (4 * at.sum()) + 1 / (rate * words[at].sum()))
        assert errors[at].sum() / words[at].sum() == pytest.approx(rate, rel=tolerance)
    assert inside.mean() == pytest.approx(LARGE.share, abs=0.04)


def test_errors_vary_as_much_as_asked() -> None:
    """Var of a speaker's count E = mu x (1 + mu (cv_s^2 + (1 + cv_s^2) (cv_u^2 / 4))), for 4 alike utterances."""
    drawn = draw(World(n_speakers=LARGE.n_speakers, n_utterances=4, words=20.0, speaker_cv=0.8, utterance_cv=0.6), 0)
    errors = drawn.tables["discover"]["errors"].to_numpy().reshape(-1, 4).sum(axis=1)
    mu = 0.1 * 4 * 20
    expected = mu * (1 + 1 / 20) + mu**2 * (0.64 + 1.64 * 0.36 / 4)  # words vary too, by nearly a Poisson count
    assert errors.mean() == pytest.approx(mu, rel=0.06)
    assert errors.var() == pytest.approx(expected, rel=0.15)
    assert (_difficulty(0.0, 3, np.random.default_rng(0)) == 1.0).all()


def test_boxes_hold_their_share_and_lie_inside_the_map() -> None:
    places = np.random.default_rng(0).random((20_000, 2))
    for seed in range(20):
        for angle in (0.0, 30.0, 45.0):
            box = _box(0.15, angle, np.random.default_rng(seed))
            assert _inside(box, angle, places).mean() == pytest.approx(0.15, abs=0.012)


def test_a_turned_box_is_turned() -> None:
    """A long box, turned by 90 degrees: long the other way."""
    box = (np.array([0.5, 0.5]), np.array([0.4, 0.1]))
    places = np.array([[0.85, 0.5], [0.5, 0.85]])
    assert _inside(box, 0.0, places).tolist() == [True, False]
    assert _inside(box, 90.0, places).tolist() == [False, True]
    diagonal = np.array([[0.75, 0.75], [0.75, 0.25]])
    assert _inside(box, 45.0, diagonal).sum() == 1


def test_a_shorter_area_code_is_a_larger_area_around_it() -> None:
    """Cells of a grid of eight; a code's first letter is the quarter of the map, and so on down."""
    places = np.random.default_rng(0).random((500, 2))
    codes = [AREA_CODES[i] for i in _area_of(places)]
    assert len(set(AREA_CODES)) == 64
    for length in (1, 2, 3):
        cells = [tuple(cell) for cell in np.floor(places * 2**length).tolist()]
        assert len(set(zip(cells, [code[:length] for code in codes], strict=True))) == len(set(cells)) == 4**length


@pytest.mark.parametrize(
    "wrong",
    [
        {"effects": {"accent": 2.0}}, {"share": 0.6}, {"rate": 0.0}, {"effects": {"voice": -1.0}}, {"n_voices": 1},
        {"n_speakers": {"discover": 5}},
    ],
)  # fmt: skip
def test_worlds_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="world"):
        World(**wrong)  # type: ignore[arg-type]
