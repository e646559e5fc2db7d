"""The embedder: streams against whole recordings, batches of pairs, sizes, options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from earmark.bench.api import Example, InputError, Progress, Samples, Turn, Unsupported
from earmark.bench.contract.subject import cut
from earmark.bench.observe.compute import count_macs, cross_check
from earmark.models.resnetse.layers import AttentiveStatistics
from earmark.models.resnetse.model import ResNetSE, build

RATE_HZ = 8_000


def model(preset: str = "tiny", speakers: tuple[str, ...] = (), **options: Any) -> ResNetSE:
    made = build(preset, options=options, vocabulary=speakers, seed=0, device="cpu")
    norm = made.hearing.front.norm  # as if it had been trained
    norm.count += 100
    norm.total += torch.linspace(-900.0, -400.0, len(norm.total))
    norm.squares += 110 * (norm.total / 100).square()
    for module in made.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return made


def speech(seconds: float = 2.0, seed: int = 0) -> Samples:
    """Noise with pauses, at 8 kHz."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    loudness = 0.1 * (np.sin(2 * np.pi * 1.5 * t + seed) > -0.5) + 1e-4
    return (loudness * rng.standard_normal(len(t))).astype(np.float32)


def embedded(one: ResNetSE, samples: Samples) -> np.ndarray:
    return one.embed(samples[None], np.array([len(samples)]))[0]


def pairs(n: int = 4) -> list[Example]:
    return [Example(f"u{i}", speech(1.0, i), (Turn("", 0.0, 1.0, f"s{i // 2}"),)) for i in range(n)]


@pytest.mark.parametrize("size", [77, 640, 5000])
def test_a_stream_says_what_the_whole_recording_says_however_it_is_cut(size: int) -> None:
    one, samples = model(), speech()
    whole, stream = one.embedding_stream(), one.embedding_stream()
    whole.accept(samples)
    for chunk in cut(samples, size):
        stream.accept(chunk)
    np.testing.assert_array_equal(stream.embedding(), whole.embedding())
    np.testing.assert_allclose(stream.embedding(), embedded(one, samples), atol=1e-5)


def test_at_every_moment_it_is_the_embedding_of_the_recording_so_far() -> None:
    one, samples = model(), speech()
    stream = one.embedding_stream()
    assert stream.embedding() is None
    for end in range(4000, len(samples) + 1, 4000):
        stream.accept(samples[end - 4000 : end])
        np.testing.assert_allclose(stream.embedding(), embedded(one, samples[:end]), atol=1e-5)


def test_pauses_are_not_heard() -> None:
    one, samples = model(), speech()
    quiet = np.concatenate([samples[:4000], 1e-5 * speech(0.8, 3), samples[4000:]])
    frames, longer = (one.hearing(torch.from_numpy(x)).shape[1] for x in (samples, quiet))
    assert longer <= frames + one.hearing.block
    assert frames < one.hearing.n_frames(len(samples))


@pytest.mark.parametrize("hears", ["stream", "whole"])
def test_work_is_what_torch_executes(hears: str) -> None:
    one, samples = model(hears=hears), speech()
    embedded(one, samples)
    before = dict(one.work())
    counted = count_macs(lambda: embedded(one, samples))
    assert cross_check({part: macs - before[part] for part, macs in one.work().items()}, counted, 1e-9) is None
    if hears == "stream":
        stream = one.embedding_stream()

        def listen() -> None:
            stream.accept(samples)
            stream.embedding()

        assert cross_check(stream.work() or {}, count_macs(listen)) is not None  # nothing was claimed before
        assert cross_check(stream.work(), count_macs(lambda: _again(one, samples)), 1e-9) is None


def _again(one: ResNetSE, samples: Samples) -> None:
    stream = one.embedding_stream()
    stream.accept(samples)
    stream.embedding()


def test_work_of_a_stream_grows_with_the_audio_alone() -> None:
    stream = model().embedding_stream()
    done = []
    for second in range(6):
        stream.accept(0.1 * np.random.default_rng(second).standard_normal(RATE_HZ).astype(np.float32))
        done.append(sum(stream.work().values()))
    assert done[5] - done[4] <= 1.02 * (done[2] - done[1])


