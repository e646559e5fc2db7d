"""The wrapped speaker encoder: structure on a tiny random one, the pretrained one where its package is installed."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from earmark.bench.api import Array, CountsWork, InputError, Samples, SpeakerEmbedder, Unsupported
from earmark.models.resemblyzer import model as under_test
from earmark.models.resemblyzer.model import (
    Embedder,
    Options,
    SpeakerEncoder,
    build,
    cut_pauses,
    load_encoder,
    raise_loudness,
    window_starts,
)


def _installed() -> bool:
    try:
        metadata.distribution("Resemblyzer")
    except metadata.PackageNotFoundError:
        return False
    return True


needs_weights = pytest.mark.skipif(
    not _installed(), reason="NOT TESTED: the pretrained encoder; pip install --no-deps Resemblyzer"
)


def _tiny(options: Options | None = None) -> Embedder:
    torch.manual_seed(0)
    encoder = SpeakerEncoder(hidden=8, dim=6)
    return Embedder(encoder, options or Options(), device=torch.device("cpu"))


def _noise(n: int, seed: int = 0) -> Samples:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


def _embed(embedder: Embedder, *rows: Samples) -> Array:
    lengths = np.array([len(row) for row in rows])
    samples = np.full((len(rows), int(lengths.max())), np.nan, dtype=np.float32)  # padding must not be looked at
    for padded, row in zip(samples, rows, strict=True):
        padded[: len(row)] = row
    return embedder.embed(samples, lengths)


def test_encoder_equals_the_lstm_equations() -> None:
    torch.manual_seed(1)
    encoder = SpeakerEncoder(n_mels=3, hidden=4, dim=5, layers=2).eval()
    state = {name: value.double().numpy() for name, value in encoder.state_dict().items()}
    x = np.random.default_rng(2).standard_normal((6, 3))
    for layer in range(2):
        h, c, out = np.zeros(4), np.zeros(4), []
        for frame in x:
            z = state[f"lstm.weight_ih_l{layer}"] @ frame + state[f"lstm.bias_ih_l{layer}"]
            z = z + state[f"lstm.weight_hh_l{layer}"] @ h + state[f"lstm.bias_hh_l{layer}"]
            i, f, g, o = np.split(z, 4)
            c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            h = np.tanh(c) / (1 + np.exp(-o))
            out.append(h)
        x = np.stack(out)
    y = np.maximum(state["linear.weight"] @ x[-1] + state["linear.bias"], 0)
    frames = torch.tensor(np.random.default_rng(2).standard_normal((1, 6, 3)), dtype=torch.float32)
    np.testing.assert_allclose(encoder(frames)[0].detach().numpy(), y / np.linalg.norm(y), atol=1e-6)


@pytest.mark.parametrize(
    ("n_samples", "starts"),
    [
        (1, [0]),
        (25_600, [0]),  # one window; a second would be 83 / 160 full
        (31_519, [0]),
        (31_520, [0, 77]),  # (77 + 120) frames: the second is 120 / 160 = 0.75 full
        (36_800, [0, 77]),
        (80_000, [0, 77, 154, 231, 308]),  # 500 frames: a window at 385 would be 115 / 160 full
    ],
)
def test_windows_begin_every_77_frames_and_the_last_is_three_quarters_full(n_samples: int, starts: list[int]) -> None:
    assert window_starts(n_samples, Options()) == starts


def test_loudness_is_raised_to_the_target_and_never_lowered() -> None:
    quiet, loud = torch.full((100,), 1e-3), torch.full((100,), 0.5)
    torch.testing.assert_close(raise_loudness(quiet), torch.full((100,), 10**-1.5))  # -30 dBFS
    torch.testing.assert_close(raise_loudness(loud), loud)
    assert raise_loudness(torch.zeros(100)).eq(0).all()


def test_pauses_go_and_their_margins_stay() -> None:
    frame = 480
    speech = torch.ones(10 * frame)
    recording = torch.cat([speech, torch.full((20 * frame,), 1e-3), speech])  # a pause 60 dB down
    assert len(cut_pauses(recording, 35.0)) == (10 + 3 + 3 + 10) * frame
    assert len(cut_pauses(recording, 65.0)) == len(recording)
    assert len(cut_pauses(torch.zeros(5 * frame), 35.0)) == 5 * frame


def test_a_row_does_not_see_its_batch() -> None:
    embedder = _tiny()
    rows = [_noise(n, seed=n) for n in (40_000, 1, 25_600, 70_000)]
    together = _embed(embedder, *rows)
    for row, embedding in zip(rows, together, strict=True):
        assert np.array_equal(_embed(embedder, row)[0], embedding)
    assert together.shape == (4, 6)
    assert together.dtype == np.float32


def test_long_recordings_in_pieces_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder, row = _tiny(), _noise(100_000)
    whole = _embed(embedder, row)
    monkeypatch.setattr(under_test, "BATCH_WINDOWS", 2)
    np.testing.assert_allclose(_embed(embedder, row), whole, atol=1e-6)


def test_embedding_is_the_mean_over_windows() -> None:
    embedder, row = _tiny(Options(trim_pauses=False)), _noise(36_800)  # at -20 dBFS: as loud as it is
    padded = np.pad(row, (200, 25_600))
    windows = [padded[start * 160 : (start + 159) * 160 + 400] for start in (0, 77)]
    mels = embedder.mel(torch.tensor(np.stack(windows)))
    mean = embedder.encoder(mels).mean(dim=0).detach()
    np.testing.assert_allclose(_embed(embedder, row)[0], (mean / mean.norm()).numpy(), atol=1e-6)


def test_work_agrees_with_a_count_of_dispatched_operations() -> None:
    embedder = _tiny()
    before = embedder.work()
    with torch.backends.mkldnn.flags(enabled=False), FlopCounterMode(display=False) as counter:  # fused LSTMs count 0
        _embed(embedder, _noise(9_000))
    work = embedder.work()
    assert set(work) == {"front_end", "lstm", "projection"}
    assert sum(before.values()) == 0
    assert sum(work.values()) == pytest.approx(counter.get_total_flops() / 2, rel=0.01)


def test_work_adds_up_over_calls() -> None:
    embedder, row = _tiny(), _noise(40_000)
    _embed(embedder, row)
    once = embedder.work()
    _embed(embedder, row)
    assert embedder.work() == {part: 2 * macs for part, macs in once.items()}


def test_silence_and_one_sample_are_survived() -> None:
    assert np.isfinite(_embed(_tiny(), np.zeros(30_000, np.float32), np.ones(1, np.float32))).all()


@pytest.mark.parametrize("length", [0, -1, 11])
def test_lengths_outside_the_row_are_refused(length: int) -> None:
    with pytest.raises(InputError, match="valid samples"):
        _tiny().embed(np.zeros((1, 10), np.float32), np.array([length]))


def test_nan_is_refused() -> None:
    with pytest.raises(InputError, match="sample 3 is nan"):
        _tiny().embed(np.array([[0, 0, 0, np.nan]], np.float32), np.array([4]))


def test_other_weights_are_refused_with_both_digests(tmp_path: Path) -> None:
    file = tmp_path / "pretrained.pt"
    file.write_bytes(b"something else")
    with pytest.raises(InputError) as error:
        load_encoder(file)
    assert hashlib.sha256(b"something else").hexdigest() in str(error.value)
    assert under_test.WEIGHTS_SHA256 in str(error.value)


def test_missing_package_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(under_test.metadata, "files", missing)
    with pytest.raises(Unsupported, match="pip install"):
        build("default", options={}, vocabulary=None, seed=0, device="cpu")


@pytest.mark.parametrize(
    ("preset", "options", "says"),
    [
        ("huge", {}, "choose one of: default"),
        ("default", {"trim_pause": False}, "did you mean 'trim_pauses'"),
        ("default", {"windows_per_second": 0.5}, "give 0.625 to 100"),
    ],
)
def test_bad_choices_are_refused(preset: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        build(preset, options=options, vocabulary=None, seed=0, device="cpu")


@needs_weights
def test_pretrained_encoder_is_built_and_embeds() -> None:
    embedder = build("default", options={}, vocabulary=None, seed=0, device="cpu")
    assert isinstance(embedder, SpeakerEmbedder)
    assert isinstance(embedder, CountsWork)
    assert embedder.info.n_parameters == 1_423_616  # 305,152 + 2 x 526,336 in the LSTM, 65,792 in the projection
    embedding = _embed(embedder, _noise(30_000))[0]
    assert embedding.shape == (256,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    assert (embedding >= 0).all()
    tensors = [*embedder.encoder.parameters(), *embedder.mel.buffers()]
    assert {tensor.device.type for tensor in tensors} == {"cpu"}
