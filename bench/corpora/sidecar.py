"""Word times in a file of their own, ``word_alignments.jsonl``: lines of ``{"id", "words": [[word, start, end]]}``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from earmark.bench.corpora.parse import Bad, Draft, Problem, words_of
from earmark.bench.corpora.schema import WordRow

SIDECAR = "word_alignments.jsonl"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Words by utterance id, and what is wrong with the file."""

    words: dict[str, list[WordRow]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def fill(self, draft: Draft) -> None:
        """Give a draft its words, unless its own line holds some. Alignments of unknown utterances are ignored."""
        if not draft.values.get("words") and draft.values.get("id") in self.words:
            draft.values["words"] = self.words[draft.values["id"]]


def read_sidecar(folder: Path) -> Sidecar:
    """The folder's word times; empty where there is no such file."""
    sidecar = Sidecar()
    path = folder / SIDECAR
    lines = path.read_bytes().split(b"\n") if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            _read_line(sidecar, number, line)
    return sidecar


def _read_line(sidecar: Sidecar, number: int, line: bytes) -> None:
    place = f"{SIDECAR} line {number}"
    try:
        values = json.loads(line.decode("utf-8-sig"))
        name, words = values["id"], values["words"]
    except (ValueError, TypeError, KeyError, RecursionError):
        fix = 'write {"id": ..., "words": [[word, start, end]]}, one object a line'
        sidecar.problems.append(Problem(place, "no `id` and `words` in JSON", fix))
        return
    try:
        sidecar.words[str(name)] = words_of(words)
    except Bad as bad:
        sidecar.problems.append(Problem(place, f"{name!r}: {bad.what}", bad.fix))
