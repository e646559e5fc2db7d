"""Lists of verification trials as VoxCeleb writes them: a line a trial, ``1 enroll test`` for one speaker, else ``0``.

Names are ids of recordings, or paths of their audio inside the corpus folder. ``earmark export --format trials`` writes
the same, with blanks and the like percent-encoded; so a list goes out and comes in again unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from earmark.bench.api import Corpus, InputError, TrialList
from earmark.bench.corpora.schema import canonical, column

LIST = "trials.txt"
Listed = tuple[bool, str, str]
_LABELS = {"1": True, "0": False}


def read_trials(path: Path) -> list[Listed]:
    """Target or not, enrolled and tested name of each line; an InputError names the first line that is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"can't be read: {error}", where=str(path), fix="give a text file of trials") from error
    found = [_parse(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise InputError("no trials", where=str(path), fix="write '1 enroll test' or '0 enroll test' a line")
    return found


def trial_line(target: bool, enroll: str, test: str) -> str:
    """The line of a trial.

    >>> trial_line(True, "id10270/5r0dWxy17C8/00001.wav", "my own.wav")
    '1 id10270/5r0dWxy17C8/00001.wav my%20own.wav'
    """
    return f"{int(target)} {encoded(enroll)} {encoded(test)}"


def encoded(name: str) -> str:
    """A name without blanks, control characters, parentheses or percent signs."""
    return "".join(c if c.isprintable() and c not in " ()%;" else quote(c, safe="") for c in name)


def with_folder_list(corpus: Corpus, folder: Path) -> Corpus:
    """The corpus of a folder with the list in its ``trials.txt``, if there is one."""
    path = folder / LIST
    if not path.is_file():
        return corpus
    ids = {name: name for name in column(corpus, "id")}
    paths = zip(column(corpus, "audio"), column(corpus, "id"), strict=True)
    by_path = {Path(audio["path"]).relative_to(folder.resolve()).as_posix(): name for audio, name in paths}
    return with_list(corpus, path.stem, read_trials(path), by_path | ids, where=str(path))


def with_list(corpus: Corpus, name: str, listed: Iterable[Listed], ids: Mapping[str, str], *, where: str) -> Corpus:
    """The corpus with a list of trials, whose names ``ids`` makes ids of recordings; the list is in its fingerprint.

    Raises InputError for a recording that the corpus lacks, and for a label that the speakers contradict.
    """
    speaker_of = dict(zip(column(corpus, "id"), column(corpus, "speaker"), strict=True))
    trials = tuple(_resolved(number, trial, ids, speaker_of, where) for number, trial in enumerate(listed, start=1))
    digest = hashlib.sha256(canonical([corpus.fingerprint, trials]).encode()).hexdigest()
    return replace(corpus, trials=TrialList(name, trials), fingerprint=digest)


def _parse(line: str, where: str) -> Listed:
    words = line.split()
    if len(words) != 3 or words[0] not in _LABELS:
        raise InputError(f"{line!r} is no trial", where=where, fix="write '1 enroll test' or '0 enroll test'")
    return _LABELS[words[0]], words[1], words[2]


def _resolved(number: int, trial: Listed, ids: Mapping[str, str], speaker_of: Mapping[str, Any], where: str) -> Listed:
    target, *names = trial
    enroll, test = (ids.get(name) or ids.get(unquote(name)) for name in names)
    if enroll is None or test is None:
        missing = names[0] if enroll is None else names[1]
        what = f"the corpus has no recording {missing!r}"
        raise InputError(what, where=f"{where}, trial {number}", fix="give ids, or paths of audio, of its recordings")
    speakers = speaker_of[enroll], speaker_of[test]
    if None in speakers or (speakers[0] == speakers[1]) != target:
        what = f"label {int(target)}, but {enroll} is spoken by {speakers[0]} and {test} by {speakers[1]}"
        raise InputError(what, where=f"{where}, trial {number}", fix="mend the label, or the speakers of the corpus")
    return target, enroll, test


def lines_of(trials: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of the rows of a ``trials`` table."""
    for row in trials:
        yield trial_line(row["target"], row["enroll_id"], row["test_id"])
