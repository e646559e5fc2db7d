"""Time and memory of every model on one fixed signal, without the harness around it.

The signal is seeded noise that swells and fades about three times a second, as speech does. Models are built as they
come, untrained where they have no weights of their own: what a chunk costs hardly depends on what is heard. A model
that can't be built here (a missing package, say) is skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from earmark.bench import clock, registry
from earmark.bench.api import InputError, ModelSpec, Recognizer, SpeakerEmbedder, Unsupported

if TYPE_CHECKING:
    from earmark.bench.api import Samples

AUDIO_S = 3.0
CHUNK_S = 0.12
RECOGNIZERS = sorted(name for name, spec in registry.models().items() if spec.task != "verification")
EMBEDDERS = sorted(name for name, spec in registry.models().items() if spec.task == "verification")


def signal(rate_hz: int, seconds: float = AUDIO_S) -> Samples:
    """Mono float32 samples (n,), the same at every call."""
    at = np.arange(round(rate_hz * seconds)) / rate_hz
    noise = np.random.default_rng(0).standard_normal(len(at))
    return (0.1 * noise * (0.55 + 0.45 * np.sin(2 * np.pi * 3.0 * at))).astype(np.float32)


def build(name: str) -> Any:
    """The model in its first preset on one thread; NotImplementedError, which asv takes for "skip", if that fails."""
    spec = cast(ModelSpec, registry.scan().named(name, "model").spec)
    try:
        entry = registry.resolve(spec)
        _one_thread()
        return entry(spec.presets[0], options={}, vocabulary=None, seed=0, device="cpu")
    except (Unsupported, InputError) as error:
        raise NotImplementedError(f"{name} can't be built here: {error}") from error


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def stream(model: Recognizer, chunks: list[Samples]) -> None:
    """One recording, chunk by chunk, to its end."""
    listening = model.stream()
    for chunk in chunks:
        listening.accept(chunk)
    listening.finish()


def embed(model: SpeakerEmbedder, samples: Samples) -> None:
    """One recording."""
    model.embed(samples[None, :], np.array([len(samples)], dtype=np.int64))


class Streaming:
    """A recording of 3 s through a recognizer, in chunks of 120 ms."""

    params: ClassVar = RECOGNIZERS
    param_names: ClassVar = ["model"]
    version = "1"
    timeout = 300.0

    def setup(self, model: str) -> None:
        self.model = build(model)
        rate_hz = self.model.info.sample_rate_hz
        self.chunks = clock.cut(signal(rate_hz), round(CHUNK_S * rate_hz))

    def time_stream(self, model: str) -> None:  # noqa: ARG002 - asv hands the parameter to every method
        stream(self.model, self.chunks)

    def peakmem_stream(self, model: str) -> None:  # noqa: ARG002
        stream(self.model, self.chunks)


class Embedding:
    """A recording of 3 s through an embedder."""

    params: ClassVar = EMBEDDERS
    param_names: ClassVar = ["model"]
    version = "1"
    timeout = 300.0

    def setup(self, model: str) -> None:
        self.model = build(model)
        self.samples = signal(self.model.info.sample_rate_hz)

    def time_embed(self, model: str) -> None:  # noqa: ARG002
        embed(self.model, self.samples)

    def peakmem_embed(self, model: str) -> None:  # noqa: ARG002
        embed(self.model, self.samples)
