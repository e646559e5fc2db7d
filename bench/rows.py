"""The rows of the result tables: pydantic models, checked at write and published as JSON Schema in ``docs/schema``.

Field by field in words: ``docs/results.md``. ``SCHEMA_VERSION`` grows with every change of meaning; ``store`` then
gets one ``upgrade_to_N``, and an old committed file stays as its test.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Status = Literal["ok", "insufficient", "unbounded", "failed", "timeout", "out_of_memory", "unsupported"]
Unit = Literal[
    "utterances", "words", "speakers", "trials", "streams", "chunks", "turns", "conversations", "cohorts", "draws"
]


def _digits12(value: float) -> float:
    """Floats are kept to 12 significant digits, so that a table reads the same wherever it was computed."""
    if not math.isfinite(value):
        raise ValueError("NaN and infinity are never written")
    return float(f"{value:.12g}")


Number = Annotated[float, AfterValidator(_digits12)]


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def line(self) -> str:
        """The row as one line of compact JSON, keys in the order of the fields."""
        return self.model_dump_json()


class Cell(Row):
    """What was measured: one model under one set of circumstances."""

    schema_version: int = SCHEMA_VERSION
    cell: str = Field(pattern=r"^[\w-]+$")
    train_key: str
    kind: Literal["measured", "reported"] = "measured"
    task: Literal["recognition", "conversation", "verification", "finding"]
    plugin: str
    preset: str
    options: dict[str, Any] = Field(default_factory=dict)
    train_corpus: str | None = None
    steps: int | None = None
    labels: Literal["human", "machine"] = "human"
    corpus: str
    corpus_fingerprint: str
    split: str
    condition: str
    seed: int
    device: str
    backend: str = "eager"
    precision: str = "fp32"
    threads: int
    chunk_ms: int | None
    pacing: Literal["virtual", "real", "offline"]
    passes: int
    mitigation: str | None = None
    cohort_input: Literal["none", "known", "hidden"] = "none"
    finder: str | None = None
    scheme: str | None = None
    scheme_digest: str | None = None
    status: Status
    reason: str | None = None
    flags: list[str] = Field(default_factory=list)


class Measurement(Row):
    """One number of one cell and cohort, with what it takes to doubt it."""

    cell: str
    scheme: str = "all"
    cohort: str = "all"
    metric: str
    value: Number | None = None
    unit: str
    better: Literal["lower", "higher", "none"]
    numerator: Number | None = None
    denominator: Number | None = None
    n: int | None = None
    n_unit: Unit | None = None
    n_speakers: int | None = None
    coverage: Number | None = None
    ci_low: Number | None = None
    ci_high: Number | None = None
    ci_level: Number | None = None
    ci_method: str | None = None
    null_q95: Number | None = None
    detectable: Number | None = None
    normalizer: str | None = None
    status: Status = "ok"
    reason: str | None = None
    flags: list[str] = Field(default_factory=list)

    def model_post_init(self, _context: Any) -> None:
        """A value stands beside ``ok``, may stand beside ``insufficient``, and beside nothing else."""
        allowed = ("ok", "insufficient") if self.value is not None else tuple(get_args(Status))[1:]
        if self.status not in allowed:
            raise ValueError(f"{self.metric}: value {self.value} with status {self.status}")


class PluginInfo(Row):
    origin: str
    version: str
    digest: str
    license: str
    trained_on: list[str] = Field(default_factory=list)


class CorpusInfo(Row):
    fingerprint: str
    revision: str | None
    license: str
    n_utterances: int
    n_speakers: int
    speakers_digest_by_split: dict[str, str]
    speakers_by_split: dict[str, list[str]] = Field(default_factory=dict)
    """A digest of each speaker's name, so that anybody can see that splits share none."""
    recordings_by_split: dict[str, int] = Field(default_factory=dict)
    flags: list[str] = Field(default_factory=list)


class Host(Row):
    id: str
    cpu_model: str
    n_cpus: int
    memory_mib: int
    gpu_model: str | None = None
    driver: str | None = None
    cuda: str | None = None


class Environment(Row):
    threads: int
    governor: str | None
    affinity: list[int]
    load_start: Number
    load_end: Number | None = None
    steal_fraction: Number | None = None


class Run(Row):
    """``run.json``: where, when and with what a run was made."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    suite: str
    suite_digest: str
    plan_digest: str
    normalizer: str
    reuses_quality: bool = False
    started_at: str
    finished_at: str | None = None
    complete: bool = False
    earmark_version: str
    git_sha: str | None
    git_dirty: bool | None
    python: str
    platform: str
    packages: dict[str, str]
    plugins: dict[str, PluginInfo]
    host: Host
    environment: Environment
    corpora: dict[str, CorpusInfo]
    checkpoints: dict[str, Any] = Field(default_factory=dict)
    cohort_schemes: dict[str, Any] = Field(default_factory=dict)
    command: list[str]
    scored_by: str | None = None
    """Digest of the code that computed the measurements."""
    files: dict[str, str] = Field(default_factory=dict)
