"""Building conversations to be measured on once, and finding them again.

Those of dev, discover, select and measure are made of the source's speakers of the same split and written to
``<cache>/conversations/<digest>/``. Those to learn from are not: training mixes them as it needs them, by the same
rules, from the source's train split (``Corpus.mixed``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from filelock import FileLock

from earmark.bench.api import Corpus, InputError, Mixed, Samples, Word
from earmark.bench.corpora import audio
from earmark.bench.corpora.conversations import SPEC
from earmark.bench.corpora.conversations.mixing import Pool, Utterance, heard, talkers_of, turns_of, utterance_of
from earmark.bench.corpora.conversations.plan import Plan, draw
from earmark.bench.corpora.conversations.rooms import N_ROOMS
from earmark.bench.corpora.conversations.rules import Rules
from earmark.bench.corpora.files import Report, fingerprint
from earmark.bench.corpora.load import load_corpus
from earmark.bench.corpora.naming import CorpusName
from earmark.bench.corpora.schema import canonical, complete, metadata, select_split, speakers_of, to_dataset
from earmark.bench.corpora.silence import spoken
from earmark.bench.disk import sha256_of, whole_folder

DEFAULT_SOURCE = "synthetic"
CATALOG = "catalog.json"
_SPLITS = ("dev", "discover", "select", "measure")
_MAKERS = ("arrangement.py", "build.py", "mixing.py", "plan.py", "rooms.py", "../conditions.py", "../silence.py")
_DECIMALS = 6


def load(
    *, cache: Path, progress: Report, source: str | None = None, settings: Mapping[str, str] | None = None
) -> Corpus:
    """Conversations over the corpus ``source``; made unless they lie whole in the cache.

    Raises:
        InputError: an unknown setting, or a source without speakers, or whose speakers can't converse by these rules.
    """
    rules = Rules.read(settings or {})
    talkers = _only(load_corpus(source or DEFAULT_SOURCE, cache=cache, progress=progress), rules.only)
    digest = _digest(rules, talkers)
    folder = cache / "conversations" / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / CATALOG).is_file():
            _make(talkers, rules, folder, progress)
    entries = json.loads((folder / CATALOG).read_text(encoding="utf-8"))
    rows = [complete({**e["row"], "audio": {"bytes": None, "path": str(folder / e["path"])}}) for e in entries]
    content = fingerprint(rows, {entry["row"]["id"]: entry["sha256"] for entry in entries})
    return replace(
        talkers,
        name=CorpusName(SPEC.name, settings or {}, source or DEFAULT_SOURCE).label,
        rows=to_dataset(rows),
        fingerprint=hashlib.sha256(f"{digest}{content}".encode()).hexdigest(),
        source=f"{SPEC.source}, over {talkers.name} ({talkers.source})",
        revision=f"{digest} ({talkers.revision or 'no revision'})",
        mixed=Mixed(talkers, rules.to_json()),
    )


def rooms_of(rules: Rules, split: str) -> str:
    """What the rooms of a split's conversations are called: every split has rooms of its own."""
    return f"{rules.seed}|{split}"


def drawn(pool: Pool, rules: Rules, split: str, numbers: Sequence[int]) -> Iterator[Plan]:
    """The plans of these conversations of a split, each by itself a function of rules, split and number."""
    talkers = talkers_of(pool.utterances)
    for number in numbers:
        rng = np.random.default_rng((rules.seed, _number_of(split), number))
        yield draw(talkers, rules, rng, number=number, n_rooms=N_ROOMS)


