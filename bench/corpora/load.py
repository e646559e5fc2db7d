"""From a name or a path to a corpus."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from earmark.bench import registry
from earmark.bench.api import Corpus, InputError
from earmark.bench.corpora.manifest import MANIFEST, load_manifest
from earmark.bench.corpora.schema import without_withheld


def load_corpus(name_or_path: str, *, cache: Path, progress: Callable[[int, int, str], None]) -> Corpus:
    """The corpus of that registered name, or in that folder.

    A registered name wins over a folder of the same name: write ``./name`` for the folder. Raises InputError for what
    is neither, and for a corpus that cannot be used.
    """
    specs = registry.corpora()
    if name_or_path in specs:
        corpus = registry.resolve(specs[name_or_path])(cache=cache, progress=progress)
        assert isinstance(corpus, Corpus), f"{specs[name_or_path].entry} gave {type(corpus).__name__}, not a Corpus"
        return without_withheld(corpus)
    folder = Path(name_or_path).expanduser()
    if folder.name == MANIFEST:
        folder = folder.parent
    if (folder / MANIFEST).is_file():
        return without_withheld(load_manifest(folder, cache=cache, progress=progress))
    if folder.exists() or os.sep in name_or_path:
        raise _no_corpus(folder)
    raise registry.unknown("corpus", name_or_path, specs)


def _no_corpus(folder: Path) -> InputError:
    if not folder.exists():
        return InputError("no such folder", where=str(folder), fix="give the path of a corpus folder, or a corpus name")
    what = f"no {MANIFEST} here" if folder.is_dir() else "a file, not a corpus folder"
    return InputError(what, where=str(folder), fix=f"give a folder that holds {MANIFEST}, one JSON object a line")
