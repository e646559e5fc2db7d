"""The job of a training worker: from a corpus to a checkpoint. And the way back, from a checkpoint to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark.bench import registry, tokenizer
from earmark.bench.api import Corpus, HasInfo, InputError, Unsupported
from earmark.bench.corpora.conversations.rules import Rules
from earmark.bench.corpora.schema import reference_text
from earmark.bench.metrics.normalize import normalize
from earmark.bench.observe.selection import training_rows
from earmark.bench.observe.settings import require_device
from earmark.bench.planning import Training, corpus_label

if TYPE_CHECKING:
    from earmark.bench.protocol import Repairing
    from earmark.bench.training.loop import Course
    from earmark.bench.training.state import Standing

Report = Callable[[Mapping[str, Any]], None]
Rows = list[Mapping[str, Any]]
NORMALIZER = "basic-1"
"""Of the texts that are learned."""
TRAINABLE = ("parts", "config", "collate", "loss", "named_parameters", "state_dict", "load_state_dict")


def teach(job: Mapping[str, Any], report: Report) -> tuple[list[str], list[str]]:
    """Train what the job's ``training`` says and leave the checkpoint in its ``folder``; no flags, and the corpora."""
    from earmark.bench.corpora.load import load_corpus
    from earmark.bench.training.loop import fit
    from earmark.bench.training.state import Standing

    training = Training.model_validate(job["training"])
    require_device(training.device)
    cache = Path(job["cache"])

    def show(done: int, total: int, what: str) -> None:
        report({"done": done, "total": total, "what": what})

    begun = Path(job["checkpoint"]) if training.base else None
    plugin = registry.scan(tuple(Path(p) for p in job["plugin_files"])).named(training.plugin, "model")
    build = registry.resolve(plugin.spec)
    if begun and not training.steps:
        model, before = begin_with(build, begun, training)
        return [], _keep(Path(job["folder"]), model, training, before, Standing(), None)
    corpus = load_corpus(training.corpus, cache=cache, progress=show)
    rows = rows_of(corpus, training, cache, show)
    if begun:
        model, before = begin_with(build, begun, training)
    else:
        pieces = _vocabulary(rows, training)
        model, before = _build(build, training, pieces), {"vocabulary": pieces}
    course = course_of(corpus, rows, training, model.info.sample_rate_hz, cache, show, state=Path(job["state"]))
    trained, standing = fit(model, course)
    seen = _keep(Path(job["folder"]), trained, training, before, standing, course)
    Path(job["state"]).unlink(missing_ok=True)
    return [], seen


def begin_with(build: Callable[..., Any], folder: Path, training: Training) -> tuple[Any, dict[str, Any]]:
    """The training's model with the weights of a checkpoint, and what is told of that.

    Tensors are taken by name. What only the new model has begins as it is drawn; what it lacks is left out.

    Raises:
        InputError: a tensor has another shape in the new model, or none has a name that it knows.
    """
    from earmark.bench.training import checkpoint

    state, before = checkpoint.read(folder)
    model = _build(build, training, before["vocabulary"])
    own, where = model.state_dict(), f"checkpoint {folder.name}"
    taken = {name: tensor for name, tensor in state.items() if name in own}
    if not taken:
        raise InputError(f"{training.plugin} has no tensor of it", where=where, fix="go on with a model of its kind")
    for name, tensor in taken.items():
        if tensor.shape != own[name].shape:
            shapes = f"{tuple(tensor.shape)}, in {training.plugin} ({training.preset}) {tuple(own[name].shape)}"
            raise InputError(f"{name} is {shapes}", where=where, fix="give it the same preset and sizes")
    model.load_state_dict({**own, **taken})
    return model, before


def load_trained(build: Callable[..., Any], folder: Path, *, device: str) -> tuple[Any, list[str]]:
    """The model of a checkpoint, and the corpora that it has seen. InputError where the weights were changed."""
    from earmark.bench.training import checkpoint

    state, config = checkpoint.read(folder)
    model = build(
        config["preset"], options=config["options"], vocabulary=config["vocabulary"], seed=config["seed"], device=device
    )
    if config.get("conditions"):
        model = model.with_condition(config["conditions"]["size"])
    try:
        model.load_state_dict(state)
    except RuntimeError as error:  # names or shapes that this version doesn't have
        raise InputError(
            "the weights are those of another version of the model",
            where=f"checkpoint {folder.name}", fix="run the suite that trains it again",
        ) from error  # fmt: skip
    return model, list(config["trained_on"])


def _build(build: Callable[..., HasInfo], training: Training, pieces: Sequence[str] | None) -> Any:
    model = build(
        training.preset, options=training.options, vocabulary=pieces, seed=training.seed, device=training.device
    )
    lacking = [name for name in TRAINABLE if not callable(getattr(model, name, None))]
    if lacking:
        raise Unsupported(f"{training.plugin} can't be trained: it has no {lacking[0]}()")
    return model