def usable(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of a source's rows those of one named speaker who says something, in order of id."""
    kept = [row for row in rows if row["speaker"] and row["text"].strip() and len(speakers_of(row)) == 1]
    if not kept:
        what = "no recording has a named speaker and a text"
        raise InputError(what, where="conversations", fix="make them from a corpus of single talkers")
    return sorted(kept, key=lambda row: str(row["id"]))


def _only(talkers: Corpus, wanted: str) -> Corpus:
    """The recordings that have the metadata ``column:value``; all where nothing is wanted."""
    if not wanted:
        return talkers
    name, _, value = wanted.partition(":")
    kept = [place for place, row in enumerate(talkers.rows) if metadata(row).get(name) == value]
    if not kept:
        columns = sorted({key for row in talkers.rows for key in metadata(row)})
        what = f"no recording of {talkers.name} has {name!r} = {value!r}"
        raise InputError(what, where="conversations", fix=f"write only=column:value; it has {', '.join(columns)}")
    return replace(talkers, rows=talkers.rows.select(kept))


def _make(talkers: Corpus, rules: Rules, folder: Path, progress: Report) -> None:
    """Make every split's conversations in a folder beside, and rename it when it is whole."""
    wanted = [split for split in _SPLITS if getattr(rules, split)]
    present = set(talkers.rows.with_format("arrow")["split"].to_pylist())
    total = sum(getattr(rules, split) for split in wanted if split in present)
    with whole_folder(folder) as partial:
        entries: list[dict[str, Any]] = []
        for split in wanted:
            if split in present:
                for entry in _of_split(talkers, rules, split, partial):
                    entries.append(entry)
                    progress(len(entries), total, "making conversations")
        (partial / CATALOG).write_text(json.dumps(entries), encoding="utf-8")


def _of_split(talkers: Corpus, rules: Rules, split: str, folder: Path) -> Iterator[dict[str, Any]]:
    pool = _pool(usable(list(select_split(talkers, split).rows)), rules)
    for number, plan in enumerate(drawn(pool, rules, split, range(getattr(rules, split)))):
        name = f"{split}-{number:05d}"
        samples = heard(plan, pool, rooms=rooms_of(rules, split))
        path = folder / "audio" / f"{name}.flac"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, samples, audio.SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
        row = {**_row(plan, pool, len(samples)), "id": name, "split": split}
        yield {"row": row, "path": path.relative_to(folder).as_posix(), "sha256": sha256_of(path)}


def _row(plan: Plan, pool: Pool, n_samples: int) -> dict[str, Any]:
    segments = [
        {"speaker": t.speaker, "start": round(t.start_s, _DECIMALS), "end": round(t.end_s, _DECIMALS), "text": t.text}
        for t in turns_of(plan, pool)
    ]
    extra = {"overlap_condition": plan.condition} if plan.condition else {}
    return {"segments": segments, "duration_s": n_samples / audio.SAMPLE_RATE_HZ, "extra": canonical(extra)}


def _pool(rows: Sequence[Mapping[str, Any]], rules: Rules) -> Pool:
    """A split's recordings, decoded and cut to their speech."""
    kept: list[Samples] = []
    utterances: list[Utterance] = []
    for row in rows:
        samples = audio.decode(row)
        part = spoken(row, samples, audio.SAMPLE_RATE_HZ, rules.silence_s)
        begins_s = part.start / audio.SAMPLE_RATE_HZ
        words = [Word(w["word"], w["start"] - begins_s, w["end"] - begins_s) for w in row["words"] or ()]
        kept.append(samples[part])
        utterances.append(utterance_of(row["speaker"], row["text"], words, kept[-1], audio.SAMPLE_RATE_HZ))
    return Pool(audio.SAMPLE_RATE_HZ, utterances, kept.__getitem__)


def _number_of(split: str) -> int:
    return int.from_bytes(hashlib.sha256(split.encode()).digest()[:4], "big")


def _digest(rules: Rules, talkers: Corpus) -> str:
    """Names a build: the rules, the source's content, and the code that makes it."""
    total = hashlib.sha256(canonical([rules.to_json(), talkers.fingerprint]).encode())
    for name in _MAKERS:
        total.update(hashlib.sha256((Path(__file__).parent / name).read_bytes()).digest())
    return total.hexdigest()[:16]
