"""Synthetic voices saying given texts: more speech to learn from, where recordings are few. Never measured on.

The voices are those of the synthetic corpora (espeak-ng accents and variants), each utterance with a voice, rate,
pitch, room and noise of its own, drawn from a hash of its number: the same texts give the same recordings.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from earmark.bench.corpora.schema import canonical, complete
from earmark.bench.corpora.synthetic.draws import Draws
from earmark.bench.corpora.synthetic.plan import Utterance
from earmark.bench.corpora.synthetic.recipes import engine_version
from earmark.bench.corpora.synthetic.voices import ACCENTS, variants
from earmark.bench.corpora.synthetic.world import Speaker
from earmark.bench.disk import whole_folder

CATALOG = "catalog.json"
Report = Callable[[int, int, str], None]


def speak(texts: Sequence[str], n: int, *, seed: int, cache: Path, progress: Report) -> list[dict[str, Any]]:
    """``n`` rows of the corpus schema, split ``train``, whose texts are drawn evenly from ``texts``.

    The recordings lie under ``<cache>/voices/<digest>/`` and are made once. ``texts`` are words divided by spaces, in a
    script that English voices can read.
    """
    digest = hashlib.sha256(canonical([sorted(set(texts)), n, seed, engine_version(), _code()]).encode()).hexdigest()[
        :16
    ]
    folder = cache / "voices" / digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):  # trainings beside this one want the same voices
        if not (folder / CATALOG).is_file():
            _make(sorted(set(texts)), n, seed, folder, progress)
    entries = json.loads((folder / CATALOG).read_text(encoding="utf-8"))
    return [dict(complete({**e["row"], "audio": {"bytes": None, "path": str(folder / e["path"])}})) for e in entries]


def _code() -> str:
    here = Path(__file__).parent
    files = [here / "voices.py", *(here / "synthetic" / name for name in ("acoustics.py", "plan.py", "voices.json"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _make(texts: Sequence[str], n: int, seed: int, folder: Path, progress: Report) -> None:
    """Speak everything into a folder beside, and rename it when it is whole."""
    from earmark.bench.corpora.synthetic.engine import Engine, Prompt
    from earmark.bench.corpora.synthetic.voices import voice
    from earmark.bench.corpora.synthetic.worker import write

    planned = defaultdict(list)
    for utterance in _plan(texts, n, seed):
        planned[utterance.speaker.accent, utterance.speaker.variant].append(utterance)
    with whole_folder(folder) as partial, Engine() as engine:
        entries: list[dict[str, Any]] = []
        for (accent, variant), wanted in planned.items():
            prompts = [Prompt(u.text, u.rate, u.pitch, u.speaker.pitch_range) for u in wanted]
            spoken = engine.say(voice(accent, variant), prompts)
            entries += [write(speech, utterance, partial) for speech, utterance in zip(spoken, wanted, strict=True)]
            progress(len(entries), n, "synthetic voices")
        entries.sort(key=lambda entry: str(entry["row"]["id"]))
        (partial / CATALOG).write_text(json.dumps(entries), encoding="utf-8")


def _plan(texts: Sequence[str], n: int, seed: int) -> list[Utterance]:
    draws = Draws(f"voices|{seed}")
    order = draws.shuffled(texts, "texts")
    return [_utterance(number, order[number % len(order)], draws) for number in range(n)]


def _utterance(number: int, text: str, draws: Draws) -> Utterance:
    name = f"voice-{number:05d}"
    pitch = draws.whole(20, 80, name, "pitch")
    variant = draws.pick(sorted(variants()), name, "variant")
    speaker = Speaker(
        name=name, split="train", accent=draws.pick(list(ACCENTS), name, "accent"), variant=variant,
        gender=variants()[variant], rate=0, pitch=pitch, pitch_range=draws.whole(35, 65, name, "range"),
        region="", lat=0.0, lon=0.0, area_code="", voice_group="", noise_group="", null_group="",
    )  # fmt: skip
    return Utterance(
        id=name, speaker=speaker, task="voices", text=text, rate=draws.whole(130, 230, name, "rate"), pitch=pitch,
        room=round(draws.between(0.0, 0.5, name, "room"), 2), dull=draws.unit(name, "dull") < 0.15,
        level_db=round(draws.between(-30.0, -20.0, name, "level"), 1),
        snr_db=round(draws.between(8.0, 34.0, name, "snr"), 1),
        lead_s=round(draws.between(0.05, 0.4, name, "lead"), 3), tail_s=round(draws.between(0.1, 0.5, name, "tail"), 3),
    )  # fmt: skip
