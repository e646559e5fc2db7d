"""The Conformer plugin: the past alone, chunks of any size, sizes of presets, padding, and what it says."""

from __future__ import annotations

import pytest
import torch
from encoders import as_if_trained, n_parameters, noise, said_in_both_forms, stream, trained_on

from earmark.bench.api import CountsWork, InputError, Recognizer, Transcribes
from earmark.bench.observe.compute import count_macs
from earmark.models.conformer.blocks import ConformerBlock
from earmark.models.conformer.model import ENCODERS, ConformerEncoder, EncoderSizes, build
from earmark.models.rnnt.model import build as build_rnnt

PIECES = [" ", *(chr(0x4E00 + i) for i in range(2498))]
FORMS = {
    "paper": EncoderSizes(12, 3, width=12, heads=2, feed_forward=20, layers=2, kernel=4, left=6),
    "ours": EncoderSizes(6, 0, width=12, heads=2, feed_forward=20, layers=2, kernel=4, left=6),
}
"""The forms of the presets at sizes of a test: frames of 24."""


def encoder(form: str = "paper") -> ConformerEncoder:
    torch.manual_seed(0)
    model: ConformerEncoder = as_if_trained(ConformerEncoder(24, FORMS[form], 16, 0.1))
    return model


@pytest.mark.parametrize("form", FORMS)
def test_later_frames_change_no_bit_of_what_went_before(form: str) -> None:
    """Through attention, convolutions and batch normalization."""
    model, x = encoder(form), noise(1, 40, 24)
    changed = torch.cat([x[:, :25], 9.0 * noise(1, 15, 24, seed=1)], dim=1)
    lengths = torch.tensor([40])
    assert torch.equal(model(x, lengths)[:, :25], model(changed, lengths)[:, :25])
    assert not torch.equal(model(x, lengths)[:, 25:], model(changed, lengths)[:, 25:])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cuts", [list(range(1, 40)), [1, 2, 3], [7], [4, 5, 11, 30]])
def test_chunks_of_any_size_give_the_whole(form: str, cuts: list[int]) -> None:
    model, x = encoder(form), noise(2, 40, 24)
    whole = model(x, torch.tensor([40, 40]))
    torch.testing.assert_close(stream(model, x, cuts), whole, rtol=1e-4, atol=1e-5)


def test_caches_hold_what_is_needed_and_no_more() -> None:
    """A frame of each strided convolution; of each block ``left`` keys and values, and ``kernel`` - 1 frames."""
    model = encoder()
    _, ((first, second), blocks) = model.step(noise(1, 40, 24), model.start(1))
    assert (first.shape, second.shape) == ((1, 1, 1, 6), (1, 3, 1, 3))
    for (keys, values, count), (frames,) in blocks:
        assert (keys.shape, values.shape, count) == ((1, 6, 12), (1, 6, 12), 40)
        assert frames.shape == (1, 3, 12)


def test_what_a_cache_no_longer_holds_is_forgotten() -> None:
    """Two blocks, of ``left`` 6 and ``kernel`` 4, behind a stem of 3: 2 + 2 * (6 + 3) frames back, and no farther."""
    model, x = encoder("ours"), noise(1, 40, 24).requires_grad_()
    model(x, torch.tensor([40]))[0, 35].sum().backward()
    assert x.grad is not None
    heard = x.grad[0].abs().sum(dim=1).nonzero()[:, 0]
    assert (int(heard.min()), int(heard.max())) == (35 - 20, 35)


def test_a_block_is_its_modules_in_the_order_of_the_paper() -> None:
    """Section 2.4: halves of the feed-forward modules, LayerNorm at the end; from dropout 0."""
    torch.manual_seed(0)
    block = ConformerBlock(12, heads=2, left=6, feed_forward=20, kernel=4, dropout=0.0).eval()
    x = noise(1, 9, 12)
    y = x + 0.5 * block.before(x)
    y = y + block.attention.step(y, block.attention.start(1))[0]
    y = y + block.convolution.step(y, block.convolution.start(1))[0]
    y = y + 0.5 * block.after(y)
    torch.testing.assert_close(block.step(x, block.start(1))[0], block.norm(y))


def test_paper_has_the_sizes_of_the_paper() -> None:
    """14 layers, 4 heads of 64, feed-forward 1024, convolutions of 128 filters; 29 M with 2,500 word pieces."""
    with torch.device("meta"):
        model = build("paper", options={}, vocabulary=PIECES, seed=0, device="meta")
    sizes = ENCODERS["paper"]
    assert (sizes.layers, sizes.heads, sizes.width // sizes.heads) == (14, 4, 64)
    assert (sizes.feed_forward, sizes.channels) == (1024, 128)
    assert model.info.n_parameters == pytest.approx(29e6, rel=0.03)


@pytest.mark.parametrize("preset", ["tiny", "small", "paper"])
def test_presets_have_about_as_many_parameters_as_those_of_rnnt(preset: str) -> None:
    pieces = PIECES if preset == "paper" else None  # 2,500 would hide what the encoders of the small ones differ by
    with torch.device("meta"):
        own, other = (b(preset, options={}, vocabulary=pieces, seed=0, device="meta") for b in (build, build_rnnt))
    assert n_parameters(own) == pytest.approx(n_parameters(other), rel=0.05)


@pytest.mark.parametrize("form", FORMS)
def test_padding_alters_nothing_in_training(form: str) -> None:
    """Neither attention nor statistics of batches: what stands in the padding is never heard."""
    x, lengths = noise(2, 40, 24), torch.tensor([40, 22])
    outputs, statistics = [], []
    for filling in (0.0, 1e4):
        padded = x.clone()
        padded[1, 22:] = filling
        y, left = trained_on(encoder(form), padded, lengths)
        outputs.append(y[1, :22])
        statistics.append(left)
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(statistics[0], statistics[1])


@pytest.mark.parametrize("form", FORMS)
def test_macs_are_those_counted(form: str) -> None:
    model, x = encoder(form), noise(1, 9, 24)
    with torch.inference_mode():
        counted = count_macs(lambda: model.step(x, model.start(1)))
    assert counted.macs == sum(model.macs_by_part(9).values())
    assert set(model.macs_by_part(9)) == {"stem", "feed_forward", "attention", "convolution", "output"}


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
