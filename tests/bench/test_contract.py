"""Each dishonest plugin breaks exactly the promise that it is named after; the honest one keeps them all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from earmark.bench import contract, registry
from earmark.bench.api import FairnessSpec, InputError, ModelSpec

PLUGINS = Path(__file__).parents[1] / "plugins"
BREAKS = {
    "peeks_ahead": "later_samples_never_change_earlier_output",
    "second_lane_peeks": "later_samples_never_change_earlier_output",
    "leaks_state": "streams_do_not_leak_into_each_other",
    "revises_final": "final_tokens_are_never_revised",
    "chunk_dependent": "any_chunking_gives_the_same_final_tokens",
    "keeps_audio": "keeps_no_raw_audio",
    "keeps_compressed_audio": "keeps_no_raw_audio",
    "lies_about_work": "work_agrees_with_an_independent_count",
    "wrong_device": "every_tensor_is_on_the_models_device",
    "grows": "work_per_chunk_does_not_grow",
    "swallows_nan": "refuses_nan_and_harms_no_other_stream",
    "ignores_seed": "same_seed_same_result",
    "loses_state": "saved_and_loaded_is_the_same",
    "claims_the_future": "claims_no_audio_it_was_not_fed",
    "bad_batch": "batch_equals_single",
    "embeds_by_chunk": "any_chunking_gives_the_same_embedding",
    "mixes_embeddings": "embedding_streams_do_not_leak_into_each_other",
    "embeds_otherwise": "a_stream_says_what_embed_says",
    "hides_stream_work": "work_of_a_stream_agrees_with_an_independent_count",
}


def from_file(name: str) -> registry.Plugin:
    return registry.scan((PLUGINS / f"{name}.py",)).named(name, "model")


def by_status(name: str, **how: object) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}
    for verdict in contract.check_plugin(from_file(name), budget_s=0.0, **how):
        found[verdict.status].append(verdict.promise)
    return found


@pytest.mark.parametrize("name", ["honest", "two_lanes"])
def test_the_honest_plugins_keep_every_promise(name: str) -> None:
    """One of them says words and turns on two channels."""
    verdicts = contract.check_plugin(from_file(name), budget_s=0.0)
    assert [v.promise for v in verdicts if v.status != "passed"] == []
    assert len(verdicts) == len(contract.promises(from_file(name)))
    assert all(v.detail and "\n" not in v.detail for v in verdicts)


@pytest.mark.parametrize("name", BREAKS)
def test_a_dishonest_plugin_breaks_its_promise_and_no_other(name: str) -> None:
    assert by_status(name)["failed"] == [BREAKS[name]]


def test_a_plugin_that_says_nothing_keeps_nothing_about_what_it_says() -> None:
    found = by_status("says_nothing")
    assert found["failed"] == []
    assert {BREAKS["peeks_ahead"], BREAKS["chunk_dependent"], BREAKS["ignores_seed"]} <= {*found["skipped"]}


def test_every_dishonest_plugin_is_tested() -> None:
    """``planted`` is pocketsphinx, made worse on purpose for the tests of nights."""
    honest = {"honest", "says_nothing", "two_lanes", "planted"}
    assert {path.stem for path in PLUGINS.glob("*.py")} == {*BREAKS, *honest}


def test_only_some_promises_and_an_unknown_one() -> None:
    verdicts = contract.check_plugin(from_file("honest"), only=["survives_silence", "tells_what_it_is"])
    assert [v.promise for v in verdicts] == ["tells_what_it_is", "survives_silence"]
    with pytest.raises(InputError, match="survives_silence"):
        contract.iter_checks(from_file("honest"), only=["survive_silence"])


def test_an_unknown_preset_is_refused_before_anything_runs() -> None:
    with pytest.raises(InputError, match="tiny"):
        contract.iter_checks(from_file("honest"), preset="huge")


def test_an_error_in_a_plugin_fails_a_promise_and_the_rest_goes_on() -> None:
    only = ["can_be_built", "survives_silence"]
    verdicts = contract.check_plugin(from_file("honest"), options={"depth": 3}, only=only)
    assert [v.status for v in verdicts] == ["failed", "failed"]
    assert verdicts[0].detail.startswith("InputError: tiny: ")


def test_a_recording_given_by_hand_is_the_one_that_is_heard() -> None:
    only = ["offers_streams", "any_chunking_gives_the_same_final_tokens"]
    silence = np.zeros(16_000, dtype=np.float32)
    heard, compared = contract.check_plugin(from_file("honest"), only=only, audio=silence)
    assert heard.detail.startswith("1 final tokens from the given recording")
    assert compared.status == "passed"


def test_verdicts_are_plain_json() -> None:
    verdicts = contract.check_plugin(from_file("honest"), only=["tells_what_it_is"])
    assert json.loads(json.dumps(contract.to_json(verdicts)))[0]["status"] == "passed"


def by_hand(spec: ModelSpec | FairnessSpec) -> registry.Plugin:
    kind: registry.Kind = "model" if isinstance(spec, ModelSpec) else "fairness"
    return registry.Plugin(spec, kind, "here", "0", "fakes", "")


def fairness(name: str, role: Literal["finder", "mitigation"], entry: str) -> registry.Plugin:
    return by_hand(FairnessSpec(name, role, entry, "tests", ("recognition",)))


HONEST = {
    "engine": by_hand(ModelSpec("engine", "recognition", "fakes.engine:build", ("one",), "Apache-2.0", "tests")),
    "embedder": by_hand(ModelSpec("tiny", "verification", "fakes.embedder:build", ("one",), "Apache-2.0", "tests")),
    "finder": fairness("halves", "finder", "fakes.finder:build"),
    "oversampling": fairness("oversampling", "mitigation", "fakes.mitigations:oversampling"),
    "ewc": fairness("ewc", "mitigation", "fakes.mitigations:ewc"),
    "cohort_embedding": fairness("cohort_embedding", "mitigation", "fakes.mitigations:cohort_embedding"),
    "adversarial": fairness("adversarial", "mitigation", "fakes.mitigations:adversarial_reweighting"),
}
LACKS = {
    "engine": {
        "batch_equals_single", "saved_and_loaded_is_the_same", "every_tensor_is_on_the_models_device",
        "work_agrees_with_an_independent_count", "work_per_chunk_does_not_grow",
    },
    "oversampling": {"gives_conditions_for_every_cohort"},
    "ewc": {"gives_conditions_for_every_cohort"},
    "adversarial": {"gives_conditions_for_every_cohort"},
}  # fmt: skip
"""Promises about abilities that a family does not have."""


@pytest.mark.parametrize("name", HONEST)
def test_honest_fakes_of_every_family_keep_what_applies_to_them(name: str) -> None:
    verdicts = contract.check_plugin(HONEST[name], budget_s=0.0)
    assert {v.promise: v.detail for v in verdicts if v.status == "failed"} == {}
    assert {v.promise for v in verdicts if v.status == "skipped"} == LACKS.get(name, set())


@pytest.mark.parametrize(
    ("plugin", "promise"),
    [
        (fairness("ranking", "finder", "fakes.finder:build_ranking"), "each_row_is_assigned_by_itself"),
        (fairness("overwriting", "mitigation", "fakes.mitigations:overwriting"), "leaves_the_model_untouched"),
    ],
)
def test_dishonest_fairness_plugins(plugin: registry.Plugin, promise: str) -> None:
    assert promise in [v.promise for v in contract.check_plugin(plugin) if v.status == "failed"]


def test_what_needs_a_missing_package_is_skipped_with_the_reason() -> None:
    spec = ModelSpec("far", "recognition", "far:build", ("one",), "MIT", "tests", requires=("no-such-package",))
    verdicts = contract.check_plugin(by_hand(spec))
    assert {v.status for v in verdicts} == {"skipped"}
    assert "pip install no-such-package" in verdicts[0].detail
