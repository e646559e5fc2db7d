"""What people noted about points in history: ``annotations.toml`` of a results folder.

```toml
[[annotation]]
run = "20260105T000000Z"        # or commit = "c1dc3cf", or at = 2026-01-05T02:00:00Z
note = "numbers are spelled out in the references"
plugin = "rnnt"                 # with suite and metric: what it is about, everything where left out
expected = true                 # no regression
```
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from earmark.bench.api import InputError

FILE = "annotations.toml"


class Annotation(BaseModel):
    """A remark about the first run after a step, about a commit or a moment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note: str = Field(min_length=1)
    run: str | None = Field(default=None, min_length=8)
    """A run's id or its beginning."""
    commit: str | None = Field(default=None, min_length=7)
    """The beginning of a commit's hash."""
    at: datetime | None = None
    suite: str | None = None
    plugin: str | None = None
    metric: str | None = None
    expected: bool = False
    """Whether the step is no regression: a better measurement, a harder corpus, an accepted cost."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> Annotation:
        if not (self.at or self.run or self.commit):
            raise ValueError("an annotation needs run, commit or at")
        return self

    def about(self, run_id: str, commit: str | None, *, suite: str, plugin: str, metric: str) -> bool:
        """Whether it names this run, or its commit, and nothing else than this suite, model and metric."""
        named = (self.run and run_id.startswith(self.run)) or (self.commit and (commit or "").startswith(self.commit))
        of = ((self.suite, suite), (self.plugin, plugin), (self.metric, metric))
        return bool(named) and all(own in (None, other) for own, other in of)


def read_annotations(results: Path) -> tuple[Annotation, ...]:
    """The annotations of a results folder in the order of the file; none where there is no file.

    Raises:
        InputError: the file is no TOML, or an annotation has an unknown, missing or wrong field.
    """
    path = results / FILE
    if not path.is_file():
        return ()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        surplus = sorted(data.keys() - {"annotation"})
        if surplus:
            raise InputError(f"unknown table {surplus[0]!r}", where=str(path), fix="write [[annotation]] tables")
        return tuple(Annotation.model_validate(one) for one in data.get("annotation", []))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"no TOML: {error}", where=str(path), fix="mend it") from error
    except ValidationError as error:
        first = error.errors()[0]
        told = ": ".join(filter(None, [".".join(map(str, first["loc"])), first["msg"].lower()]))
        fix = "an annotation has note, one of run, commit and at, and perhaps suite, plugin, metric, expected"
        raise InputError(told, where=str(path), fix=fix) from error
