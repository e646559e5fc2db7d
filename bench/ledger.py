"""What is written about a run as a whole: ``run.json`` as it is opened, grows and is finished."""

from __future__ import annotations

import platform
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from earmark import __version__
from earmark.bench import preflight, provenance, rows, store
from earmark.bench.api import FairnessSpec
from earmark.bench.corpora.cache import cache_dir
from earmark.bench.corpora.seen import speaker_digest
from earmark.bench.executors.local import Ended
from earmark.bench.planning import Planned, digest
from earmark.bench.preflight import Prepared

_ABSOLUTE = re.compile(r"(?<![\w.])(?:~|/)[^\s,=\"']*/[^\s,=\"']+")


def open_run(prepared: Prepared) -> tuple[store.RunFolder, rows.Run]:
    started, host, code = datetime.now(UTC), provenance.host(), provenance.code()
    name = store.run_id(started, host.id, code.sha, code.dirty)
    folder = store.new_folder(prepared.request.results, prepared.suite.name, name)
    run = rows.Run(
        run_id=folder.run_id,
        suite=prepared.suite.name,
        suite_digest=digest(prepared.plan.to_json()["suite"]),
        plan_digest=prepared.digest,
        normalizer=prepared.suite.normalizer,
        reuses_quality=prepared.request.new,
        started_at=started.isoformat(timespec="seconds"),
        earmark_version=__version__,
        git_sha=code.sha,
        git_dirty=code.dirty,
        python=platform.python_version(),
        platform=platform.platform(),
        packages=provenance.packages(),
        plugins={name: _plugin_info(prepared, name) for name in prepared.plugins},
        host=host,
        environment=provenance.environment(max(cell.threads for cell in prepared.cells)),
        corpora=_corpora(prepared),
        command=list(prepared.request.command),
    )
    folder.write_plan(prepared.plan)
    folder.write_run(run)
    return folder, run


def _plugin_info(prepared: Prepared, name: str) -> rows.PluginInfo:
    plugin = prepared.plugins[name]
    return rows.PluginInfo(
        origin=plugin.origin if plugin.version != "file" else "file",
        version=plugin.version,
        digest=prepared.plugin_digests[name],
        license="" if isinstance(plugin.spec, FairnessSpec) else plugin.spec.license,
    )


def _corpora(prepared: Prepared) -> dict[str, rows.CorpusInfo]:
    """Corpora by name; where two have one name, the later by its fingerprint as well."""
    found: dict[str, rows.CorpusInfo] = {}
    for asked, corpus in prepared.corpora.items():
        name = f"{corpus.name}@{corpus.fingerprint[:8]}" if corpus.name in found else corpus.name
        found[name] = _corpus_info(prepared, asked)
    return found


def _corpus_info(prepared: Prepared, name: str) -> rows.CorpusInfo:
    corpus = prepared.corpora[name]
    speakers = preflight.by_split(corpus)
    return rows.CorpusInfo(
        fingerprint=corpus.fingerprint,
        revision=corpus.revision,
        license=corpus.license,
        n_utterances=len(corpus.rows),
        n_speakers=len({speaker for names in speakers.values() for speaker in names}),
        speakers_digest_by_split={split: digest(list(names)) for split, names in speakers.items()},
        speakers_by_split={split: sorted(map(speaker_digest, names)) for split, names in speakers.items()},
        recordings_by_split=dict(preflight.recordings_by_split(corpus)),
        flags=list(corpus.flags),
    )


def with_trained_on(run: rows.Run, plugin: str, ended: Ended) -> rows.Run:
    """What a model was trained on is known once it has been built."""
    if not ended.trained_on:
        return run
    info = run.plugins[plugin].model_copy(update={"trained_on": list(ended.trained_on)})
    return run.model_copy(update={"plugins": {**run.plugins, plugin: info}})


def finished(run: rows.Run, folder: store.RunFolder, before: tuple[int, int]) -> rows.Run:
    stolen, total = (now - then for now, then in zip(provenance.cpu_times(), before, strict=True))
    state: dict[str, Any] = {
        "load_end": provenance.environment(run.environment.threads).load_start,
        "steal_fraction": round(stolen / total, 6) if total > 0 else None,
    }
    return run.model_copy(
        update={
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "complete": True,
            "environment": run.environment.model_copy(update=state),
            "scored_by": provenance.scoring_digest(),
            "files": folder.file_digests(),
        }
    )


def without_paths(text: str, prepared: Prepared, cell: Planned) -> str:
    """A reason without the folders of this machine: tables are published."""
    asked = prepared.corpus_of(cell)[0]
    private = [asked, Path(asked).absolute(), cache_dir(), prepared.request.results.absolute(), Path.cwd(), Path.home()]
    for folder in sorted({str(path) for path in private if len(str(path)) > 1}, key=len, reverse=True):
        text = text.replace(f"{folder}/", "")
    return text


def command_line() -> tuple[str, ...]:
    """The command as it was typed; of absolute paths only the last part, since tables are published."""
    return ("earmark", *(_ABSOLUTE.sub(lambda found: Path(found.group()).name, part) for part in sys.argv[1:]))
