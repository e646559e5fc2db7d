"""The ContextNet plugin: the past alone, chunks of any size, sizes of presets, padding, and what it says."""

from __future__ import annotations

import pytest
import torch
from encoders import as_if_trained, n_parameters, noise, said_in_both_forms, stream, trained_on

from earmark.bench.api import CountsWork, InputError, Recognizer, Transcribes
from earmark.bench.observe.compute import count_macs
from earmark.models.contextnet.model import ENCODERS, ContextNetEncoder, EncoderSizes, build
from earmark.models.rnnt.model import build as build_rnnt

PIECES = [" ", *(chr(0x4E00 + i) for i in range(2498))]
SIZES = EncoderSizes(stack=3, alpha=0.5, channels=[16, 16, 32, 40], layers=2, kernel=5)
"""The form of the presets at sizes of a test: frames of 24."""


def encoder() -> ContextNetEncoder:
    torch.manual_seed(0)
    model: ContextNetEncoder = as_if_trained(ContextNetEncoder(24, SIZES, 16, 0.1))
    return model


def test_later_frames_change_no_bit_of_what_went_before() -> None:
    """Through squeeze-excitation and batch normalization too."""
    model, x = encoder(), noise(1, 40, 24)
    changed = torch.cat([x[:, :25], 9.0 * noise(1, 15, 24, seed=1)], dim=1)
    lengths = torch.tensor([40])
    assert torch.equal(model(x, lengths)[:, :25], model(changed, lengths)[:, :25])
    assert not torch.equal(model(x, lengths)[:, 25:], model(changed, lengths)[:, 25:])


@pytest.mark.parametrize("cuts", [list(range(1, 40)), [1, 2, 3], [7], [4, 5, 11, 30]])
def test_chunks_of_any_size_give_the_whole(cuts: list[int]) -> None:
    model, x = encoder(), noise(2, 40, 24)
    whole = model(x, torch.tensor([40, 40]))
    assert whole.shape == (2, 40, 16)  # no strides: as many frames come out as go in
    torch.testing.assert_close(stream(model, x, cuts), whole, rtol=1e-4, atol=1e-5)


def test_caches_hold_what_is_needed_and_no_more() -> None:
    """``kernel`` - 1 frames of each convolution, and the sum and number behind each block's mean."""
    model = encoder()
    _, blocks = model.step(noise(1, 40, 24), model.start(1))
    widths = [[24], [8, 8], [8, 16], [16]]  # of what comes into each convolution
    assert [[frames.shape for (frames,) in inside] for inside, _ in blocks] == [
        [(1, 4, width) for width in block] for block in widths
    ]
    assert [(total.shape, count) for _, (total, count) in blocks] == [((1, n), 40) for n in (8, 8, 16, 20)]


def test_paper_has_the_blocks_and_the_parameters_of_the_paper() -> None:
    """23 blocks, 256 filters in the first 15 and 512 in the last 8, 5 layers in all but the first and the last;
    28 M with 2,500 word pieces."""
    with torch.device("meta"):
        model = build("paper", options={}, vocabulary=PIECES, seed=0, device="meta")
    blocks = list(model.encoder.blocks)
    assert [len(block.layers) for block in blocks] == [1, *[5] * 21, 1]
    assert [block.excite.width for block in blocks] == [256] * 15 + [512] * 8
    assert [block.project is not None for block in blocks] == [False, *[True] * 21, False]
    assert model.info.n_parameters == pytest.approx(28e6, rel=0.03)


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_presets_have_about_as_many_parameters_as_those_of_rnnt(preset: str) -> None:
    with torch.device("meta"):
        own, other = (b(preset, options={}, vocabulary=None, seed=0, device="meta") for b in (build, build_rnnt))
    assert n_parameters(own) == pytest.approx(n_parameters(other), rel=0.05)


def test_alpha_widens_every_block_alike() -> None:
    """Section 2.2.6."""
    assert SIZES.widths == (8, 8, 16, 20)
    assert ENCODERS["paper"].widths == tuple(ENCODERS["paper"].channels)


def test_padding_alters_nothing_in_training() -> None:
    """Neither means of squeeze-excitation nor statistics of batches: what stands in the padding is never heard."""
    x, lengths = noise(2, 40, 24), torch.tensor([40, 22])
    outputs, statistics = [], []
    for filling in (0.0, 1e4):
        padded = x.clone()
        padded[1, 22:] = filling
        y, left = trained_on(encoder(), padded, lengths)
        outputs.append(y[1, :22])
        statistics.append(left)
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(statistics[0], statistics[1])


def test_macs_are_those_counted() -> None:
    model, x = encoder(), noise(1, 7, 24)
    with torch.inference_mode():
        counted = count_macs(lambda: model.step(x, model.start(1)))
    assert counted.macs == sum(model.macs_by_part(7).values())
    assert counted.uncounted == ()


def test_it_is_a_recognizer_in_both_forms() -> None:
    model = build("tiny", options={}, vocabulary=None, seed=0, device="cpu")
    assert isinstance(model, Recognizer)
    assert isinstance(model, Transcribes)
    assert isinstance(model.stream(), CountsWork)
    assert model.info.lookahead_s == 0.0


def test_offline_says_what_streaming_says() -> None:
    model = build("tiny", options={}, vocabulary=None, seed=0, device="cpu")
    offline, streamed = said_in_both_forms(model)
    assert offline == streamed
    assert len({tuple(said) for said in offline}) == 2
    assert min(len(set(said)) for said in offline) > 3


def test_an_unknown_option_is_one_clear_line() -> None:
    with pytest.raises(InputError, match="did you mean 'fastemit'"):
        build("tiny", options={"fastemmit": 0.01}, vocabulary=None, seed=0, device="cpu")
    with pytest.raises(InputError, match="choose one of: tiny, small, paper"):
        build("huge", options={}, vocabulary=None, seed=0, device="cpu")
