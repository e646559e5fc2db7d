"""A streaming transducer around any encoder: what RNN-T, ConvRNN-T, Conformer and ContextNet share.

Graves 2012 (https://arxiv.org/abs/1211.3711). A model plugin brings an encoder and sizes; this file makes of them a
recognizer that can be trained, streams, transcribes in batches and counts its work.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from earmark.bench.api import Condition, Example, InputError, Json, Losses, ModelInfo, Progress, Samples, Token
from earmark.models._blocks import search, transducer
from earmark.models._blocks.alignment import IGNORED, alignment_loss, flat_labels, labels_by_frame, timed_labels
from earmark.models._blocks.augment import SpecAugment, WaveAugment, kept
from earmark.models._blocks.condition import ConditionInput, read_conditions
from earmark.models._blocks.frontend import FrontEndConfig, LogMelFrontEnd
from earmark.models._blocks.losses import late_penalties
from earmark.models._blocks.pieces import BLANK, LETTERS, Pieces
from earmark.models._blocks.recurrent import Dense
from earmark.models._blocks.stream import TransducerStream

if TYPE_CHECKING:
    from typing import Self

    from numpy.random import Generator

State: TypeAlias = Any
BEGINNING = 0.3
"""Share of a training in which an encoder is only shown labels of frames, where word times are known."""


class Encoder(Protocol):
    """A streaming layer from stacked frames (B, T, D) to the width of the joint (B, T, J).

    One that separates gives (N * B, T, J), the recordings once for each of N channels, channel by channel.
    """

    def __call__(self, x: Tensor, lengths: Tensor) -> Tensor: ...
    def start(self, batch: int) -> State: ...
    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]: ...
    def macs_by_part(self, n_frames: int) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of what is around the encoder: predictor, joint, regularisation and search."""

    joint: int
    embedding: int
    predictor: int
    predictor_layers: int = 1
    dropout: float = 0.1
    fastemit: float = 0.0
    beam: int = 1
    max_symbols: int = 8
    ctc: float = 0.0
    """Weight of a CTC loss on the encoder in training; 0 for none."""
    alignment: float = 0.0
    """Weight of what the encoder is shown of words whose times are known; 0 for nothing."""
    condition: int = 0
    """Numbers of a condition that is added to the frames; 0 for none."""
    predictor_norm: bool = False
    """LayerNorm after each layer of the predictor."""
    joint_hidden: int = 0
    """Width of a layer between the sum of encoder and predictor and the joint's tanh; 0 for none."""
    end_penalty: float = 0.0
    """Alpha of what a late end of a turn costs, see ``losses.late_penalties``; 0 for nothing."""
    end_buffer: int = 0
    """Frames after the end of a turn in which nothing is late yet."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Recordings padded with zeros, on the model's device.

    ``samples`` (B, t), ``n_samples`` (B,), ``targets`` (B, U) labels padded with blanks, ``n_targets`` (B,), and what
    SpecAugment leaves: ``frames`` (B, T) and ``bands`` (B, n_mels), or None. ``aligned`` (B, T) are the labels
    of frames where they are known, ``flat`` (B, T) those that a training may begin with where they are not; or None.
    ``conditions`` (B, size), None where the model takes none.

    With N channels, targets and labels of frames have N * B rows, channel by channel; ``silent`` (N * B, T) are the
    frames in which nobody speaks on a channel, ``due`` (N * B, U + 1) the frame in which the turn that a label ends
    is over, infinite of other labels; None where they are not asked for.
    """

    samples: Tensor
    n_samples: Tensor
    targets: Tensor
    n_targets: Tensor
    frames: Tensor | None = None
    bands: Tensor | None = None
    aligned: Tensor | None = None
    flat: Tensor | None = None
    conditions: Tensor | None = None
    silent: Tensor | None = None
    due: Tensor | None = None


