"""`earmark check NAME`: runs the contract's promises over one plugin and shows each as it is decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from earmark.bench import contract, registry
from earmark.bench.api import InputError

if TYPE_CHECKING:
    from earmark.bench.api import Samples

MARKS = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}


def check(
    name: str,
    *,
    files: tuple[Path, ...],
    preset: str | None,
    device: str,
    audio: Path | None,
    full: bool,
    as_json: bool,
) -> int:
    """Check a plugin and print the verdicts; the exit code is 1 where a promise is broken."""
    plugin = _named(name, registry.scan(files))
    speech = _speech(audio) if audio else None
    verdicts = []
    checks = contract.iter_checks(plugin, preset=preset, device=device, full=full, audio=speech)
    for verdict in checks:
        verdicts.append(verdict)
        if not as_json:
            detail = f": {verdict.detail}" if verdict.detail else ""
            print(f"{MARKS[verdict.status]} {verdict.promise} ({verdict.seconds:.1f} s){detail}", flush=True)
    failed = [verdict.promise for verdict in verdicts if verdict.status == "failed"]
    if as_json:
        print(json.dumps({"plugin": name, "passed": not failed, "verdicts": contract.to_json(verdicts)}, indent=1))
    else:
        n_kept = sum(verdict.status == "passed" for verdict in verdicts)
        print(f"{name}: breaks {', '.join(failed)}" if failed else f"{name}: keeps its promises ({n_kept} checked)")
    return int(bool(failed))


def _named(name: str, found: registry.Found) -> registry.Plugin:
    """A model or a fairness method of that name."""
    kinds = {plugin.kind for plugin in found.plugins if plugin.spec.name == name}
    return found.named(name, "fairness" if kinds == {"fairness"} else "model")


def _speech(path: Path) -> Samples:
    from earmark.bench.corpora.audio import decode

    if not path.is_file():
        raise InputError("no such file", where=str(path), fix="give --audio a WAV or FLAC file")
    return decode({"id": str(path), "audio": {"path": str(path), "bytes": None}})
