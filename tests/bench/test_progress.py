"""Progress where there is no terminal: a line now and then for each piece of work, none when quiet."""

from __future__ import annotations

import pytest

from earmark.bench import progress


@pytest.fixture(autouse=True)
def every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_EVERY_S", -1.0)


def test_each_piece_of_work_has_its_own_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.several() as begin:
        one, other = begin("one"), begin("other")
        one(0, 10, "")
        other(0, 4, "")
        one(5, 10, "")
        other(1, 4, "loss 2.5, wer 0.5")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("  one: 5/10, about ")
    assert second.startswith("  other: 1/4, about ")
    assert second.endswith("(loss 2.5, wer 0.5)")


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown("one", quiet=True) as advance:
        advance(0, 2, "")
        advance(1, 2, "")
    assert capsys.readouterr().err == ""
