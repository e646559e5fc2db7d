from __future__ import annotations

import json
from pathlib import Path

import pytest
from corpus_files import write_corpus

from earmark.bench.corpora.describe import Description, describe
from earmark.bench.corpora.manifest import load_manifest


@pytest.fixture
def description(tmp_path: Path) -> Description:
    lines = [
        {"id": f"u{i}", "audio": f"ok{i}.wav", "text": "a", "speaker": f"s{i // 2}", "license": "CC0",
         "gender": "female" if i < 2 else None, "split": "train" if i < 4 else "measure", "lat": 1, "lon": 2}
        for i in range(6)
    ]  # fmt: skip
    folder = write_corpus(tmp_path / "six", lines)
    return describe(load_manifest(folder, cache=tmp_path / "cache", progress=lambda *_: None))


def test_counts(description: Description) -> None:
    assert (description.total.n_utterances, description.total.n_speakers) == (6, 3)
    assert description.total.hours == pytest.approx(6 * 0.1 / 3600)
    assert {name: (a.n_utterances, a.n_speakers) for name, a in description.splits.items()} == {
        "train": (4, 2), "measure": (2, 1),
    }  # fmt: skip
    assert description.sample_rates_hz == {16_000: 6}
    assert (description.n_with_place, description.n_with_words, description.n_with_segments) == (6, 0, 0)
    assert description.flags == ("few_speakers",)


def test_json_is_plain_and_derives_rates(description: Description) -> None:
    values = json.loads(json.dumps(description.to_json(), allow_nan=False))
    gender = next(column for column in values["columns"] if column["name"] == "gender")
    assert gender == {"name": "gender", "n_filled": 2, "n_rows": 6, "n_values": 1, "coverage": 2 / 6}
    assert values["splits"]["train"]["hours"] == pytest.approx(4 * 0.1 / 3600)
    assert values["license"] == "CC0"


def test_rows_for_a_table(description: Description) -> None:
    assert description.rows_for_table() == [
        ("train", "4", "2", "0.00"), ("measure", "2", "1", "0.00"), ("all", "6", "3", "0.00"),
    ]  # fmt: skip
