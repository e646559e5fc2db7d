"""Two runs compared: what is found, what is not, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pairs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import runs
import talks
from typer.testing import CliRunner

from earmark.bench import show
from earmark.bench.api import InputError, Unsupported
from earmark.bench.cli import app
from earmark.bench.compare import Change, Comparison, compare, render
from earmark.bench.compare.changes import judge
from earmark.bench.metrics.paired import paired_difference
from earmark.bench.rows import Host
from earmark.bench.store import RunFolder

NIGHT, NEXT = "20260101T000000Z-abc123-0123456", "20260102T000000Z-abc123-0123456"


def night(root: Path, name: str, said: pairs.Hear, *, serve: pairs.Serve = pairs.SERVE, **run: Any) -> RunFolder:
    folder = pairs.write_run(root, name, [pairs.cell("good")], **run)
    pairs.hear(folder, "good", said, serve)
    return folder


def compared(root: Path, **asked: Any) -> Comparison:
    return compare(NIGHT, NEXT, results=root / "results", **asked)


def named(found: Comparison, metric: str, cohort: str = "all") -> Change:
    return next(change for change in found.changes if (change.metric, change.cohort) == (metric, cohort))


def test_the_same_outputs_are_no_test_at_all(tmp_path: Path) -> None:
    for name in (NIGHT, NEXT):
        night(tmp_path, name, pairs.erring(0.2, 0))
    found = compared(tmp_path)
    assert {change.verdict for change in found.changes} == {"no difference"}
    assert all(change.p_value is None for change in found.changes)
    assert found.moved == ()


def test_a_loss_is_named_with_its_numbers(tmp_path: Path) -> None:
    night(tmp_path, NIGHT, pairs.erring(0.1, 0))
    night(tmp_path, NEXT, pairs.erring(0.2, 1))
    found = compared(tmp_path)
    wer = named(found, "wer")
    assert wer.verdict == "worse"
    assert (wer.before, wer.after) == (pytest.approx(0.1, abs=0.02), pytest.approx(0.2, abs=0.02))
    assert wer.ci_low is not None
    assert wer.ci_low > 0
    assert wer.p_matched_pairs is not None
    assert wer.p_matched_pairs < 1e-6
    assert {change.metric for change in found.worse} == {"wer", "cer"}
    assert {change.cohort for change in found.worse} == {"all", "north", "south"}
    assert found.moved[0].errors_after - found.moved[0].errors_before >= 3
    assert not found.better


def test_numbers_are_those_of_the_paired_bootstrap(tmp_path: Path) -> None:
    one, other = pairs.erring(0.2, 0), pairs.erring(0.21, 1)
    night(tmp_path, NIGHT, one)
    night(tmp_path, NEXT, other)
    errors = [
        [sum(said(s, u).split().count("x") for u in range(pairs.SAID)) for s in range(pairs.SPEAKERS)]
        for said in (one, other)
    ]
    words = [6 * pairs.SAID] * pairs.SPEAKERS
    by_hand = paired_difference(*errors, words, seed=0, n_replicates=20_000)
    wer = named(compared(tmp_path), "wer")
    assert (wer.before, wer.after) == (by_hand.before, by_hand.after)
    assert wer.p_value == pytest.approx(by_hand.p_value, abs=0.05)
    assert (wer.ci_low, wer.ci_high) == pytest.approx((by_hand.interval.low, by_hand.interval.high), abs=0.004)
    assert wer.verdict == "no difference"


def test_holm_counts_every_test() -> None:
    change = Change("m", ("a", "b"), "wer", before=0.1, after=0.2, p_value=0.02)
    assert judge([change], 0.05)[0].verdict == "worse"
    judged = judge([change, replace(change, cohort="x"), replace(change, cohort="y", p_value=0.9)], 0.05)
    assert [c.p_adjusted for c in judged] == pytest.approx([0.06, 0.06, 0.9])
    assert {c.verdict for c in judged} == {"no difference"}


def test_a_metric_without_direction_is_neither_better_nor_worse() -> None:
    change = Change("m", ("a", "b"), "gate_rate", before=0.5, after=0.1)
    assert judge([change], 0.05)[0].verdict == "no difference"
    more = Change("m", ("a", "b"), "n_parameters", before=100.0, after=102.0)
    assert judge([more], 0.05)[0].verdict == "worse"
    assert judge([replace(more, after=100.5)], 0.05)[0].verdict == "no difference"  # below the least share


def test_kinds_of_errors_are_tested_where_they_are_asked_for(tmp_path: Path) -> None:
    night(tmp_path, NIGHT, lambda s, u: pairs.REFERENCE if (s + u) % 3 else "x two three four five six")
    night(tmp_path, NEXT, lambda s, u: "one two three four six" if u % (2 + s % 3) else pairs.REFERENCE)
    found = compared(tmp_path, metrics=["word_deletion_rate", "word_substitution_rate"])
    deletions, substitutions = (named(found, f"word_{kind}_rate") for kind in ("deletion", "substitution"))
    n_words = 6 * pairs.SPEAKERS * pairs.SAID
    lost = sum(u % (2 + s % 3) > 0 for s in range(pairs.SPEAKERS) for u in range(pairs.SAID))
    assert (deletions.before, deletions.after) == (0.0, lost / n_words)
    assert (deletions.verdict, substitutions.verdict) == ("worse", "better")
    assert deletions.p_adjusted is not None


def test_a_kind_of_error_that_nobody_asked_for_is_shown_untested(tmp_path: Path) -> None:
    for name, share in ((NIGHT, 0.1), (NEXT, 0.2)):
        night(tmp_path, name, pairs.erring(share, 0))
        row = runs.measurement("good", "word_substitution_rate", share)
        RunFolder(tmp_path / "results" / "v1" / "tiny" / name).write_measurements([row])
    found = named(compared(tmp_path), "word_substitution_rate")
    assert (found.verdict, found.reason) == ("untested", "tested where --metric names it")


def test_slices_of_what_was_said_are_compared_by_speaker(tmp_path: Path) -> None:
    """Only the odd utterances get worse; the slice has each speaker's half of the words."""
    plan = {"slices": ["parity", "absent"], "cohorts": ["accent"]}
    for name, share in ((NIGHT, 0.1), (NEXT, 0.4)):
        folder = pairs.write_run(tmp_path, name, [pairs.cell("good")], plan=plan)
        odd, even = pairs.erring(share, 1), pairs.erring(0.1, 2)
        pairs.hear(folder, "good", lambda s, u, odd=odd, even=even: (odd if u % 2 else even)(s, u))
        told(folder.observations("good"), lambda name: {"parity": "odd" if int(name[-1]) % 2 else "even"})
    changes = {c.cohort: c for c in compared(tmp_path).changes if c.scheme == "parity"}
    assert changes.keys() == {"odd", "even"}
    assert (changes["odd"].verdict, changes["odd"].n_speakers) == ("worse", pairs.SPEAKERS)
    assert (changes["even"].change, changes["even"].p_value) == (0.0, None)
    both = named(compared(tmp_path), "wer")
    assert both.change == pytest.approx((changes["odd"].change or 0) / 2)


