from __future__ import annotations

from pathlib import Path

import runs

from earmark.bench.metrics.words import WordErrors
from earmark.bench.mistakes import find_mistakes


def test_counts_are_those_of_the_hand_written_utterances(tmp_path: Path) -> None:
    (found,) = find_mistakes(runs.build_results(tmp_path), cell="good")
    assert found.errors == WordErrors(2, 1, 2, 9)
    assert (found.n_utterances, found.n_wrong) == (4, 3)
    assert found.confusions == ((("four", "for"), 1), (("light", "night"), 1))
    assert (found.insertions, found.deletions) == ((("now", 1), ("uh", 1)), (("on", 1),))


def test_the_worst_come_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    folder = runs.build_results(tmp_path)
    (found,) = find_mistakes(folder, cell="good")
    assert [one.utterance_id for one in found.worst] == ["u1", "u3", "u4"]
    (short,) = find_mistakes(folder, cell="good", n=1)
    assert [one.utterance_id for one in short.worst] == ["u1"]
    assert short.errors == found.errors


def test_steps_give_both_texts_back(tmp_path: Path) -> None:
    (found,) = find_mistakes(runs.build_results(tmp_path), cell="good")
    steps = found.worst[0].steps
    assert [s.reference for s in steps if s.reference] == ["turn", "on", "the", "light", "please"]
    assert [s.hypothesis for s in steps if s.hypothesis] == ["turn", "the", "night", "please", "now"]


def test_the_run_s_normalizer_decides_what_is_an_error(tmp_path: Path) -> None:
    (found,) = find_mistakes(runs.build_results(tmp_path, run=runs.run_row(normalizer="raw-1")), cell="good")
    assert found.errors.errors > 5  # "Stop." is no longer "stop"
