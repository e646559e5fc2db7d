"""One worker of a build: makes what every n-th speaker of a recipe says.

Run as ``python -m earmark.bench.corpora.synthetic.worker FOLDER PLACE N`` with the recipe as JSON on standard input.
It writes ``FOLDER/audio/<speaker>/<utterance>.flac`` and prints a line of JSON for each utterance as it is done.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import soundfile

from earmark.bench.corpora.audio import SAMPLE_RATE_HZ
from earmark.bench.corpora.schema import canonical
from earmark.bench.corpora.synthetic.acoustics import render
from earmark.bench.corpora.synthetic.engine import Engine, Prompt, Speech
from earmark.bench.corpora.synthetic.plan import Utterance, utterances_of
from earmark.bench.corpora.synthetic.voices import voice
from earmark.bench.corpora.synthetic.world import Recipe, speakers


def make(recipe: Recipe, folder: Path, place: int, n: int) -> Iterator[dict[str, Any]]:
    """Make what the speakers at ``place``, ``place + n``, ... say; gives what the catalog keeps of each utterance."""
    with Engine() as engine:
        for who in speakers(recipe)[place::n]:
            planned = utterances_of(recipe, who)
            prompts = [Prompt(u.text, u.rate, u.pitch, who.pitch_range) for u in planned]
            spoken = engine.say(voice(who.accent, who.variant), prompts)
            yield from (write(s, u, folder) for s, u in zip(spoken, planned, strict=True))


def write(speech: Speech, utterance: Utterance, folder: Path) -> dict[str, Any]:
    pcm, words = render(speech, utterance)
    path = Path("audio", utterance.speaker.name, f"{utterance.id}.flac")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / path, pcm, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    row = {**utterance.row(), "words": words, "extra": canonical(utterance.columns())}
    row["duration_s"] = len(pcm) / SAMPLE_RATE_HZ
    return {
        "row": row,
        "path": path.as_posix(),
        "n_bytes": (folder / path).stat().st_size,
        "pcm_sha256": hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest(),
    }


if __name__ == "__main__":
    for entry in make(Recipe(**json.load(sys.stdin)), Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])):
        print(canonical(entry), flush=True)
