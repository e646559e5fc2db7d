"""Names of corpora that are made from others: ``name:source`` and ``name(key=value,key=value):source``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from earmark.bench.api import InputError

_FORM = re.compile(r"(?P<name>[a-z][a-z0-9_-]+)(?:\((?P<settings>[^()]*)\))?(?::(?P<source>.+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CorpusName:
    """A corpus by name; ``source`` is the corpus, or the folder, that it is made from."""

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None

    @property
    def label(self) -> str:
        """As it stands in tables: a source that is a path by its last part, since paths differ by machine."""
        settings = ",".join(f"{key}={value}" for key, value in self.settings.items())
        head = f"{self.name}({settings})" if settings else self.name
        return f"{head}:{label_of(self.source)}" if self.source else head


def parse(text: str) -> CorpusName | None:
    """The parts of a name; None for what has neither settings nor a source, such as a path or a plain name.

    >>> parse("conversations(max_turns=3):synthetic")
    CorpusName(name='conversations', settings={'max_turns': '3'}, source='synthetic')
    """
    match = _FORM.fullmatch(text)
    if match is None or (match["settings"] is None and match["source"] is None):
        return None
    return CorpusName(match["name"], _settings(match["settings"] or "", text), match["source"])


def label_of(text: str) -> str:
    """How a corpus is called in tables.

    >>> label_of("/data/calls"), label_of("conversations:/data/calls")
    ('calls', 'conversations:calls')
    """
    named = parse(text)
    return named.label if named else Path(text).name or text


def _settings(text: str, whole: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, separator, value = part.partition("=")
        if not separator or not key.strip() or key.strip() in found:
            what = f"{part!r} is no setting" if not separator or not key.strip() else f"{key.strip()!r} is set twice"
            raise InputError(what, where=f"corpus {whole!r}", fix="write name(key=value,key=value):source")
        found[key.strip()] = value.strip()
    return found
