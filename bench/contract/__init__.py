"""The checks that every plugin must pass, as plain functions named as promises; ``earmark check`` runs them.

A promise that compared nothing is *skipped* and says why: an empty transcript equals every empty transcript. Whatever a
plugin raises fails the promise at hand, in one line, and the next one runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from earmark.bench import registry
from earmark.bench.api import FairnessSpec, InputError, Json, ModelSpec
from earmark.bench.contract.verdicts import Promise, Verdict, judge, name_of

if TYPE_CHECKING:
    from earmark.bench.api import Samples

__all__ = ["Verdict", "check_plugin", "iter_checks", "promises", "to_json"]
BUDGET_S = 60.0


def check_plugin(plugin: registry.Plugin, **how: Any) -> list[Verdict]:
    """All verdicts on a plugin; takes what :func:`iter_checks` takes."""
    return list(iter_checks(plugin, **how))


def iter_checks(
    plugin: registry.Plugin,
    *,
    preset: str | None = None,
    options: Mapping[str, Json] | None = None,
    device: str = "cpu",
    full: bool = False,
    only: Collection[str] | None = None,
    audio: Samples | None = None,
    vocabulary: Sequence[str] | None = None,
    budget_s: float = BUDGET_S,
) -> Iterator[Verdict]:
    """Verdicts on a plugin, one by one as they are decided.

    Args:
        full: feed a whole hour, however long it takes; otherwise as much of it as ``budget_s`` allows, at least 60 s.
        only: names of promises, see :func:`promises`.
        audio: (n,) float32 at 16 kHz, real speech to use for the first test utterance (10 s of it at most).
    Raises:
        InputError: an unknown preset or promise, or a plugin that cannot be checked. Raised at once, not on iteration.
    """
    wanted = _chosen(promises(plugin), only)
    how = {"options": options or {}, "device": device, "full": full, "audio": audio}
    subject = _subject(plugin, preset, {**how, "vocabulary": vocabulary, "budget_s": budget_s})
    return _judged(wanted, subject)


def promises(plugin: registry.Plugin) -> tuple[Promise[Any], ...]:
    """The promises that a plugin of this kind makes, in the order in which they are checked."""
    spec = plugin.spec
    if isinstance(spec, ModelSpec):
        return _embedder() if spec.task == "verification" else _recognizer()
    if isinstance(spec, FairnessSpec):
        return _finder() if spec.role == "finder" else _mitigation()
    raise InputError(f"{spec.name} is a corpus: it makes no promises", fix="see what is in it: earmark corpus describe")


def to_json(verdicts: Iterable[Verdict]) -> list[dict[str, Json]]:
    """Verdicts as plain JSON values, seconds to the millisecond."""
    return [
        {"promise": v.promise, "status": v.status, "detail": v.detail, "seconds": round(v.seconds, 3)} for v in verdicts
    ]


def _judged(wanted: list[Promise[Any]], subject: Any) -> Iterator[Verdict]:
    """On one thread, as suites run by default: promises of equal bits are about a fixed number of threads."""
    import torch

    for promise in wanted:
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            verdict = judge(promise, subject)
        finally:
            torch.set_num_threads(n_threads)
        yield verdict


def _chosen(offered: tuple[Promise[Any], ...], only: Collection[str] | None) -> list[Promise[Any]]:
    names = [name_of(promise) for promise in offered]
    for name in only or ():
        if name not in names:
            raise registry.unknown("promise", name, names)
    return [promise for promise in offered if only is None or name_of(promise) in only]


def _subject(plugin: registry.Plugin, preset: str | None, how: dict[str, Any]) -> Any:
    from earmark.bench.contract.fairness import FairnessSubject
    from earmark.bench.contract.subject import EmbedderSubject, RecognizerSubject

    spec = plugin.spec
    if isinstance(spec, FairnessSpec):
        return FairnessSubject(plugin, how["options"], how["device"])
    assert isinstance(spec, ModelSpec)
    if preset is not None and preset not in spec.presets:
        raise InputError(f"no preset {preset!r}", where=spec.name, fix=f"choose one of: {', '.join(spec.presets)}")
    kind = EmbedderSubject if spec.task == "verification" else RecognizerSubject
    return kind(plugin, preset or spec.presets[0], **how)


def _recognizer() -> tuple[Promise[Any], ...]:
    from earmark.bench.contract import endurance, model, recognizer

    return (
        model.can_be_built,
        model.tells_what_it_is,
        recognizer.offers_streams,
        recognizer.updates_are_well_formed,
        recognizer.claims_no_audio_it_was_not_fed,
        recognizer.final_tokens_are_never_revised,
        recognizer.later_samples_never_change_earlier_output,
        recognizer.any_chunking_gives_the_same_final_tokens,
        recognizer.streams_do_not_leak_into_each_other,
        recognizer.batch_equals_single,
        model.same_seed_same_result,
        model.saved_and_loaded_is_the_same,
        model.every_tensor_is_on_the_models_device,
        model.work_agrees_with_an_independent_count,
        recognizer.survives_silence,
        recognizer.survives_one_sample,
        recognizer.survives_no_audio,
        recognizer.refuses_nan_and_harms_no_other_stream,
        endurance.survives_an_hour,
        endurance.keeps_no_raw_audio,
        endurance.work_per_chunk_does_not_grow,
    )


def _embedder() -> tuple[Promise[Any], ...]:
    from earmark.bench.contract import embedder, model

    return (
        model.can_be_built,
        model.tells_what_it_is,
        embedder.offers_embeddings,
        embedder.batch_equals_single,
        embedder.padding_is_ignored,
        embedder.any_chunking_gives_the_same_embedding,
        embedder.a_stream_says_what_embed_says,
        embedder.embedding_streams_do_not_leak_into_each_other,
        embedder.work_of_a_stream_agrees_with_an_independent_count,
        model.same_seed_same_result,
        model.saved_and_loaded_is_the_same,
        model.every_tensor_is_on_the_models_device,
        model.work_agrees_with_an_independent_count,
        embedder.survives_silence,
        embedder.survives_one_sample,
        embedder.survives_no_audio,
        embedder.refuses_nan,
    )


def _finder() -> tuple[Promise[Any], ...]:
    from earmark.bench.contract import fairness as f

    return (
        f.can_be_built, f.assigns_every_row, f.same_data_same_scheme, f.scheme_survives_json,
        f.assigns_without_outcomes, f.each_row_is_assigned_by_itself, f.survives_missing_values,
    )  # fmt: skip


def _mitigation() -> tuple[Promise[Any], ...]:
    from earmark.bench.contract import fairness as f

    return (
        f.can_be_built, f.leaves_the_model_untouched, f.gives_a_working_model, f.gives_conditions_for_every_cohort,
        f.same_seed_same_repair,
    )  # fmt: skip
