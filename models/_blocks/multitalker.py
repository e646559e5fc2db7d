"""A transducer that writes down a conversation of two channels, as it is spoken: what MT-RNN-T and STS share.

Multi-talker RNN-T (https://arxiv.org/abs/2011.11671), its multi-turn form (2112.10200) and the
separator-transducer-segmenter (2205.05199). Recognition encoder, predictor and joint are the same for both channels;
a channel is a further row of the batch for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from earmark.bench.api import Example, Json, Losses, Progress
from earmark.models._blocks import transducer
from earmark.models._blocks.alignment import IGNORED
from earmark.models._blocks.losses import best_assignment, masking_loss
from earmark.models._blocks.options import AROUND, TransducerOptions, assemble
from earmark.models._blocks.recognizer import Batch, Sizes, Transducer
from earmark.models._blocks.separation import N_CHANNELS, SeparatingEncoder, SeparationSizes
from earmark.models._blocks.turns import Marking, check_channels, due_frames, on_channel, silent_frames

if TYPE_CHECKING:
    from numpy.random import Generator

Assignment = Literal["dat", "pit"]
ENCODERS = {
    "tiny": SeparationSizes(stack=6, stem=192, hidden=192, layers=1),
    "small": SeparationSizes(stack=6, stem=384, hidden=448, layers=1),
    "paper": SeparationSizes(stack=3, stem=0, hidden=1024, layers=2),
}
AROUND_TALK: dict[str, Sizes] = {
    **AROUND,
    "paper": Sizes(
        joint=640, embedding=256, predictor=1024, predictor_layers=2, predictor_norm=True, joint_hidden=512
    ),
}  # fmt: skip
"""Predictor, joint and training loss; ``paper`` is https://arxiv.org/abs/2205.05199, section 4, the others our own."""
NOISE = 0.02
"""On the weights of the second separation encoder when it begins as a copy of the first."""


@dataclass(frozen=True, slots=True)
class Talk:
    """How a conversation is written down and learned.

    ``assignment``: the channel that a turn has is the one that has to say it (``dat``, deterministic assignment), or
    channels may be exchanged, whatever costs less (``pit``). ``masking`` is the weight of the masking loss.
    """

    marking: Marking = Marking()  # noqa: RUF009 - frozen
    assignment: Assignment = "dat"
    masking: float = 0.0