class Transducer(nn.Module):
    """Recognizer, Transcribes, Trainable and Conditionable; its streams count their work."""

    batching: Literal["bucketed", "by_speaker"] = "bucketed"
    n_channels = 1
    begun: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        *,
        front: FrontEndConfig,
        sizes: Sizes,
        vocabulary: Sequence[str] | None,
        plugin: str,
        waves: WaveAugment = WaveAugment(),  # noqa: B008 - frozen
        masks: SpecAugment | None = SpecAugment(),  # noqa: B008 - frozen
        marks: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.plugin, self.sizes, self.waves, self.masks = plugin, sizes, waves, masks
        self.pieces = Pieces(LETTERS if vocabulary is None else vocabulary, marks)
        n_labels = self.pieces.n_labels
        self.front = LogMelFrontEnd(front)
        self.encoder: Any = encoder
        self.predictor = transducer.Predictor(
            n_labels,
            sizes.embedding,
            sizes.predictor,
            sizes.joint,
            layers=sizes.predictor_layers,
            dropout=sizes.dropout,
            norm=sizes.predictor_norm,
        )
        self.joint = transducer.Joint(sizes.joint, n_labels, hidden=sizes.joint_hidden)
        self.aligner = Dense(sizes.joint, n_labels) if sizes.ctc > 0 or sizes.alignment > 0 else None
        self.condition = ConditionInput(sizes.condition, front.width) if sizes.condition else None
        self.register_buffer("begun", torch.tensor(False))

    @property
    def info(self) -> ModelInfo:
        config = self.front.config
        n_parameters = sum(p.numel() for p in self.parameters())
        return ModelInfo(config.sample_rate_hz, self.n_channels, config.frame_s, n_parameters=n_parameters)

    @property
    def device(self) -> torch.device:
        return self.joint.output.weight.device

    # --- listening ------------------------------------------------------------------------------------------------

    def stream(self, condition: Condition | None = None) -> TransducerStream:
        """A recording on its way through the model; without a condition, zeros stand for it."""
        return TransducerStream(self, condition)

    @torch.inference_mode()
    def transcribe(
        self, batch: Sequence[Samples], conditions: Sequence[Condition | None] | None = None
    ) -> list[tuple[Token, ...]]:
        """Offline, all recordings at once; greedy search, whatever ``beam`` is. Conditions as in ``stream``."""
        if conditions is not None and len(conditions) != len(batch):
            what = f"{len(conditions)} conditions for {len(batch)} recordings"
            raise InputError(what, where=self.plugin, fix="give one for each, None where it is unknown")
        samples, n_samples = self._padded(batch)
        encoded, lengths = self._encode(samples, n_samples, self._conditions(conditions or [None] * len(batch)))
        found = search.batched_greedy(self.predictor, self.joint, encoded, lengths, max_symbols=self.sizes.max_symbols)
        heard_s = (n_samples / self.front.config.sample_rate_hz).tolist()
        return [self._tokens(found[i :: len(batch)], heard) for i, heard in enumerate(heard_s)]

    def _tokens(self, channels: Sequence[Sequence[search.Emitted]], heard_s: float) -> tuple[Token, ...]:
        """What the channels of a recording of ``heard_s`` said."""
        frame_s = self.front.config.frame_s
        return tuple(
            self.pieces.token(label, channel=channel, audio_s=min((t + 1) * frame_s, heard_s))
            for channel, (t, label) in search.in_order(channels)
        )

    def with_condition(self, size: int) -> Self:
        """A copy that takes a condition of ``size`` numbers; until it is trained, no condition changes its outputs.

        A model that is built with option ``condition = size`` takes its weights.
        """
        if size < 1 or self.condition is not None:
            what = f"a condition of {size} numbers" if size < 1 else f"it takes a condition of {self.sizes.condition}"
            raise InputError(what, where=self.plugin, fix="give 1 or more, to a model that takes none")
        other = copy.deepcopy(self)
        other.sizes = replace(self.sizes, condition=size)
        other.condition = ConditionInput(size, self.front.config.width).to(self.device)
        return other

    def _conditions(self, given: Sequence[Condition | None]) -> Tensor | None:
        return read_conditions(given, self.condition, plugin=self.plugin)

    def _encode(self, samples: Tensor, n_samples: Tensor, conditions: Tensor | None) -> tuple[Tensor, Tensor]:
        frames, lengths = self.front(samples, n_samples)
        return self._encode_frames(frames, lengths, conditions), lengths.repeat(self.n_channels)

    def _encode_frames(self, frames: Tensor, lengths: Tensor, conditions: Tensor | None) -> Tensor:
        encoded: Tensor = self.encoder(self._conditioned(frames, conditions), lengths)
        return encoded

    def _conditioned(self, frames: Tensor, conditions: Tensor | None) -> Tensor:
        if self.condition is None or conditions is None:
            return frames
        told: Tensor = self.condition(frames, conditions)
        return told

    def _padded(self, batch: Sequence[Samples]) -> tuple[Tensor, Tensor]:
        rows = [torch.from_numpy(np.ascontiguousarray(row, dtype=np.float32)) for row in batch]
        n_samples = torch.tensor([len(row) for row in rows], device=self.device)
        return pad_sequence(rows, batch_first=True).to(self.device), n_samples

    # --- learning -------------------------------------------------------------------------------------------------

    def parts(self) -> Mapping[str, Sequence[str]]:
        """``encoder`` is the acoustic part, ``predictor`` the language part, ``joint`` brings them together.

        ``aligner``, where there is one, gives the encoder's own labels to the CTC loss and is idle after training.
        ``condition``, where there is one, is the projection of the condition.
        """
        parts: dict[str, list[str]] = {}
        for name, _ in self.named_parameters():
            parts.setdefault(name.partition(".")[0], []).append(name)
        return parts

    def config(self) -> Json:
        return {"front": asdict(self.front.config), "sizes": asdict(self.sizes), "pieces": list(self.pieces.pieces)}

    def collate(self, examples: Sequence[Example], rng: Generator) -> Batch:
        """A batch; while the model is training, each recording changed at random and masked (SpecAugment)."""
        waves = [self.waves(e.samples, rng) if self.training else e.samples for e in examples]
        samples, n_samples = self._padded(waves)
        rows = self.rows(examples)
        labels = [torch.tensor(self.labels(row)) for row in rows]
        targets = pad_sequence([row.int() for row in labels], batch_first=True, padding_value=BLANK)
        n_targets = torch.tensor([len(row) for row in labels], device=self.device)
        frames, bands = self._draw_masks(n_samples, rng) if self.training and self.masks else (None, None)
        aligned, flat = self._aligned(rows, n_samples) if self.sizes.alignment > 0 else (None, None)
        conditions = self._conditions([e.condition for e in examples])
        targets = targets.to(self.device)
        return Batch(samples, n_samples, targets, n_targets, frames, bands, aligned, flat, conditions)

    def rows(self, examples: Sequence[Example]) -> list[Example]:
        """What is to be said of each recording; with N channels N * B rows, channel by channel."""
        return list(examples)

    def labels(self, row: Example) -> list[int]:
        return self.pieces.encode(" ".join(turn.text for turn in row.turns))

    def timed(self, row: Example) -> list[tuple[float, int]]:
        """The labels with the seconds at which they end; none where nobody knows them."""
        return timed_labels(row, self.pieces)

    def _aligned(self, rows: Sequence[Example], n_samples: Tensor) -> tuple[Tensor, Tensor]:
        frame_s = self.front.config.frame_s
        found = list(zip(rows, *self._extents(rows, n_samples), strict=True))
        known = [labels_by_frame(self.timed(e), n_frames=n, frame_s=frame_s, stretch=s) for e, n, s in found]
        flat = [flat_labels(e, self.pieces, n_frames=n) for e, n, _ in found]
        return self._frames(known), self._frames(flat)

    def _extents(self, rows: Sequence[Example], n_samples: Tensor) -> tuple[list[int], list[float]]:
        """Of each row its frames, and how many times as long as its recording it is now."""
        lengths = self.front.n_frames(n_samples).tolist() * self.n_channels
        now = n_samples.tolist() * self.n_channels
        return lengths, [n / len(row.samples) for row, n in zip(rows, now, strict=True)]

    def _frames(self, labels: Sequence[Tensor]) -> Tensor:
        return pad_sequence(list(labels), batch_first=True, padding_value=IGNORED).to(self.device)

    def _draw_masks(self, n_samples: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        assert self.masks is not None
        lengths = self.front.n_frames(n_samples).tolist()
        n_mels = self.front.config.n_mels
        drawn = [self.masks.draw(n, n_mels, rng) for n in lengths]
        frames = kept([time for time, _ in drawn], max(lengths))
        bands = kept([bands for _, bands in drawn], n_mels)
        return frames.to(self.device), bands.to(self.device)

    def loss(self, batch: Batch, progress: Progress) -> Losses:
        """The transducer loss; beside it a CTC loss (Graves et al. 2006), and a cross entropy where words have times.

        These two teach the encoder without the predictor, and a training begins with them: with the last where words
        have times (see ``alignment``), with CTC where they have none.
        All are means over labels, so that long recordings don't drown short ones.
        """
        frames, lengths = self._masked_frames(batch)
        return self._losses(self.encoder(frames, lengths), lengths, batch, progress)

    def _losses(self, encoded: Tensor, lengths: Tensor, batch: Batch, progress: Progress) -> Losses:
        """What (B, T, J) encoded frames of (B,) lengths lack."""
        first = self._first_labels(batch, progress)
        shown = self._shown(encoded, batch.aligned if first is None else first)
        if first is None:
            terms, items = self._said(encoded, batch.targets, lengths, batch.n_targets, batch.due)
            return Losses({**terms, **self._spelled(encoded, batch.targets, lengths, batch.n_targets), **shown}, items)
        rest = (first == IGNORED).all(dim=1)  # nobody knows when their words were spoken
        if not bool(rest.any()):
            return Losses(shown)
        untimed = encoded[rest], batch.targets[rest], lengths[rest], batch.n_targets[rest]
        return Losses({**(self._spelled(*untimed) or self._said(*untimed)[0]), **shown})

    def log_likelihood(self, batch: Batch) -> Tensor:
        """log P(y|x) of each recording, summed over all alignments and neither masked nor per label: (B,)."""
        encoded, lengths = self._encode(batch.samples, batch.n_samples, batch.conditions)
        logits = self.joint(encoded, self.predictor(batch.targets))
        losses = transducer.transducer_loss(logits, batch.targets, lengths, batch.n_targets)
        return -losses.view(self.n_channels, -1).sum(dim=0)

    def _said(
        self, encoded: Tensor, targets: Tensor, lengths: Tensor, n_targets: Tensor, due: Tensor | None = None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The transducer loss of (B, T, J) encoded frames: per label, and of each row, (B,)."""
        logits, sizes = self.joint(encoded, self.predictor(targets)), self.sizes
        late = None if due is None else late_penalties(due, logits.shape[1], sizes.end_penalty, sizes.end_buffer)
        losses = transducer.transducer_loss(
            logits, targets, lengths, n_targets, fastemit=sizes.fastemit, penalties=late
        )  # fmt: skip
        term = losses.sum() / n_targets.sum().clamp(min=1)
        return {"transducer": term}, (losses / n_targets.clamp(min=1)).detach()

    def _spelled(self, encoded: Tensor, targets: Tensor, lengths: Tensor, n_targets: Tensor) -> dict[str, Tensor]:
        """The CTC loss of (B, T, J) encoded frames, per label; nothing where the model has none."""
        if self.aligner is None or self.sizes.ctc == 0:
            return {}
        losses = transducer.ctc_loss(self.aligner(encoded), targets, lengths, n_targets)
        return {"ctc": self.sizes.ctc * losses.sum() / n_targets.sum().clamp(min=1)}

    def _masked_frames(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, T, D) frames with the batch's masks, and (B,) valid frames."""
        frames, lengths = self.front(batch.samples, batch.n_samples)
        if batch.bands is not None:
            frames = frames * batch.bands.repeat(1, self.front.config.stack)[:, None]
        if batch.frames is not None:
            frames = frames * batch.frames[:, : frames.shape[1], None]
        return self._conditioned(frames, batch.conditions), lengths

    def _first_labels(self, batch: Batch, progress: Progress) -> Tensor | None:
        """What is shown while a training begins; never again once it has begun, and never outside training."""
        if not self.training:
            return None
        if not self.begun and progress.step >= BEGINNING * progress.n_steps:
            self.begun.fill_(True)
        if self.begun or batch.aligned is None or batch.flat is None:
            return None
        return torch.maximum(batch.aligned, batch.flat)  # no recording has both

    def _shown(self, encoded: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """What the encoder's own labels lack on frames whose label is known, and the joint's if nothing had been said.

        The aligner learns sooner, not being held within the bounds of a tanh; the joint is then ready when needed.
        """
        if labels is None or self.aligner is None:
            return {}
        own, joint = self.aligner(encoded), self.joint.step(encoded, torch.zeros_like(encoded[:1, :1]))
        lacking = alignment_loss(own, labels) + alignment_loss(joint, labels)
        return {"alignment": self.sizes.alignment * lacking}
