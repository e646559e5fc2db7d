"""The tables that finders see: who said what where, and, on discover and select alone, how many words went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from earmark.bench.api import Corpus, Table
from earmark.bench.corpora.schema import column, metadata
from earmark.bench.metrics.normalize import normalize
from earmark.bench.metrics.words import score_many
from earmark.bench.tables import read_table

OUTCOMES = ("errors", "words")
SCHEMA = pa.schema(
    [
        ("utterance_id", pa.string()), ("speaker", pa.string()), ("split", pa.string()), ("errors", pa.int64()),
        ("words", pa.int64()), ("lat", pa.float64()), ("lon", pa.float64()), ("area_code", pa.string()),
        ("area_attribute", pa.string()), ("embedding", pa.list_(pa.float64())), ("snr_db", pa.float64()),
        ("duration_s", pa.float64()),
    ]
)  # fmt: skip
Vectors = Mapping[str, Sequence[float]]


def outcomes(folder: Path, normalizer: str) -> dict[str, tuple[int, int]]:
    """By utterance id, word errors and reference words of one observed cell."""
    table = read_table(folder, "utterances").to_pylist()
    references = [normalize(row["reference"], normalizer) for row in table]
    errors = score_many(references, [normalize(row["hypothesis_raw"], normalizer) for row in table])
    return {row["utterance_id"]: (e.errors, e.reference_words) for row, e in zip(table, errors, strict=True)}


def with_outcomes(corpus: Corpus, found: Mapping[str, tuple[int, int]], vectors: Vectors) -> Table:
    """The utterances that were observed, with what came of them, in order of id."""
    rows = [row for row in _plain(corpus) if row["id"] in found]
    return _table(corpus, rows, vectors, found)


def without_outcomes(corpus: Corpus, splits: Sequence[str], vectors: Vectors) -> Table:
    """All utterances of some splits as a scheme may see them: the outcome columns aren't there."""
    rows = [row for row in _plain(corpus) if row["split"] in splits]
    return _table(corpus, rows, vectors, {}).drop_columns([*OUTCOMES])


def by_voice(corpus: Corpus, vectors: Vectors) -> dict[str, list[float]]:
    """By utterance id, the mean embedding of all recordings of its speaker; its own where no speaker is named."""
    speakers = dict(zip(column(corpus, "id"), column(corpus, "speaker"), strict=True))
    mine: dict[str, list[Sequence[float]]] = {}
    for name, vector in vectors.items():
        mine.setdefault(speakers[name] or f"utterance {name}", []).append(vector)
    means = {voice: np.mean(found, axis=0).tolist() for voice, found in mine.items()}
    return {name: means[speakers[name] or f"utterance {name}"] for name in vectors}


def in_a_plane(rows: Table, cohort_of: Mapping[str, str]) -> tuple[tuple[float, float, str], ...]:
    """Every speaker with an embedding at its first two principal components, rounded, with its cohort; by name."""
    voices = {row["speaker"]: row["embedding"] for row in rows.select(["speaker", "embedding"]).to_pylist()}
    names = sorted(name for name, vector in voices.items() if name in cohort_of and vector)
    if len(names) < 3:
        return ()
    found = np.array([voices[name] for name in names], dtype=np.float64)
    found /= np.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-12)
    centered = found - found.mean(axis=0)
    _, _, directions = np.linalg.svd(centered, full_matrices=False)
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
    places = centered @ (directions[:2] * signs[:2, None]).T
    return tuple(
        (round(float(x), 4), round(float(y), 4), cohort_of[n]) for n, (x, y) in zip(names, places, strict=True)
    )


def _plain(corpus: Corpus) -> list[dict[str, Any]]:
    """The rows without their audio, in order of id."""
    kept = [name for name in corpus.rows.column_names if name not in ("audio", "words", "segments")]
    rows: list[dict[str, Any]] = corpus.rows.select_columns(kept).to_list()
    return sorted(rows, key=lambda row: str(row["id"]))


def _table(
    corpus: Corpus, rows: Sequence[Mapping[str, Any]], vectors: Vectors, found: Mapping[str, tuple[int, int]]
) -> Table:
    areas = corpus.area_attributes
    return pa.Table.from_pylist([_row(row, areas, vectors, found.get(row["id"])) for row in rows], schema=SCHEMA)


def _row(
    row: Mapping[str, Any], areas: Mapping[str, str], vectors: Vectors, outcome: tuple[int, int] | None
) -> dict[str, Any]:
    known = metadata(row)
    errors, words = outcome or (None, None)
    vector = vectors.get(row["id"])
    return {
        "utterance_id": row["id"], "speaker": row["speaker"], "split": row["split"], "errors": errors, "words": words,
        "lat": row["lat"], "lon": row["lon"], "area_code": row["area_code"],
        "area_attribute": known.get("area_attribute") or areas.get(row["area_code"] or ""),
        "snr_db": _number(known.get("snr_db")),
        "embedding": [float(x) for x in vector] if vector is not None else None, "duration_s": row["duration_s"],
    }  # fmt: skip


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
