"""Fine-tuning: on whom, and what stays as it is."""

from __future__ import annotations

import pytest
from repairs import Quadratic, ToyTrainer, changed

from earmark.bench.api import InputError, Json
from earmark.fairness.fine_tuning.method import build


def trainer() -> ToyTrainer:
    """Everybody in the north wants (3, 3), those in the south (-1, -1)."""
    places = [[3.0, 3.0]] * 4 + [[-1.0, -1.0]] * 12
    return ToyTrainer(places, ["0"] * 16, ["north"] * 4 + ["south"] * 12, n_steps=300, batch_size=16)


def repaired(**options: Json) -> Quadratic:
    model = build(options=options).apply(Quadratic(), ["north"], trainer()).model
    assert isinstance(model, Quadratic)
    return model


def test_on_the_target_it_goes_where_the_target_wants_it() -> None:
    assert repaired().at == pytest.approx((3.0, 3.0), abs=1e-3)


def test_the_control_goes_where_everybody_wants_it_in_as_many_steps() -> None:
    """The mean over all 16 is 0; utterances are drawn at random, so it stays near."""
    control = repaired(rows="all")
    assert control.at == pytest.approx((0.0, 0.0), abs=1.2)
    asked = trainer()
    build(options={"rows": "all"}).apply(Quadratic(), ["north"], asked)
    assert asked.asked["row_weights"] is None


@pytest.mark.parametrize(("frozen", "moves"), [([], {"u", "v"}), (["u"], {"v"}), ("v", {"u"})])
def test_frozen_parts_keep_every_bit(frozen: Json, moves: set[str]) -> None:
    assert changed(Quadratic(), repaired(frozen=frozen)) == moves


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rows": "bottom"}, "give one of: target, all"),
        ({"frozn": ["u"]}, "did you mean 'frozen'"),
        ({"frozen": ["encoder"]}, "its parts are: u, v"),
        ({"frozen": ["u", "v"]}, "no part to train"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Json], says: str) -> None:
    with pytest.raises(InputError, match=says):
        repaired(**options)
