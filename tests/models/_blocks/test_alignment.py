"""What frames should say: by hand, at other speeds, where times are missing, and what a transducer makes of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from earmark.bench.api import Example, Progress, Turn, Word
from earmark.models._blocks.alignment import (
    DELAY_S,
    IGNORED,
    alignment_loss,
    flat_labels,
    labels_by_frame,
    timed_labels,
)
from earmark.models._blocks.augment import NONE
from earmark.models._blocks.frontend import FrontEndConfig
from earmark.models._blocks.options import TransducerOptions, seeded
from earmark.models._blocks.pieces import Pieces
from earmark.models._blocks.recognizer import BEGINNING, Sizes, Transducer
from earmark.models._blocks.recurrent import StreamingLSTM

PIECES = Pieces([" a", "b", " c"])  # labels 1, 2, 3
FRAME_S = 0.1


def example(*words: tuple[str, float, float], text: str = "ab c", n: int = 16_000) -> Example:
    samples = np.random.default_rng(0).standard_normal(n).astype(np.float32)
    return Example("u", samples, (Turn(text, 0.0, n / 16_000, words=tuple(Word(*word) for word in words)),))


def labels(found: Example, n_frames: int = 10, stretch: float = 1.0) -> dict[int, int]:
    row = labels_by_frame(timed_labels(found, PIECES), n_frames=n_frames, frame_s=FRAME_S, stretch=stretch)
    assert row.shape == (n_frames,)
    return {frame: label for frame, label in enumerate(row.tolist()) if label != IGNORED}


def test_each_piece_is_said_a_little_after_its_share_of_the_word() -> None:
    """ "ab" from 0.1 to 0.5 s: "a" ends at 0.3, "b" at 0.5; "c" at 0.7; each 0.06 s later, in frames of 0.1 s."""
    assert DELAY_S == 0.06
    assert labels(example(("ab", 0.1, 0.5), ("c", 0.5, 0.7))) == {3: 1, 5: 2, 7: 3}


def test_played_slower_everything_ends_later() -> None:
    assert labels(example(("ab", 0.1, 0.25), ("c", 0.25, 0.35)), stretch=2.0) == {4: 1, 5: 2, 7: 3}


def test_what_is_written_as_one_word_may_be_two_or_none_in_the_text() -> None:
    """As a normalizer leaves "ab-c" and a dash."""
    assert labels(example(("ab c", 0.1, 0.7), ("", 0.7, 0.9))) == {3: 1, 5: 2, 7: 3}


def test_two_pieces_never_share_a_frame_and_none_stands_behind_the_end() -> None:
    crowded = example(("ab", 0.1, 0.12), ("c", 0.12, 0.13))
    assert labels(crowded) == {1: 1, 2: 2, 3: 3}
    assert labels(crowded, n_frames=3) == {1: 1, 2: 2}


@pytest.mark.parametrize("words", [(), (("ab", 0.1, 0.5),), (("ab", 0.1, 0.5), ("b", 0.5, 0.7))])
def test_words_that_are_not_those_of_the_text_show_nothing(words: tuple[tuple[str, float, float], ...]) -> None:
    assert labels(example(*words)) == {}


def test_the_loss_is_that_of_the_labelled_frames() -> None:
    logits = torch.zeros(2, 4, 5)
    logits[0, 1, 3] = 2.0
    wanted = torch.full((2, 6), IGNORED)  # rows may be padded beyond the frames
    wanted[0, 1], wanted[1, 3] = 3, 2
    by_hand = (-(2.0 - math.log(math.exp(2.0) + 4)) + math.log(5)) / 2
    assert float(alignment_loss(logits, wanted)) == pytest.approx(by_hand)
    assert float(alignment_loss(logits, torch.full((2, 4), IGNORED))) == 0.0


def test_a_word_alone_is_shown_as_if_it_filled_the_recording() -> None:
    """Two pieces in eight frames: each has four, and is said in the last two of them."""
    row = flat_labels(example(text="ab"), PIECES, n_frames=8).tolist()
    assert row == [IGNORED, IGNORED, 1, 1, IGNORED, IGNORED, 2, 2]
    assert set(flat_labels(example(), PIECES, n_frames=8).tolist()) == {IGNORED}  # of two words
    assert set(flat_labels(example(("ab", 0.1, 0.5), text="ab"), PIECES, n_frames=8).tolist()) == {IGNORED}  # known


class Encoder(StreamingLSTM):
    def macs_by_part(self, n_frames: int) -> dict[str, int]:
        return {"encoder": self.macs(n_frames)}


def transducer(alignment: float = 0.5, ctc: float = 0.5) -> Transducer:
    front = FrontEndConfig(n_mels=8, stack=3)

    def make() -> Transducer:
        sizes = Sizes(joint=12, embedding=4, predictor=8, dropout=0.0, ctc=ctc, alignment=alignment)
        encoder = Encoder(front.width, 12, 1)
        return Transducer(encoder, front=front, sizes=sizes, vocabulary=PIECES.pieces, plugin="unit")

    return seeded(make, 0, "cpu").train()


def terms(model: Transducer, step: int, *examples: Example) -> dict[str, Tensor]:
    batch = model.collate(examples, np.random.default_rng(0))
    return dict(model.loss(batch, Progress(step, 100)).terms)


TIMED = example(("ab", 0.1, 0.5), ("c", 0.5, 0.7))


def test_at_first_only_labels_of_frames_are_shown() -> None:
    model = transducer()
    found = terms(model, int(100 * BEGINNING) - 1, TIMED)
    assert set(found) == {"alignment"}
    assert set(terms(model, 0, example(text="ab"))) == {"alignment"}
    found["alignment"].backward()  # type: ignore[no-untyped-call]
    moved = {name.partition(".")[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {"encoder", "joint", "aligner"}


def test_then_they_stand_beside_the_other_losses_and_never_alone_again() -> None:
    model = transducer()
    assert set(terms(model, int(100 * BEGINNING), TIMED)) == {"transducer", "alignment", "ctc"}
    assert bool(model.state_dict()["begun"])
    assert set(terms(model, 0, TIMED)) == {"transducer", "alignment", "ctc"}  # a trained model is taken up by a repair


def test_recordings_without_word_times_begin_with_ctc_where_there_is_one() -> None:
    for model, losses in ((transducer(), {"ctc"}), (transducer(ctc=0.0), {"transducer"})):
        found = terms(model, 0, example())
        assert float(found.pop("alignment").detach()) == 0.0
        assert set(found) == losses
    assert set(terms(transducer(alignment=0.0), 0, TIMED)) == {"transducer", "ctc"}


def test_a_recording_with_known_words_does_not_silence_those_beside_it() -> None:
    """The one is shown its labels, the others lose what they would have lost alone, whichever comes first."""
    model = transducer()
    model.waves, model.masks = NONE, None
    model.front.eval()  # in training its means are those of every batch so far
    untimed, silent = example(text="c ab c", n=9_000), example(text="", n=12_000)
    mixed = terms(model, 0, untimed, TIMED, silent)
    alone, beside = terms(model, 0, untimed, silent), terms(model, 0, TIMED)
    assert float(beside["alignment"].detach()) > 0
    for name, value in {**alone, **beside}.items():
        torch.testing.assert_close(mixed[name], value)
    assert set(mixed) == {"alignment", "ctc"}


def test_outside_training_nothing_begins() -> None:
    """Such as where a repair asks how much each weight matters."""
    model = transducer().eval()
    assert set(terms(model, 0, TIMED)) == {"transducer", "alignment", "ctc"}


def test_the_weight_is_an_option() -> None:
    preset = Sizes(joint=8, embedding=4, predictor=4, alignment=0.5)
    assert TransducerOptions.read({"alignment": 0.0}, "tiny", ["tiny"], plugin="unit").around(preset).alignment == 0.0
    assert TransducerOptions.read({}, "tiny", ["tiny"], plugin="unit").around(preset).alignment == 0.5
