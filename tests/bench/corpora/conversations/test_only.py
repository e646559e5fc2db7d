"""Conversations of some of a source's recordings: by metadata, in every split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tones import write_tones

from earmark.bench.api import Corpus, InputError
from earmark.bench.corpora.conversations.build import load


def conversations(tmp_path: Path, **settings: str) -> Corpus:
    source = write_tones(tmp_path / "tones", n_speakers=6)
    few: dict[str, Any] = {"dev": "0", "measure": "4", "max_turns": "2", **settings}
    return load(cache=tmp_path / "cache", progress=lambda *_: None, source=str(source), settings=few)


def talkers(corpus: Corpus) -> set[str]:
    return {segment["speaker"] for row in corpus.rows for segment in row["segments"]}


def test_only_recordings_with_this_metadata_talk(tmp_path: Path) -> None:
    """Speakers with odd numbers have accent ``b``; the one of split train, number 6, has ``a``."""
    everybody, some = conversations(tmp_path), conversations(tmp_path, only="accent:a")
    assert talkers(some) <= {"s00", "s02", "s04"}
    assert talkers(everybody) & {"s01", "s03", "s05"}
    assert some.mixed is not None
    assert set(some.mixed.talkers.rows["accent"]) == {"a"}
    assert some.fingerprint != everybody.fingerprint


@pytest.mark.parametrize("only", ["accent:c", "accents:a", "accent"])
def test_what_nobody_has_is_one_clear_line(tmp_path: Path, only: str) -> None:
    with pytest.raises(InputError, match=r"no recording of tones has .*; write only=column:value; it has accent"):
        conversations(tmp_path, only=only)