class MultiTalkerTransducer(Transducer):
    """A transducer of two channels; a training may begin with single talkers, see ``n_alone``.

    While nothing was ever to be said on the second channel, the first is trained alone; with the first batch that has
    two, the second separation encoder begins as a copy of the first. ``n_alone`` counts the steps until then and is -1
    from there on.
    """

    n_channels = N_CHANNELS
    n_alone: Tensor

    def __init__(self, encoder: SeparatingEncoder, *, talk: Talk, **around: Any) -> None:
        super().__init__(encoder, marks=talk.marking.names, **around)
        self.talk = talk
        self.register_buffer("n_alone", torch.tensor(0))

    def config(self) -> Json:
        config = super().config()
        assert isinstance(config, dict)
        return {**config, "talk": asdict(self.talk)}

    # --- what is to be said ---------------------------------------------------------------------------------------

    def rows(self, examples: Sequence[Example]) -> list[Example]:
        """The turns of the first channel of each recording, then those of the second, with marks."""
        check_channels(examples, N_CHANNELS, plugin=self.plugin)
        return [on_channel(e, channel, self.talk.marking) for channel in range(N_CHANNELS) for e in examples]

    def collate(self, examples: Sequence[Example], rng: Generator) -> Batch:
        """As of every transducer, and where they are asked for: where a channel is silent, when ends are due."""
        batch = super().collate(examples, rng)
        if self.talk.masking == 0 and self.sizes.end_penalty == 0:
            return batch
        rows, frame_s = self.rows(examples), self.front.config.frame_s
        found = list(zip(rows, *self._extents(rows, batch.n_samples), strict=True))
        if self.talk.masking > 0:
            silent = [silent_frames(row, n_frames=n, frame_s=frame_s, stretch=s) for row, n, s in found]
            batch = replace(batch, silent=pad_sequence(silent, batch_first=True).to(self.device))
        if self.sizes.end_penalty > 0:
            mark = self.pieces.mark(self.talk.marking.end)
            due = [due_frames(row, self.labels(row), mark, frame_s=frame_s, stretch=s) for row, _, s in found]
            never = torch.full((1,), torch.inf)
            padded = pad_sequence([torch.cat([row, never]) for row in due], batch_first=True, padding_value=torch.inf)
            batch = replace(batch, due=padded.to(self.device))
        return batch

    def _aligned(self, rows: Sequence[Example], n_samples: Tensor) -> tuple[Tensor, Tensor]:
        """No word fills a recording of several talkers."""
        known, flat = super()._aligned(rows, n_samples)
        return known, torch.full_like(flat, IGNORED)

    # --- learning -------------------------------------------------------------------------------------------------

    def loss(self, batch: Batch, progress: Progress) -> Losses:
        """That of every transducer over both channels, and ``masking`` where it is asked for; all are means."""
        frames, lengths = self._masked_frames(batch)
        n = self._channels_to_learn(batch)
        encoded, lengths = self.encoder(frames, lengths, n_channels=n), lengths.repeat(n)
        if n < N_CHANNELS:
            batch = _rows(batch, torch.arange(len(encoded), device=lengths.device))
        elif self.talk.assignment == "pit":
            batch = _rows(batch, self._assigned(encoded, lengths, batch))
        losses = self._losses(encoded, lengths, batch, progress)
        terms = dict(losses.terms)
        if batch.silent is not None and n == N_CHANNELS:
            terms["masking"] = self.talk.masking * masking_loss(encoded, batch.silent)
        return Losses(terms, None if losses.items is None else losses.items.view(n, -1).mean(dim=0))

    def _channels_to_learn(self, batch: Batch) -> int:
        """1 while a training begins with single talkers. With the first batch of both the second channel begins."""
        alone = not bool(batch.n_targets[len(batch.n_samples) :].any())
        if not self.training or self.n_alone < 0:
            return N_CHANNELS
        if alone:
            self.n_alone += 1
            return 1
        if self.n_alone > 0:
            self.encoder.part(NOISE)
        self.n_alone.fill_(-1)
        return N_CHANNELS

    @torch.no_grad()
    def _assigned(self, encoded: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
        """The row of ``batch.targets`` that each row should say so that the loss of its recording is least: (2 * B,).

        The gradient of a minimum is that of what is least, so the losses of all pairs need none.
        """
        predicted, size = self.predictor(batch.targets), len(batch.n_samples)
        channels = [slice(n * size, (n + 1) * size) for n in range(N_CHANNELS)]

        def loss(heard: slice, said: slice) -> Tensor:
            logits = self.joint(encoded[heard], predicted[said])
            return transducer.transducer_loss(logits, batch.targets[said], lengths[heard], batch.n_targets[said])

        every = torch.stack([torch.stack([loss(heard, said) for said in channels]) for heard in channels])
        best = best_assignment(every)  # (B, N)
        return (best.T * size + torch.arange(size, device=best.device)).flatten()


def _rows(batch: Batch, rows: Tensor) -> Batch:
    """The batch with these rows of what is to be said."""
    names = ("targets", "n_targets", "aligned", "flat", "silent", "due")
    found = {name: getattr(batch, name) for name in names}
    return replace(batch, **{name: value[rows] for name, value in found.items() if value is not None})


def assemble_talk(
    preset: str,
    *,
    options: TransducerOptions,
    talk: Talk,
    plugin: str,
    order_labels: bool = False,
    change: Callable[[Sizes], Sizes] = lambda sizes: sizes,
    **rest: Any,
) -> MultiTalkerTransducer:
    """A multi-talker transducer of a preset with random weights; ``rest`` as of ``options.assemble``."""
    sizes = ENCODERS[preset]

    def encoder(width: int, around: Sizes) -> SeparatingEncoder:
        return SeparatingEncoder(width, sizes, around.joint, dropout=around.dropout, order_labels=order_labels)

    return assemble(
        encoder, preset=preset, stack=sizes.stack, options=options, plugin=plugin, sizes=change(AROUND_TALK[preset]),
        kind=partial(MultiTalkerTransducer, talk=talk), **rest,
    )  # fmt: skip
