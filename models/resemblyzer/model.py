"""Resemblyzer's pretrained speaker encoder (GE2E loss, https://arxiv.org/abs/1710.10467), wrapped.

Only the weight file of the ``Resemblyzer`` distribution is used: the package itself is never imported. In the order
audio takes: loudness, pauses, a 40-band mel power spectrogram, windows of 1.6 s, three LSTM layers and a projection for
each window, the average. README.md lists where this departs from the original.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad

from earmark.bench.api import Array, InputError, Json, Lengths, ModelInfo, Samples, Unsupported
from earmark.models._blocks.checks import check_preset, in_range, read_options, valid_rows
from earmark.models._blocks.mel import MelPower

NAME = "resemblyzer"
WEIGHTS = "resemblyzer/pretrained.pt"
WEIGHTS_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
TRAINED_ON = ("librispeech", "voxceleb1", "voxceleb2")

SAMPLE_RATE_HZ = 16_000
N_FFT = 400  # 25 ms
HOP = 160  # 10 ms
WINDOW_FRAMES = 160  # 1.6 s
LOUDNESS_DBFS = -30.0
BATCH_WINDOWS = 64  # windows of one recording that run at once: bounds memory, 1.7 % of the frames made twice
LEVEL_FRAME = 480  # 30 ms, the step of pause removal
PAUSE_MARGIN_FRAMES = 3  # kept on both sides of speech


@dataclass(frozen=True, slots=True)
class Options:
    """Choices about a recording; the defaults are the original's, except that it finds pauses in another way."""

    windows_per_second: float = 1.3
    """How often a 1.6 s window begins."""
    min_coverage: float = 0.75
    """Share of the last window that real audio must fill for the window to count."""
    trim_pauses: bool = True
    """Cut out what lies ``pause_db`` or more below the loud parts of the recording."""
    pause_db: float = 35.0

    def __post_init__(self) -> None:
        in_range("windows_per_second", self.windows_per_second, 0.625, 100.0, plugin=NAME)
        in_range("min_coverage", self.min_coverage, 0.01, 1.0, plugin=NAME)
        in_range("pause_db", self.pause_db, 5.0, 90.0, plugin=NAME)

    @property
    def step_frames(self) -> int:
        """Frames from one window's start to the next."""
        return round(SAMPLE_RATE_HZ / self.windows_per_second / HOP)


class SpeakerEncoder(nn.Module):
    """Three LSTM layers, a projection of the last state, ReLU, unit length."""

    def __init__(self, *, n_mels: int = 40, hidden: int = 256, dim: int = 256, layers: int = 3) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_mels, hidden, layers, batch_first=True)
        self.linear = nn.Linear(hidden, dim)

    def forward(self, mels: Tensor) -> Tensor:
        """(B, T, n_mels) mel power -> (B, dim), non-negative, of length 1 (or 0 where the ReLU leaves nothing)."""
        _, (hidden, _) = self.lstm(mels)  # (layers, B, hidden)
        return normalize(torch.relu(self.linear(hidden[-1])), dim=1)

    def macs(self, n_windows: int, n_frames: int) -> dict[str, int]:
        """Multiply-accumulates of ``n_windows`` windows of ``n_frames``: T x 4H(I + H) a layer, biases not counted."""
        h, n_mels = self.lstm.hidden_size, self.lstm.input_size
        a_frame = 4 * h * (n_mels + h) + (self.lstm.num_layers - 1) * 4 * h * (h + h)
        return {"lstm": n_windows * n_frames * a_frame, "projection": n_windows * h * self.linear.out_features}


def window_starts(n_samples: int, options: Options) -> list[int]:
    """First frames of the windows over a recording: the first always, a last one only where audio covers enough of it.

    As in the original, whose recipe it is (``compute_partial_slices``, defaults 1.3 windows a second and 0.75).
    """
    n_frames = math.ceil((n_samples + 1) / HOP)
    step = options.step_frames
    starts = list(range(0, max(1, n_frames - WINDOW_FRAMES + step + 1), step))
    covered = (n_samples / HOP - starts[-1]) / WINDOW_FRAMES
    return starts[:-1] if covered < options.min_coverage and len(starts) > 1 else starts


def raise_loudness(samples: Tensor) -> Tensor:
    """(t,) samples, made louder where their mean power is under -30 dBFS; never softer, and silence stays silence."""
    rms = samples.square().mean().sqrt()
    target = 10.0 ** (LOUDNESS_DBFS / 20.0)
    return samples * (target / rms).clamp(min=1.0) if rms > 0 else samples


def cut_pauses(samples: Tensor, pause_db: float) -> Tensor:
    """(t,) samples without the 30 ms frames that lie ``pause_db`` under the recording's 95th percentile of level.

    90 ms on both sides of anything louder are kept; a recording of less than one frame is returned whole.
    """
    n_frames = len(samples) // LEVEL_FRAME
    if n_frames == 0:
        return samples
    frames = samples[: n_frames * LEVEL_FRAME].view(n_frames, LEVEL_FRAME)
    power = frames.square().mean(dim=1)
    loud = power >= power.quantile(0.95) * 10.0 ** (-pause_db / 10.0)
    width = 2 * PAUSE_MARGIN_FRAMES + 1
    kept = nn.functional.max_pool1d(loud.float()[None], width, stride=1, padding=PAUSE_MARGIN_FRAMES)[0] > 0
    return frames[kept].flatten()


