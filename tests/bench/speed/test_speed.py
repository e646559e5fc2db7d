from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import runs
import scrub
import stored
import streaming


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stored, "RESULTS", tmp_path / "results")
    monkeypatch.setenv("EARMARK_COMMIT", runs.SHA)
    stored.commit.cache_clear()
    stored._tables.cache_clear()
    return tmp_path


def test_a_stored_value_is_that_of_this_commit_s_cpu_cell(tables: Path) -> None:
    runs.build_results(tables)
    assert stored.stored("alpha", "wer") == 0.125
    assert stored.stored("echo", "rtf_offline") == 0.0125


@pytest.mark.parametrize("changes", [{"git_sha": "f" * 40}, {"git_dirty": True}, {"complete": False}])
def test_other_commits_and_unfinished_runs_do_not_count(tables: Path, changes: dict[str, object]) -> None:
    runs.build_results(tables, run=runs.run_row(**changes))
    with pytest.raises(NotImplementedError):
        stored.stored("alpha", "wer")


@pytest.mark.parametrize(("model", "metric"), [("alpha", "upl_final_p90"), ("gamma", "wer"), ("nobody", "wer")])
def test_a_number_that_is_missing_is_skipped(tables: Path, model: str, metric: str) -> None:
    runs.build_results(tables)
    with pytest.raises(NotImplementedError):
        stored.stored(model, metric)


def test_the_newest_run_counts(tables: Path) -> None:
    runs.build_results(tables)
    newer = runs.build_results(tables, run=runs.run_row(run_id="20270101T000000Z-abc123-7654321"))
    newer.write_measurements([runs.measurement("good", "wer", 0.5)])
    assert stored.stored("alpha", "wer") == 0.5


def test_every_tracked_number_is_better_when_lower_and_pinned_to_a_version() -> None:
    from earmark.bench.metrics.names import METRICS

    for benchmark in stored._Stored.__subclasses__():
        assert METRICS[benchmark.metric].better == "lower"
        assert benchmark.version == "1"
        assert benchmark.unit  # type: ignore[attr-defined]
        assert "-" not in benchmark.__name__


def test_the_signal_is_always_the_same() -> None:
    one = streaming.signal(16_000)
    assert np.array_equal(one, streaming.signal(16_000))
    assert (len(one), one.dtype) == (48_000, np.float32)
    assert 0.01 < float(np.abs(one).mean()) < 0.2


def test_a_model_that_can_not_be_built_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    from earmark.bench import registry
    from earmark.bench.api import ModelSpec

    spec = ModelSpec("none", "recognition", "x:y", ("p",), "l", "s", requires=("no-such-distribution",))
    plugin = registry.Plugin(spec, "model", "test", "0", "x", "")
    monkeypatch.setattr(registry, "scan", lambda: registry.Found((plugin,), ()))
    with pytest.raises(NotImplementedError, match="no-such-distribution"):
        streaming.build("none")


def test_scrubbing_takes_the_interpreter_s_path_out(tmp_path: Path) -> None:
    machine = tmp_path / "vm"
    machine.mkdir()
    name = "existing-py_home_me_bin_python"
    data = {
        "commit_hash": "0123456789ab",
        "env_name": name,
        "python": "3.11",
        "params": {"python": "/home/me/bin/python"},
    }
    path = machine / f"01234567-{name}.json"
    for results in ({"a": [1]}, {"b": [2]}):
        path.write_text(json.dumps(data | {"results": results}))
        assert scrub.scrub(tmp_path) == [machine / "01234567-existing-py3.11.json"]
    (found,) = machine.iterdir()
    text = found.read_text()
    assert "home" not in text
    assert json.loads(text)["results"] == {"a": [1], "b": [2]}
    assert scrub.scrub(tmp_path) == []
