"""What is said in a synthetic corpus, by whom and how: everything about an utterance before it sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from earmark.bench.corpora.synthetic.draws import Draws
from earmark.bench.corpora.synthetic.grammar import Side, texts
from earmark.bench.corpora.synthetic.world import (
    HARD_NOISE_GROUP,
    HARD_REGION,
    HARD_VOICE_GROUP,
    Recipe,
    Speaker,
    speakers,
)

HARD_RATE = 1.25
SNR_DB = {"quiet": (24.0, 36.0), HARD_NOISE_GROUP: (8.0, 14.0)}


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording to be made. Ratios are powers in dB, ``level_db`` is RMS of the speech below full scale."""

    id: str
    speaker: Speaker
    task: str
    text: str
    rate: int
    pitch: int
    room: float
    dull: bool
    level_db: float
    snr_db: float
    lead_s: float
    tail_s: float

    def row(self) -> dict[str, Any]:
        """The row of the schema, but for audio, words, duration and ``extra``."""
        who = self.speaker
        return {
            "id": self.id, "text": self.text, "speaker": who.name, "split": who.split, "gender": who.gender,
            "accent": who.accent, "lat": who.lat, "lon": who.lon, "area_code": who.area_code,
        }  # fmt: skip

    def columns(self) -> dict[str, str]:
        """The keys of ``extra``: the planted truths and how the utterance was made."""
        return {**self.speaker.columns(), "task": self.task, "snr_db": f"{self.snr_db:g}", "room": f"{self.room:g}"}


def utterances(recipe: Recipe) -> list[Utterance]:
    """Every utterance of a recipe, speaker by speaker and task by task."""
    return [utterance for speaker in speakers(recipe) for utterance in utterances_of(recipe, speaker)]


def utterances_of(recipe: Recipe, speaker: Speaker) -> list[Utterance]:
    """What one speaker says, task by task."""
    draws = Draws(f"{recipe.name}|{recipe.seed}|utterances")
    return [
        _utterance(recipe, speaker, task, number, text, draws)
        for task in recipe.tasks
        for number, text in enumerate(_texts(recipe, speaker, task, draws))
    ]


def _texts(recipe: Recipe, speaker: Speaker, task: str, draws: Draws) -> list[str]:
    sides: dict[str, Side] = {"train": "train", "dev": "dev"}
    n = recipe.n_train if speaker.split == "train" else recipe.n_other
    return texts(task, n, sides.get(speaker.split, "test"), draws, speaker.name, n_digits=recipe.n_digits)


def _utterance(recipe: Recipe, speaker: Speaker, task: str, number: int, text: str, draws: Draws) -> Utterance:
    name = f"{speaker.name}-{task}-{number}"
    in_hard_region = recipe.planted and speaker.region == HARD_REGION
    rate = speaker.rate * draws.between(0.92, 1.08, name, "rate") * (HARD_RATE if in_hard_region else 1.0)
    low, high = SNR_DB[speaker.noise_group if recipe.planted else "quiet"]
    return Utterance(
        id=name, speaker=speaker, task=task, text=text, rate=round(rate),
        pitch=speaker.pitch + draws.whole(-4, 4, name, "pitch"),
        room=round(draws.between(*((0.35, 0.5) if in_hard_region else (0.0, 0.15)), name, "room"), 2),
        dull=recipe.planted and speaker.voice_group == HARD_VOICE_GROUP,
        level_db=round(draws.between(-30.0, -22.0, name, "level"), 1),
        snr_db=round(draws.between(low, high, name, "snr"), 1),
        lead_s=round(draws.between(0.06, 0.14, name, "lead"), 3),
        tail_s=round(draws.between(0.1, 0.2, name, "tail"), 3),
    )  # fmt: skip