def _vocabulary(rows: Rows, training: Training) -> list[str]:
    """What a model learns to tell apart: pieces of the texts, or the speakers."""
    if training.task == "verification":
        return sorted({row["speaker"] for row in rows if row["speaker"]})
    texts = [row["text"] for row in rows]
    return (
        tokenizer.whole_words(texts) if training.pieces == "words" else tokenizer.train_pieces(texts, training.pieces)
    )


def rows_of(corpus: Corpus, training: Training, cache: Path, show: Callable[[int, int, str], None]) -> Rows:
    """What is learned from: the train split, and synthetic voices saying its texts."""
    rows = [_normalized(row) for row in training_rows(corpus, training)]
    if training.voices:
        from earmark.bench.corpora.voices import speak

        texts = [row["text"] for row in rows]
        rows += speak(texts, training.voices, seed=training.seed, cache=cache, progress=show)
    return rows


def _normalized(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with text and timed words as they are learned: what shows no difference is not to be told apart."""
    words = [{**word, "word": normalize(word["word"], NORMALIZER)} for word in row["words"] or ()]
    segments = [{**segment, "text": normalize(segment["text"], NORMALIZER)} for segment in row["segments"] or ()]
    return {**row, "text": normalize(reference_text(row), NORMALIZER), "words": words, "segments": segments}


def course_of(
    corpus: Corpus,
    rows: Rows,
    training: Training,
    rate_hz: int,
    cache: Path,
    show: Callable[[int, int, str], None],
    *,
    state: Path,
    cohorts: Sequence[str] | None = None,
    repairing: Repairing | None = None,
) -> Course:
    """The course of a training, or of its repair, which has steps and a recipe of its own and looks at no dev split."""
    from earmark.bench.training import data
    from earmark.bench.training.evaluate import Dev
    from earmark.bench.training.loop import Course
    from earmark.bench.training.mixtures import Mixtures, SingleTalkers
    from earmark.bench.training.recipe import Recipe

    key = f"{corpus.fingerprint} {training.train_key}" if training.voices else corpus.fingerprint
    held = [] if repairing else _held(corpus, training)
    rules = Rules(**corpus.mixed.rules) if corpus.mixed else None  # type: ignore[arg-type]
    silence_s = rules.silence_s if rules else training.silence_s
    heard = data.load(rows, rate_hz=rate_hz, cache=cache, key=key, progress=show, silence_s=silence_s, cohorts=cohorts)
    dev = [*data.load(held, rate_hz=rate_hz, cache=cache, key=key, progress=show).examples()] if held else []
    lesson = repairing or training
    n_mixtures = training.mixtures or lesson.steps * lesson.recipe.batch_size
    return Course(
        data=Mixtures(heard, rules, n_mixtures, rate_hz) if rules else heard,
        first=SingleTalkers(heard) if rules and not repairing else None,
        first_steps=training.single_steps,
        recipe=Recipe(steps=lesson.steps, **lesson.recipe.model_dump()),
        seed=training.seed,
        device=training.device,
        dev=Dev(dev, NORMALIZER) if dev else None,
        state_file=state,
        identity=repairing.repair_key if repairing else training.train_key,
        show=show,
        watch=tuple(repairing.watch) if repairing else (),
    )


def _held(corpus: Corpus, training: Training) -> Rows:
    """The dev split; nothing where a corpus has none, and then the last weights are taken."""
    try:
        return [_normalized(row) for row in training_rows(corpus, training, "dev")]
    except InputError:
        return []


def _keep(
    folder: Path,
    model: Any,
    training: Training,
    before: Mapping[str, Any],
    standing: Standing,
    course: Course | None,
) -> list[str]:
    """Write the checkpoint; the corpora that it has seen. What is said holds nothing of this machine or of the hour.

    ``before`` tells of the checkpoint that it goes on from; of a training from nothing, only the vocabulary.
    """
    from earmark.bench.training import checkpoint

    metric = course.dev.metric(model) if course is not None and course.dev is not None else None
    told = training.model_dump(mode="json", exclude={"base"}) | {"corpus": corpus_label(training.corpus)}
    begun = {"base": training.base.train_key, "base_sha256": before["sha256"]} if training.base else {}
    seen = [*before.get("trained_on", model.info.trained_on), corpus_label(training.corpus)]
    pieces = before["vocabulary"]
    checkpoint.write(
        folder,
        model.state_dict(),
        {
            **told,
            **begun,
            "vocabulary": list(pieces) if pieces is not None else None,
            "model": model.config(),
            "trained_on": list(dict.fromkeys(seen)),
            "dev_metric": metric,
            "dev_value": standing.best,
            "best_step": standing.best_step,
            "log": standing.log,
        },
    )
    return list(dict.fromkeys(seen))
