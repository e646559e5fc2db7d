"""From a name or a path to a corpus."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path

from earmark.bench import registry
from earmark.bench.api import Corpus, CorpusSpec, InputError
from earmark.bench.corpora import naming
from earmark.bench.corpora.manifest import MANIFEST, load_manifest
from earmark.bench.corpora.schema import without_withheld


def load_corpus(name_or_path: str, *, cache: Path, progress: Callable[[int, int, str], None]) -> Corpus:
    """The corpus of that registered name, or in that folder; ``name(key=value):source`` is one made from another.

    A registered name wins over a folder of the same name: write ``./name`` for the folder. Raises InputError for what
    is neither, and for a corpus that cannot be used.
    """
    specs = registry.corpora()
    named = naming.parse(name_or_path) or naming.CorpusName(name_or_path)
    if named.name in specs:
        return without_withheld(_registered(specs[named.name], named, cache=cache, progress=progress))
    folder = Path(name_or_path).expanduser()
    if folder.name == MANIFEST:
        folder = folder.parent
    if (folder / MANIFEST).is_file():
        return without_withheld(load_manifest(folder, cache=cache, progress=progress))
    if folder.exists() or os.sep in name_or_path:
        raise _no_corpus(folder)
    raise registry.unknown("corpus", name_or_path, specs)


def _registered(
    spec: CorpusSpec, named: naming.CorpusName, *, cache: Path, progress: Callable[[int, int, str], None]
) -> Corpus:
    entry, made_from = registry.resolve(spec), {"source": named.source, "settings": named.settings}
    asked = {key: value for key, value in made_from.items() if value}
    taken = inspect.signature(entry).parameters
    for key in asked:
        if key not in taken:
            raise InputError(f"corpus {spec.name} takes no {key}", fix=f"write {spec.name} alone")
    corpus = entry(cache=cache, progress=progress, **asked)
    assert isinstance(corpus, Corpus), f"{spec.entry} gave {type(corpus).__name__}, not a Corpus"
    return corpus


def _no_corpus(folder: Path) -> InputError:
    if not folder.exists():
        return InputError("no such folder", where=str(folder), fix="give the path of a corpus folder, or a corpus name")
    what = f"no {MANIFEST} here" if folder.is_dir() else "a file, not a corpus folder"
    return InputError(what, where=str(folder), fix=f"give a folder that holds {MANIFEST}, one JSON object a line")
