"""The loop itself, on Lightning Fabric: everything that happens to the weights is on this page.

Every draw of a step comes from generators seeded with (seed, step), so a step can be made again exactly.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from earmark.bench.api import ChoosesKept, Example, InputError, Losses, Objective, Progress, Trainable
from earmark.bench.training import state
from earmark.bench.training.batches import Batches
from earmark.bench.training.data import Recordings
from earmark.bench.training.evaluate import Dev
from earmark.bench.training.recipe import Recipe
from earmark.bench.training.state import Standing
from earmark.bench.training.watching import Watch, spoken_of

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from numpy.random import Generator

M = TypeVar("M", bound="Trainable[Any]")
Show = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Course:
    """Where and with what a training runs; ``state_file`` and ``identity`` let it be taken up again.

    The first ``first_steps`` steps learn from ``first``, all others from ``data``.
    """

    data: Recordings
    recipe: Recipe
    seed: int
    device: str = "cpu"
    dev: Dev | None = None
    state_file: Path | None = None
    identity: str = ""
    show: Show | None = None
    first: Recordings | None = None
    first_steps: int = 0
    watch: tuple[str, ...] = ()
    """Columns of the rows by whose values losses and weights are logged, where a loss tells them."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a repair asks for, as in ``Trainer.fit``."""

    row_weights: Sequence[float] | None = None
    transform: Callable[[Example, Generator], Example] | None = None
    objective: Callable[[Any], Objective[Any]] | None = None
    frozen: Sequence[str] = ()


def fit(model: M, course: Course, wishes: Wishes | None = None) -> tuple[M, Standing]:
    """A trained copy of ``model`` with the weights that were best on dev, and how training went.

    Raises:
        InputError: an unknown part to freeze, weights that do not fit, a loss that is not finite.
    """
    torch.set_num_threads(course.recipe.threads)
    with torch.random.fork_rng(devices=_cuda_devices(course.device)):
        return _Fit(copy.deepcopy(model), course, wishes or Wishes()).run()


class _Fit:
    def __init__(self, model: Any, course: Course, wishes: Wishes) -> None:
        self.model, self.course, self.wishes = model, course, wishes
        self.fabric = _fabric(course.device)
        self.objective = wishes.objective(model) if wishes.objective else None
        self.free = _free(model, wishes.frozen)
        self.still = _still(model, self.free)
        recipe = course.recipe
        optimizer = torch.optim.AdamW(
            _by_rate(model, self.free, recipe.rates),
            lr=recipe.learning_rate, betas=recipe.betas, weight_decay=recipe.weight_decay,
        )  # fmt: skip
        self.optimizer: Any = self.fabric.setup_optimizers(optimizer)
        self.inner = optimizer
        self.batches = self._batches(course.data, wishes.row_weights)
        self.first = self._batches(course.first) if course.first is not None and course.first_steps else None
        self.standing = Standing()
        self.best: dict[str, Tensor] = {}
        self.recent: list[float] = []
        self.told: dict[str, float] = {}
        self.watch = Watch(course.data.rows, course.watch)

    def _batches(self, data: Recordings, weights: Sequence[float] | None = None) -> Batches:
        size, batching = self.course.recipe.batch_size, self.model.batching
        return Batches(self.course.seed, data.durations, data.speakers, size, batching, weights)

    def run(self) -> tuple[Any, Standing]:
        self._take_up()
        required = {parameter: parameter.requires_grad for _, parameter in self.model.named_parameters()}
        for parameter in required:
            parameter.requires_grad_(parameter in self.free and required[parameter])
        while self.standing.done < self.course.recipe.steps:
            self._step(self.standing.done)
            self.standing.done += 1
            self._look()
            if self.course.recipe.saves(self.standing.done):
                self._save()
        if self.best:
            self.model.load_state_dict(self.best)
        for parameter, before in required.items():
            parameter.requires_grad_(before)
        _mode(self.model, training=False)
        return self.model, self.standing

    def _step(self, step: int) -> None:
        course, progress = self.course, Progress(step, self.course.recipe.steps)
        rng = np.random.default_rng((course.seed, step, 0x57E9))
        torch.manual_seed(int(rng.integers(2**62)))
        _mode(self.model, training=True)
        for module in self.still:
            module.eval()
        batch = self.model.collate([*self._examples(step, rng)], rng)
        with self.fabric.autocast():
            losses = (self.objective.losses if self.objective else self.model.loss)(batch, progress)
            loss = self._total(losses, step)
        for group in self.inner.param_groups:
            group["lr"] = group["times"] * course.recipe.rate(step)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        torch.nn.utils.clip_grad_norm_(list(self.free), course.recipe.clip)
        self.optimizer.step()
        if self.objective:
            self.told = dict(self.objective.after_step(batch, progress))
        self.recent.append(loss.item())
        self.watch.see(self.batches.of_step(step), losses)

    def _examples(self, step: int, rng: Generator) -> list[Example]:
        course, change = self.course, self.wishes.transform
        if self.first is not None and course.first is not None and step < course.first_steps:
            found = list(course.first.examples(self.first.of_step(step)))
        else:
            found = list(course.data.examples(self.batches.of_step(step)))
        return [change(example, rng) for example in found] if change else found

    def _total(self, losses: Losses, step: int) -> Tensor:
        weights: Mapping[str, float] = self.course.recipe.weights
        total = torch.stack([weights.get(name, 1.0) * term for name, term in losses.terms.items()]).sum()
        if not torch.isfinite(total):
            terms = ", ".join(f"{name} {float(term.detach()):g}" for name, term in losses.terms.items())
            raise InputError(
                f"the loss is not finite in step {step} ({terms})", fix="lower learning_rate, or look at the data"
            )
        return total

    def _look(self) -> None:
        """Look at the dev split when it is time, keep the best weights, and show how it goes."""
        standing, recipe = self.standing, self.course.recipe
        if not recipe.looks_at_dev(standing.done):
            if standing.done % 10 == 0:
                self._show()
            return
        row: dict[str, Any] = {"step": standing.done, "loss": round(float(np.mean(self.recent)), 6), **self.told}
        self.recent = []
        if watched := self.watch.look():
            row["watched"] = watched
        if self.course.dev is not None and self._may_keep():
            _mode(self.model, training=False)
            value = self.course.dev(self.model)
            row[self.course.dev.metric(self.model)] = round(value, 6)
            if standing.best is None or value <= standing.best:
                standing.best, standing.best_step = value, standing.done
                self.best = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
        elif self.course.dev is None:
            standing.best_step = standing.done
        standing.log.append(row)
        self._show()

    def _may_keep(self) -> bool:
        """Whether the present weights are what is to be learned; a model that doesn't say is so at any moment."""
        done, n_steps = self.standing.done, self.course.recipe.steps
        if done == n_steps or not isinstance(self.model, ChoosesKept):
            return True
        return self.model.may_keep(Progress(done - 1, n_steps))

    def _show(self) -> None:
        if self.course.show is not None:
            last = self.standing.log[-1] if self.standing.log else {}
            self.course.show(self.standing.done, self.course.recipe.steps, spoken_of(last))

    # --- being taken up again -------------------------------------------------------------------------------------

    @property
    def _names(self) -> dict[Tensor, str]:
        return {parameter: name for name, parameter in self.model.named_parameters() if parameter in self.free}

    def _save(self) -> None:
        if self.course.state_file is None:
            return
        recent = torch.tensor(self.recent, dtype=torch.float64)
        groups = {
            "model": self.model.state_dict(),
            "best": self.best,
            "optimizer": state.optimizer_tensors(self.inner, self._names),
            "objective": self.objective.state() if self.objective else {},
            "recent": {"loss": recent, "watched": self.watch.sums},
        }
        state.write(self.course.state_file, self.course.identity, self.standing, groups)

    def _take_up(self) -> None:
        path = self.course.state_file
        found = state.read(path, self.course.identity) if path is not None else None
        if found is None:
            return
        self.standing, groups = found
        self.model.load_state_dict(groups["model"])
        self.best = groups.get("best", {})
        state.restore_optimizer(self.inner, self._names, groups.get("optimizer", {}))
        self.recent = groups["recent"]["loss"].tolist()
        self.watch.restore(groups["recent"].get("watched"))
        if self.objective:
            self.objective.restore(groups.get("objective", {}))


