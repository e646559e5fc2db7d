"""Suite files: TOML in, a validated suite out; ``planning`` makes cells of it.

The format is described in ``docs/suites.md``. An unknown key is an error that names the nearest known one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from earmark.bench.api import InputError
from earmark.bench.overriding import apply
from earmark.bench.references import check_references
from earmark.bench.registry import unknown

Pacing = Literal["virtual", "real"]
Milliseconds = Annotated[int, Field(ge=1)]
MetricGroup = Literal["wer", "turns", "eer", "latency", "compute", "gaps"]
BUILTIN = Path(__file__).parent / "suites"
"""Suites that ship with earmark."""


def _vocabulary(value: object) -> object:
    if value == "words" or (isinstance(value, int) and not isinstance(value, bool) and value >= 2):
        return value
    raise ValueError("give a number of pieces, 2 or more, or 'words'")


Vocabulary = Annotated[Annotated[int, Field(ge=2)] | Literal["words"], BeforeValidator(_vocabulary)]
PAIR_WITHIN = ["gender"]
"""Columns whose values the two speakers of a non-target verification trial share, where they are known."""


class Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Circumstances(Block):
    """Under which circumstances a cell is measured; ``[defaults]``, and overridable in each ``[[measure]]``."""

    device: list[str] = Field(["cpu"], min_length=1)
    threads: int = Field(1, ge=1)
    chunk_ms: list[Milliseconds] = Field([120], min_length=1)
    pacing: Pacing = "virtual"
    passes: int = Field(3, ge=1)
    timing_recordings: int | None = Field(None, ge=1)
    concurrent: bool = False
    condition: list[str] = Field(["clean"], min_length=1)
    timeout_minutes: float = Field(60.0, gt=0)
    memory_mib: int | None = Field(None, ge=256)


class Recipe(Block):
    """How the training loop goes about it; ``training.recipe`` says what each of these means."""

    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: int = Field(50, ge=0)
    clip: float = Field(5.0, gt=0)
    dev_every: int | None = Field(None, ge=1)
    threads: int = Field(2, ge=1)
    rates: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)


class Train(Block):
    id: str
    task: Literal["recognition", "conversation", "verification"]
    plugins: list[str] = Field(min_length=1)
    preset: str | None = None
    of: str | None = None
    corpus: str | None = None
    steps: int | None = Field(None, ge=1)
    vocabulary: Literal["corpus"] | None = None
    pieces: Vocabulary = 256
    voices: int = Field(0, ge=0)
    silence_s: float | None = Field(None, ge=0)
    mixtures: int | None = Field(None, ge=1)
    single_steps: int = Field(0, ge=0)
    exclude: dict[str, list[str]] = Field(default_factory=dict)
    recipe: Recipe = Recipe()  # type: ignore[call-arg]
    options: dict[str, Any] = Field(default_factory=dict, alias="with")

    @property
    def learns(self) -> bool:
        """Whether its models are checkpoints: trained here, or those of another block."""
        return self.corpus is not None or self.of is not None

    def base_plugin(self, name: str) -> str:
        """Of the models of this block, the one that model ``name`` goes on from: its own, else the only one."""
        return name if name in self.plugins else self.plugins[0]


class Reference(Block):
    train: str
    plugin: str


class Cohorts(Block):
    """Cohorts that a finder finds where ``reference`` errs, on speakers of their own."""

    id: str
    finder: str
    reference: Reference
    corpus: str | None = None
    embedder: str | None = None
    exclude: dict[str, list[str]] = Field(default_factory=dict)
    limit: int | None = Field(None, ge=0)
    options: dict[str, Any] = Field(default_factory=dict, alias="with")


class Target(Block):
    """Which cohorts are repaired: so many of the worst, as ranked on discover, or these."""

    worst: int = Field(1, ge=1)
    names: list[str] = []


class Repair(Block):
    """A trained model repaired, for some cohorts or, where none are named, for nobody in particular.

    ``choose`` names an option whose listed values are tried on select; ``watch`` metadata columns by whose values the
    losses of training are logged.
    """

    id: str
    of: str
    plugins: list[str] = Field(min_length=1)
    method: str
    cohorts: str | None = None
    target: Target = Target()  # type: ignore[call-arg]
    steps: int = Field(ge=1)
    recipe: Recipe = Recipe()  # type: ignore[call-arg]
    choose: str | None = None
    watch: list[str] = []
    cohort_input: list[Literal["none", "known", "hidden"]] = Field(["none"], min_length=1)
    options: dict[str, Any] = Field(default_factory=dict, alias="with")


class Measure(Block):
    of: list[str] = Field(min_length=1)
    corpus: list[str] = Field(min_length=1)
    split: Literal["train", "dev", "discover", "select", "measure"] = "measure"
    cohorts: list[str] = ["auto"]
    slices: list[str] = []
    metrics: list[MetricGroup] = ["wer", "turns", "eer", "latency", "compute", "gaps"]
    exclude: dict[str, list[str]] = Field(default_factory=dict)
    limit: int | None = Field(None, ge=0)
    pair_within: list[str] = PAIR_WITHIN
    seeds: list[int] | None = Field(None, min_length=1)
    device: list[str] | None = Field(None, min_length=1)
    threads: int | None = Field(None, ge=1)
    chunk_ms: list[Milliseconds] | None = Field(None, min_length=1)
    pacing: Pacing | None = None
    passes: int | None = Field(None, ge=1)
    timing_recordings: int | None = Field(None, ge=1)
    concurrent: bool | None = None
    condition: list[str] | None = Field(None, min_length=1)
    timeout_minutes: float | None = Field(None, gt=0)
    memory_mib: int | None = Field(None, ge=256)


class World(Block):
    """Cohort finders tried in worlds that are drawn without audio; ``worlds.world`` says what is drawn."""

    finders: list[str] = Field(min_length=1)
    planted: list[str] = []
    draws: int = Field(500, ge=1)
    null_draws: int = Field(200, ge=0)
    effect: float = Field(2.0, gt=0)
    share: float = Field(0.15, gt=0, lt=0.5)
    speakers: int = Field(200, ge=1)
    timeout_minutes: float = Field(60.0, gt=0)
    options: dict[str, Any] = Field(default_factory=dict, alias="with")


class Suite(Block):
    schema_: Literal[1] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: str = ""
    seeds: list[int] = Field([0], min_length=1)
    budget_minutes: float | None = Field(None, gt=0)
    normalizer: str = "basic-1"
    defaults: Circumstances = Circumstances()  # type: ignore[call-arg]
    train: list[Train] = Field(default_factory=list)
    cohorts: list[Cohorts] = Field(default_factory=list)
    repair: list[Repair] = Field(default_factory=list)
    measure: list[Measure] = Field(default_factory=list)
    world: list[World] = Field(default_factory=list)

    def corpora(self) -> tuple[str, ...]:
        """Every corpus that the suite names, in order."""
        named = [corpus for block in self.measure for corpus in block.corpus]
        named += [block.corpus for block in self.train if block.corpus]
        named += [block.corpus for block in self.cohorts if block.corpus]
        return tuple(dict.fromkeys(named))


# --- reading ------------------------------------------------------------------------------------------------------


def available() -> dict[str, Path]:
    """Suites that ship with earmark, by name."""
    return {path.stem: path for path in sorted(BUILTIN.glob("*.toml"))}


def read_suite(name_or_path: str, overrides: Sequence[str] = ()) -> Suite:
    """A suite by name or path, with ``key=value`` overrides (``passes=1``, ``measure.limit=20``) applied."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        shipped = available()
        if name_or_path not in shipped:
            raise unknown("suite", name_or_path, shipped)
        path = shipped[name_or_path]
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"can't be read: {error.strerror}", where=str(path), fix="give the path of a suite file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not TOML: {error}", where=str(path), fix="mend the line") from error
    for override in overrides:
        apply(data, override, of_measuring=Circumstances.model_fields)
    return parse_suite(data, where=str(path) if path.parent != BUILTIN else f"suite {path.stem}")