def told(folder: Path, of: Callable[[str], dict[str, str]]) -> None:
    """Give the utterances of a cell other metadata."""
    table = pq.read_table(folder / "utterances.parquet")
    texts = pa.array([json.dumps(of(name)) for name in table["utterance_id"].to_pylist()])
    place = table.schema.get_field_index("metadata")
    pq.write_table(table.set_column(place, table.schema.field(place), texts), folder / "utterances.parquet")


# --- seeds --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_seeds", "tested"), [(1, None), (3, False), (6, True)])
def test_seeds_and_speakers_are_drawn_together(tmp_path: Path, n_seeds: int, tested: bool | None) -> None:
    cells = [pairs.cell(f"seed{k}", seed=k) for k in range(n_seeds)]
    for name, share in ((NIGHT, 0.1), (NEXT, 0.2)):
        folder = pairs.write_run(tmp_path, name, cells, plan={"cohorts": []})
        for k, cell in enumerate(cells):
            pairs.hear(folder, cell.cell, pairs.erring(share, k))
    found = [change for change in compared(tmp_path, metrics=["wer"]).changes if change.label.endswith("seeds")]
    if tested is None:
        assert not found
        return
    (change,) = found
    assert change.label == f"alpha (toy/measure clean cpu, 120 ms), {n_seeds} seeds"
    assert change.change == pytest.approx(0.1, abs=0.02)
    assert (change.p_value is not None, change.verdict) == (tested, "worse" if tested else "untested")


# --- timing -------------------------------------------------------------------------------------------------------


