"""Losses and weights by group while a training goes on: does a repair attend to those it is for?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from earmark.bench.api import InputError, Losses, Table

Groups = dict[str, dict[str, dict[str, float]]]


class Watch:
    """Of the values of some columns of the train rows. ``sums`` (groups, 3): recordings, losses, weights; since the
    last look, and part of what a training is taken up from.
    """

    def __init__(self, rows: Table, columns: Sequence[str]) -> None:
        absent = [name for name in columns if name not in rows.column_names]
        if absent:
            what = f"the train rows have no column {absent[0]!r} to watch"
            raise InputError(what, fix=f"there is {', '.join(rows.column_names)}")
        self.values = {name: [str(value) for value in rows[name].to_pylist()] for name in columns}
        self.places = {
            key: place
            for place, key in enumerate((name, value) for name in columns for value in sorted({*self.values[name]}))
        }
        self.sums = torch.zeros(len(self.places), 3, dtype=torch.float64)

    def see(self, rows: Sequence[int], losses: Losses) -> None:
        """Add a batch of these rows; nothing where the loss tells nothing of single recordings."""
        if losses.items is None or not self.values or len(losses.items) != len(rows):
            return
        items = losses.items.detach().double().cpu()
        weights = torch.ones_like(items) if losses.weights is None else losses.weights.detach().double().cpu()
        seen = torch.stack([torch.ones_like(items), items, weights], dim=1)
        for name, values in self.values.items():
            places = torch.tensor([self.places[name, values[row]] for row in rows])
            self.sums.index_add_(0, places, seen)

    def look(self) -> Groups:
        """Mean loss and weight of each group since the last look; groups of which nothing was heard are left out."""
        found: Groups = {}
        for (name, value), place in self.places.items():
            n, loss, weight = self.sums[place].tolist()
            if n:
                told = {"n": n, "loss": round(loss / n, 6), "weight": round(weight / n, 6)}
                found.setdefault(name, {})[value] = told
        self.sums.zero_()
        return found

    def restore(self, sums: Tensor | None) -> None:
        if sums is not None:
            self.sums = sums


def spoken_of(row: dict[str, Any]) -> str:
    """A row of the log in a line, groups left out."""
    return ", ".join(f"{name} {value:.3g}" for name, value in row.items() if name not in ("step", "watched"))