def parse_suite(data: Mapping[str, Any], where: str) -> Suite:
    """A suite from parsed TOML; an :class:`InputError` lists everything that is wrong, a line each."""
    try:
        suite = Suite.model_validate(data)
    except ValidationError as error:
        raise InputError("\n".join(_explain(error)), where=where) from error
    check_references(suite, where)
    return suite


def _explain(error: ValidationError) -> Iterator[str]:
    for item in error.errors():
        path = ".".join(str(part + 1 if isinstance(part, int) else part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = [*_keys_at(item["loc"][:-1]), *([] if item["loc"][:-1] else Circumstances.model_fields)]
            near = get_close_matches(str(item["loc"][-1]), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(_keys_at(item['loc'][:-1]))}"
            yield f"unknown key {path!r}; {hint}"
        else:
            yield f"{path}: {item['msg'].lower()} (got {item['input']!r})"


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    blocks: dict[str, type[BaseModel]] = {
        "defaults": Circumstances, "train": Train, "cohorts": Cohorts, "repair": Repair, "measure": Measure,
        "reference": Reference, "recipe": Recipe, "target": Target, "world": World,
    }  # fmt: skip
    named = [part for part in location if isinstance(part, str)]
    block = blocks[named[-1]] if named else Suite
    return [field.alias or name for name, field in block.model_fields.items()]