class Embedder:
    """A :class:`earmark.bench.api.SpeakerEmbedder` that counts its work; each recording runs by itself."""

    def __init__(self, encoder: SpeakerEncoder, options: Options, *, device: torch.device) -> None:
        self.encoder = encoder.to(device).eval()
        n_mels = encoder.lstm.input_size
        self.mel = MelPower(sample_rate_hz=SAMPLE_RATE_HZ, n_fft=N_FFT, hop=HOP, n_mels=n_mels).to(device)
        self.options, self.device = options, device
        self._work = {"front_end": 0, "lstm": 0, "projection": 0}

    @property
    def info(self) -> ModelInfo:
        n_parameters = sum(p.numel() for p in self.encoder.parameters())
        return ModelInfo(SAMPLE_RATE_HZ, n_parameters=n_parameters, trained_on=TRAINED_ON)

    def embed(self, samples: Samples, lengths: Lengths) -> Array:
        """(n, t) samples padded at the end, (n,) valid samples -> (n, 256) embeddings of length 1.

        Row i depends on the valid samples of row i alone, bit for bit: rows run one after another, and only the windows
        of one recording share a batch.

        Raises:
            InputError: a length outside 1 to t, or a sample that is NaN or infinite.
        """
        rows = [self._row(row) for row in valid_rows(samples, lengths, plugin=NAME)]
        dim = self.encoder.linear.out_features
        return np.stack(rows) if rows else np.zeros((0, dim), dtype=np.float32)

    def work(self) -> Mapping[str, int]:
        """MACs executed so far: mel product, LSTM layers, projection; the Fourier transform is not counted."""
        return dict(self._work)

    def _row(self, row: Samples) -> Array:
        with torch.inference_mode():
            return self._embed_one(torch.tensor(row, device=self.device)).cpu().numpy()

    def _embed_one(self, samples: Tensor) -> Tensor:
        """(t,) -> (dim,), the mean over windows brought to length 1."""
        samples = raise_loudness(samples)
        if self.options.trim_pauses:
            samples = cut_pauses(samples, self.options.pause_db)
        total = torch.zeros(self.encoder.linear.out_features, device=self.device)
        for mels in self._windows(samples):
            total = total + self.encoder(mels).sum(dim=0)
            self._count(self.encoder.macs(len(mels), WINDOW_FRAMES))
        return normalize(total, dim=0)

    def _windows(self, samples: Tensor) -> Iterator[Tensor]:
        """Mel power of the windows, (up to 64, 160, n_mels) at a time; beyond the recording there are zeros."""
        starts = window_starts(len(samples), self.options)
        n_padded = (starts[-1] + WINDOW_FRAMES - 1) * HOP + N_FFT
        half = N_FFT // 2  # frames are centered
        padded = pad(samples, (half, max(0, n_padded - half - len(samples))))
        for i in range(0, len(starts), BATCH_WINDOWS):
            batch = starts[i : i + BATCH_WINDOWS]
            yield self._mels(padded, batch)

    def _mels(self, padded: Tensor, starts: Sequence[int]) -> Tensor:
        """Mel power of the windows that begin at frames ``starts``, each frame made once."""
        first, last = starts[0], starts[-1] + WINDOW_FRAMES - 1
        frames = self.mel(padded[None, first * HOP : last * HOP + N_FFT])[0]  # (last - first + 1, n_mels)
        self._count({"front_end": self.mel.macs(len(frames))})
        return torch.stack([frames[s - first : s - first + WINDOW_FRAMES] for s in starts])

    def _count(self, macs: Mapping[str, int]) -> None:
        for part, n in macs.items():
            self._work[part] += n


def weights_file() -> Path:
    """The weight file inside the installed distribution; Unsupported where that is missing."""
    try:
        files = metadata.files("Resemblyzer") or []
    except metadata.PackageNotFoundError:
        raise Unsupported("Resemblyzer is not installed: pip install --no-deps Resemblyzer") from None
    found = [Path(str(file.locate())) for file in files if str(file) == WEIGHTS]
    if not found or not found[0].is_file():
        raise Unsupported(f"this Resemblyzer has no {WEIGHTS}: reinstall it")
    return found[0]


def load_encoder(path: Path, *, sha256: str = WEIGHTS_SHA256) -> SpeakerEncoder:
    """The encoder with the weights in ``path``; InputError unless the file has this digest."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        what = f"sha256 is {found}, expected {sha256}"
        raise InputError(what, where=str(path), fix="install Resemblyzer 0.1.4, whose weights were checked")
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    encoder = SpeakerEncoder()
    encoder.load_state_dict({name: state[name] for name in encoder.state_dict()})
    return encoder


def build(
    preset: str,
    *,
    options: Mapping[str, Json],
    vocabulary: Sequence[str] | None,
    seed: int,
    device: str,
) -> Embedder:
    """The pretrained embedder on ``device``; ``vocabulary`` and ``seed`` change nothing."""
    check_preset(preset, ("default",), plugin=NAME)
    chosen = read_options(Options, options, plugin=NAME)
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise Unsupported(f"device {device!r}: this torch sees no CUDA device")
    return Embedder(load_encoder(weights_file()), chosen, device=torch.device(device))