def test_a_slow_down_beyond_the_noise_is_named_and_nothing_else(tmp_path: Path) -> None:
    night(tmp_path, NIGHT, pairs.erring(0.2, 0), serve=pairs.steady(0.01))
    night(tmp_path, NEXT, pairs.erring(0.2, 0), serve=pairs.steady(0.02))
    found = compared(tmp_path)
    assert {c.metric for c in found.worse} >= {
        "rtf_streaming",
        "compute_chunk_p50",
        "compute_chunk_p95",
        "finalize_p50",
    }
    assert {c.kind for c in found.worse} == {"timing"}
    rtf = named(found, "rtf_streaming")
    assert rtf.relative == pytest.approx(1.0)
    assert rtf.noise == pytest.approx(0.02 * 0.02 * pairs.CHUNKS / 0.6)  # of the slower side, passes 0 and 2


def test_a_slow_down_within_the_noise_is_not(tmp_path: Path) -> None:
    night(tmp_path, NIGHT, pairs.erring(0.2, 0), serve=pairs.steady(0.01, jitter=0.15))
    night(tmp_path, NEXT, pairs.erring(0.2, 0), serve=pairs.steady(0.012, jitter=0.15))
    assert not compared(tmp_path).worse


def test_delays_are_those_of_words_that_both_got_right(tmp_path: Path) -> None:
    night(tmp_path, NIGHT, lambda _s, _u: "x two three four five six")
    night(tmp_path, NEXT, lambda _s, _u: "one two three four five x")
    found = named(compared(tmp_path), "upl_final_p50")
    # words two to five end at 0.2 to 0.5 s and are final with the second chunk, due at 0.3 s, served 10.1 ms later
    expected = 1000 * (0.3 + 0.01 * 1.01 - 0.35)
    assert (found.before, found.after) == (pytest.approx(expected), pytest.approx(expected))


def test_another_machine_has_other_timings(tmp_path: Path) -> None:
    night(tmp_path, NIGHT, pairs.erring(0.2, 0))
    host = Host(id="xyz", cpu_model="Another CPU", n_cpus=2, memory_mib=4096)
    night(tmp_path, NEXT, pairs.erring(0.2, 0), serve=pairs.steady(0.05), host=host)
    found = compared(tmp_path)
    assert not [change for change in found.changes if change.kind == "timing"]
    assert "Another CPU" in found.notes[0]
    with pytest.raises(InputError, match=r"rtf_streaming can't be compared: not .* machine: A CPU .*Another CPU"):
        compared(tmp_path, metrics=["rtf_streaming"])


# --- verification -------------------------------------------------------------------------------------------------


def test_equal_error_rates_are_compared_on_the_same_trials(tmp_path: Path) -> None:
    voice = {"task": "verification", "chunk_ms": None, "pacing": "offline"}
    for name, shift, seed in ((NIGHT, 3.0, 0), (NEXT, 1.0, 1)):
        pairs.embed(pairs.write_run(tmp_path, name, [pairs.cell("voice", **voice)]), "voice", shift, seed)
    found = compared(tmp_path)
    eer = named(found, "eer")
    assert eer.verdict == "worse"
    assert eer.before == pytest.approx(0.067, abs=0.03)  # Phi(-1.5)
    assert eer.after == pytest.approx(0.309, abs=0.05)  # Phi(-0.5)
    assert named(found, "eer", "north").verdict == "worse"
    assert named(found, "rtf_offline").verdict == "no difference"


# --- conversations ------------------------------------------------------------------------------------------------


def test_conversations_are_compared_one_by_one(tmp_path: Path) -> None:
    pytest.importorskip("meeteval", reason="NOT TESTED: meeteval isn't installed (it compiles; pip install meeteval)")
    for name in (NIGHT, NEXT):
        folder = pairs.write_run(tmp_path, name, [pairs.cell("good", task="conversation")])
        talks.write_talks(folder.observations("good"))
    found = named(compared(tmp_path, metrics=["orc_wer"]), "orc_wer")
    assert (found.before, found.change, found.n_unit) == (found.after, 0.0, "conversations")
    assert found.verdict == "no difference"
    assert compared(tmp_path).moved == ()


