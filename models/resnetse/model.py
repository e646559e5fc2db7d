"""A speaker embedder: SE-ResNet with attentive statistics pooling (ResNetSE34V2 of "In defence of metric learning",
https://arxiv.org/abs/2003.11982), trained on pairs, for whole recordings and, where it is causal, for streams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from earmark.bench.api import Array, Example, InputError, Json, Lengths, Losses, ModelInfo, Progress, Samples
from earmark.models._blocks.augment import MILD, NONE, SpecAugment, WaveAugment, change_speed, kept
from earmark.models._blocks.checks import check_preset, check_samples, in_range, read_options
from earmark.models._blocks.frontend import FrontEndConfig
from earmark.models._blocks.options import PRESETS, seeded
from earmark.models.resnetse.hearing import Hearing
from earmark.models.resnetse.losses import UNKNOWN, AngularPrototypes, SpeakerSoftmax
from earmark.models.resnetse.network import Sizes, SpeakerNetwork
from earmark.models.resnetse.stream import SpeakerStream

if TYPE_CHECKING:
    from numpy.random import Generator

NAME = "resnetse"
SIZES = {
    "tiny": Sizes(n_mels=40, filters=(16, 32, 64), blocks=(1, 2, 2), stem_stride=2, attention=128, dim=128),
    "small": Sizes(n_mels=64, filters=(32, 64, 128), blocks=(2, 2, 2), stem_stride=2, attention=128, dim=256),
    "paper": Sizes(n_mels=64, filters=(32, 64, 128, 256), blocks=(3, 4, 6, 3), stem_stride=1, attention=128, dim=512),
}
"""``paper`` is ResNetSE34V2 as its authors published it."""
HEARS = ("stream", "whole")
HEARD = {"tiny": "stream", "small": "stream", "paper": "whole"}
RATES_HZ = {"tiny": 8_000, "small": 16_000, "paper": 16_000}
MARGINS = {"tiny": 0.2, "small": 0.2, "paper": -1.0}
"""Of the softmax over speakers; below 0, none and a plain linear layer."""
SOFTMAX = {"tiny": 0.1, "small": 0.3, "paper": 1.0}
"""Weight of its loss: in a few hundred steps each speaker comes up a few times, and it would drown the prototypes."""
CROPS = {"tiny": 192, "small": 200, "paper": 200}
"""Frames of 10 ms in a crop of training."""
SPARE = 1.5
"""Audio that is cut out for a crop, as a multiple of its frames: pauses are left out."""
PRIOR_S = 0.5
SPEEDS = (1.0, 0.9, 1.1)


@dataclass(frozen=True, slots=True)
class Options:
    hears: str = ""
    """``stream``: sees nothing of the future; ``whole``: whole recordings only; "" leaves the preset's."""
    margin: float = PRESETS
    """Additive angular margin of the softmax over speakers, 0 to 1; -1 leaves the preset's."""
    plain_softmax: bool = False
    """A linear layer instead, whatever the margin."""
    speeds: bool = True
    """Recordings are played at 0.9, 1 and 1.1 times their speed, as other speakers."""
    augment: bool = True
    """Mask bands and frames of training recordings at random, and, but for tiny, change their level and noise."""
    softmax: float = PRESETS
    """Weight of the softmax's loss beside that of the prototypes; -1 leaves the preset's."""
    pause_db: float = 35.0
    """A frame so much below the loudest is a pause, and not heard."""
    sample_rate_hz: int = 0
    """At which it hears; 0 leaves the preset's."""

    def __post_init__(self) -> None:
        if self.hears not in ("", *HEARS):
            raise InputError(f"option 'hears' is {self.hears!r}", where=NAME, fix=f"give one of: {', '.join(HEARS)}")
        if self.margin != PRESETS:
            in_range("margin", self.margin, 0.0, 1.0, plugin=NAME)
        if self.softmax != PRESETS:
            in_range("softmax", self.softmax, 0.0, 100.0, plugin=NAME)
        in_range("pause_db", self.pause_db, 5.0, 120.0, plugin=NAME)
        if self.sample_rate_hz:
            in_range("sample_rate_hz", self.sample_rate_hz, 8_000, 48_000, plugin=NAME)


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops (B, t), numbers of their speakers (B,), and what masks leave: (B, T) frames and (B, n_mels) bands, or None.

    Numbers below that of the classes are classes, others speakers whom the softmax doesn't know.
    """

    samples: Tensor
    speakers: Tensor
    frames: Tensor | None = None
    bands: Tensor | None = None


class ResNetSE(nn.Module):
    """MetricLearner and SpeakerEmbedder that counts its work, and StreamsEmbeddings where it is causal."""

    batching: Literal["bucketed", "by_speaker"] = "by_speaker"

    def __init__(self, preset: str, options: Options, speakers: Sequence[str]) -> None:
        super().__init__()
        self.sizes, self.options, self.n_crop = SIZES[preset], options, CROPS[preset]
        self.speeds = SPEEDS if options.speeds else SPEEDS[:1]
        self.classes = {name: place * len(self.speeds) for place, name in enumerate(speakers)}
        self.causal = (options.hears or HEARD[preset]) == "stream"
        rate_hz = options.sample_rate_hz or RATES_HZ[preset]
        config = FrontEndConfig(rate_hz, n_mels=self.sizes.n_mels, stack=1, prior_s=PRIOR_S, tail_s=0.0)
        self.hearing = Hearing(config, pause_db=options.pause_db, causal=self.causal, block=self.sizes.stride)
        self.network = SpeakerNetwork(self.sizes, causal=self.causal)
        self.prototypes, self.softmax = AngularPrototypes(), self._softmax(preset)
        self.softmax_weight = SOFTMAX[preset] if options.softmax == PRESETS else options.softmax
        self.waves = WaveAugment(speed=0.0) if options.augment and preset != "tiny" else NONE
        self.masks = (SpecAugment() if preset == "paper" else MILD) if options.augment else None
        self._work: Counter[str] = Counter()

    def _softmax(self, preset: str) -> SpeakerSoftmax | None:
        if not self.classes:
            return None
        margin = MARGINS[preset] if self.options.margin == PRESETS else self.options.margin
        return SpeakerSoftmax(self.sizes.dim, self.n_classes, margin=-1.0 if self.options.plain_softmax else margin)

    @property
    def n_classes(self) -> int:
        """Speakers that the softmax knows, each at every speed."""
        return len(self.classes) * len(self.speeds)

    @property
    def info(self) -> ModelInfo:
        """``n_parameters`` are those that embed: the losses have some of their own, which are idle after training."""
        config, n_parameters = self.hearing.config, sum(p.numel() for p in self.network.parameters())
        chunk_s = self.sizes.stride * config.hop_s if self.causal else None
        return ModelInfo(config.sample_rate_hz, chunk_s=chunk_s, n_parameters=n_parameters)

    # --- embedding ------------------------------------------------------------------------------------------------

    def embed(self, samples: Samples, lengths: Lengths) -> Array:
        """(n, t) samples padded at the end, (n,) valid samples -> (n, dim) embeddings of length 1.

        Rows run one after another: row i depends on the valid samples of row i alone, bit for bit.

        Raises:
            InputError: a length outside 1 to t, or a sample that is NaN or infinite.
        """
        if samples.ndim != 2 or len(samples) != len(lengths):
            what = f"samples {samples.shape} with {len(lengths)} lengths"
            raise InputError(what, where=NAME, fix="give (n, t) samples and (n,) lengths")
        rows = [self._row(row, int(n)) for row, n in zip(samples, lengths, strict=True)]
        return np.stack(rows) if rows else np.zeros((0, self.sizes.dim), dtype=np.float32)

    def embedding_stream(self) -> SpeakerStream:
        """A recording as it comes; Unsupported for a network that sees the future."""
        return SpeakerStream(self.hearing, self.network, plugin=NAME)

    def work(self) -> Mapping[str, int]:
        """MACs of ``embed`` so far: mel product, convolutions, squeeze and excitation, pooling, output."""
        return dict(self._work)

    def _row(self, row: Samples, n_samples: int) -> Array:
        if not 1 <= n_samples <= len(row):
            raise InputError(f"length {n_samples} of {len(row)} samples", where=NAME, fix="give 1 to t valid samples")
        check_samples(row[:n_samples], plugin=NAME)
        with torch.inference_mode():
            frames = self.hearing(torch.tensor(row[:n_samples], device=self.hearing.device))
            found = normalize(self.network(frames), dim=1)[0]
        n_heard = self.hearing.n_frames(n_samples)
        self._work.update({"front_end": self.hearing.front.macs(n_heard), "output": self.network.output.weight.numel()})
        self._work.update(self.network.macs(frames.shape[1]))
        embedding: Array = found.cpu().numpy()
        return embedding

    # --- learning -------------------------------------------------------------------------------------------------

    def parts(self) -> Mapping[str, Sequence[str]]:
        """``network`` embeds; ``prototypes`` and ``softmax`` are of the losses."""
        parts: dict[str, list[str]] = {}
        for name, _ in self.named_parameters():
            parts.setdefault(name.partition(".")[0], []).append(name)
        return parts

    def config(self) -> Json:
        sizes = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self.sizes).items()}
        return {"sizes": sizes, "options": asdict(self.options), "n_speakers": len(self.classes)}

    def collate(self, examples: Sequence[Example], rng: Generator) -> Batch:
        """Crops; while the model is training, each speaker at a speed drawn at random, with noise and masks."""
        rate_of: dict[str, int] = {}
        rows, numbers = [], []
        for example in examples:
            speaker = example.turns[0].speaker or example.utterance_id
            drawn = int(rng.integers(len(self.speeds))) if self.training else 0
            speed = rate_of.setdefault(speaker, drawn)
            heard = change_speed(example.samples, self.speeds[speed])
            crop = self._crop(heard, rng)
            rows.append(self.waves(crop, rng) if self.training else crop)
            numbers.append(self._number(speaker, speed, list(rate_of).index(speaker)))
        device = self.hearing.device
        frames, bands = self._draw_masks(len(rows), rng) if self.training and self.masks else (None, None)
        samples = torch.from_numpy(np.stack(rows)).to(device)
        return Batch(samples, torch.tensor(numbers, device=device), frames, bands)

    def _number(self, speaker: str, speed: int, place: int) -> int:
        return self.classes[speaker] + speed if speaker in self.classes else self.n_classes + place

    def _crop(self, samples: Samples, rng: Generator) -> Samples:
        """(n,) -> as many samples as a crop is cut from, a short recording over and over."""
        size = self.hearing.n_samples(round(SPARE * self.n_crop))
        start = int(rng.integers(max(1, len(samples) - size + 1))) if self.training else 0
        cut: Samples = np.resize(samples[start:], size) if len(samples) else np.zeros(size, dtype=np.float32)
        return cut

    def _draw_masks(self, n_rows: int, rng: Generator) -> tuple[Tensor, Tensor]:
        assert self.masks is not None
        drawn = [self.masks.draw(self.n_crop, self.sizes.n_mels, rng) for _ in range(n_rows)]
        frames, bands = kept([time for time, _ in drawn], self.n_crop), kept([b for _, b in drawn], self.sizes.n_mels)
        return frames.to(self.hearing.device), bands.to(self.hearing.device)

    def embeddings(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(n, dim) embeddings, of any length, and (n,) numbers of their speakers."""
        frames = self.hearing.crops(batch.samples, self.n_crop)
        if batch.bands is not None and batch.frames is not None:
            frames = frames * batch.bands[:, None] * batch.frames[..., None]
        return self.network(frames), batch.speakers

    def pair_loss(self, embeddings: Tensor, speakers: Tensor, pair_weights: Tensor | None) -> Losses:
        """The prototypical loss, and that of the softmax over known speakers; ``items`` is their sum, unweighted.

        A recording counts in the softmax by the mean weight of its pairs.
        """
        weighted, plain = self.prototypes(embeddings, speakers, pair_weights)
        terms, items = {"prototypes": weighted.mean()}, plain
        if self.softmax is not None:
            told = self.softmax_weight * self.softmax(
                embeddings, torch.where(speakers < self.n_classes, speakers, UNKNOWN)
            )
            items = items + told.detach()
            terms["softmax"] = (told if pair_weights is None else pair_weights.mean(dim=1) * told).mean()
        return Losses(terms, items)

    def loss(self, batch: Batch, progress: Progress) -> Losses:  # noqa: ARG002 - no schedule
        return self.pair_loss(*self.embeddings(batch), None)


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> ResNetSE:
    """An embedder with random weights; ``vocabulary`` names the speakers of its training, None: it is to learn none."""
    check_preset(preset, tuple(SIZES), plugin=NAME)
    chosen = read_options(Options, options, plugin=NAME)
    return seeded(lambda: ResNetSE(preset, chosen, vocabulary or ()), seed, device)
