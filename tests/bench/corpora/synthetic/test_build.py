from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.bench.api import Corpus
from earmark.bench.corpora.audio import decode
from earmark.bench.corpora.schema import metadata, open_rows
from earmark.bench.corpora.synthetic import build, recipes
from earmark.bench.corpora.synthetic.world import Recipe

TINY = Recipe(name="tiny", n_speakers={"train": 2, "measure": 2}, n_train=1, n_other=1)


def quiet(done: int, total: int, what: str) -> None:
    assert 0 < done <= total
    assert what


def load(cache: Path) -> Corpus:
    return build.load(TINY, cache=cache, progress=quiet)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Corpus, Path]:
    cache = tmp_path_factory.mktemp("cache")
    return load(cache), cache


@pytest.mark.slow
def test_rows_hold_text_words_places_and_truths(built: tuple[Corpus, Path]) -> None:
    rows = list(open_rows(built[0]))
    assert len(rows) == 4 * 3
    for row in rows:
        assert [word["word"] for word in row["words"]] == row["text"].split()
        assert 0.06 <= row["words"][0]["start"] <= 0.14
        assert row["words"][-1]["end"] < row["duration_s"]
        assert row["lat"] is not None
        assert {"task", "region", "voice_group", "noise_group", "null_group", "accent"} <= set(metadata(row))
        samples = decode(row)
        assert len(samples) == round(row["duration_s"] * 16_000)
        assert 0.001 < float(np.sqrt(np.mean(samples**2))) < 0.2


@pytest.mark.slow
def test_words_are_where_the_sound_is(built: tuple[Corpus, Path]) -> None:
    """In quiet recordings the span of the words holds nearly all of the energy."""
    rows = [row for row in open_rows(built[0]) if metadata(row)["noise_group"] == "quiet"]
    assert rows
    for row in rows:
        energy = decode(row).astype(np.float64) ** 2
        start, end = (round(s * 16_000) for s in (row["words"][0]["start"], row["words"][-1]["end"]))
        assert energy[start : end + 800].sum() > 0.95 * energy.sum()


@pytest.mark.slow
def test_two_builds_are_the_same_to_the_bit(built: tuple[Corpus, Path], tmp_path: Path) -> None:
    again = load(tmp_path)
    assert again.fingerprint == built[0].fingerprint
    one, two = (soundfile.read(next(open_rows(c))["audio"]["path"], dtype="int16")[0] for c in (built[0], again))
    assert np.array_equal(one, two)


@pytest.mark.slow
def test_a_build_is_reused_and_a_damaged_one_made_again(
    built: tuple[Corpus, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, cache = built
    monkeypatch.setattr(build, "build", lambda *_: pytest.fail("built again"))
    assert load(cache).fingerprint == corpus.fingerprint
    monkeypatch.undo()
    path = Path(str(next(open_rows(corpus))["audio"]["path"]))
    path.write_bytes(path.read_bytes()[:100])
    (cache / "synthetic" / f".{recipes.recipe_digest(TINY)}.killed").mkdir()
    assert load(cache).fingerprint == corpus.fingerprint
    assert path.stat().st_size > 100
    assert [p.name for p in (cache / "synthetic").iterdir() if p.is_dir()] == [recipes.recipe_digest(TINY)]


@pytest.mark.slow
def test_an_unexpected_fingerprint_is_flagged(
    built: tuple[Corpus, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, cache = built
    assert corpus.flags == ("fingerprint_unexpected",), "nothing is committed for the tiny recipe"
    expected = tmp_path / "expected.json"
    monkeypatch.setattr(recipes, "EXPECTED_FILE", expected)
    said: list[str] = []
    for known, flags in ((corpus.fingerprint, ()), ("0" * 64, ("fingerprint_unexpected",))):
        expected.write_text(json.dumps({"tiny": {recipes.engine_version(): known}}))
        said.clear()
        found = build.load(TINY, cache=cache, progress=lambda _d, _t, what: said.append(what))
        assert found.flags == flags
        assert any("warning" in what for what in said) == bool(flags)


@pytest.mark.slow
def test_a_failed_worker_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Recipe(name="broken", n_speakers={"train": 1}, n_train=1, n_other=1)
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises((RuntimeError, BrokenPipeError)):
        build.load(broken, cache=tmp_path, progress=quiet)
    assert [p for p in (tmp_path / "synthetic").iterdir() if p.is_dir()] == []


def test_a_recipe_has_its_own_folder() -> None:
    assert recipes.recipe_digest(recipes.QUICK) != recipes.recipe_digest(recipes.WORLD)
    assert recipes.recipe_digest(TINY) == recipes.recipe_digest(TINY)


def test_expected_fingerprints_are_committed_for_every_corpus() -> None:
    known = json.loads(recipes.EXPECTED_FILE.read_text())
    assert set(known) == {"synthetic", "synthetic-digits", "synthetic-small", "synthetic-world"}
    assert all(len(fingerprint) == 64 for versions in known.values() for fingerprint in versions.values())


@pytest.mark.slow
@pytest.mark.parametrize("load", [build.load_small, build.load_quick, build.load_digits])
def test_a_corpus_comes_out_as_committed(tmp_path: Path, load: Callable[..., Corpus]) -> None:
    assert load(cache=tmp_path, progress=quiet).flags == ()
