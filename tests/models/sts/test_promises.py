"""The promises of a recognizer, kept by a model of two channels that talks; an untrained one would say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from earmark.bench import contract, registry

PLUGIN = Path(__file__).parents[2] / "lanes.py"
SPOKEN = (
    "claims_no_audio_it_was_not_fed",
    "final_tokens_are_never_revised",
    "later_samples_never_change_earlier_output",
    "any_chunking_gives_the_same_final_tokens",
    "streams_do_not_leak_into_each_other",
    "batch_equals_single",
    "same_seed_same_result",
    "saved_and_loaded_is_the_same",
    "work_agrees_with_an_independent_count",
)


@pytest.mark.slow
def test_two_channels_keep_every_promise_about_what_is_said() -> None:
    plugin = registry.scan((PLUGIN,)).named("lanes", "model")
    found = {verdict.promise: verdict for verdict in contract.check_plugin(plugin, budget_s=0)}
    assert {name: found[name].detail for name in SPOKEN if found[name].status != "passed"} == {}
