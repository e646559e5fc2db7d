"""The RNN-T plugin: sizes, streaming, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from earmark.bench.api import InputError, Recognizer, Transcribes
from earmark.models.rnnt.model import ENCODERS, RnntEncoder, build

PIECES = [" ", *(chr(0x4E00 + i) for i in range(2498))]


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def encoder(preset: str = "tiny") -> RnntEncoder:
    torch.manual_seed(0)
    return RnntEncoder(24, ENCODERS[preset], 16, 0.1).eval()


def test_paper_has_the_parameters_of_the_paper() -> None:
    """30 M with 2,500 word pieces, of which joint 1.28 M, embedding 0.62 M and LSTM decoder 2.62 M (section 4)."""
    with torch.device("meta"):
        model = build("paper", options={}, vocabulary=PIECES, seed=0, device="meta")
    count = {name: sum(p.numel() for p in model.get_submodule(name).parameters()) for name in ("joint", "predictor")}
    embedding = model.predictor.embedding.weight.numel()
    assert model.info.n_parameters == pytest.approx(30e6, rel=0.03)
    assert count["joint"] == pytest.approx(1.28e6, rel=0.03)
    assert embedding == pytest.approx(0.62e6, rel=0.04)
    assert count["predictor"] - embedding == pytest.approx(2.62e6, rel=0.03)


def test_presets_grow() -> None:
    sizes = [
        build(p, options={}, vocabulary=None, seed=0, device="cpu").info.n_parameters or 0 for p in ("tiny", "small")
    ]
    assert 0.9e6 < sizes[0] < 1.1e6 < 5e6 < sizes[1] < 7e6


@pytest.mark.parametrize("cuts", [[1, 2, 3], [7], [4, 5, 11]])
def test_encoder_steps_equal_the_whole(cuts: list[int]) -> None:
    model, x = encoder(), noise(2, 12, 24)
    whole = model(x, torch.tensor([12, 12]))
    state, parts = model.start(2), []
    for part in x.tensor_split(cuts, dim=1):
        y, state = model.step(part, state)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-4, atol=1e-5)


def test_later_frames_change_nothing_before_them() -> None:
    model, x = encoder(), noise(1, 12, 24)
    changed = x.clone()
    changed[:, 8:] = 9.0
    lengths = torch.tensor([12])
    assert torch.equal(model(x, lengths)[:, :8], model(changed, lengths)[:, :8])


def test_it_is_a_recognizer_in_both_forms() -> None:
    model = build("tiny", options={}, vocabulary=None, seed=0, device="cpu")
    assert isinstance(model, Recognizer)
    assert isinstance(model, Transcribes)
    assert model.info.lookahead_s == 0.0


def test_bad_samples_and_presets_are_one_clear_line() -> None:
    model = build("tiny", options={}, vocabulary=None, seed=0, device="cpu")
    with pytest.raises(InputError, match="sample 3 is nan"):
        model.stream().accept(np.float32([0, 0, 0, np.nan]))
    with pytest.raises(InputError, match="choose one of: tiny, small, paper"):
        build("huge", options={}, vocabulary=None, seed=0, device="cpu")
