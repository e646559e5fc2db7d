"""A vocabulary from training texts: SentencePiece's byte-pair merges in the order in which they were made, or words."""

from __future__ import annotations

import io
from collections.abc import Sequence

from earmark.bench.api import InputError

SPACE = "▁"


def train_pieces(texts: Sequence[str], size: int = 256) -> list[str]:
    """At most ``size`` pieces (more where the texts have more characters), those merged first in front.

    A piece that begins a word begins with a space. Every character of the texts is a piece of its own, so any text of
    these characters can be spelled. Few or simple texts give fewer pieces.

    Args:
        texts: words divided by spaces, normalized.
    """
    words = [" ".join(text.split()) for text in texts]
    characters = {character for text in words for character in text} - {" "}
    if not characters:
        raise InputError("the training texts hold no words", fix="give a train split with texts")
    merged = _merges([text for text in words if text], max(size, len(characters) + 3))
    pieces = [piece.replace(SPACE, " ") for piece in merged]
    missing = sorted((characters | {" "}) - set(pieces))
    return [*pieces, *missing]


def whole_words(texts: Sequence[str]) -> list[str]:
    """The words of the texts in order of the alphabet, for closed tasks such as digits. Other words can't be spelled.

    Args:
        texts: words divided by spaces, normalized.
    """
    words = sorted({word for text in texts for word in text.split()})
    if not words:
        raise InputError("the training texts hold no words", fix="give a train split with texts")
    return [f" {word}" for word in words]


def _merges(texts: Sequence[str], size: int) -> list[str]:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        model_type="bpe",
        vocab_size=size,
        character_coverage=1.0,
        normalization_rule_name="identity",
        hard_vocab_limit=False,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
        num_threads=1,
    )
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    ids = [i for i in range(len(trained)) if not trained.is_unknown(i)]
    return [trained.id_to_piece(i) for i in sorted(ids, key=lambda i: -trained.get_score(i))]
