"""A checkpoint on disk: the same weights the same bytes, and nothing loaded that was changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from earmark.bench.api import InputError
from earmark.bench.training import checkpoint
from earmark.bench.training.recipe import Recipe

STATE = {"b": torch.arange(6.0).view(2, 3).t(), "a": torch.ones(2, dtype=torch.float64)}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    digest = checkpoint.write(tmp_path / "one", STATE, {"preset": "tiny"})
    state, config = checkpoint.read(tmp_path / "one")
    assert config == {"preset": "tiny", "sha256": digest}
    assert all(torch.equal(state[name], tensor) for name, tensor in STATE.items())


def test_the_same_weights_give_the_same_digest_in_any_order(tmp_path: Path) -> None:
    one = checkpoint.write(tmp_path / "one", STATE, {})
    assert checkpoint.write(tmp_path / "two", dict(reversed(STATE.items())), {"other": 1}) == one
    assert checkpoint.write(tmp_path / "two", {**STATE, "a": torch.zeros(2)}, {}) != one
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_changed_or_missing_weights_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "key"
    checkpoint.write(folder, STATE, {})
    weights = folder / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(InputError, match=r"checkpoint key: its model\.safetensors is not the file that was written"):
        checkpoint.read(folder)
    weights.unlink()
    with pytest.raises(InputError, match="delete its folder, and it is trained again"):
        checkpoint.read(folder)
    (folder / checkpoint.CONFIG).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.json can't be read"):
        checkpoint.config_of(folder)


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    recipe = Recipe(steps=100, warmup=10, learning_rate=1.0)
    rates = [recipe.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9]
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert 0 < rates[99] < 0.02
    assert [done for done in range(1, 101) if recipe.looks_at_dev(done)] == list(range(10, 101, 10))
