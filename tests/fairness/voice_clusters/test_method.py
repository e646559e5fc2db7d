"""Clusters of voices end to end."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from earmark.bench.api import InputError, Json, Table
from earmark.bench.worlds import World, draw
from earmark.fairness.voice_clusters.method import VoiceClusters, build
from earmark.fairness.voice_clusters.naming import describe, names_for

PLANTED = World(effects={"voice": 2.5}, n_voices=4, voice_spread=0.3, share=0.2)
QUICK = {"restarts": 1, "n_deals": 99}


def finder(**options: Json) -> VoiceClusters:
    return build(options={**QUICK, **options})


@pytest.fixture(scope="module")
def planted() -> object:
    return draw(PLANTED, 0)


def test_the_planted_kind_of_voice_is_the_first_cluster(planted: object) -> None:
    scheme = finder(k_max=4, restarts=4).fit(planted.tables["discover"], planted.tables["select"], seed=0)  # type: ignore[attr-defined]
    cohorts = scheme.assign(planted.tables["measure"])  # type: ignore[attr-defined]
    hard = np.array([c.startswith("v1") for c in cohorts[:: PLANTED.n_utterances]])
    truth = planted.members["measure"]["voice"]  # type: ignore[attr-defined]
    assert (hard == truth).mean() > 0.97
    about = scheme.about
    assert about["stable"] is True
    assert about["adjusted_rand_seeds"] > 0.9  # type: ignore[operator]
    assert about["discover_rates"] == sorted(about["discover_rates"], reverse=True)  # type: ignore[arg-type, type-var]
    assert [*about["options"]] == ["k_max", "min_speakers", "restarts", "alpha", "n_deals"]  # type: ignore[misc]


def test_the_same_after_a_round_trip_and_with_the_same_seed(planted: object) -> None:
    tables = planted.tables  # type: ignore[attr-defined]
    scheme = finder().fit(tables["discover"], tables["select"], seed=5)
    text = json.dumps(scheme.to_json(), allow_nan=False)
    assert json.dumps(finder().fit(tables["discover"], tables["select"], seed=5).to_json()) == text
    loaded = finder().load(json.loads(text))
    assert loaded.assign(tables["measure"]) == scheme.assign(tables["measure"])
    assert json.dumps(loaded.to_json()) == text


def test_where_voices_make_no_difference_there_is_one_cohort(planted: object) -> None:
    tables = draw(PLANTED.with_effects({}), 0).tables
    scheme = finder().fit(tables["discover"], tables["select"], seed=0)
    assert set(scheme.assign(tables["measure"])) == {"all voices"}
    assert "one cohort" in scheme.about["remarks"][-1]  # type: ignore[index]
    assert set(finder().load(scheme.to_json()).assign(tables["measure"])) == {"all voices"}


def test_clusters_that_change_with_the_seed_get_no_names() -> None:
    """One ball of voices, cut somewhere: an alpha of 1 takes the best cut, whatever select says."""
    rng = np.random.default_rng(0)

    def split(name: str) -> Table:
        vectors = rng.normal(size=(150, 24))
        errors = rng.poisson(20, size=150)
        return pa.table({
            "speaker": [f"{name}{i}" for i in range(150)], "errors": errors, "words": [200] * 150,
            "embedding": [*vectors.tolist()],
        })  # fmt: skip

    scheme = finder(alpha=1.0).fit(split("d"), split("s"), seed=0)
    assert scheme.about["stable"] is False
    assert set(scheme.names) == {f"unstable {letter}" for letter in "abcdefgh"[: len(scheme.names)]}
    assert "unstable" in scheme.about["remarks"][-1]  # type: ignore[index]


def test_rows_without_an_embedding_are_a_cohort(planted: object) -> None:
    tables = planted.tables  # type: ignore[attr-defined]
    scheme = finder().fit(tables["discover"], tables["select"], seed=0)
    rows = tables["measure"].slice(0, 4)
    holes = pa.array([None, *rows["embedding"].to_pylist()[1:3], [0.0] * 16], pa.list_(pa.float64()))
    cohorts = scheme.assign(rows.set_column(rows.schema.get_field_index("embedding"), "embedding", holes))
    assert [c == "no embedding" for c in cohorts] == [True, False, False, True]
    assert cohorts[1:3] == scheme.assign(rows)[1:3]


def few(split: str, vectors: list[list[float] | None]) -> Table:
    return pa.table({
        "speaker": [f"{split}{i}" for i in range(len(vectors))], "errors": [5] * len(vectors),
        "words": [50] * len(vectors), "embedding": pa.array(vectors, pa.list_(pa.float64())),
    })  # fmt: skip


def test_two_speakers_one_voice_or_no_names_are_one_cohort() -> None:
    two = [[1.0, 0.0], [0.0, 1.0]]
    for vectors in (two, [[1.0, 2.0]] * 50):
        scheme = finder().fit(few("d", vectors), few("s", vectors), seed=0)
        assert scheme.names == ("all voices",)
    unnamed = [few(s, two * 20).set_column(0, "speaker", pa.nulls(40, pa.string())) for s in "ds"]
    scheme = finder().fit(*unnamed, seed=0)
    assert "no row names a speaker" in scheme.about["remarks"][0]  # type: ignore[index]
    assert scheme.assign(few("m", two)) == ["all voices"] * 2


def test_bad_rows_are_refused() -> None:
    two = [[1.0, 0.0], [0.0, 1.0]]
    with pytest.raises(InputError, match="discover has no rows"):
        finder().fit(few("d", two).slice(0, 0), few("s", two), seed=0)
    with pytest.raises(InputError, match="no speaker of discover has an embedding"):
        finder().fit(few("d", [None, None]), few("s", two), seed=0)
    with pytest.raises(InputError, match="no column 'embedding'"):
        finder().fit(few("d", two).drop_columns(["embedding"]), few("s", two), seed=0)


def test_another_embedders_vectors_are_refused(planted: object) -> None:
    tables = planted.tables  # type: ignore[attr-defined]
    scheme = finder().fit(tables["discover"], tables["select"], seed=0)
    with pytest.raises(InputError, match="embeddings of 2 numbers, clusters of 16"):
        scheme.assign(few("m", [[1.0, 0.0]]))


@pytest.mark.parametrize(
    ("options", "says"), [({"kmax": 3}, "did you mean 'k_max'"), ({"k_max": 1}, "k_max"), ({"restarts": 0}, "restarts")]
)
def test_bad_options_are_refused(options: dict[str, Json], says: str) -> None:
    with pytest.raises(InputError, match=says):
        build(options=options)


@pytest.mark.parametrize("scheme", [{}, {"finder": "voice_clusters", "version": 1, "clusters": [{"name": "v1"}]}])
def test_what_is_no_scheme_is_refused(scheme: Json) -> None:
    with pytest.raises(InputError, match="scheme"):
        build(options={}).load(scheme)


def test_mean_differences_by_hand() -> None:
    """Inside 1, 3 (mean 2, variance 2), outside 4, 6, 8 (mean 6, variance 4): -4 / sqrt(3)."""
    values = np.array([1.0, 3.0, 4.0, 6.0, 8.0, np.nan])
    inside = np.array([True, True, False, False, False, True])
    assert describe({"snr_db": values, "flat": np.ones(6)}, inside) == {"snr_db": round(-4 / 3**0.5, 4)}


def test_names_of_many_unstable_clusters_differ() -> None:
    names = names_for([{}] * 60, stable=False)
    assert len(set(names)) == 60
    assert names[25:28] == ("unstable z", "unstable aa", "unstable ab")
