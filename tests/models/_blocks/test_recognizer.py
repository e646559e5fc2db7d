"""A transducer as a whole: streaming and offline say the same, work is what ran, loss and options do what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from earmark.bench.api import Example, InputError, Progress, Turn
from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.augment import NONE
from earmark.models._blocks.frontend import FrontEndConfig
from earmark.models._blocks.options import TransducerOptions, seeded
from earmark.models._blocks.recognizer import Sizes, Transducer
from earmark.models._blocks.recurrent import StreamingLSTM

FRONT = FrontEndConfig(n_mels=8, stack=3)
RNG = np.random.default_rng


class Encoder(StreamingLSTM):
    """An LSTM as wide as the joint."""

    def macs_by_part(self, n_frames: int) -> dict[str, int]:
        return {"encoder": self.macs(n_frames)}


def transducer(seed: int = 0, **sizes: Any) -> Transducer:
    def make() -> Transducer:
        around = Sizes(joint=12, embedding=4, predictor=8, dropout=0.2, **sizes)
        encoder = Encoder(FRONT.width, 12, 1)
        model = Transducer(encoder, front=FRONT, sizes=around, vocabulary=[" a", "b", " c"], plugin="unit")
        for layer in (model.joint.output, model.encoder.layers[0].lstm):  # an untrained model that talks
            for weight in layer.parameters():
                nn.init.normal_(weight, std=2.0)
        model.front.train()(torch.from_numpy(speech())[None], torch.tensor([16_000]))
        return model

    return seeded(make, seed, "cpu")


def speech(n: int = 16_000, seed: int = 0) -> np.ndarray:
    t = np.arange(n) / 16_000
    sound = np.sin(2 * np.pi * (300 + 200 * np.sin(7 * t)) * t) + 0.1 * RNG(seed).standard_normal(n)
    return (0.2 * sound * np.sin(2 * t) ** 2).astype(np.float32)


def said(model: Transducer, samples: np.ndarray, chunk: int) -> list[str]:
    stream = model.stream()
    tokens = [t for i in range(0, len(samples), chunk) for t in stream.accept(samples[i : i + chunk]).final]
    return [token.text for token in (*tokens, *stream.finish().final)]


def example(n: int = 9_000, text: str = "ab c", seed: int = 0) -> Example:
    return Example(f"u{seed}", speech(n, seed), (Turn(text, 0.0, n / 16_000),))


@pytest.mark.parametrize("beam", [1, 3])
def test_any_chunks_say_the_same(beam: int) -> None:
    model = transducer(beam=beam, max_symbols=2)
    whole = said(model, speech(), 16_000)
    assert len(whole) > 3
    assert said(model, speech(), 500) == said(model, speech(), 1777) == whole


def test_offline_in_a_batch_says_what_the_stream_says() -> None:
    model, recordings = transducer(), [speech(16_000), speech(5_000, 1), speech(300, 2)]
    offline = [[token.text for token in tokens] for tokens in model.transcribe(recordings)]
    assert offline == [said(model, recording, 1920) for recording in recordings]


def test_offline_claims_no_audio_beyond_the_recording() -> None:
    (tokens,) = transducer().transcribe([speech(7_000)])
    assert max(token.audio_s or 0.0 for token in tokens) <= 7_000 / 16_000


@pytest.mark.parametrize("beam", [1, 2])
def test_work_is_what_was_executed(beam: int) -> None:
    model = transducer(beam=beam, max_symbols=2)
    stream = model.stream()
    counted = count_macs(lambda: [stream.accept(part) for part in np.split(speech(), 8)] and stream.finish())
    started = model.predictor.macs(1)  # when the stream was made
    assert sum(stream.work().values()) == counted.macs + started
    assert set(stream.work()) == {"front_end", "encoder", "predictor", "joint"}


def test_a_beam_shows_partials_and_a_greedy_stream_finals() -> None:
    wide, narrow = transducer(beam=2).stream(), transducer().stream()
    update = wide.accept(speech())
    assert update.final == ()
    assert update.partial
    assert narrow.accept(speech()).partial is None
    assert wide.finish().partial == ()


def test_padding_in_a_batch_changes_no_loss() -> None:
    model, rng = transducer(), RNG(0)
    alone = model.loss(model.collate([example()], rng), Progress(0, 1)).items
    beside = model.loss(model.collate([example(), example(30_000, "abbbb c", 1)], rng), Progress(0, 1)).items
    assert alone is not None
    assert beside is not None
    torch.testing.assert_close(beside[0], alone[0], rtol=1e-4, atol=1e-4)


def test_training_draws_from_the_generator_alone() -> None:
    model = transducer().train()
    first, second, other = (model.collate([example()], RNG(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.samples, second.samples)
    assert first.bands is not None
    assert second.bands is not None
    assert torch.equal(first.bands, second.bands)
    assert first.samples.shape != other.samples.shape or not torch.equal(first.samples, other.samples)


def test_evaluation_changes_no_recording() -> None:
    batch = transducer().collate([example(4000)], RNG(0))
    assert np.array_equal(batch.samples[0].numpy(), example(4000).samples)
    assert batch.bands is None


def test_every_parameter_has_a_gradient_and_a_part() -> None:
    model = transducer().train()
    losses = model.loss(model.collate([example(), example(20_000, "c c", 1)], RNG(0)), Progress(0, 1))
    losses.terms["transducer"].backward()
    named = dict(model.named_parameters())
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in named.values())
    assert sorted(name for names in model.parts().values() for name in names) == sorted(named)
    assert set(model.parts()) == {"encoder", "predictor", "joint"}


def test_options_are_checked_by_name_and_range() -> None:
    def read(**options: float) -> TransducerOptions:
        return TransducerOptions.read(options, "tiny", ("tiny",), plugin="unit")

    with pytest.raises(InputError, match="did you mean 'fastemit'"):
        read(fastemitt=0.1)
    with pytest.raises(InputError, match="give 1 to 64"):
        read(beam=0)
    with pytest.raises(InputError, match=r"'dropout' is -0\.5"):
        read(dropout=-0.5)
    sizes = read(dropout=0.3, fastemit=0.01, beam=4).around(Sizes(joint=1, embedding=1, predictor=1))
    assert (sizes.dropout, sizes.fastemit, sizes.beam) == (0.3, 0.01, 4)
    assert read().around(Sizes(joint=1, embedding=1, predictor=1, dropout=0.2)).dropout == 0.2
    assert TransducerOptions(augment=False).waves() == NONE


def test_a_seed_decides_the_weights_and_nothing_else() -> None:
    state = torch.random.get_rng_state()
    one, same, other = transducer(1), transducer(1), transducer(2)
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(one.joint.output.weight, same.joint.output.weight)
    assert not torch.equal(one.joint.output.weight, other.joint.output.weight)


def test_ctc_teaches_the_encoder_alone() -> None:
    model = transducer(ctc=0.5).train()
    losses = model.loss(model.collate([example(), example(20_000, "c c", 1)], RNG(0)), Progress(0, 1))
    losses.terms["ctc"].backward()
    moved = {name.partition(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {"encoder", "aligner"}
    assert set(model.parts()) == {"encoder", "predictor", "joint", "aligner"}


def test_the_weight_of_ctc_is_an_option() -> None:
    chosen = TransducerOptions.read({"ctc": 0.0}, "tiny", ["tiny"], plugin="unit")
    assert chosen.around(Sizes(joint=8, embedding=4, predictor=4, ctc=0.5)).ctc == 0.0
    kept = TransducerOptions.read({}, "tiny", ["tiny"], plugin="unit")
    assert kept.around(Sizes(joint=8, embedding=4, predictor=4, ctc=0.5)).ctc == 0.5
    with pytest.raises(InputError, match="ctc"):
        TransducerOptions.read({"ctc": -0.5}, "tiny", ["tiny"], plugin="unit")
