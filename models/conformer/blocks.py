"""A Conformer block and its modules (https://arxiv.org/abs/2005.08100, section 2), each causal."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.nn.functional import glu, silu

from earmark.models._blocks.conv import CausalConv1d, MaskedBatchNorm
from earmark.models._blocks.recurrent import Dense
from earmark.models.conformer.attention import PastAttention

State: TypeAlias = Any


class FeedForward(nn.Module):
    """LayerNorm, a wide linear layer, Swish, and one back (section 2.3). State: none, each frame is by itself."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen, self.narrow = Dense(width, hidden), Dense(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) -> (B, T, width)."""
        narrowed: Tensor = self.narrow(self.dropout(silu(self.widen(self.norm(x)))))
        return narrowed

    def macs(self, n_frames: int) -> int:
        return self.widen.macs(n_frames) + self.narrow.macs(n_frames)


class Attention(nn.Module):
    """LayerNorm, then attention (section 2.1). State: that of :class:`PastAttention`."""

    def __init__(self, width: int, heads: int, left: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attend = PastAttention(width, heads, left)

    def start(self, batch: int) -> State:
        return self.attend.start(batch)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """(B, k, width) and the state before -> (B, k, width) and the state after."""
        return self.attend.step(self.norm(x), state)

    def macs(self, n_frames: int) -> int:
        return self.attend.macs(n_frames)


class Convolution(nn.Module):
    """LayerNorm, a gated linear layer, a convolution of each channel by itself, batch normalization, Swish, a
    linear layer (section 2.2).

    State: the last ``kernel`` - 1 frames that came into the convolution.
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.gated = Dense(width, 2 * width)
        self.depthwise = CausalConv1d(width, width, kernel, groups=width)
        self.norm_inside = MaskedBatchNorm(width)
        self.output = Dense(width, width)

    def start(self, batch: int) -> State:
        return self.depthwise.start(batch)

    def step(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """(B, k, width) and the state before -> (B, k, width) and the state after; ``lengths`` count in training."""
        past, state = self.depthwise.step(glu(self.gated(self.norm(x)), dim=2), state)
        return self.output(silu(self.norm_inside(past, lengths))), state

    def macs(self, n_frames: int) -> int:
        return sum(part.macs(n_frames) for part in (self.gated, self.depthwise, self.output))


class ConformerBlock(nn.Module):
    """Half a feed-forward module, attention, convolution, the other half, each added to its input; LayerNorm (2.4).

    State: that of the attention and that of the convolution.
    """

    def __init__(self, width: int, *, heads: int, left: int, feed_forward: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.before, self.after = (FeedForward(width, feed_forward, dropout) for _ in range(2))
        self.attention = Attention(width, heads, left)
        self.convolution = Convolution(width, kernel)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def start(self, batch: int) -> State:
        return self.attention.start(batch), self.convolution.start(batch)

    def step(self, x: Tensor, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """(B, k, width) and the state before -> (B, k, width) and the state after; ``lengths`` count in training."""
        attended, convolved = state
        x = x + 0.5 * self.dropout(self.before(x))
        y, attended = self.attention.step(x, attended)
        x = x + self.dropout(y)
        y, convolved = self.convolution.step(x, convolved, lengths)
        x = x + self.dropout(y)
        return self.norm(x + 0.5 * self.dropout(self.after(x))), (attended, convolved)

    def macs_by_part(self, n_frames: int) -> Counter[str]:
        return Counter(
            feed_forward=self.before.macs(n_frames) + self.after.macs(n_frames),
            attention=self.attention.macs(n_frames),
            convolution=self.convolution.macs(n_frames),
        )
