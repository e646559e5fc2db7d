"""LibriCSS from a local copy: LibriSpeech utterances replayed in a meeting room, at six overlap conditions.

``libricss(protocol=...):FOLDER``, where FOLDER holds ``for_release/<condition>/<mini-session>/`` as published, each
with ``record/raw_recording.wav`` (seven microphones) and ``transcription/meeting_info.txt`` (start, end, speaker,
utterance, words; tab-separated, a heading first). Chen et al. 2020, https://arxiv.org/abs/2001.11482.

There are two protocols, which are two corpora: ``utterance_group`` cuts a session wherever nobody talks, so that a row
is a run of turns without silence; ``continuous`` leaves sessions whole. Session 0 is dev and 1 to 9 are measure, as in
arXiv 2205.05199. Speakers occur in several sessions, which is flagged.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from earmark.bench.api import Corpus, CorpusSpec, InputError
from earmark.bench.corpora.naming import CorpusName
from earmark.bench.disk import sha256_of, whole_folder

SPEC = CorpusSpec(
    name="libricss",
    entry="earmark.bench.corpora.libricss:load",
    license="CC BY 4.0 (LibriSpeech)",
    source="https://github.com/chenzhuo1011/libri_css",
)
ROOT = "EARMARK_LIBRICSS"
"""The environment variable that names the folder where the name of the corpus doesn't."""
PROTOCOLS = ("utterance_group", "continuous")
CONDITIONS = ("0S", "0L", "OV10", "OV20", "OV30", "OV40")
SHARED = "speakers_in_several_splits"
MARGIN_S = 0.1
"""Of the silence around a group of utterances as much is kept, but never more than half of it."""
RECORDING, TRANSCRIPT = Path("record", "raw_recording.wav"), Path("transcription", "meeting_info.txt")
CATALOG = "catalog.json"
LAYOUT = 1
Report = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line of a transcript, times in seconds of the session."""

    start_s: float
    end_s: float
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Session:
    """A mini-session of about ten minutes."""

    folder: Path
    condition: str
    number: int

    @property
    def name(self) -> str:
        return f"{self.condition}-session{self.number}"

    @property
    def split(self) -> str:
        return "measure" if self.number else "dev"


def load(
    *, cache: Path, progress: Report, source: str | None = None, settings: Mapping[str, str] | None = None
) -> Corpus:
    """LibriCSS under one protocol, heard by one microphone (``microphone=0``); cut once and kept in the cache.

    Raises:
        InputError: no folder or no protocol was named, or the folder isn't laid out as published.
    """
    from filelock import FileLock

    from earmark.bench.corpora.files import fingerprint
    from earmark.bench.corpora.schema import complete, to_dataset

    protocol, microphone = _read(settings or {})
    root = _root(source)
    sessions = _sessions(root)
    digest = _digest(sessions, protocol, microphone)
    folder = cache / "libricss" / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / CATALOG).is_file():
            _make(sessions, protocol, microphone, folder, progress)
    entries = json.loads((folder / CATALOG).read_text(encoding="utf-8"))
    rows = [complete({**e["row"], "audio": {"bytes": None, "path": str(folder / e["path"])}}) for e in entries]
    return Corpus(
        name=CorpusName(SPEC.name, settings or {}, source).label,
        rows=to_dataset(rows),
        fingerprint=fingerprint(rows, {entry["row"]["id"]: entry["sha256"] for entry in entries}),
        license=SPEC.license,
        source=SPEC.source,
        revision=f"{protocol}, microphone {microphone}",
        flags=(SHARED,) if len({s.split for s in sessions}) > 1 else (),
    )


def groups(spoken: Sequence[Spoken]) -> list[list[Spoken]]:
    """Runs of utterances between which nobody is silent; utterances in order of start.

    >>> [len(group) for group in groups([Spoken(0, 2, "a", ""), Spoken(1, 3, "b", ""), Spoken(3.1, 4, "a", "")])]
    [2, 1]
    """
    found: list[list[Spoken]] = []
    end_s = float("-inf")
    for utterance in sorted(spoken, key=lambda u: (u.start_s, u.end_s)):
        if utterance.start_s > end_s:
            found.append([])
        found[-1].append(utterance)
        end_s = max(end_s, utterance.end_s)
    return found


def _read(settings: Mapping[str, str]) -> tuple[str, int]:
    from earmark.bench.registry import unknown

    for key in settings:
        if key not in ("protocol", "microphone"):
            raise unknown("setting of libricss", key, ("protocol", "microphone"))
    protocol, microphone = settings.get("protocol", ""), settings.get("microphone", "0")
    if protocol not in PROTOCOLS:
        what = f"no protocol {protocol!r}" if protocol else "no protocol is named"
        fix = f"write libricss(protocol={PROTOCOLS[0]}):FOLDER or libricss(protocol={PROTOCOLS[1]}):FOLDER"
        raise InputError(what, where="libricss", fix=fix)
    if not microphone.isdecimal():
        raise InputError(f"microphone={microphone} is no number", where="libricss", fix="give 0 to 6")
    return protocol, int(microphone)


def _root(source: str | None) -> Path:
    source = source or os.environ.get(ROOT)
    if not source:
        fix = f"write libricss(protocol={PROTOCOLS[0]}):FOLDER, or set {ROOT} to the folder"
        raise InputError("it is read from a local copy, and none is named", where="libricss", fix=fix)
    given = Path(source).expanduser()
    for root in (given / "for_release", given):
        if any((root / condition).is_dir() for condition in CONDITIONS):
            return root
    what = "no folder of a condition such as for_release/0S is here" if given.is_dir() else "no such folder"
    raise InputError(what, where=source, fix="give the folder into which LibriCSS's for_release.zip was unpacked")


def _sessions(root: Path) -> list[Session]:
    """All mini-sessions of a copy, by condition and number. One that lacks a file is an InputError."""
    found = []
    for condition in CONDITIONS:
        for folder in sorted((root / condition).glob("overlap_ratio_*")):
            number = re.search(r"_session(\d+)_", folder.name)
            if number is None:
                continue
            for path in (RECORDING, TRANSCRIPT):
                if not (folder / path).is_file():
                    raise InputError(f"{path} is missing", where=str(folder), fix="unpack LibriCSS again")
            found.append(Session(folder, condition, int(number[1])))
    if not found:
        raise InputError(
            "no mini-session (overlap_ratio_..._session0_...)", where=str(root), fix="unpack LibriCSS again"
        )
    return found


def _transcript(path: Path) -> list[Spoken]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()[1:], start=2):
        try:
            start, end, speaker, _, text = line.split("\t")
            found.append(Spoken(float(start), float(end), speaker, text.strip()))
        except ValueError as error:
            fix = "start, end, speaker, utterance and words must stand between tabs"
            raise InputError(
                f"not a line of a transcript: {line!r}", where=f"{path}, line {number}", fix=fix
            ) from error
    return sorted(found, key=lambda u: (u.start_s, u.end_s))


def _make(sessions: Sequence[Session], protocol: str, microphone: int, folder: Path, progress: Report) -> None:
    with whole_folder(folder) as partial:
        (partial / "audio").mkdir()
        entries: list[dict[str, Any]] = []
        for done, session in enumerate(sessions, start=1):
            entries += _cut(session, protocol, microphone, partial)
            progress(done, len(sessions), "cutting LibriCSS")
        (partial / CATALOG).write_text(json.dumps(entries), encoding="utf-8")


def _cut(session: Session, protocol: str, microphone: int, folder: Path) -> Iterator[dict[str, Any]]:
    """A session's rows, each with the file of its audio."""
    import soundfile

    samples, rate_hz = soundfile.read(session.folder / RECORDING, dtype="float32", always_2d=True)
    if microphone >= samples.shape[1]:
        what = f"there is no microphone {microphone}: it has {samples.shape[1]} channels"
        raise InputError(what, where=str(session.folder / RECORDING), fix="choose another")
    spoken = _transcript(session.folder / TRANSCRIPT)
    parts = groups(spoken) if protocol == PROTOCOLS[0] else [spoken]
    for number, (turns, (begin_s, end_s)) in enumerate(zip(parts, _spans(parts, len(samples) / rate_hz), strict=True)):
        whole = protocol == PROTOCOLS[1]
        name = session.name if whole else f"{session.name}-{number:03d}"
        kept = (
            samples[:, microphone] if whole else samples[round(begin_s * rate_hz) : round(end_s * rate_hz), microphone]
        )
        path = folder / "audio" / f"{name}.flac"
        soundfile.write(path, kept, rate_hz, format="FLAC", subtype="PCM_16")
        row = _row(session, protocol, turns, 0.0 if whole else begin_s, len(kept) / rate_hz)
        yield {"row": {**row, "id": name}, "path": f"audio/{path.name}", "sha256": sha256_of(path)}


