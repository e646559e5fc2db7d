"""Speech made on the spot with espeak-ng: speakers on a map, three lexical tasks, word times and planted truths."""

from earmark.bench.api import CorpusSpec

_LICENSE = "Apache-2.0 (recipe); the audio is made by espeak-ng (GPL-3.0, used unmodified from espeakng-loader)"
_SOURCE = "espeak-ng, docs/corpora.md"

_BUILD = "earmark.bench.corpora.synthetic.build"
_NEEDS = ("espeakng-loader",)

SPECS = (
    CorpusSpec("synthetic", f"{_BUILD}:load_quick", _LICENSE, _SOURCE, _NEEDS),
    CorpusSpec("synthetic-small", f"{_BUILD}:load_small", _LICENSE, _SOURCE, _NEEDS),
    CorpusSpec("synthetic-digits", f"{_BUILD}:load_digits", _LICENSE, _SOURCE, _NEEDS),
    CorpusSpec("synthetic-world", f"{_BUILD}:load_world", _LICENSE, _SOURCE, _NEEDS),
)
