"""Losses of models that write several channels: who is on which, quiet where nobody speaks, ends of turns in time."""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor


def late_penalties(due: Tensor, n_frames: int, alpha: float, buffer: int) -> Tensor:
    """What saying a label in frame t costs, max(0, alpha (t - buffer - due)): (B, T, U + 1).

    Taken off the log-probability of the label in the lattice (https://arxiv.org/abs/2205.05199, latency penalty).

    Args:
        due: (B, U + 1) frames in which the label after each place is due, infinite where it never is late.
    """
    frames = torch.arange(n_frames, device=due.device, dtype=due.dtype)
    return alpha * (frames[:, None] - buffer - due[:, None]).clamp(min=0.0)


def masking_loss(encoded: Tensor, silent: Tensor) -> Tensor:
    """Mean square of the frames in which nobody speaks on a channel, 0 if there are none: a scalar.

    The source (https://arxiv.org/abs/2205.05199) sums an L2 norm over channels and does not say whether it is squared
    or averaged.

    Args:
        encoded: (B, T, J), each row a channel of a recording.
        silent: (B, T) bools.
    """
    quiet = encoded[silent[:, : encoded.shape[1]]]
    return quiet.square().sum() / max(1, quiet.numel())


def best_assignment(losses: Tensor) -> Tensor:
    """Which target each of N outputs should say so that the sum of losses is least: (B, N).

    Permutation-invariant training (https://arxiv.org/abs/2011.11671) has that sum as its loss. Of equals the first in
    lexicographic order, so that what comes in order stays in order.

    Args:
        losses: (N, N, B), of output i with target j.
    """
    n = len(losses)
    every = torch.tensor(list(permutations(range(n))), device=losses.device)  # (N!, N)
    sums = losses[torch.arange(n, device=losses.device), every].sum(dim=1)  # (N!, N, B) -> (N!, B)
    return every[sums.argmin(dim=0)]
