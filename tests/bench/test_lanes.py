"""The live view of conversations: lanes, marks of turns, and what may still change."""

from __future__ import annotations

import json

import numpy as np
import pytest

from earmark.bench import lanes
from earmark.bench.api import ModelInfo, Samples, Token, Update
from earmark.bench.lanes import Lane, listen, plain, present

RATE, CHUNK = 100, 10
SCRIPT = (
    Update((Token("", 0, "start_of_turn"), Token(" yes", 0))),
    Update((), (Token(" n", 1),)),
    Update((Token(" no", 1), Token("", 0, "end_of_turn")), ()),
    Update(),
)


class Scripted:
    """Says the next line of the script with every chunk, and one word at the end."""

    info = ModelInfo(RATE)

    def __init__(self) -> None:
        self.left = iter(SCRIPT)

    def stream(self, condition: object = None) -> Scripted:
        return Scripted()

    def accept(self, samples: Samples) -> Update:
        return next(self.left)

    def finish(self) -> Update:
        return Update((Token(" more", 1),))


def heard() -> list[lanes.Talk]:
    return list(listen(Scripted(), np.zeros(4 * CHUNK, dtype=np.float32), chunk=CHUNK, rate_hz=RATE))


def test_each_change_is_shown_on_its_lane() -> None:
    found = heard()
    assert [talk.audio_s for talk in found] == [0.1, 0.2, 0.3, 0.4]
    assert found[0].lanes == (Lane("▶ yes", "", True), Lane("", "", False))
    assert found[1].lanes == (Lane("▶ yes", "", False), Lane("", "n", True))
    assert found[2].lanes == (Lane("▶ yes ■", "", True), Lane("no", "", True))
    assert found[3].done
    assert found[3].turns == ((0, 0.1, 0.3, "yes"), (1, 0.3, 0.4, "no more"))


def test_lines_where_there_is_no_terminal() -> None:
    lines = [line.strip() for talk in heard() for line in plain(talk)]
    assert lines[:2] == ["0.10 s  1  ▶ yes", "0.20 s  2   [n]"]
    assert lines[-3:] == ["turns", "0.10 - 0.30 s  1  yes", "0.30 - 0.40 s  2  no more"]


def test_json_has_a_line_for_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    present(heard(), as_json=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["lanes"][1]["final"] for row in rows] == ["", "", "no", "no more"]
    assert rows[-1]["done"]


def test_on_a_terminal_lanes_are_rewritten_and_turns_stay(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    present(heard(), as_json=False)
    out = capsys.readouterr().out
    assert "▶ yes ■" in out
    assert "0.30 - 0.40 s  2  no more" in out


class Silent(Scripted):
    def stream(self, condition: object = None) -> Silent:
        return Silent()

    def accept(self, samples: Samples) -> Update:
        return Update()

    def finish(self) -> Update:
        return Update()


def test_where_nothing_is_said_the_lanes_stay_empty() -> None:
    found = list(listen(Silent(), np.zeros(4 * CHUNK, dtype=np.float32), chunk=CHUNK, rate_hz=RATE))
    assert found[-1].done
    assert [lane.final for lane in found[-1].lanes] == ["", ""]
    assert found[-1].turns == ()