def test_pooling_counts_frames_by_attention() -> None:
    torch.manual_seed(0)
    pool = AttentiveStatistics(6, 4).double().eval()
    x = torch.randn(2, 6, 9, dtype=torch.float64)
    weights = pool.scores(pool.norm(torch.relu(pool.hidden(x)))).softmax(dim=2)
    mean = (weights * x).sum(dim=2)
    std = ((weights * (x - mean[..., None]).square()).sum(dim=2)).sqrt()
    torch.testing.assert_close(pool(x), torch.cat([mean, std], dim=1))
    parts = pool.add(x[..., 5:], pool.add(x[..., 3:5], pool.add(x[..., :3], None)))
    torch.testing.assert_close(pool.pooled(parts), pool(x))


def test_the_paper_preset_has_the_published_sizes() -> None:
    assert model().sizes.width == 64 * 5
    paper = build("paper", options={}, vocabulary=None, seed=0, device="cpu")
    assert (paper.causal, paper.sizes.blocks, paper.sizes.filters) == (False, (3, 4, 6, 3), (32, 64, 128, 256))
    assert paper.sizes.width == 256 * 8  # of 64 bands halved three times
    assert paper.network.output.weight.shape == (512, 4096)
    assert paper.info.n_parameters == pytest.approx(8e6, rel=0.05)


def test_what_sees_the_future_hears_no_stream() -> None:
    with pytest.raises(Unsupported, match="hears whole recordings"):
        model(hears="whole").embedding_stream()


def test_both_recordings_of_a_speaker_are_played_at_one_speed_as_one_class() -> None:
    one = model(speakers=("s0", "s1", "s2")).train()
    rng, seen = np.random.default_rng(0), set()
    for _ in range(25):
        numbers = one.collate(pairs(), rng).speakers.tolist()
        assert numbers[0] == numbers[1] in (0, 1, 2)
        assert numbers[2] == numbers[3] in (3, 4, 5)
        seen |= {*numbers}
    assert seen == set(range(6))


def test_speakers_that_it_was_not_told_of_are_told_apart_all_the_same() -> None:
    one = model(speakers=("s1",), speeds=False)
    assert one.collate(pairs(6), np.random.default_rng(0)).speakers.tolist() == [1, 1, 0, 0, 3, 3]
    losses = one.loss(one.collate(pairs(), np.random.default_rng(0)), Progress(0, 1))
    assert set(losses.terms) == {"prototypes", "softmax"}
    assert set(model().loss(model().collate(pairs(), np.random.default_rng(0)), Progress(0, 1)).terms) == {"prototypes"}


def test_equal_weights_of_pairs_multiply_every_term() -> None:
    one = model(speakers=("s0", "s1"))
    x, speakers = one.embeddings(one.collate(pairs(), np.random.default_rng(0)))
    alone, four = one.pair_loss(x, speakers, None), one.pair_loss(x, speakers, torch.full((4, 4), 4.0))
    for name in alone.terms:
        torch.testing.assert_close(four.terms[name], 4 * alone.terms[name])
    assert four.items is not None
    assert alone.items is not None
    torch.testing.assert_close(four.items, alone.items)


def test_a_batch_is_repeated_with_its_seed_and_eval_changes_nothing() -> None:
    one = model(speakers=("s0", "s1")).train()
    first, second = (one.collate(pairs(), np.random.default_rng(4)) for _ in range(2))
    assert torch.equal(first.samples, second.samples)
    one.eval()
    calm = [one.collate(pairs(), np.random.default_rng(seed)).samples for seed in (4, 5)]
    assert torch.equal(*calm)
    assert one.collate(pairs(), np.random.default_rng(4)).frames is None


def test_a_short_recording_is_heard_over_and_over() -> None:
    one = model()
    assert np.isfinite(embedded(one, speech(0.02))).all()
    batch = one.collate([Example("u", speech(0.05), (Turn("", 0.0, 0.05, "s"),))], np.random.default_rng(0))
    assert torch.isfinite(one.embeddings(batch)[0]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"hears": "half"}, "stream, whole"), ({"margin": 2.0}, "margin"), ({"speed": True}, "speeds")],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        model(**options)


def test_lengths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="length 9 of 8 samples"):
        model().embed(np.zeros((1, 8), dtype=np.float32), np.array([9]))
