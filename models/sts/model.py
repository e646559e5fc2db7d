"""Separator-transducer-segmenter (https://arxiv.org/abs/2205.05199): two channels from one recording, each with marks
where turns start and end, ``<sot>`` and ``<eot>``; with FastEmit, a masking loss, and a penalty on late ends.

The presets ``tiny`` and ``small`` are our own, made to learn within minutes on two cores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from earmark.bench.api import InputError, Json
from earmark.models._blocks.checks import in_range
from earmark.models._blocks.frontend import FrontEndConfig
from earmark.models._blocks.multitalker import ENCODERS, MultiTalkerTransducer, Talk, assemble_talk
from earmark.models._blocks.options import TransducerOptions
from earmark.models._blocks.recognizer import Sizes
from earmark.models._blocks.turns import END, Marking

NAME = "sts"
EDGES = ("dropped", "kept")


@dataclass(frozen=True, slots=True)
class Options(TransducerOptions):
    """What every transducer takes, and how turns are segmented."""

    fastemit: float = 0.005
    """Lambda of FastEmit, as in the paper; 0 is the plain loss."""
    masking: float = 0.3
    """Weight of the masking loss, the mean square of frames in which nobody speaks on a channel; 0 is none."""
    edges: str = "dropped"
    """As published, the first ``<sot>`` and the last ``<eot>`` of a recording are left out; ``kept`` leaves none."""
    end_penalty: float = 0.0
    """Alpha: what each frame costs by which an ``<eot>`` is late, in nats; 0 is no penalty."""
    end_buffer_s: float = 0.12
    """Tau: an ``<eot>`` is late when it comes more than this after the end of its turn."""

    def check(self) -> Options:
        if self.edges not in EDGES:
            what = f"option 'edges' is {self.edges!r}"
            raise InputError(what, where=NAME, fix=f"give one of: {', '.join(EDGES)}")
        in_range("masking", self.masking, 0.0, 100.0, plugin=NAME)
        in_range("end_penalty", self.end_penalty, 0.0, 100.0, plugin=NAME)
        in_range("end_buffer_s", self.end_buffer_s, 0.0, 10.0, plugin=NAME)
        return self


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> MultiTalkerTransducer:
    """A separator-transducer-segmenter with random weights; ``vocabulary`` are its pieces (None: letters)."""
    chosen = Options.read(options, preset, ENCODERS, plugin=NAME).check()
    talk = Talk(Marking(start="<sot>", end=END, edges=chosen.edges == "kept"), masking=chosen.masking)
    buffer = round(chosen.end_buffer_s / FrontEndConfig(stack=ENCODERS[preset].stack).frame_s)

    def late(sizes: Sizes) -> Sizes:
        return replace(sizes, end_penalty=chosen.end_penalty, end_buffer=buffer)

    return assemble_talk(
        preset, options=chosen, talk=talk, plugin=NAME, change=late, vocabulary=vocabulary, seed=seed, device=device
    )  # fmt: skip
