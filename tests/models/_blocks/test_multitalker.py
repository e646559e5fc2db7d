"""A transducer of two channels as a whole: streams, work, who says what, and how a training begins."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from lanes import RATE_HZ, alone, plain, sound, talk, talkative

from earmark.bench.api import Example, Progress
from earmark.bench.observe.compute import count_macs
from earmark.models._blocks.augment import NONE
from earmark.models._blocks.frontend import FrontEndConfig
from earmark.models._blocks.multitalker import MultiTalkerTransducer, Talk
from earmark.models._blocks.options import seeded
from earmark.models._blocks.recognizer import Sizes
from earmark.models._blocks.separation import SeparatingEncoder, SeparationSizes
from earmark.models._blocks.transducer import transducer_loss
from earmark.models._blocks.turns import Marking

FRONT = FrontEndConfig(n_mels=8, stack=6)
STS = Marking(start="<sot>", end="<eot>", edges=False)
RNG = np.random.default_rng
NOW = Progress(0, 1)


def model(seed: int = 0, marking: Marking = STS, *, blank: float = 0.0, **more: Any) -> MultiTalkerTransducer:
    talk_ = Talk(marking, more.pop("assignment", "dat"), more.pop("masking", 0.0))

    def make() -> MultiTalkerTransducer:
        sizes = Sizes(joint=8, embedding=4, predictor=6, dropout=0.0, **more)
        encoder = SeparatingEncoder(FRONT.width, SeparationSizes(6, 8, 8, 1), 8, dropout=0.0)
        return MultiTalkerTransducer(
            encoder, talk=talk_, front=FRONT, sizes=sizes, vocabulary=[" a", " b"], plugin="unit"
        )  # fmt: skip

    return talkative(seeded(make, seed, "cpu"), blank)


def heard(found: MultiTalkerTransducer, samples: np.ndarray, chunk: int) -> list[tuple[str, int, str]]:
    stream = found.stream()
    tokens = [t for i in range(0, len(samples), chunk) for t in stream.accept(samples[i : i + chunk]).final]
    return plain((*tokens, *stream.finish().final))


def losses(found: MultiTalkerTransducer, examples: list[Example], progress: Progress = NOW) -> dict[str, float]:
    terms = found.loss(found.collate(examples, RNG(0)), progress).terms
    return {name: term.item() for name, term in terms.items()}


# --- listening ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam", [1, 2])
def test_any_chunks_say_the_same_in_the_same_order(beam: int) -> None:
    talking = model(blank=2.0, beam=beam, max_symbols=2)
    whole = heard(talking, sound(1.2), RATE_HZ * 2)
    assert {channel for _, channel, _ in whole} == {0, 1}
    assert heard(talking, sound(1.2), 500) == heard(talking, sound(1.2), 1777) == whole


def test_offline_in_a_batch_says_what_the_stream_says() -> None:
    talking, recordings = model(blank=2.0), [sound(1.2), sound(0.5, 1), sound(0.02, 2)]
    offline = [plain(tokens) for tokens in talking.transcribe(recordings)]
    assert offline == [heard(talking, recording, 1920) for recording in recordings]
    assert len(offline[0]) > 3


def test_marks_are_turns_without_text() -> None:
    (tokens,) = model(blank=1.0).transcribe([sound(1.2)])
    assert {"text", "end_of_turn"} <= {token.kind for token in tokens}
    assert all((token.text == "") == (token.kind != "text") for token in tokens)


def test_work_is_what_was_executed() -> None:
    talking = model(blank=2.0, max_symbols=2)
    stream = talking.stream()
    counted = count_macs(lambda: [stream.accept(part) for part in np.split(sound(1.2), 8)] and stream.finish())
    started = 2 * talking.predictor.macs(1)  # when the stream was made
    assert sum(stream.work().values()) == counted.macs + started
    assert set(stream.work()) == {"front_end", "mixture", "separation", "recognition", "predictor", "joint"}
    assert talking.info.n_channels == 2


# --- who says what ------------------------------------------------------------------------------------------------


def by_channels(found: MultiTalkerTransducer, example: Example) -> np.ndarray:
    """Minus log probability that channel i says what is on channel j of a recording, one at a time: (2, 2)."""
    batch = found.collate([example], RNG(0))
    frames, lengths = found.front(batch.samples, batch.n_samples)
    encoded = found.encoder(frames, lengths)
    pairs = np.zeros((2, 2))
    for i, j in np.ndindex(2, 2):
        targets = batch.targets[j : j + 1, : batch.n_targets[j]]
        logits = found.joint(encoded[i : i + 1], found.predictor(targets))
        pairs[i, j] = transducer_loss(logits, targets, lengths, batch.n_targets[j : j + 1]).item()
    return pairs


def test_with_deterministic_assignment_each_channel_says_its_own_turns() -> None:
    found, examples = model(), [talk(), talk(seed=1)]
    n_labels = int(found.collate(examples, RNG(0)).n_targets.sum())
    expected = sum(np.trace(by_channels(found, example)) for example in examples) / n_labels
    assert losses(found, examples)["transducer"] == pytest.approx(expected, rel=1e-4)


def test_permutation_invariant_training_takes_the_least_of_all_permutations() -> None:
    """Recordings with their channels as they are and exchanged: one of each pair has to be permuted."""
    found, marking = model(assignment="pit", marking=Marking()), []
    for seed in range(3):
        example = talk(seed=seed)
        flipped = replace(example, turns=tuple(replace(t, channel=1 - (t.channel or 0)) for t in example.turns))
        marking += [example, flipped]
    n_labels = int(found.collate(marking, RNG(0)).n_targets.sum())
    tables = [by_channels(found, example) for example in marking]
    least = [min(sum(t[i, j] for i, j in enumerate(order)) for order in permutations(range(2))) for t in tables]
    assert losses(found, marking)["transducer"] == pytest.approx(sum(least) / n_labels, rel=1e-4)
    assert sum(least) < sum(np.trace(table) for table in tables) - 1e-3


def test_the_likelihood_of_a_recording_is_that_of_both_channels() -> None:
    found = model()
    expected = [-np.trace(by_channels(found, example)) for example in (talk(), talk(seed=1))]
    likelihood = found.log_likelihood(found.collate([talk(), talk(seed=1)], RNG(0)))
    np.testing.assert_allclose(likelihood.detach(), expected, rtol=1e-4)


def test_padding_in_a_batch_changes_no_loss() -> None:
    found = model(masking=0.3, end_penalty=1.0)
    long = replace(talk(seed=1), samples=sound(3.0, 1))
    one, two = (found.loss(found.collate(batch, RNG(0)), NOW).items for batch in ([talk()], [talk(), long]))
    assert one is not None
    assert two is not None
    torch.testing.assert_close(two[0], one[0], rtol=1e-4, atol=1e-4)


# --- what sts asks for --------------------------------------------------------------------------------------------


def test_the_masking_loss_is_that_of_the_silent_frames_of_each_channel() -> None:
    found = model(masking=0.3)
    batch = found.collate([talk()], RNG(0))
    frames, lengths = found.front(batch.samples, batch.n_samples)
    encoded = found.encoder(frames, lengths)  # (2, T, J): channel 0 talks until frame 10, channel 1 in frames 7 to 20
    silent = [encoded[0, 11:], encoded[1, :7], encoded[1, 21:]]
    expected = 0.3 * torch.cat(silent).square().mean()
    assert losses(found, [talk()])["masking"] == pytest.approx(expected.item(), rel=1e-5)
    assert "masking" not in losses(model(), [talk()])


def test_the_penalty_makes_late_ends_cost_more_and_alpha_0_costs_nothing() -> None:
    plain_, free, strict = (losses(model(end_penalty=alpha), [talk()])["transducer"] for alpha in (0.0, 1e-9, 2.0))
    assert free == pytest.approx(plain_, rel=1e-6)
    assert strict > plain_ + 1e-3
    assert losses(model(end_penalty=2.0, end_buffer=100), [talk()])["transducer"] == pytest.approx(plain_, rel=1e-6)


def test_every_parameter_learns() -> None:
    found = model(masking=0.3, ctc=0.5, alignment=1.0, end_penalty=1.0, fastemit=0.01).train()
    found.begun.fill_(True)
    terms = found.loss(found.collate([talk(), talk(seed=1)], RNG(0)), NOW).terms
    assert set(terms) == {"transducer", "ctc", "alignment", "masking"}
    torch.stack([*terms.values()]).sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in found.parameters())


# --- how a training begins ----------------------------------------------------------------------------------------


def separation(found: MultiTalkerTransducer) -> list[torch.Tensor]:
    return [
        torch.cat([p.flatten() for p in layers.parameters()]).detach().clone() for layers in found.encoder.separation
    ]


def learn(found: MultiTalkerTransducer, examples: list[Example]) -> None:
    torch.stack([*found.loss(found.collate(examples, RNG(0)), NOW).terms.values()]).sum().backward()


def test_single_talkers_train_the_first_channel_alone_and_the_second_begins_as_its_copy() -> None:
    found = model().train()
    first, second = separation(found)
    learn(found, [alone(), alone(seed=1)])
    grads = [[p.grad for p in layers.parameters()] for layers in found.encoder.separation]
    assert all(grad is not None for grad in grads[0])
    assert all(grad is None for grad in grads[1])
    assert torch.equal(separation(found)[1], second)
    learn(found, [alone(), talk()])  # the first batch of two
    copied = separation(found)
    assert torch.equal(copied[0], first)
    assert 0.0 < float((copied[1] - first).abs().mean()) < 0.05
    learn(found, [alone()])  # from here on both are trained, whoever talks
    assert int(found.n_alone) == -1
    assert torch.equal(separation(found)[1], copied[1])


def test_without_single_talkers_nothing_is_copied() -> None:
    found = model().train()
    second = separation(found)[1]
    learn(found, [talk()])
    assert torch.equal(separation(found)[1], second)
    assert int(found.n_alone) == -1


def test_how_it_began_is_part_of_the_weights() -> None:
    found, other = model().train(), model(seed=1)
    learn(found, [alone()])
    other.load_state_dict(found.state_dict())
    assert int(other.n_alone) == 1


def test_a_look_at_dev_begins_nothing() -> None:
    found = model()
    losses(found, [alone()])
    losses(found, [talk()])
    assert int(found.n_alone) == 0


@pytest.mark.gpu
@pytest.mark.slow
def test_cuda_has_the_losses_of_the_cpu() -> None:
    found = []
    for device in ("cpu", "cuda"):
        moved = model(masking=0.3, end_penalty=1.0, fastemit=0.01, ctc=0.5, alignment=1.0).to(device).train()
        moved.begun.fill_(True)
        moved.waves = NONE
        terms = moved.loss(moved.collate([talk(), talk(seed=1)], RNG(0)), NOW).terms
        found.append({name: term.item() for name, term in terms.items()})
    assert found[1] == pytest.approx(found[0], rel=1e-3)
