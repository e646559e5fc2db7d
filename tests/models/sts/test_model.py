"""The separator-transducer-segmenter plugin: sizes, options, marks."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from earmark.bench.api import InputError, Recognizer, Transcribes
from earmark.models._blocks.multitalker import MultiTalkerTransducer
from earmark.models.sts.model import build

PIECES = [" ", *(chr(0x4E00 + i) for i in range(2499))]
"""2,500, as in the paper."""


def sts(preset: str = "tiny", vocabulary: list[str] | None = None, **options: Any) -> MultiTalkerTransducer:
    with torch.device("meta"):
        return build(preset, options=options, vocabulary=vocabulary, seed=0, device="meta")


def test_paper_has_the_sizes_of_the_paper() -> None:
    """About 81 M parameters; 2,503 labels: the pieces, blank, ``<sot>`` and ``<eot>`` (section 4)."""
    model = sts("paper", PIECES)
    assert model.info.n_parameters == pytest.approx(81e6, rel=0.005)
    assert model.joint.output.weight.shape == (512, 2503)
    assert model.joint.hidden is not None
    assert model.joint.hidden.weight.shape == (640, 512)
    layers = [*model.encoder.mixture.layers, *model.encoder.recognition.layers, *model.predictor.lstm.layers]
    assert [layer.lstm.hidden for layer in layers] == [1024] * 6
    assert all(layer.norm is not None for layer in layers)
    assert (model.sizes.fastemit, model.sizes.ctc, model.sizes.alignment) == (0.005, 0.0, 0.0)
    assert model.front.config.frame_s == pytest.approx(0.03)


def test_presets_grow() -> None:
    tiny, small = sts("tiny").info.n_parameters or 0, sts("small").info.n_parameters or 0
    assert 1.3e6 < tiny < 1.9e6 < 6e6 < small < 9e6


def test_it_is_a_recognizer_of_two_channels_in_both_forms() -> None:
    model = build("tiny", options={}, vocabulary=None, seed=0, device="cpu")
    assert isinstance(model, Recognizer)
    assert isinstance(model, Transcribes)
    assert (model.info.n_channels, model.info.lookahead_s) == (2, 0.0)


def test_marks_follow_the_option() -> None:
    assert sts().pieces.marks == ("<sot>", "<eot>")
    assert not sts().talk.marking.edges
    assert sts(edges="kept").talk.marking.edges


def test_the_buffer_is_counted_in_frames_of_the_preset() -> None:
    assert sts(end_penalty=1.0, end_buffer_s=0.3).sizes.end_buffer == 5
    assert sts("paper", end_penalty=1.0, end_buffer_s=0.3).sizes.end_buffer == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"edges": "droped"}, "give one of: dropped, kept"),
        ({"masking": -1.0}, "'masking' is -1.0; give 0 to 100"),
        ({"end_penalty": 1e9}, "give 0 to 100"),
        ({"end_buffer": 1}, "did you mean 'end_buffer_s'"),
    ],
)
def test_options_are_checked_by_name_and_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sts(**options)
