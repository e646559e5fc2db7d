"""Beam search: wide, it is the sum over every alignment; narrow, it never claims more than there is."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from functools import partial

import pytest
import torch
import transducers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transducers import encodings

from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.beam import BeamSearch
from earmark.models._blocks.search import batched_greedy, log_probability
from earmark.models._blocks.transducer import Joint, Predictor, transducer_loss

V = 3
parts = partial(transducers.parts, n_labels=V)
EVERYTHING = 10_000
Text = tuple[int, ...]


def searched(pair: tuple[Predictor, Joint], encoded: Tensor, width: int, max_symbols: int) -> BeamSearch:
    search = BeamSearch(*pair, width, max_symbols)
    search.advance(encoded)
    return search


def by_enumeration(pair: tuple[Predictor, Joint], encoded: Tensor, max_symbols: int) -> dict[Text, float]:
    """Log probability of each text: every alignment scored on its own, and added up."""
    found: dict[Text, float] = defaultdict(float)
    labels = range(1, V)
    a_frame = [text for n in range(max_symbols + 1) for text in itertools.product(labels, repeat=n)]
    for frames in itertools.product(a_frame, repeat=len(encoded)):
        emitted = [(t, label) for t, said in enumerate(frames) for label in said]
        found[tuple(label for _, label in emitted)] += math.exp(log_probability(*pair, encoded, emitted))
    return {text: math.log(probability) for text, probability in found.items()}


@pytest.mark.parametrize(("n_frames", "max_symbols"), [(1, 3), (2, 2), (4, 1)])
@torch.no_grad()
def test_a_wide_beam_is_the_sum_over_every_alignment(n_frames: int, max_symbols: int) -> None:
    pair, encoded = parts(n_frames), encodings(n_frames)
    expected = by_enumeration(pair, encoded, max_symbols)
    found = searched(pair, encoded, EVERYTHING, max_symbols).hypotheses
    assert [h.text for h in found] == sorted(expected, key=lambda text: -expected[text])
    assert [h.score for h in found] == pytest.approx(sorted(expected.values(), reverse=True), abs=1e-5)


@torch.no_grad()
def test_a_wide_beam_is_the_loss_of_each_text() -> None:
    """The loss lets a frame say any number of labels: three labels are within what each frame may say here."""
    pair, encoded = parts(), encodings(3)
    for hypothesis in searched(pair, encoded, EVERYTHING, 3).hypotheses:
        if 0 < len(hypothesis.text) <= 3:
            text = torch.tensor([hypothesis.text])
            logits = pair[1](encoded[None], pair[0](text))
            loss = transducer_loss(logits, text, torch.tensor([3]), torch.tensor([text.shape[1]]))
            assert -hypothesis.score == pytest.approx(loss.item(), rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 50), n_frames=st.integers(1, 4))
@torch.no_grad()
def test_a_wide_beam_is_never_below_the_alignment_that_greedy_search_takes(seed: int, n_frames: int) -> None:
    pair, encoded = parts(seed), encodings(n_frames, seed)
    taken = batched_greedy(*pair, encoded[None], torch.tensor([n_frames]), max_symbols=2)[0]
    best = searched(pair, encoded, EVERYTHING, 2).hypotheses[0]
    assert best.score >= log_probability(*pair, encoded, taken) - 1e-5


@pytest.mark.parametrize("width", [1, 2, 5])
@torch.no_grad()
def test_a_narrow_beam_claims_no_more_than_there_is(width: int) -> None:
    """It may leave alignments out; it is never above the exact sum, keeps the best first and no text twice."""
    for seed in range(5):
        pair, encoded = parts(seed), encodings(3, seed)
        exact = {h.text: h.score for h in searched(pair, encoded, EVERYTHING, 2).hypotheses}
        found = searched(pair, encoded, width, 2).hypotheses
        assert len({h.text for h in found}) == len(found) == width
        assert all(h.score <= exact[h.text] + 1e-5 for h in found)
        assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


@torch.no_grad()
def test_a_wider_beam_finds_better_on_the_whole() -> None:
    means = []
    for width in (1, 2, 4, 16):
        scores = [searched(parts(s), encodings(8, s), width, 2).hypotheses[0].score for s in range(12)]
        means.append(sum(scores) / len(scores))
    assert means == sorted(means)
    assert means[-1] > means[0]


@torch.no_grad()
def test_frames_are_in_order_and_say_no_more_than_they_may() -> None:
    for seed in range(5):
        frames = [t for t, _ in searched(parts(seed, blank=1.0), encodings(10, seed), 4, 2).best]
        assert frames == sorted(frames)
        assert all(0 <= t < 10 and frames.count(t) <= 2 for t in frames)


@torch.no_grad()
def test_a_label_is_put_where_it_is_likelier() -> None:
    """One label, two frames, one label a frame at most: there are two alignments."""
    places = set()
    for seed in range(8):
        pair, encoded = parts(seed), encodings(2, seed)
        for hypothesis in searched(pair, encoded, EVERYTHING, 1).hypotheses:
            if len(hypothesis.text) == 1:
                label = hypothesis.text[0]
                scores = [log_probability(*pair, encoded, [(t, label)]) for t in range(2)]
                assert hypothesis.emitted == [(scores.index(max(scores)), label)]
                places.add(hypothesis.frames)
    assert places == {(0,), (1,)}


@settings(max_examples=20, deadline=None)
@given(chunks=st.lists(st.integers(1, 4), min_size=1, max_size=5), width=st.integers(1, 4))
@torch.no_grad()
def test_any_chunks_find_the_same(chunks: list[int], width: int) -> None:
    pair, encoded = parts(), encodings(sum(chunks))
    whole, streamed = searched(pair, encoded, width, 2), BeamSearch(*pair, width, 2)
    for part in encoded.split(chunks):
        streamed.advance(part)
    assert [(h.text, h.frames, h.score) for h in streamed.hypotheses] == [
        (h.text, h.frames, h.score) for h in whole.hypotheses
    ]
    assert (streamed.n_frames, streamed.n_joint, streamed.n_predictor) == (
        len(encoded),
        whole.n_joint,
        whole.n_predictor,
    )


@pytest.mark.parametrize("width", [1, 4])
def test_the_steps_it_reports_are_those_executed(width: int) -> None:
    (predictor, joint), encoded = parts(n_labels=6), encodings(12)
    with torch.inference_mode():
        search = BeamSearch(predictor, joint, width, 2)
        n_before = search.n_joint, search.n_predictor
        counted = count_macs(lambda: search.advance(encoded))
    n_joint, n_predictor = search.n_joint - n_before[0], search.n_predictor - n_before[1]
    assert n_before == (0, 1)
    assert n_predictor > 0
    assert counted.macs == joint.macs(n_joint) + predictor.macs(n_predictor)


@torch.no_grad()
def test_what_was_read_at_the_frame_before_is_not_read_again() -> None:
    """Three times the same frame, which says nearly surely nothing: the same few texts are tried at each."""
    pair, encoded = parts(blank=12.0), encodings(1).expand(3, -1)
    search = BeamSearch(*pair, 3, 1)
    steps = []
    for frame in encoded:
        search.advance(frame[None])
        steps.append(search.n_predictor)
    assert steps[0] > 1
    assert steps[2] < steps[1] + steps[0] - 1


@pytest.mark.gpu
@pytest.mark.slow
@torch.no_grad()
def test_cuda_finds_what_the_cpu_finds() -> None:
    pair, encoded = parts(), encodings(6)
    expected = searched(pair, encoded, 4, 2).hypotheses
    found = searched((pair[0].cuda(), pair[1].cuda()), encoded.cuda(), 4, 2).hypotheses
    assert [(h.text, h.frames) for h in found] == [(h.text, h.frames) for h in expected]
    assert [h.score for h in found] == pytest.approx([h.score for h in expected], abs=1e-3)
