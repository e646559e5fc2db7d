"""Losses against loops that spell them out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy

from earmark.models.resnetse.losses import UNKNOWN, AngularPrototypes, SpeakerSoftmax


def recordings(n: int, dim: int = 5, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spelled_out(x: Tensor, speakers: list[int], weights: Tensor | None = None) -> list[float]:
    """The loss of each recording, by its definition."""
    losses = []
    for i, own in enumerate(speakers):
        turn = speakers[:i].count(own)
        logits, logs, mine = [], [], 0
        for speaker in sorted(set(speakers)):
            others = [j for j, s in enumerate(speakers) if s == speaker and speakers[:j].count(s) != turn]
            if not others:
                continue
            prototype = torch.stack([x[j] / x[j].norm() for j in others]).mean(0)
            mine = len(logits) if speaker == own else mine
            logits.append(10 * float(cosine_similarity(x[i], prototype, dim=0)) - 5)
            logs.append(1.0 if weights is None else float(torch.stack([weights[i, j] for j in others]).mean()))
        away = sum(w / logs[mine] * math.exp(s - logits[mine]) for w, s in zip(logs, logits, strict=True))
        losses.append(logs[mine] * math.log(away))
    return losses


@pytest.mark.parametrize("speakers", [[0, 0, 1, 1, 2, 2], [4, 1, 4, 1, 1, 4]])
def test_every_recording_looks_for_the_prototype_of_its_speaker(speakers: list[int]) -> None:
    x, loss = recordings(6), AngularPrototypes().double()
    weighted, plain = loss(x, torch.tensor(speakers), None)
    torch.testing.assert_close(weighted.detach(), torch.tensor(spelled_out(x, speakers), dtype=torch.float64))
    torch.testing.assert_close(plain, weighted.detach())


def test_pairs_count_by_their_weights() -> None:
    x, speakers = recordings(6), [0, 0, 1, 1, 2, 2]
    weights = 0.5 + torch.rand(6, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    weighted, plain = AngularPrototypes().double()(x, torch.tensor(speakers), weights)
    expected = torch.tensor(spelled_out(x, speakers, weights), dtype=torch.float64)
    torch.testing.assert_close(weighted.detach(), expected)
    torch.testing.assert_close(plain, torch.tensor(spelled_out(x, speakers), dtype=torch.float64))


def test_equal_weights_multiply_the_loss_and_nothing_else() -> None:
    x, speakers = recordings(8), torch.arange(8) // 2
    loss = AngularPrototypes().double()
    alone, _ = loss(x, speakers, None)
    four, _ = loss(x, speakers, torch.full((8, 8), 4.0, dtype=torch.float64))
    torch.testing.assert_close(four, 4 * alone)


def test_the_only_recording_of_a_speaker_looks_for_nobody() -> None:
    x = recordings(5)
    weighted, _ = AngularPrototypes().double()(x, torch.tensor([0, 0, 1, 1, 7]), None)
    assert float(weighted[4].detach()) == 0.0
    torch.testing.assert_close(
        weighted[[0, 2]].detach(),
        torch.tensor([spelled_out(x, [0, 0, 1, 1, 7])[i] for i in (0, 2)], dtype=torch.float64),
    )
    assert float(AngularPrototypes()(recordings(3).float(), torch.arange(3), None)[0].detach().abs().sum()) == 0.0


def test_without_a_margin_a_softmax_is_a_linear_layer() -> None:
    head, x, speakers = SpeakerSoftmax(5, 4, margin=-1.0).double(), recordings(6), torch.tensor([0, 1, 2, 3, 0, 1])
    expected = cross_entropy(x @ head.weight.T, speakers, reduction="none")
    torch.testing.assert_close(head(x, speakers), expected)


def test_a_margin_turns_the_own_speaker_away() -> None:
    torch.manual_seed(0)  # of the weights: an angle near pi would be straightened
    head, x, speakers = SpeakerSoftmax(5, 4, margin=0.3).double(), recordings(6), torch.tensor([0, 1, 2, 3, 0, 1])
    cosines = cosine_similarity(x[:, None], head.weight[None], dim=2).detach()
    angles = torch.acos(cosines)
    own = torch.zeros(6, 4, dtype=torch.bool).scatter(1, speakers[:, None], True)
    turned = torch.where(own, torch.cos(angles + 0.3), cosines)
    assert bool((angles[own] + 0.3 < math.pi).all())
    torch.testing.assert_close(head(x, speakers).detach(), cross_entropy(30 * turned, speakers, reduction="none"))


def test_a_margin_never_makes_a_worse_angle_better() -> None:
    head = SpeakerSoftmax(2, 2, margin=0.5).double()
    angles = torch.linspace(0.0, math.pi, 400, dtype=torch.float64)
    sharp = head._at_a_larger_angle(angles.cos()[:, None])[:, 0]
    assert bool((sharp.diff() < 0).all())


def test_speakers_that_the_softmax_does_not_know_count_nothing() -> None:
    head, x = SpeakerSoftmax(5, 4, margin=0.2).double(), recordings(3)
    losses = head(x, torch.tensor([1, UNKNOWN, 2]))
    assert losses.tolist()[1] == 0.0
    assert float(losses[0].detach()) > 0