def _spans(parts: Sequence[Sequence[Spoken]], length_s: float) -> list[tuple[float, float]]:
    """Where each group is cut out: with a margin, never past the middle of the silence around it."""
    inner = [(turns[0].start_s, max(turn.end_s for turn in turns)) for turns in parts]
    before = [0.0, *((a[1] + b[0]) / 2 for a, b in pairwise(inner))]
    after = [*before[1:], length_s]
    return [
        (max(start - MARGIN_S, low), min(end + MARGIN_S, high))
        for (start, end), low, high in zip(inner, before, after, strict=True)
    ]


def _row(session: Session, protocol: str, turns: Sequence[Spoken], begin_s: float, length_s: float) -> dict[str, Any]:
    from earmark.bench.corpora.schema import canonical

    segments = [
        {"speaker": t.speaker, "start": t.start_s - begin_s, "end": t.end_s - begin_s, "text": t.text} for t in turns
    ]
    extra = {
        "overlap_condition": session.condition, "protocol": protocol, "session": str(session.number),
        "n_turns": str(len(turns)),
    }  # fmt: skip
    return {"segments": segments, "split": session.split, "duration_s": length_s, "extra": canonical(extra)}


def _digest(sessions: Sequence[Session], protocol: str, microphone: int) -> str:
    """Names what was cut: the files, by size and date, and how."""
    files = [session.folder / path for session in sessions for path in (RECORDING, TRANSCRIPT)]
    facts = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([LAYOUT, protocol, microphone, facts]).encode()).hexdigest()[:16]
