"""LSTM layers that run over whole recordings in training and a few frames at a time in a stream, with the same weights.

Weight matrices are kept as (inputs, outputs), the transpose of torch's own: on the CPU the product with one row, of
which a stream is made, is then quicker. There is no second copy that an optimizer or a checkpoint could leave
behind. Streaming never runs the kernel for whole sequences, which packs its weights anew at each call.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

LstmState: TypeAlias = tuple[tuple[Tensor, Tensor], ...]


class Dense(nn.Module):
    """``nn.Linear`` with its weight transposed, (width, width_out), and the same initial distribution."""

    def __init__(self, width: int, width_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width_out))
        self.bias = nn.Parameter(torch.empty(width_out))
        _draw(self, width)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width_out)."""
        rows = torch.addmm(self.bias, x.reshape(-1, x.shape[-1]), self.weight)
        return rows.view(*x.shape[:-1], rows.shape[-1])

    def macs(self, n_rows: int) -> int:
        return n_rows * self.weight.numel()


class Lstm(nn.Module):
    """``nn.LSTM`` of one layer with its weights transposed: gates in the order input, forget, cell, output.

    State: h (B, hidden) and c (B, hidden).
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.weight_input = nn.Parameter(torch.empty(width, 4 * hidden))
        self.weight_hidden = nn.Parameter(torch.empty(hidden, 4 * hidden))
        self.bias_input = nn.Parameter(torch.empty(4 * hidden))
        self.bias_hidden = nn.Parameter(torch.empty(4 * hidden))
        self.hidden = hidden
        _draw(self, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) -> (B, T, hidden), from zero state; no frame depends on a later one."""
        return self._sequence(x, self.start(x.shape[0]))[0]

    def run(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What :meth:`step` gives, up to rounding, by the kernel for sequences: quick for many frames and few units."""
        outputs, h, c = self._sequence(x, (state[0][None], state[1][None]))
        return outputs, (h[0], c[0])

    def _sequence(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        weights = self._as_torch_has_them()
        if x.is_cuda:
            weights = tuple(weight.contiguous() for weight in weights)  # cuDNN takes no transposed view
        # On the GPU only the kernel for training has a backward pass, and gradients are wanted in eval mode too.
        # Without dropout the two agree.
        train = torch.is_grad_enabled()
        outputs, h, c = torch.lstm(x, state, weights, True, 1, 0.0, train, False, True)
        return outputs, h, c

    def start(self, batch: int) -> tuple[Tensor, Tensor]:
        """Zeros, (1, B, hidden) as the kernel for sequences wants them."""
        zeros = self.weight_hidden.new_zeros(1, batch, self.hidden)
        return zeros, zeros

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, k, width) and the state before -> (B, k, hidden) and the state after."""
        if x.shape[1] == 1:
            h, c = torch.lstm_cell(x[:, 0], state, *self._as_torch_has_them())
            return h[:, None], (h, c)
        return self._steps(x, state)

    def macs(self, n_frames: int) -> int:
        return n_frames * (self.weight_input.numel() + self.weight_hidden.numel())

    def _steps(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One input product for all frames, then frame by frame one recurrent product."""
        batch, k, width = x.shape
        inputs = torch.addmm(self.bias_input + self.bias_hidden, x.reshape(-1, width), self.weight_input)
        h, c = state
        outputs = []
        for now in inputs.view(batch, k, -1).unbind(dim=1):
            i, f, g, o = torch.addmm(now, h, self.weight_hidden).chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), (h, c)

    def _as_torch_has_them(self) -> tuple[Tensor, ...]:
        return self.weight_input.t(), self.weight_hidden.t(), self.bias_input, self.bias_hidden


class LstmLayer(nn.Module):
    """LSTM, then a projection, LayerNorm and Swish where they are asked for. State: that of the LSTM."""

    def __init__(
        self, width: int, hidden: int, *, projection: int | None, norm: bool, activation: Literal["swish"] | None
    ) -> None:
        super().__init__()
        self.width_out = projection or hidden
        self.lstm = Lstm(width, hidden)
        self.projection = Dense(hidden, projection) if projection else None
        self.norm = nn.LayerNorm(self.width_out) if norm else None
        self.activation = nn.SiLU() if activation else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) -> (B, T, width_out)."""
        return self._after(self.lstm(x))

    def run(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, k, width) and the state before -> (B, k, width_out) and the state after, see :meth:`Lstm.run`."""
        x, state = self.lstm.run(x, state)
        return self._after(x), state

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, k, width) and the state before -> (B, k, width_out) and the state after."""
        x, state = self.lstm.step(x, state)
        return self._after(x), state

    def macs(self, n_frames: int) -> int:
        return self.lstm.macs(n_frames) + (self.projection.macs(n_frames) if self.projection is not None else 0)

    def _after(self, x: Tensor) -> Tensor:
        for module in (self.projection, self.norm, self.activation):
            x = x if module is None else module(x)
        return x


class StreamingLSTM(nn.Module):
    """LSTM layers on top of each other, dropout after each.

    State: for each layer h (B, hidden) and c (B, hidden).
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        layers: int,
        *,
        projection: int | None = None,
        norm: bool = False,
        dropout: float = 0.0,
        activation: Literal["swish"] | None = None,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.width_out = width
        for _ in range(layers):
            layer = LstmLayer(self.width_out, hidden, projection=projection, norm=norm, activation=activation)
            self.layers.append(layer)
            self.width_out = layer.width_out
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:  # noqa: ARG002 - nothing to mask
        """(B, T, width) -> (B, T, width_out); ``lengths`` change nothing, as no layer looks ahead."""
        for layer in self.layers:
            x = self.dropout(layer(x))
        return x

    def start(self, batch: int) -> LstmState:
        """Zeros."""
        first = [layer.lstm.start(batch) for layer in self._each()]
        return tuple((h[0], c[0]) for h, c in first)

    def step(self, x: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """(B, k, width), k >= 1, and the state before -> (B, k, width_out) and the state after."""
        after = []
        for layer, before in zip(self._each(), state, strict=True):
            x, kept = layer.step(x, before)
            after.append(kept)
        return x, tuple(after)

    def run(self, x: Tensor, state: LstmState) -> tuple[Tensor, LstmState]:
        """What :meth:`step` gives, up to rounding; see :meth:`Lstm.run`."""
        after = []
        for layer, before in zip(self._each(), state, strict=True):
            x, kept = layer.run(x, before)
            after.append(kept)
        return x, tuple(after)

    def macs(self, n_frames: int) -> int:
        """Multiply-accumulates of ``n_frames`` frames of one stream, offline or streaming."""
        return sum(layer.macs(n_frames) for layer in self._each())

    def _each(self) -> list[LstmLayer]:
        return [layer for layer in self.layers if isinstance(layer, LstmLayer)]


def pick(state: LstmState, rows: Tensor) -> LstmState:
    """The state of some rows of a batch."""
    return tuple((h[rows], c[rows]) for h, c in state)


def put(state: LstmState, rows: Tensor, part: LstmState) -> LstmState:
    """``state`` with ``part`` in place of some rows."""
    return tuple(
        (h.index_copy(0, rows, new_h), c.index_copy(0, rows, new_c))
        for (h, c), (new_h, new_c) in zip(state, part, strict=True)
    )


def join(states: list[LstmState]) -> LstmState:
    """The states of several batches as one batch."""
    return tuple(
        (torch.cat([h for h, _ in layer]), torch.cat([c for _, c in layer])) for layer in zip(*states, strict=True)
    )


def _draw(module: nn.Module, width: int) -> None:
    """Every parameter uniform within one over the root of ``width``, as torch draws them."""
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -1.0 / math.sqrt(width), 1.0 / math.sqrt(width))
