"""Multi-turn RNN-T (https://arxiv.org/abs/2112.10200; of two speakers, https://arxiv.org/abs/2011.11671): two channels
from one recording, each a shared transducer behind a separation encoder of its own.

The presets ``tiny`` and ``small`` are our own, made to learn within minutes on two cores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from earmark.bench.api import InputError, Json
from earmark.models._blocks.multitalker import ENCODERS, Assignment, MultiTalkerTransducer, Talk, assemble_talk
from earmark.models._blocks.options import PRESETS, TransducerOptions
from earmark.models._blocks.turns import Marking

NAME = "mt_rnnt"
ASSIGNMENTS = ("dat", "pit")


@dataclass(frozen=True, slots=True)
class Options(TransducerOptions):
    """What every transducer takes, and how talkers are told apart."""

    assignment: str = "dat"
    """``dat``: a turn is learned on the channel that it has. ``pit``: channels are exchanged where that costs less."""
    cot: bool = False
    """Say ``<cot>``, a change of turns, between the turns of a channel."""
    order_label: bool = False
    """Give each separation encoder a fixed label of its place."""

    def check(self) -> Options:
        if self.assignment not in ASSIGNMENTS:
            what = f"option 'assignment' is {self.assignment!r}"
            raise InputError(what, where=NAME, fix=f"give one of: {', '.join(ASSIGNMENTS)}")
        if self.assignment == "pit" and self.alignment > 0:
            what = "frames can't be shown their labels while channels may be exchanged"
            raise InputError(what, where=NAME, fix="give alignment = 0 or assignment = 'dat'")
        return replace(self, alignment=0.0) if self.assignment == "pit" and self.alignment == PRESETS else self


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> MultiTalkerTransducer:
    """A multi-turn RNN-T with random weights; ``vocabulary`` are its pieces (None: letters)."""
    chosen = Options.read(options, preset, ENCODERS, plugin=NAME).check()
    talk = Talk(Marking(between="<cot>" if chosen.cot else ""), cast("Assignment", chosen.assignment))
    return assemble_talk(
        preset, options=chosen, talk=talk, plugin=NAME, order_labels=chosen.order_label, vocabulary=vocabulary,
        seed=seed, device=device,
    )  # fmt: skip