def test_conversations_that_changed_are_shown_by_turn_and_channel(tmp_path: Path) -> None:
    pytest.importorskip("meeteval", reason="NOT TESTED: meeteval isn't installed (it compiles; pip install meeteval)")
    for name, said in ((NIGHT, talks.SAID), (NEXT, {**talks.SAID, "both": talks.SAID["both"][:4]})):
        folder = pairs.write_run(tmp_path, name, [pairs.cell("good", task="conversation")])
        talks.write_talks(folder.observations("good"), said=said)
    found = compared(tmp_path, metrics=["orc_wer", "orc_deletion_rate", "turn_count_accuracy"])
    orc, deleted, right = (named(found, name) for name in ("orc_wer", "orc_deletion_rate", "turn_count_accuracy"))
    assert (orc.before, orc.after) == (1 / 9, 5 / 9)  # of seven and two words: one was lost, then c, e, f and g too
    assert (deleted.before, deleted.after) == (orc.before, orc.after)
    assert (right.before, right.after) == (1.0, 0.5)
    (moved,) = found.moved
    assert (moved.utterance_id, moved.speaker, moved.errors_before, moved.errors_after) == ("both", "A, B", 0, 4)
    assert (moved.reference, moved.after) == ("a b c / d e / f g", "0: a b / 1: d")


