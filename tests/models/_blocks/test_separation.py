"""The encoder of two channels: streaming is offline, nothing looks ahead, what is shared is the same tensor."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from encoders import n_parameters, noise, stream

from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.separation import SeparatingEncoder, SeparationSizes

WIDTH, JOINT = 10, 6
LENGTHS = torch.tensor([12, 12])


def encoder(*, stem: int = 8, layers: int = 1, **more: Any) -> SeparatingEncoder:
    torch.manual_seed(0)
    sizes = SeparationSizes(stack=1, stem=stem, hidden=8, layers=layers)
    return SeparatingEncoder(WIDTH, sizes, JOINT, dropout=0.3, **more).eval()


VARIANTS = [{}, {"stem": 0, "layers": 2}, {"order_labels": True}]


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("cuts", [[1, 2, 3], [7], [4, 5, 11]])
def test_steps_equal_the_whole_on_each_channel(options: dict[str, Any], cuts: list[int]) -> None:
    model, x = encoder(**options), noise(2, 12, WIDTH)
    whole = model(x, LENGTHS)
    assert whole.shape == (4, 12, JOINT)
    torch.testing.assert_close(stream(model, x, cuts), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("channel", [0, 1])
def test_later_frames_change_nothing_before_them(options: dict[str, Any], channel: int) -> None:
    model, x = encoder(**options), noise(1, 12, WIDTH)
    changed = x.clone()
    changed[:, 8:] = 9.0
    before, after = (model(frames, LENGTHS[:1])[channel] for frames in (x, changed))
    assert torch.equal(before[:8], after[:8])
    assert not torch.allclose(before[8:], after[8:])


def test_recordings_of_a_batch_do_not_mix() -> None:
    model, x = encoder(), noise(2, 12, WIDTH)
    both, first = model(x, LENGTHS), model(x[:1], LENGTHS[:1])
    torch.testing.assert_close(both[[0, 2]], first, rtol=1e-4, atol=1e-5)


def test_channels_share_everything_but_their_separation_encoder() -> None:
    """With equal separation encoders both channels are equal; a change to what is shared changes both alike."""
    model, x = encoder(), noise(1, 12, WIDTH)
    first, second = model(x, LENGTHS[:1])
    assert not torch.allclose(first, second)
    model.part(noise=0.0)
    with torch.no_grad():
        for shared in (model.mixture, model.recognition):
            for weight in shared.parameters():
                weight.mul_(1.5)
            one, two = model(x, LENGTHS[:1])
            torch.testing.assert_close(one, two)
    names = {name.split(".")[0] for name, _ in model.named_parameters()}
    assert names == {"stem", "mixture", "separation", "recognition", "output"}


def test_one_channel_alone_is_the_first_of_both() -> None:
    model, x = encoder(), noise(2, 12, WIDTH)
    torch.testing.assert_close(model(x, LENGTHS, n_channels=1), model(x, LENGTHS)[:2])


def test_parting_copies_with_noise() -> None:
    model = encoder()
    torch.manual_seed(1)
    model.part(noise=0.02)
    first, second = (torch.cat([p.flatten() for p in layers.parameters()]) for layers in model.separation)
    difference = (second - first).detach()
    assert difference.std().item() == pytest.approx(0.02, rel=0.1)
    assert difference.mean().abs().item() < 0.005


def test_labels_of_order_reach_each_separation_encoder() -> None:
    labeled, plain = encoder(order_labels=True), encoder()
    assert n_parameters(labeled) - n_parameters(plain) == 2 * 2 * 4 * 8  # two inputs to the gates of two encoders
    x = noise(1, 12, WIDTH)
    with torch.no_grad():
        labeled.part(noise=0.0)
        assert not torch.allclose(*labeled(x, LENGTHS[:1]))


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("n_frames", [1, 5])
def test_macs_are_those_counted(options: dict[str, Any], n_frames: int) -> None:
    model, x = encoder(**options), noise(1, n_frames, WIDTH)
    with torch.inference_mode():
        state = model.start(1)
        counted = count_macs(lambda: model.step(x, state))
    assert counted.macs == sum(model.macs_by_part(n_frames).values())
