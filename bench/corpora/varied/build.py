"""Building ``synthetic-varied`` out of ``synthetic`` once, and finding it again.

A build lies under ``<cache>/varied/<digest>/``: ``audio/`` and ``catalog.json``, made in a folder beside and renamed
when it is whole.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import soundfile

from earmark.bench.api import Corpus
from earmark.bench.corpora.audio import SAMPLE_RATE_HZ
from earmark.bench.corpora.files import Report, fingerprint
from earmark.bench.corpora.schema import canonical, complete, metadata, open_rows, to_dataset
from earmark.bench.corpora.synthetic.build import UNEXPECTED, load_quick
from earmark.bench.corpora.synthetic.draws import Draws
from earmark.bench.corpora.varied import SPEC
from earmark.bench.corpora.varied.joining import HEARD, Heard, Part, join
from earmark.bench.disk import whole_folder

CATALOG = "catalog.json"
PARTS = 2
"""Recordings that are made into one."""
EXPECTED_FILE = Path(__file__).with_name("expected.json")
"""Fingerprints by that of the corpus it is made of."""
_MAKERS = ("build.py", "joining.py")


def load(*, cache: Path, progress: Report) -> Corpus:
    """The corpus ``synthetic-varied``, built unless it lies whole in the cache."""
    from filelock import FileLock

    source = load_quick(cache=cache, progress=progress)
    folder = cache / "varied" / _digest(source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / CATALOG).is_file():
            build(source, folder, progress)
    entries = json.loads((folder / CATALOG).read_text(encoding="utf-8"))
    rows = [complete({**e["row"], "audio": {"bytes": None, "path": str(folder / e["path"])}}) for e in entries]
    found = fingerprint(rows, {entry["row"]["id"]: entry["pcm_sha256"] for entry in entries})
    expected: dict[str, str] = json.loads(EXPECTED_FILE.read_text(encoding="utf-8"))
    return Corpus(
        name=SPEC.name,
        rows=to_dataset(rows),
        fingerprint=found,
        license=SPEC.license,
        source=SPEC.source,
        revision=f"{folder.name} (of {source.revision})",
        flags=() if expected.get(source.fingerprint) == found else (UNEXPECTED,),
        area_attributes=source.area_attributes,
    )


def build(source: Corpus, folder: Path, progress: Report) -> None:
    """Make every recording in ``folder``, whole or not at all."""
    planned = list(plan(list(open_rows(source))))
    with whole_folder(folder) as partial:
        entries = []
        for done, (name, rows, heard) in enumerate(planned, start=1):
            entries.append(_write(name, rows, heard, partial))
            progress(done, len(planned), f"joining {SPEC.name}")
        (partial / CATALOG).write_text(json.dumps(entries), encoding="utf-8")


def plan(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Sequence[Mapping[str, Any]], Heard]]:
    """Of each recording its name, what it is made of, in a drawn order, and how it is heard: each way in turn."""
    by_speaker: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: str(row["id"])):
        by_speaker[row["speaker"]].append(row)
    draws = Draws("varied|plan")
    for speaker, said in sorted(by_speaker.items()):
        order, first = draws.shuffled(said, speaker), draws.whole(0, len(HEARD) - 1, speaker, "first")
        for number in range(len(order) // PARTS):
            heard = HEARD[(first + number) % len(HEARD)]
            yield f"{speaker}-{number}", order[PARTS * number : PARTS * (number + 1)], heard


def _write(name: str, rows: Sequence[Mapping[str, Any]], heard: Heard, folder: Path) -> dict[str, Any]:
    parts = [Part(soundfile.read(row["audio"]["path"], dtype="int16")[0], row["words"]) for row in rows]
    joined = join(name, parts, heard, Draws("varied|sound"))
    path = Path("audio", rows[0]["speaker"], f"{name}.flac")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / path, joined.pcm, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    row = {
        **{key: rows[0][key] for key in ("speaker", "split", "gender", "accent", "lat", "lon", "area_code")},
        "id": name, "text": " ".join(row["text"] for row in rows), "words": joined.words,
        "duration_s": len(joined.pcm) / SAMPLE_RATE_HZ, "extra": canonical({**_shared(rows), "heard": heard}),
    }  # fmt: skip
    digest = hashlib.sha256(joined.pcm.astype("<i2").tobytes()).hexdigest()
    return {"row": row, "path": path.as_posix(), "pcm_sha256": digest}


def _shared(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What all parts have in common of what is known of them; of the lexical task, that of each."""
    known = [json.loads(row["extra"]) for row in rows]
    shared = {name: value for name, value in known[0].items() if all(k.get(name) == value for k in known)}
    return {**shared, "task": "+".join(sorted({metadata(row)["task"] for row in rows}))}


def _digest(source: Corpus) -> str:
    """Names a build: what it is made of, and the code that makes it."""
    total = hashlib.sha256(source.fingerprint.encode())
    for name in _MAKERS:
        total.update(Path(__file__).with_name(name).read_bytes())
    return total.hexdigest()[:16]
