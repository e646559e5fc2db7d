"""Which espeak-ng variants say the same thing every time: the maker of ``voices.json``.

``python -m earmark.bench.corpora.synthetic.survey`` asks several fresh espeak-ng processes to say the same texts with
every variant in every accent, in different orders, and prints the variants that were bit-identical throughout, with
the gender their voice file names, and those left out with the reason. It takes about two minutes.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

from earmark.bench.corpora.synthetic.engine import Engine, Prompt
from earmark.bench.corpora.synthetic.voices import ACCENTS, voice

_PROMPTS = (
    Prompt("seven two nine four", rate=180, pitch=45, pitch_range=50),
    Prompt("turn on the kitchen light", rate=150, pitch=20, pitch_range=35),
    Prompt("my tired teacher carried five green bottles", rate=270, pitch=84, pitch_range=65),
)
_PROCESSES = 4
_UNLIKE_PEOPLE = ("robo", "Robot", "Demonic", "whisper", "croak", "Tweaky", "klatt", "fast")


def survey() -> dict[str, object]:
    """Variants that can be used (name -> gender or null) and variants left out (name -> why)."""
    names = _variants()
    heard: dict[str, dict[str, set[str]]] = {name: defaultdict(set) for name in names}
    for run in range(_PROCESSES):
        with Engine() as engine:
            for name in names if run % 2 else reversed(names):
                _listen(engine, name, heard[name])
    left_out = {name: why for name in names if (why := _objection(name, heard[name]))}
    return {
        "espeakng_loader": version("espeakng-loader"),
        "variants": {name: _gender(name) for name in names if name not in left_out},
        "left_out": left_out,
    }


def _listen(engine: Engine, name: str, heard: dict[str, set[str]]) -> None:
    for accent in ACCENTS:
        for place, speech in enumerate(engine.say(voice(accent, name), _PROMPTS)):
            heard[f"{accent} {place}"].add(hashlib.sha256(speech.samples.tobytes()).hexdigest())


def _objection(name: str, heard: dict[str, set[str]]) -> str | None:
    if any(len(digests) > 1 for digests in heard.values()):
        return "not bit-identical from process to process"
    return "unlike a person" if any(part in name for part in _UNLIKE_PEOPLE) else None


def _folder() -> Path:
    import espeakng_loader

    return Path(espeakng_loader.get_data_path()) / "voices" / "!v"


def _variants() -> list[str]:
    return sorted(path.name for path in _folder().iterdir())


def _gender(name: str) -> str | None:
    for line in (_folder() / name).read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.strip().partition(" ")
        if key == "gender" and value.split():
            return value.split()[0].lower()
    return None


if __name__ == "__main__":
    print(json.dumps(survey(), indent=1, sort_keys=True))
