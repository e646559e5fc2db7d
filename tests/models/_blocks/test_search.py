"""Greedy search: a plain loop says the same, in chunks and in batches; alignments score as the loss adds them up."""

from __future__ import annotations

import itertools
import math
from functools import partial

import pytest
import torch
import transducers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transducers import WIDTH, encodings

from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.search import AHEAD, Emitted, batched_greedy, greedy, greedy_start, log_probability
from earmark.models._blocks.transducer import Joint, Predictor, transducer_loss

V = 5
parts = partial(transducers.parts, n_labels=V)


def plainly(predictor: Predictor, joint: Joint, encoded: Tensor, max_symbols: int) -> list[Emitted]:
    """One frame and one label at a time, the predictor started again for each."""
    said: list[Emitted] = []
    for t, frame in enumerate(encoded):
        for _ in range(max_symbols):
            output = predictor(torch.tensor([[label for _, label in said]]))[0, -1]
            label = int(joint.step(frame, output).argmax())
            if label == 0:
                break
            said.append((t, label))
    return said


def in_chunks(pair: tuple[Predictor, Joint], encoded: Tensor, chunks: list[int], max_symbols: int) -> list[Emitted]:
    state, first, said = greedy_start(pair[0]), 0, []
    for part in encoded.split(chunks):
        found, state, _, _ = greedy(*pair, part, state, max_symbols=max_symbols)
        said += [(first + t, label) for t, label in found]
        first += len(part)
    return said


CHUNKS = st.lists(st.integers(1, 2 * AHEAD), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 20), chunks=CHUNKS, max_symbols=st.integers(1, 3), blank=st.sampled_from([0.0, 1.0, 4.0]))
@torch.no_grad()
def test_any_chunks_say_what_a_plain_loop_says(seed: int, chunks: list[int], max_symbols: int, blank: float) -> None:
    pair, encoded = parts(seed, blank), encodings(sum(chunks), seed)
    assert in_chunks(pair, encoded, chunks, max_symbols) == plainly(*pair, encoded, max_symbols)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 20), lengths=st.lists(st.integers(0, 12), min_size=1, max_size=5), max_symbols=st.integers(1, 3)
)
@torch.no_grad()
def test_a_batch_says_what_its_rows_say(seed: int, lengths: list[int], max_symbols: int) -> None:
    pair = parts(seed, 1.0)
    rows = [encodings(n, seed + i) for i, n in enumerate(lengths)]
    padded = torch.full((len(rows), max(lengths) + 2, WIDTH), 9.0)
    for own, row in zip(padded, rows, strict=True):
        own[: len(row)] = row
    found = batched_greedy(*pair, padded, torch.tensor(lengths), max_symbols=max_symbols)
    assert found == [plainly(*pair, row, max_symbols) for row in rows]


@torch.no_grad()
def test_the_examples_above_say_something_and_not_everything() -> None:
    n_said = [len(plainly(*parts(seed, 1.0), encodings(20, seed), 2)) for seed in range(10)]
    assert 20 < sum(n_said) < 10 * 20 * 2
    assert min(n_said) < 10 < max(n_said)


@pytest.mark.parametrize("max_symbols", [1, 3])
@torch.no_grad()
def test_a_frame_says_no_more_than_it_may(max_symbols: int) -> None:
    pair, encoded = parts(blank=-1e3), encodings(2 * AHEAD + 1)
    found = greedy(*pair, encoded, greedy_start(pair[0]), max_symbols=max_symbols)[0]
    assert [t for t, _ in found] == [t for t in range(len(encoded)) for _ in range(max_symbols)]


@torch.no_grad()
def test_silence_costs_a_joint_step_a_frame() -> None:
    pair, encoded = parts(blank=1e3), encodings(3 * AHEAD + 2)
    state = greedy_start(pair[0])
    assert greedy(*pair, encoded, state, max_symbols=2) == ([], state, len(encoded), 0)


@pytest.mark.parametrize("blank", [0.0, 3.0])
def test_the_steps_it_reports_are_those_executed(blank: float) -> None:
    (predictor, joint), encoded = parts(blank=blank), encodings(3 * AHEAD)
    state = greedy_start(predictor)
    reported: list[int] = []

    def search() -> None:
        reported.extend(greedy(predictor, joint, encoded, state, max_symbols=2)[2:])

    with torch.inference_mode():
        counted = count_macs(search)
    assert reported[1] > 0
    assert counted.macs == joint.macs(reported[0]) + predictor.macs(reported[1])


@torch.no_grad()
def test_alignments_of_a_text_add_up_to_its_loss() -> None:
    """Two labels over three frames: the loss is minus the log of the sum over where they are said."""
    pair, encoded, text = parts(), encodings(3), (2, 4)
    places = itertools.combinations_with_replacement(range(3), 2)
    total = sum(math.exp(log_probability(*pair, encoded, list(zip(at, text, strict=True)))) for at in places)
    logits = pair[1](encoded[None], pair[0](torch.tensor([text])))
    loss = transducer_loss(logits, torch.tensor([text]), torch.tensor([3]), torch.tensor([2]))
    assert -math.log(total) == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.gpu
@pytest.mark.slow
@torch.no_grad()
def test_cuda_says_what_the_cpu_says() -> None:
    pair, encoded = parts(blank=1.0), encodings(20)
    expected = plainly(*pair, encoded, 2)
    predictor, joint = pair[0].cuda(), pair[1].cuda()
    found = greedy(predictor, joint, encoded.cuda(), greedy_start(predictor), max_symbols=2)[0]
    batch, lengths = encoded.expand(2, -1, -1).cuda(), torch.tensor([20, 20]).cuda()
    assert found == expected
    assert batched_greedy(predictor, joint, batch, lengths, max_symbols=2) == [expected, expected]
