"""What an observer needs to know, and what every observer does alike: seeds, threads, recordings, cross-checks."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

import numpy as np

from earmark.bench.api import HasInfo, Json, Samples, Unsupported
from earmark.bench.corpora import audio, conditions
from earmark.bench.corpora.schema import metadata
from earmark.bench.observe.compute import Count, cross_check
from earmark.bench.tables import Writer

Advance = Callable[[int, int, str], None]
N_CROSS_CHECKED = 3
"""Recordings whose claimed MACs are held against a dispatch-mode count, outside the timed passes."""


class Misbehaved(Exception):
    """A model broke a promise while it was observed: its cell fails, and nobody's input is at fault."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The circumstances of one cell, as far as observing goes."""

    cell: str
    split: str
    condition: str
    seed: int
    device: str
    chunk_ms: int | None
    pacing: Literal["virtual", "real", "offline"]
    passes: int
    threads: int = 1
    timing_recordings: int | None = None
    timing_only: bool = False
    concurrent: bool = False
    options: Mapping[str, Json] = field(default_factory=dict)
    pair_within: tuple[str, ...] = ("gender",)
    """Columns whose values the speakers of a non-target trial share."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A row of the corpus as a model hears it: samples (n,) float32 mono at the model's rate, condition applied."""

    utterance_id: str
    samples: Samples
    row: Mapping[str, Any]
    rate_hz: int

    @property
    def audio_s(self) -> float:
        return len(self.samples) / self.rate_hz

    @property
    def metadata_json(self) -> str:
        return json.dumps(metadata(self.row), sort_keys=True, ensure_ascii=False)


def hear(row: Mapping[str, Any], settings: Settings, rate_hz: int) -> Recording:
    """Decode a row, apply the condition, and bring it to the model's sample rate."""
    clean = audio.decode(row)
    heard = conditions.apply_condition(clean, settings.condition, utterance_id=row["id"], seed=settings.seed)
    if rate_hz != audio.SAMPLE_RATE_HZ:
        heard = audio.resample(heard.astype(np.float64), audio.SAMPLE_RATE_HZ, rate_hz).astype(np.float32)
    return Recording(row["id"], heard, row, rate_hz)


def timed_ids(ids: list[str], count: int | None) -> frozenset[str]:
    """The recordings that are streamed in every pass; the others are streamed once, for quality.

    A draw by hash of the id: it does not depend on the order of rows, and is the same for every model.
    """
    ranked = sorted(ids, key=lambda name: sha256(f"timing:{name}".encode()).digest())
    return frozenset(ranked if count is None else ranked[:count])


def prepare(settings: Settings) -> None:
    """Pin threads and seed every generator that a model could draw from."""
    import torch

    torch.set_num_threads(settings.threads)
    random.seed(settings.seed)
    np.random.seed(settings.seed)  # noqa: NPY002 - foreign engines draw from the global state
    torch.manual_seed(settings.seed)


def require_device(device: str) -> None:
    """Nothing, or :class:`Unsupported` where the device isn't there."""
    if device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            raise Unsupported(f"no CUDA device here for device {device!r}")


def write_parameter_count(model: HasInfo, writer: Writer) -> None:
    """The model's own figure, or the sum over its parameters; nothing where neither is known."""
    count = model.info.n_parameters
    parameters = getattr(model, "parameters", None)
    if count is None and callable(parameters):
        count = sum(p.numel() for p in parameters())
    if count is not None:
        writer.add("facts", utterance_id="", name="n_parameters", value=float(count))


def write_cross_check(utterance_id: str, claimed: Mapping[str, int], counted: Count, writer: Writer) -> set[str]:
    """Write how a model's own count of its work compares with an independent one; flags where they disagree."""
    writer.add("facts", utterance_id=utterance_id, name="macs_counted", value=float(counted.macs))
    if counted.uncounted:
        writer.add("facts", utterance_id=utterance_id, name="uncounted_ops", note=" ".join(counted.uncounted))
    disagreement = cross_check(claimed, counted)
    if disagreement is None:
        return set()
    writer.add("facts", utterance_id=utterance_id, name="work_disagrees", note=disagreement)
    return {"work_disagrees"}
