"""What people noted about a point in history: ``results/annotations.toml``.

```toml
[[note]]
at = 2026-11-25T02:00:00Z       # or run = "20261125T010305Z-003596-c1dc3cf", or commit = "c1dc3cf"
text = "the silence at the ends is cut"
suite = "quick"                 # these three are optional, and say what it is about
plugin = "rnnt"
metric = "wer"
```
"""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from earmark.bench.api import InputError

FILE = "annotations.toml"


class Note(BaseModel):
    """One note, and what it is about; fields that are left out mean everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    at: datetime | None = None
    run: str | None = None
    commit: str | None = None
    suite: str | None = None
    plugin: str | None = None
    metric: str | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Note:
        if not (self.at or self.run or self.commit):
            raise ValueError("a note needs at, run or commit")
        return self


def read_notes(results: Path) -> list[dict[str, Any]]:
    """The notes in the order of the file; none where there is no file.

    Raises:
        InputError: the file is no TOML, or a note has an unknown or missing field.
    """
    path = results / FILE
    if not path.is_file():
        return []
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("note", [])
        return [Note.model_validate(row).model_dump(mode="json") for row in rows]
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        said = error.errors()[0] if isinstance(error, ValidationError) else None
        what = f"{'.'.join(map(str, said['loc'])) or 'note'}: {said['msg']}" if said else str(error)
        raise InputError(what, where=str(path), fix="a note is [[note]] with text and at, run or commit") from error
