"""The multi-turn RNN-T plugin: sizes, options, marks."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from earmark.bench.api import InputError, Recognizer, Transcribes
from earmark.models._blocks.multitalker import MultiTalkerTransducer
from earmark.models.mt_rnnt.model import build

PIECES = [" ", *(chr(0x4E00 + i) for i in range(2499))]


def mt_rnnt(preset: str = "tiny", vocabulary: list[str] | None = None, **options: Any) -> MultiTalkerTransducer:
    with torch.device("meta"):
        return build(preset, options=options, vocabulary=vocabulary, seed=0, device="meta")


def test_paper_has_the_sizes_of_the_paper() -> None:
    """About 81 M parameters; 2,501 labels without a mark, 2,502 with ``<cot>``."""
    plain, marked = mt_rnnt("paper", PIECES), mt_rnnt("paper", PIECES, cot=True)
    assert plain.info.n_parameters == pytest.approx(81e6, rel=0.005)
    assert (plain.pieces.n_labels, marked.pieces.n_labels) == (2501, 2502)
    assert marked.pieces.marks == ("<cot>",)


def test_it_is_a_recognizer_of_two_channels_in_both_forms() -> None:
    model = build("tiny", options={}, vocabulary=None, seed=0, device="cpu")
    assert isinstance(model, Recognizer)
    assert isinstance(model, Transcribes)
    assert model.info.n_channels == 2


def test_a_label_of_order_is_an_input_of_the_separation_encoders() -> None:
    widths = [
        mt_rnnt(order_label=on).encoder.separation[1].layers[0].lstm.weight_input.shape[0] for on in (False, True)
    ]
    assert widths[1] - widths[0] == 2


def test_where_channels_may_be_exchanged_no_frame_is_shown_its_label() -> None:
    assert mt_rnnt().sizes.alignment > 0
    assert mt_rnnt(assignment="pit").sizes.alignment == 0
    with pytest.raises(InputError, match="give alignment = 0 or assignment = 'dat'"):
        mt_rnnt(assignment="pit", alignment=1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"assignment": "graph"}, "give one of: dat, pit"), ({"cots": True}, "did you mean 'cot'")],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        mt_rnnt(**options)
