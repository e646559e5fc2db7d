"""What tests of streaming encoders share: noise, statistics as training leaves them, chunks, and models that talk."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from earmark.models._blocks.conv import MaskedBatchNorm
from earmark.models._blocks.recognizer import Transducer


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def as_if_trained(model: Any) -> Any:
    """The same encoder in eval mode, with statistics of batches that change what goes through it."""
    for module in model.modules():
        if isinstance(module, MaskedBatchNorm):
            nn.init.normal_(module.running_mean, std=0.3)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return model.eval()


def stream(model: Any, x: Tensor, cuts: list[int]) -> Tensor:
    """What comes out of an encoder that is fed (B, T, D) frames cut at ``cuts``."""
    state, outputs = model.start(len(x)), []
    for part in x.tensor_split(cuts, dim=1):
        y, state = model.step(part, state)
        outputs.append(y)
    return torch.cat(outputs, dim=1)


def trained_on(model: Any, x: Tensor, lengths: Tensor) -> tuple[Tensor, list[Tensor]]:
    """What an encoder gives in training, without dropout, and the statistics that it leaves."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model(x, lengths), [buffer.clone() for buffer in model.buffers()]


def n_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def said_in_both_forms(model: Transducer) -> tuple[list[list[str]], list[list[str]]]:
    """What a model says of two recordings of noise, offline in one batch and streaming.

    It is made talkative first: what nobody trained says nothing, or the same all the time.
    """
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, MaskedBatchNorm):
                module.momentum = 1.0  # statistics of what is heard next
        model.train().encoder(noise(4, 50, model.front.config.width), torch.full((4,), 50))
        model.eval()
        model.encoder.output.weight.mul_(30.0)
        model.joint.output.weight.mul_(8.0)
        model.joint.output.bias.zero_()
    recordings = [noise(n, seed=n).mul(0.1).numpy() for n in (24_000, 17_000)]
    offline = [[token.text for token in tokens] for tokens in model.transcribe(recordings)]
    streamed = []
    for recording in recordings:
        one = model.stream()
        updates = [*(one.accept(part) for part in np.array_split(recording, 9)), one.finish()]
        streamed.append([token.text for update in updates for token in update.final])
    return offline, streamed
