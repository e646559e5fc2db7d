"""Compute-cost amortized Transformer-Transducer (https://arxiv.org/abs/2207.02393): for each frame an arbitrator
decides which queries, keys and feed-forward modules of a causal Transformer are computed, and what is off is skipped.

The presets ``tiny`` and ``small`` are our own and have the parameters of ``rnnt``'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from torch import nn

from earmark.bench.api import InputError, Json
from earmark.models._blocks.attending import AROUND_TRANSFORMERS, TRANSFORMERS
from earmark.models._blocks.checks import in_range
from earmark.models._blocks.frontend import FrontEndConfig
from earmark.models._blocks.gates import ESTIMATORS, Estimator
from earmark.models._blocks.options import TransducerOptions, assemble
from earmark.models._blocks.recognizer import Sizes
from earmark.models._blocks.transformer import TransformerSizes
from earmark.models._blocks.transformer_encoder import GATES, TransformerEncoder
from earmark.models.amortized.arbitrators import Arbitrator, ArbitratorSizes, Network, Scope
from earmark.models.amortized.controls import BlindGates, ModuleDropout, RandomGates, StaticGates
from earmark.models.amortized.learning import AmortizedTransducer, Schedule

NAME = "amortized"
ARBITRATORS = {
    "tiny": ArbitratorSizes(projection=32, hidden=32),
    "small": ArbitratorSizes(projection=64, hidden=64),
    "paper": ArbitratorSizes(projection=0, hidden=128),
}
CHOICES: Mapping[str, Sequence[str]] = {
    "gates": ("learned", "dense", "random", "static", "blind"),
    "arbitrator": ("single", "dual"),
    "network": ("lstm", "ff"),
    "which": ("both", "query", "key", "none"),
    "estimator": ESTIMATORS,
}
ONE_RATE = re.compile(rf"(?P<kind>{'|'.join(GATES)}):(?P<block>\d+)=(?P<rate>0|1|0?\.\d+)")


@dataclass(frozen=True, slots=True)
class Options(TransducerOptions):
    """What every transducer takes, and how this one is sparing."""

    gates: str = "learned"
    """``dense`` has none; ``random``, ``static`` and ``blind`` are controls that do not look at the sound."""
    arbitrator: str = "single"
    """``dual``: a second one reads the output of the lower half of the blocks and decides for the upper half."""
    network: str = "lstm"
    """Of an arbitrator; ``ff`` is feed-forward."""
    which: str = "both"
    """Gates of attention that are learned: ``query``, ``key``, ``both`` or ``none``."""
    ffn: bool = True
    """Learn gates of the feed-forward modules."""
    estimator: str = "straight-through"
    """``gumbel``: noise and falling temperature, as in the paper."""
    threshold: float = 0.5
    """In use a gate is on where its probability is above this."""
    dense_share: float = 0.6
    """Share of a training with everything on."""
    module_dropout: float = 0.0
    """Share of recordings for which a module is left out while everything else is on (LayerDrop)."""
    target: float = 0.35
    """Share of the dense cost below which the pressure on it ends."""
    pressure: float = 5.0
    """Weight of the cost above the target, in shares of the dense cost."""
    beta: float = 0.0
    """The dial: weight of the cost itself, in shares of the dense cost."""
    query_rate: float = 0.4
    key_rate: float = 0.4
    ffn_rate: float = 0.4
    """Of ``random`` gates."""
    rates: str = ""
    """Of ``random`` gates of single blocks, where they differ: ``query:1=0.25, ffn:3=0``."""
    off: str = "ffn"
    """Of ``static`` gates: ``ffn``, ``query``, ``key`` or ``block``, each for one block (``ffn:2``) or for all."""
    never: str = ""
    """Of gates that are learned: what is off for good, as in ``off``."""
    context_s: float = 60.0
    """A frame may look back this far."""

    def check(self) -> Options:
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                what = f"option {name!r} is {value!r}"
                raise InputError(what, where=NAME, fix=f"give one of: {', '.join(allowed)}")
        for name in ("query_rate", "key_rate", "ffn_rate", "target"):
            in_range(name, getattr(self, name), 0.0, 1.0, plugin=NAME)
        in_range("threshold", self.threshold, 0.001, 0.999, plugin=NAME)
        in_range("dense_share", self.dense_share, 0.0, 0.99, plugin=NAME)
        in_range("module_dropout", self.module_dropout, 0.0, 0.9, plugin=NAME)
        in_range("beta", self.beta, 0.0, 1000.0, plugin=NAME)
        in_range("pressure", self.pressure, 0.0, 1000.0, plugin=NAME)
        in_range("context_s", self.context_s, 1.0, 600.0, plugin=NAME)
        return self


def read_off(text: str, n_blocks: int, option: str = "off") -> set[tuple[str, int]]:
    """Kinds and blocks of ``ffn, query:1, block:3``; a kind alone is that of all blocks."""
    found: set[tuple[str, int]] = set()
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        kind, _, place = part.partition(":")
        if kind not in (*GATES, "block") or not (place == "" or (place.isdecimal() and int(place) < n_blocks)):
            fix = f"give query, key, ffn or block, alone or with a block from 0 to {n_blocks - 1}, as in 'ffn, block:2'"
            raise InputError(f"option {option!r} holds {part!r}", where=NAME, fix=fix)
        blocks = [int(place)] if place else range(n_blocks)
        found |= {(gate, i) for gate in (GATES if kind == "block" else (kind,)) for i in blocks}
    return found


def read_rates(text: str, n_blocks: int, everywhere: Mapping[str, float]) -> dict[str, list[float]]:
    """Rates by kind and block: ``everywhere`` for whole kinds, and single blocks by ``query:1=0.25, ffn:3=0``."""
    rates = {kind: [everywhere[kind]] * n_blocks for kind in GATES}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        found = ONE_RATE.fullmatch(part)
        if found is None or int(found["block"]) >= n_blocks:
            fix = f"give a kind ({', '.join(GATES)}), a block from 0 to {n_blocks - 1} and a rate, as in 'query:1=0.25'"
            raise InputError(f"option 'rates' holds {part!r}", where=NAME, fix=fix)
        rates[found["kind"]][int(found["block"])] = float(found["rate"])
    return rates


def deciders(options: Options, sizes: TransformerSizes, arbitrator: ArbitratorSizes, width: int) -> list[nn.Module]:
    """Who decides for the blocks, from the lowest up; nobody in a dense model. ``width`` is that of a frame."""
    heads, n = sizes.heads, sizes.blocks
    if options.gates == "random":
        rates = {"query": options.query_rate, "key": options.key_rate, "ffn": options.ffn_rate}
        return [RandomGates(Scope(n, heads), read_rates(options.rates, n, rates))]
    if options.gates == "static":
        return [StaticGates(Scope(n, heads), read_off(options.off, n))]
    kinds: dict[str, bool] = {kind: options.which in (kind, "both") for kind in ("query", "key")} | {"ffn": options.ffn}
    if options.gates == "dense" or not any(kinds.values()):
        return []
    scope = Scope(n, heads, **kinds, never=frozenset(read_off(options.never, n, "never")))
    if options.gates == "blind":
        return [BlindGates(scope, threshold=options.threshold)]
    network = cast("Network", options.network)
    made = partial(Arbitrator, sizes=arbitrator, network=network, threshold=options.threshold)
    if options.arbitrator == "single":
        return [made(width, scope, reads="frames")]
    below = n // 2
    return [
        made(width, scope.part(0, below), reads="frames"),
        made(sizes.width, scope.part(below, n - below), reads="below"),
    ]


def build(
    preset: str, *, options: Mapping[str, Json], vocabulary: Sequence[str] | None, seed: int, device: str
) -> AmortizedTransducer:
    """An amortized Transformer-Transducer with random weights; ``vocabulary`` are its pieces (None: letters)."""
    chosen = Options.read(options, preset, TRANSFORMERS, plugin=NAME).check()
    sizes = TRANSFORMERS[preset]
    context = round(chosen.context_s / FrontEndConfig(stack=sizes.stack).frame_s)
    estimator = cast("Estimator", chosen.estimator)
    schedule = Schedule(
        dense=chosen.dense_share, target=chosen.target, pressure=chosen.pressure, beta=chosen.beta, estimator=estimator
    )  # fmt: skip
    dropping = ModuleDropout(Scope(sizes.blocks, sizes.heads), chosen.module_dropout) if chosen.module_dropout else None

    def encoder(width: int, around: Sizes) -> TransformerEncoder:
        who = deciders(chosen, sizes, ARBITRATORS[preset], width)
        return TransformerEncoder(
            width, sizes, around.joint, dropout=around.dropout, context=context, deciders=who
        )  # fmt: skip

    return assemble(
        encoder, preset=preset, stack=sizes.stack, options=chosen, vocabulary=vocabulary, plugin=NAME, seed=seed,
        device=device, kind=partial(AmortizedTransducer, schedule=schedule, dropping=dropping),
        sizes=AROUND_TRANSFORMERS[preset],
    )  # fmt: skip
