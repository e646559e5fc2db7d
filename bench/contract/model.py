"""What every model promises, whatever its task: sane facts, seeds, saved state, devices, honest work."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from earmark.bench.api import CountsWork, HasInfo, ModelInfo
from earmark.bench.contract.reach import reach
from earmark.bench.contract.subject import RecognizerSubject, Subject, copy_of, cut
from earmark.bench.contract.verdicts import Broken, Undecided
from earmark.bench.observe.compute import Count, count_macs, cross_check, parametrised_modules_at_zero

if TYPE_CHECKING:
    from torch import nn


def can_be_built(subject: Subject) -> str:
    """The entry builds a model with the given preset, options and device."""
    model = subject.model
    return f"preset {subject.preset} on {subject.device}, seed {subject.seed}: {type(model).__name__}"


def tells_what_it_is(subject: Subject) -> str:
    """``info`` holds a sample rate, channels, look-ahead and parameters that make sense."""
    if not isinstance(subject.model, HasInfo) or not isinstance(subject.model.info, ModelInfo):
        raise Broken("its info is no ModelInfo")
    info = subject.model.info
    _must(isinstance(info.sample_rate_hz, int) and 1000 <= info.sample_rate_hz <= 384_000, info, "sample_rate_hz")
    _must(info.n_channels >= 1, info, "n_channels")
    _must(info.chunk_s is None or 0 < info.chunk_s < 3600, info, "chunk_s")
    _must(math.isfinite(info.lookahead_s) and info.lookahead_s >= 0, info, "lookahead_s")
    names = isinstance(info.trained_on, tuple) and all(isinstance(name, str) for name in info.trained_on)
    _must(names, info, "trained_on")
    counted = _count_parameters(subject.model)
    if counted is not None and info.n_parameters is not None and info.n_parameters > counted:
        raise Broken(f"n_parameters is {info.n_parameters:,}, but it has {counted:,}")
    size = "an unknown number of" if info.n_parameters is None else f"{info.n_parameters:,}"
    return f"{info.sample_rate_hz} Hz, {size} parameters"


def _must(holds: bool, info: ModelInfo, name: str) -> None:
    if not holds:
        raise Broken(f"info.{name} is {getattr(info, name)!r}")


def _count_parameters(model: Any) -> int | None:
    parameters = getattr(model, "parameters", None)
    return sum(p.numel() for p in parameters()) if callable(parameters) else None


def same_seed_same_result(subject: Subject) -> str:
    """A second model built with the same seed gives the same output, bit for bit."""
    if isinstance(subject, RecognizerSubject):
        subject.must_speak()
    if found := subject.same(subject.reference, subject.output(subject.build(subject.seed))):
        raise Broken(f"built again with seed {subject.seed}: {found}")
    return f"two builds with seed {subject.seed}"


def saved_and_loaded_is_the_same(subject: Subject) -> str:
    """Its state, through a safetensors file, makes a model built with another seed the same model."""
    from safetensors.torch import load, save

    state = getattr(subject.model, "state_dict", None)
    if not callable(state) or not callable(getattr(subject.model, "load_state_dict", None)):
        raise Undecided("it has no state_dict() and load_state_dict(): nothing to save")
    saved = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state().items()}
    if not saved:
        raise Undecided("its state is empty")
    other = subject.build(subject.seed + 1)
    other.load_state_dict(load(save(saved)))
    for name, tensor in other.state_dict().items():
        if name not in saved or not _equal(tensor.detach().cpu(), saved[name]):
            raise Broken(f"{name} is not what was saved")
    if found := subject.same(subject.reference, subject.output(other)):
        raise Broken(f"with the same saved state: {found}")
    return f"{len(saved)} tensors"


def _equal(a: Any, b: Any) -> bool:
    return bool(a.shape == b.shape and a.dtype == b.dtype and ((a == b) | ((a != a) & (b != b))).all())


def every_tensor_is_on_the_models_device(subject: Subject) -> str:
    """Parameters, buffers and the state of a stream in use all live on the device that was asked for."""
    import torch

    wanted = torch.device(subject.device)
    roots: list[object] = [subject.model]
    if isinstance(subject, RecognizerSubject):
        roots.append(stream := subject.model.stream())
        stream.accept(subject.first[: subject.rate_hz])
    else:
        subject.output(subject.model)
    tensors = reach(roots).tensors
    strays = [t for t in tensors if t.device.type != wanted.type or wanted.index not in (None, t.device.index)]
    if strays:
        stray = f"one of shape {tuple(strays[0].shape)} on {strays[0].device}"
        raise Broken(f"{len(strays)} of {len(tensors)} tensors live elsewhere, e.g. {stray}")
    if not tensors:
        raise Undecided("it holds no torch tensors")
    return f"{len(tensors)} tensors on {wanted}"


def work_agrees_with_an_independent_count(subject: Subject) -> str:
    """``work()`` is cumulative and within 1 % of the multiply-accumulates that torch really executed."""
    claimed: dict[str, int] = {}
    run = _listening(subject, claimed) if isinstance(subject, RecognizerSubject) else _embedding(subject, claimed)
    run()  # what is made once and kept is not part of a recording's work
    claimed.clear()
    counted = count_macs(run)
    if not counted.macs and not counted.uncounted and any(claimed.values()):
        raise Undecided(f"it claims {sum(claimed.values()):,} MACs outside torch, where none can be counted")
    if disagreement := cross_check(claimed, counted):
        raise Broken(disagreement)
    _all_layers_count(subject, run)
    return _summary(claimed, counted)


def _summary(claimed: Mapping[str, int], counted: Count) -> str:
    parts = ", ".join(f"{part} {macs:,}" for part, macs in claimed.items())
    unknown = f"; without a formula: {', '.join(counted.uncounted)}" if counted.uncounted else ""
    return f"{counted.macs:,} counted, claimed {parts}{unknown}"


def _listening(subject: RecognizerSubject, claimed: dict[str, int]) -> Callable[[], None]:
    """Streams the first utterance, and leaves what the stream claims in ``claimed``."""
    if not isinstance(subject.model.stream(), CountsWork):
        raise Undecided("the stream offers no work()")

    def run() -> None:
        stream: Any = subject.model.stream()
        claimed.update(stream.work())
        for chunk in cut(subject.first, subject.chunk):
            copy_of(stream.accept(chunk))
            _advance(claimed, stream.work())
        stream.finish()
        _advance(claimed, stream.work())

    return run


def _advance(before: dict[str, int], after: Mapping[str, int]) -> None:
    for part, macs in after.items():
        if macs < before.get(part, 0):
            raise Broken(f"{part} went from {before.get(part, 0):,} to {macs:,} MACs: it must only grow, from zero")
    before.update(after)


def _embedding(subject: Subject, claimed: dict[str, int]) -> Callable[[], None]:
    """Embeds the first utterance, and leaves what the embedder claims for it in ``claimed``."""
    if not isinstance(subject.model, CountsWork):
        raise Undecided("the embedder offers no work()")

    def run() -> None:
        before = dict(subject.model.work())
        subject.output(subject.model)
        after = dict(subject.model.work())
        _advance(dict(before), after)
        claimed.update({part: macs - before.get(part, 0) for part, macs in after.items()})

    return run


def _all_layers_count(subject: Subject, run: Callable[[], None]) -> None:
    for module in _modules(subject.model):
        if silent := parametrised_modules_at_zero(module, run):
            raise Broken(f"{', '.join(silent)} ran and counted no MAC: the count has a hole there")


def _modules(model: Any) -> Iterator[nn.Module]:
    """The model itself, or the torch modules that it holds as attributes."""
    from torch import nn

    if isinstance(model, nn.Module):
        yield model
    else:
        yield from (value for value in getattr(model, "__dict__", {}).values() if isinstance(value, nn.Module))