def _fabric(device: str) -> Fabric:
    from lightning_fabric import Fabric

    kind, _, index = device.partition(":")
    return Fabric(accelerator=kind, devices=[int(index or 0)] if kind == "cuda" else 1, precision="32-true")


def _cuda_devices(device: str) -> list[int]:
    kind, _, index = device.partition(":")
    return [int(index or 0)] if kind == "cuda" else []


def _parts(model: Any, named: Sequence[str], purpose: str) -> Mapping[str, Sequence[str]]:
    """The model's parts, some of which are named for a purpose; InputError where there is none of that name."""
    parts: Mapping[str, Sequence[str]] = model.parts()
    unknown = [part for part in named if part not in parts]
    if unknown:
        raise InputError(f"no part {unknown[0]!r} {purpose}", fix=f"there is {', '.join(parts)}")
    return parts


def _by_rate(model: Any, free: Mapping[Tensor, None], rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """The free parameters in groups of one rate, each ``times`` the learning rate."""
    parts = _parts(model, [*rates], "to be given a rate")
    of_name = {name: rates.get(part, 1.0) for part, names in parts.items() for name in names}
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter in free:
            groups.setdefault(of_name.get(name, 1.0), []).append(parameter)
    return [{"params": group, "times": times} for times, group in groups.items()]


def _free(model: Any, frozen: Sequence[str]) -> dict[Tensor, None]:
    """The parameters that training may change, in order."""
    parts = _parts(model, frozen, "to freeze")
    held = {name for part in frozen for name in parts[part]}
    free = {parameter: None for name, parameter in model.named_parameters() if name not in held}
    if not free:
        raise InputError("every part is frozen", fix="leave a part to train")
    return free


def _still(model: Any, free: Mapping[Tensor, None]) -> list[torch.nn.Module]:
    """Normalizations of frozen parts: their running statistics are kept as well."""
    modules = model.modules() if isinstance(model, torch.nn.Module) else ()
    normalizing = [m for m in modules if "running_mean" in dict(m.named_buffers(recurse=False))]
    return [m for m in normalizing if [*m.parameters()] and not any(p in free for p in m.parameters())]


def _mode(model: Any, *, training: bool) -> None:
    if hasattr(model, "train"):
        model.train(training)