def test_without_a_matcher_conversations_are_said_to_be_untested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(_recordings: object) -> None:
        raise Unsupported("meeteval is not installed")

    for name in (NIGHT, NEXT):
        folder = pairs.write_run(tmp_path, name, [pairs.cell("good", task="conversation")])
        talks.write_talks(folder.observations("good"))
    monkeypatch.setattr("earmark.bench.metrics.conversation.orc", lacking)
    found = compared(tmp_path)
    assert (named(found, "orc_wer").verdict, named(found, "orc_wer").reason) == (
        "untested",
        "meeteval is not installed",
    )
    assert named(found, "turn_count_accuracy").verdict == "no difference"
    assert found.moved == ()


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corpus_fingerprint": "e" * 64}, "corpus_fingerprint is ffff.* in A and eeee.* in B"),
        ({"device": "cuda"}, "device is cpu in A and cuda in B"),
        ({"chunk_ms": 240, "threads": 2}, "threads is 1 in A and 2 in B; chunk_ms is 120 in A and 240 in B"),
        ({"steps": 9}, "steps is None in A and 9 in B"),
        ({"condition": "snr0"}, "condition is clean in A and snr0 in B"),
    ],
)
def test_unlike_cells_are_refused_saying_what_differs(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    night(tmp_path, NIGHT, pairs.erring(0.2, 0))
    folder = night(tmp_path, NEXT, pairs.erring(0.2, 0))
    folder.write_cells([pairs.cell("good", **changes)])
    with pytest.raises(InputError, match=message):
        compared(tmp_path)


def test_unlike_normalizers_recordings_and_plans_are_refused(tmp_path: Path) -> None:
    night(tmp_path, NIGHT, pairs.erring(0.2, 0))
    other = night(tmp_path, NEXT, pairs.erring(0.2, 0), normalizer="raw-1")
    with pytest.raises(InputError, match="normalizer is basic-1 in A and raw-1 in B"):
        compared(tmp_path)
    other.write_run(other.read_run().model_copy(update={"normalizer": "basic-1"}))
    plan = other.read_plan()
    other.write_plan(replace(plan, cells=(pairs.planned(pairs.cell("good"), limit=5),)))
    with pytest.raises(InputError, match="limit is None in A and 5 in B"):
        compared(tmp_path)
    other.write_plan(plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "SAID", pairs.SAID - 1)
        pairs.hear(other, "good", pairs.erring(0.2, 0))
    with pytest.raises(InputError, match="the recordings are not the same: 24 only in A, 0 only in B"):
        compared(tmp_path)


def test_another_reference_is_another_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night(tmp_path, NIGHT, pairs.erring(0.2, 0))
    monkeypatch.setattr(pairs, "REFERENCE", "one two three four five seven")
    night(tmp_path, NEXT, pairs.erring(0.2, 0))
    with pytest.raises(InputError, match="reference of 240 recordings is not the same in A and B, as of s00-0"):
        compared(tmp_path)


def test_two_models_of_one_run_are_compared_by_name(tmp_path: Path) -> None:
    cells = [pairs.cell("first"), pairs.cell("second", plugin="beta", preset="small")]
    folder = pairs.write_run(tmp_path, NIGHT, cells)
    pairs.hear(folder, "first", pairs.erring(0.1, 0))
    pairs.hear(folder, "second", pairs.erring(0.3, 1))
    found = compare(f"{NIGHT}:alpha", f"{NIGHT}:second", results=tmp_path / "results")
    assert named(found, "wer").label.startswith("alpha / beta (")
    assert named(found, "wer").verdict == "worse"
    with pytest.raises(InputError, match=r"no model or cell is called 'gamma'.*there is alpha, beta"):
        compare(f"{NIGHT}:gamma", NIGHT, results=tmp_path / "results")


def test_what_a_model_was_told_of_cohorts_is_in_its_label(tmp_path: Path) -> None:
    repaired = {"mitigation": "embedding", "options": {"beam": 4}}
    cells = [pairs.cell(told, cohort_input=told, **repaired) for told in ("known", "hidden")]
    for name in (NIGHT, NEXT):
        folder = pairs.write_run(tmp_path, name, cells)
        for cell in cells:
            pairs.hear(folder, cell.cell, pairs.erring(0.2, 0))
    labels = {change.label for change in compared(tmp_path, metrics=["wer"]).changes}
    assert labels == {
        f"alpha + embedding (toy/measure clean cpu, 120 ms, beam 4, cohort {told}), seed 0"
        for told in ("known", "hidden")
    }


def test_a_run_without_cells_is_refused(tmp_path: Path) -> None:
    pairs.write_run(tmp_path, NIGHT, [])
    with pytest.raises(InputError, match="no cell is finished yet"):
        compare(NIGHT, NIGHT, results=tmp_path / "results")


def test_a_cell_that_broke_is_worse_and_one_that_is_gone_is_noted(tmp_path: Path) -> None:
    both = [pairs.cell("good"), pairs.cell("extra", plugin="beta")]
    first = pairs.write_run(tmp_path, NIGHT, both)
    for name in ("good", "extra"):
        pairs.hear(first, name, pairs.erring(0.2, 0))
    pairs.write_run(tmp_path, NEXT, [pairs.cell("good", status="failed", reason="ValueError: no")])
    found = compared(tmp_path)
    assert [(c.verdict, c.reason) for c in found.changes] == [("worse", "failed: ValueError: no in B")]
    assert found.notes == ("only in A: beta (extra)",)


# --- the command --------------------------------------------------------------------------------------------------


def run(root: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["compare", NIGHT, NEXT, "--results", str(root / "results"), *arguments])


def test_the_command_fails_on_a_regression_when_asked(tmp_path: Path) -> None:
    night(tmp_path, NIGHT, pairs.erring(0.1, 0))
    night(tmp_path, NEXT, pairs.erring(0.2, 1))
    assert run(tmp_path).exit_code == 0
    failed = run(tmp_path, "--fail-on-regression")
    assert failed.exit_code == 1
    assert "4 worse, 0 better" in failed.stdout
    assert "accent=north" in failed.stdout
    assert run(tmp_path, "--fail-on-regression", "--metric", "rtf_streaming").exit_code == 0


def test_json_has_every_change(tmp_path: Path) -> None:
    night(tmp_path, NIGHT, pairs.erring(0.1, 0))
    night(tmp_path, NEXT, pairs.erring(0.2, 1))
    found = json.loads(run(tmp_path, "--json", "--metric", "wer").stdout)
    assert {change["cohort"] for change in found["changes"]} == {"all", "north", "south"}
    assert found["changes"][0]["change"] == pytest.approx(0.1, abs=0.03)
    assert found["worse"] == 3


def test_the_screen_shows_texts_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    night(tmp_path, NIGHT, pairs.erring(0.0, 0))
    night(tmp_path, NEXT, lambda s, u: "one \x1b[31m [red]two[/red]" if (s, u) == (0, 0) else pairs.REFERENCE)
    show.print_rendered(render(compared(tmp_path)))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "s00-0" in out


def test_many_utterances_without_a_speaker_stand_for_themselves(tmp_path: Path) -> None:
    from earmark.bench.compare.words import Heard

    night(tmp_path, NIGHT, pairs.erring(0.1, 0))
    folder = RunFolder(tmp_path / "results" / "v1" / "tiny" / NIGHT).observations("good")
    table = pq.read_table(folder / "utterances.parquet")
    speakers = [None if name == "s03" else name for name in table["speaker"].to_pylist()]
    place = table.schema.get_field_index("speaker")
    pq.write_table(table.set_column(place, "speaker", pa.array(speakers)), folder / "utterances.parquet")
    heard = Heard.read(folder, folder, "basic-1")
    assert (heard.n_named, len(heard.units)) == (pairs.SPEAKERS - 1, pairs.SPEAKERS - 1 + pairs.SAID)
    assert heard.by_unit(np.ones(len(heard.unit_of))).sum() == pairs.SPEAKERS * pairs.SAID
