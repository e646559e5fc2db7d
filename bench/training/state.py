"""What a training needs to go on as if it had never stopped, in one safetensors file.

Batches, augmentation and dropout are functions of seed and step, so the state is: how many steps were made, the
weights, the best weights so far, the optimizer's moments and the objective's own state. No pickle is written or read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from earmark.bench.disk import write_atomic


@dataclass
class Standing:
    """Where a training stands after ``done`` steps; ``log`` holds a row for each look at the dev split."""

    done: int = 0
    best: float | None = None
    best_step: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)


def write(path: Path, identity: str, standing: Standing, groups: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Write whole or not at all; ``groups`` are named sets of tensors."""
    tensors = {
        f"{group}/{name}": tensor.detach().cpu().contiguous().clone()
        for group, named in groups.items()
        for name, tensor in named.items()
    }
    facts = {"identity": identity, "standing": json.dumps(asdict(standing))}
    write_atomic(path, save(tensors, metadata=facts))


def read(path: Path, identity: str) -> tuple[Standing, dict[str, dict[str, Tensor]]] | None:
    """What was written, or None where there is nothing of this identity that can be read."""
    try:
        with safe_open(str(path), framework="pt") as file:
            facts = file.metadata() or {}
            if facts.get("identity") != identity:
                return None
            groups: dict[str, dict[str, Tensor]] = {}
            for key in file.keys():  # noqa: SIM118 - no mapping
                group, _, name = key.partition("/")
                groups.setdefault(group, {})[name] = file.get_tensor(key)
        return Standing(**json.loads(facts["standing"])), groups
    except (OSError, ValueError, KeyError, RuntimeError):
        return None
    except Exception as error:  # safetensors has an error class of its own
        if type(error).__name__ == "SafetensorError":
            return None
        raise


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The optimizer's moments and counts by ``<parameter>|<moment>``."""
    return {
        f"{names[parameter]}|{moment}": torch.as_tensor(value)
        for parameter, moments in optimizer.state.items()
        for moment, value in moments.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str], tensors: Mapping[str, Tensor]
) -> None:
    """Put the moments back where :func:`optimizer_tensors` took them."""
    parameters = {name: parameter for parameter, name in names.items()}
    for key, tensor in tensors.items():
        name, _, moment = key.rpartition("|")
        parameter = parameters[name]
        device = "cpu" if moment == "step" else parameter.device
        optimizer.state[parameter][moment] = tensor.to(device)
