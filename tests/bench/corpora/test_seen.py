from __future__ import annotations

import pytest

from earmark.bench.corpora.seen import UNDISCLOSED, seen_flags, speaker_digest


@pytest.mark.parametrize(
    ("trained_on", "corpus", "train_corpus", "flags"),
    [
        (["librispeech"], "LibriSpeech", None, ["seen_in_training:librispeech"]),
        (["voxceleb1", "voxceleb2"], "voxceleb", None, ["seen_in_training:voxceleb1", "seen_in_training:voxceleb2"]),
        (["librispeech"], "libricss", None, []),
        (["synthetic"], "synthetic", "synthetic", []),  # trained by the suite, on other speakers
        (["synthetic"], "synthetic-world", "synthetic", []),
        (["undisclosed"], "anything", None, [UNDISCLOSED]),
        (["undisclosed"], "undisclosed", None, [UNDISCLOSED]),
        ([], "anything", None, []),
    ],
)
def test_flags(trained_on: list[str], corpus: str, train_corpus: str | None, flags: list[str]) -> None:
    assert seen_flags(trained_on, corpus, train_corpus) == flags


def test_a_speaker_digest_is_short_and_its_own() -> None:
    found = {speaker_digest(f"s{i}") for i in range(5000)}
    assert len(found) == 5000
    assert {len(digest) for digest in found} == {10}
