"""The job of a repairing worker: from a checkpoint and frozen cohorts to a repaired checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from earmark.bench import registry
from earmark.bench.api import InputError, Repaired
from earmark.bench.corpora.schema import withheld
from earmark.bench.executors import teaching
from earmark.bench.observe.settings import require_device
from earmark.bench.planning import corpus_label
from earmark.bench.protocol import Repairing

Report = Callable[[Mapping[str, Any]], None]
OF_NOBODY = "nobody's"
"""The cohort of recordings whose speaker no scheme knows, such as synthetic voices that were mixed in."""


def repair(job: Mapping[str, Any], report: Report) -> tuple[list[str], list[str]]:
    """Repair the job's checkpoint on the train split, whose speakers are in the job's cohorts; leaves a checkpoint."""
    from earmark.bench.corpora.load import load_corpus
    from earmark.bench.training.trainer import FabricTrainer

    repairing = Repairing.model_validate(job["repair"])
    training, cache, state = repairing.base, Path(job["cache"]), Path(job["state"])
    require_device(training.device)
    found = registry.scan(tuple(Path(p) for p in job["plugin_files"]))
    build = registry.resolve(found.named(training.plugin, "model").spec)
    method = registry.resolve(found.named(repairing.method, "fairness").spec)(options=repairing.options)
    model, seen = teaching.load_trained(build, Path(job["checkpoint"]), device=training.device)

    def show(done: int, total: int, what: str) -> None:
        report({"done": done, "total": total, "what": what})

    with withheld("discover", "select", "measure"):
        corpus = load_corpus(training.corpus, cache=cache, progress=show)
        rows = teaching.rows_of(corpus, training, cache, show)
        course = teaching.course_of(
            corpus, rows, training, model.info.sample_rate_hz, cache, show,
            cohorts=_cohorts(rows, job["cohorts"]), repairing=repairing, state=state,
        )  # fmt: skip
        trainer = FabricTrainer(course)
        repaired = method.apply(model, list(job["target"]), trainer)
    _keep(Path(job["folder"]), repaired, repairing, Path(job["checkpoint"]), list(job["target"]), trainer.log)
    for path in state.parent.glob(f"{state.name}*"):
        path.unlink(missing_ok=True)
    return [], [*seen, corpus_label(training.corpus)]


def _cohorts(rows: Sequence[Mapping[str, Any]], assigned: str | None) -> list[str] | None:
    if assigned is None:
        return None
    of_speaker: dict[str, str] = json.loads(Path(assigned).read_text(encoding="utf-8"))
    return [of_speaker.get(row["speaker"] or "", OF_NOBODY) for row in rows]


def _keep(
    folder: Path, repaired: Repaired, repairing: Repairing, base: Path, target: list[str], log: list[Mapping[str, Any]]
) -> None:
    from earmark.bench.training import checkpoint

    before = checkpoint.config_of(base)
    model: Any = repaired.model
    checkpoint.write(
        folder,
        model.state_dict(),
        {
            **before,
            "model": model.config(),
            "base_sha256": before["sha256"],
            "repair": repairing.model_dump(mode="json", exclude={"base"}),
            "target": target,
            "steps": repairing.steps,
            "conditions": _conditions(repaired),
            "dev_metric": None,
            "dev_value": None,
            "best_step": None,
            "log": log,
        },
    )


def _conditions(repaired: Repaired) -> dict[str, Any] | None:
    """What a repaired model wants to be told of a speaker, by cohort, and where the cohort is hidden."""
    if repaired.conditions is None:
        return None
    sizes = {len(condition) for condition in repaired.conditions.values()}
    if len(sizes) != 1 or repaired.hidden is None or len(repaired.hidden) not in sizes:
        raise InputError(
            "its conditions differ in length, or there is none for unknown speakers", where="repair", fix="mend apply()"
        )
    by_cohort = {name: list(condition) for name, condition in repaired.conditions.items()}
    return {"size": sizes.pop(), "by_cohort": by_cohort, "hidden": list(repaired.hidden)}
