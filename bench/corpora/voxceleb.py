"""VoxCeleb1 from a local copy: folders of speakers and videos, ``vox1_meta.csv`` and the lists O, E and H.

The copy is found through the environment variable ``EARMARK_VOXCELEB1``. Nothing is downloaded: access has to be asked
for. Each list is a corpus. In ``voxceleb1-o`` the 40 test speakers are measured and the 1,211 others train (one in ten
of them is ``dev``); E and H compare all speakers, so nobody is left to train on.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from earmark.bench.api import Corpus, CorpusSpec, InputError

ROOT = "EARMARK_VOXCELEB1"
META = "vox1_meta.csv"
LISTS: Mapping[str, Mapping[str, int]] = {
    "o": {"veri_test2.txt": 37_611, "veri_test.txt": 37_720},
    "e": {"list_test_all2.txt": 579_818, "list_test_all.txt": 581_480},
    "h": {"list_test_hard2.txt": 550_894, "list_test_hard.txt": 552_536},
}
"""By letter, the files that hold a list, the cleaned one first, and how many trials each has."""
GENDERS = {"m": "male", "f": "female"}
_FOLDERS = (".", "wav", "dev", "test", "dev/wav", "test/wav", "vox1_dev_wav/wav", "vox1_test_wav/wav")
_SPEAKER = re.compile(r"id1\d{4}")
_LICENSE = "CC BY 4.0 (the dataset's own texts; the recordings are their owners')"
_SOURCE = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html"
_ENTRY = "earmark.bench.corpora.voxceleb:load_"
_COLUMNS = ("VoxCeleb1 ID", "Gender", "Nationality", "Set")
_DEV = 10
Split = Callable[[str, str], str]

SPECS = tuple(CorpusSpec(f"voxceleb1-{letter}", _ENTRY + letter, _LICENSE, _SOURCE) for letter in LISTS)


def load_o(*, cache: Path, progress: Any) -> Corpus:
    """VoxCeleb1-O: the 40 test speakers, trained on the others."""
    return load("o", _root(), cache=cache, progress=progress)


def load_e(*, cache: Path, progress: Any) -> Corpus:
    """VoxCeleb1-E: all 1,251 speakers."""
    return load("e", _root(), cache=cache, progress=progress)


def load_h(*, cache: Path, progress: Any) -> Corpus:
    """VoxCeleb1-H: all speakers, non-targets of the same nationality and gender."""
    return load("h", _root(), cache=cache, progress=progress)


def load(letter: str, root: Path, *, cache: Path, progress: Any) -> Corpus:
    """A list and its recordings; recordings that neither it nor training needs are not looked at."""
    from earmark.bench.corpora.files import fingerprint, inspect_all
    from earmark.bench.corpora.manifest import flags_of
    from earmark.bench.corpora.schema import complete, to_dataset
    from earmark.bench.corpora.trial_lists import read_trials, with_list

    path = next((root / name for name in LISTS[letter] if (root / name).is_file()), None)
    if path is None:
        raise _lacking(f"no list of trials ({' or '.join(LISTS[letter])})", root)
    listed = read_trials(path)
    wanted = {name for _, *names in listed for name in names}
    people, found = read_meta(root / META), dict(_recordings(root))
    chosen = [name for name in sorted(found) if name in wanted or (letter == "o" and _trains(name, people))]
    facts = inspect_all([found[name] for name in chosen], folder=root, cache=cache, progress=progress)
    bad = [told for told in facts.values() if isinstance(told, str)]
    if bad:
        raise InputError(f"{len(bad)} recordings can't be read, e.g. {bad[0]}", where=str(root), fix="copy them again")
    split = _split if letter == "o" else lambda *_: "measure"
    rows = [complete(_row(name, found[name], people, facts[found[name]], split)) for name in chosen]
    digests = {name: facts[found[name]].sha256 for name in chosen}  # type: ignore[union-attr]
    complete_list = len(listed) == LISTS[letter][path.name]
    flags = (*flags_of(rows), *(() if complete_list else (f"partial_list:{len(listed)}",)))
    corpus = Corpus(
        f"voxceleb1-{letter}", to_dataset(rows), fingerprint(rows, digests), _LICENSE, _SOURCE, path.stem, flags
    )
    return with_list(corpus, path.stem, listed, {name: name for name in chosen}, where=str(path))


def read_meta(path: Path) -> dict[str, dict[str, str]]:
    """Gender, nationality and set of every speaker; names of people are left where they are."""
    if not path.is_file():
        raise _lacking(f"no {META}", path.parent)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        rows = list(reader)
    absent = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if absent:
        what = f"no column {absent[0]!r}"
        raise InputError(what, where=str(path), fix=f"take the dataset's own file, with tabs: {', '.join(_COLUMNS)}")
    speakers = ([(row[name] or "").strip() for name in _COLUMNS] for row in rows)
    return {name: {"gender": GENDERS.get(g, g), "nationality": where, "set": set_} for name, g, where, set_ in speakers}


def _root() -> Path:
    named = os.environ.get(ROOT)
    if not named:
        raise InputError(
            f"no copy of VoxCeleb1 is known: {ROOT} is not set",
            fix=f"ask for access at {_SOURCE}, and set {ROOT} to the folder with {META}",
        )
    return Path(named).expanduser().resolve()


def _lacking(what: str, root: Path) -> InputError:
    return InputError(what, where=str(root), fix=f"set {ROOT} to a folder with {META}, wav/ and the lists of trials")


def _recordings(root: Path) -> Iterator[tuple[str, Path]]:
    """``speaker/video/number.wav`` and the file, of every recording; those of dev and test may lie apart."""
    for folder in _FOLDERS:
        for speaker in sorted((root / folder).glob("id1*")) if (root / folder).is_dir() else ():
            if _SPEAKER.fullmatch(speaker.name):
                yield from ((path.relative_to(speaker.parent).as_posix(), path) for path in speaker.glob("*/*.wav"))


def _trains(name: str, people: Mapping[str, Mapping[str, str]]) -> bool:
    told = people.get(name.partition("/")[0])
    return told is not None and told["set"] == "dev"


def _row(name: str, path: Path, people: Mapping[str, Mapping[str, str]], facts: Any, split: Split) -> dict[str, Any]:
    from earmark.bench.corpora.schema import canonical

    speaker, video, _ = name.split("/")
    if speaker not in people:
        raise InputError(f"speaker {speaker} is not in {META}", where=str(path), fix=f"take the whole {META}")
    told = people[speaker]
    return {
        "id": name,
        "audio": {"bytes": None, "path": str(path)},
        "speaker": speaker,
        "split": split(speaker, told["set"]),
        "gender": told["gender"],
        "duration_s": facts.duration_s,
        "extra": canonical({"nationality": told["nationality"], "session": video}),
    }


def _split(speaker: str, set_: str) -> str:
    if set_ == "test":
        return "measure"
    return "dev" if int(hashlib.sha256(speaker.encode()).hexdigest(), 16) % _DEV == 0 else "train"
