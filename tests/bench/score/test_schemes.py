"""Which columns make cohorts, and which can't and why."""

from __future__ import annotations

import json
from typing import Any

from earmark.bench.score.schemes import AUTO, resolve


def utterances(n: int, **columns: Any) -> list[dict[str, Any]]:
    """Two utterances of each of ``n`` speakers; a column is a function of speaker and utterance number."""
    return [
        {
            "speaker": f"s{s}",
            "metadata": json.dumps({k: v for k, f in columns.items() if (v := f(s, u)) is not None}),
        }
        for s in range(n)
        for u in range(2)
    ]


def test_auto_takes_what_is_said_of_speakers_and_is_large_enough() -> None:
    rows = utterances(
        240,
        gender=lambda s, _: "fm"[s % 2],
        half=lambda s, _: "xy"[s % 2] if s < 40 else None,
        rare=lambda s, _: "a" if s < 236 else "b",
        task=lambda _, u: f"task {u}",
        name=lambda s, _: f"name {s}",
        one=lambda *_: "same",
        onset_age=lambda s, _: str(s % 12),
        few=lambda s, _: "ab"[s % 2] if s < 8 else None,
    )
    assert [scheme.name for scheme in resolve([AUTO], rows)] == ["gender"]


def test_auto_covers_half_of_the_speakers() -> None:
    rows = utterances(40, half=lambda s, _: "xy"[s % 2] if s < 20 else None)
    (scheme,) = resolve([AUTO], rows)
    assert (scheme.name, scheme.coverage, len(scheme.cohort_of)) == ("half", 0.5, 20)


def test_a_named_column_is_tried_whatever_its_size() -> None:
    (scheme,) = resolve(["accent"], utterances(4, accent=lambda s, _: f"a{s}"))
    assert scheme.problem is None
    assert scheme.cohort_of == {f"s{s}": f"a{s}" for s in range(4)}


def test_what_makes_no_cohort_says_why() -> None:
    rows = utterances(4, task=lambda _, u: f"task {u}")
    task, missing = resolve(["task", "accent"], rows)
    assert task.problem is not None
    assert "no property of a speaker" in task.problem
    assert missing.problem == "the corpus has no column 'accent'"
    silent = [{"speaker": None, "metadata": '{"accent": "a"}'}]
    assert resolve(["accent"], silent)[0].problem == "the corpus names no speakers"
    assert resolve([AUTO], silent) == []
