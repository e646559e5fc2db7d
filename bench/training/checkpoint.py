"""A trained model on disk: ``model.safetensors``, and ``config.json`` that says how it came about.

The same weights give the same bytes, and their digest is in the configuration. Nothing is loaded whose digest is
not the one that was written with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

from earmark.bench.api import InputError
from earmark.bench.disk import whole_folder

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def write(folder: Path, state: Mapping[str, Tensor], config: Mapping[str, Any]) -> str:
    """Write a checkpoint, whole or not at all; returns the digest of its weights."""
    content = save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in sorted(state.items())})
    digest = hashlib.sha256(content).hexdigest()
    text = json.dumps({**config, "sha256": digest}, indent=1, sort_keys=True, ensure_ascii=False)
    with whole_folder(folder) as partial:
        (partial / WEIGHTS).write_bytes(content)
        (partial / CONFIG).write_text(text + "\n", encoding="utf-8")
    return digest


def config_of(folder: Path) -> dict[str, Any]:
    """What is told of a checkpoint, its weights not looked at. InputError where it can't be read."""
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(folder, f"its {CONFIG} can't be read") from error
    return config


def read(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and configuration. InputError where the weights are not those that were written."""
    config = config_of(folder)
    try:
        content = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise _broken(folder, f"its {WEIGHTS} can't be read") from error
    if hashlib.sha256(content).hexdigest() != config.get("sha256"):
        raise _broken(folder, f"its {WEIGHTS} is not the file that was written with it")
    return load(content), config


def _broken(folder: Path, what: str) -> InputError:
    return InputError(what, where=f"checkpoint {folder.name}", fix="delete its folder, and it is trained again")
