"""``python -m earmark.bench.worlds region_tree --draws 500``: power and false alarms of cohort finders, as a table.

Each finder is tried in the worlds whose truth it could see by what its ``SPEC`` says it needs: places, areas or
voices. Each world has a null world of the same shape, where nothing matters, beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from earmark.bench import progress, registry
from earmark.bench.api import FairnessSpec, InputError, Unsupported
from earmark.bench.worlds.plan import NULL, seen_by
from earmark.bench.worlds.power import Fit, measure, random_groups, summarize
from earmark.bench.worlds.world import GROUPS, SPLITS, World

OF_A_TRUTH = ("power", "jaccard", "recall", "precision")
"""Columns that say nothing where nothing was planted."""
COLUMNS = (
    ("found", "two cohorts or more"), ("power", "the planted bottom cohort, flagged"),
    ("any_flagged", "some cohort flagged"), ("any_uncorrected", "some |T| > 1.96"),
    ("jaccard", "bottom and planted"), ("recall", ""), ("precision", ""),
)  # fmt: skip


def main(
    finders: Annotated[list[str], typer.Argument(help="Cohort finders by name; 'random' deals speakers to four.")],
    draws: Annotated[int, typer.Option(min=1, help="Draws of each planted world.")] = 500,
    null_draws: Annotated[int, typer.Option(min=0, help="Draws of the null world.")] = 200,
    effect: Annotated[float, typer.Option(min=0.01, help="Factor on the planted speakers' error rate.")] = 2.0,
    share: Annotated[float, typer.Option(help="Share of speakers in the planted group.")] = 0.15,
    speakers: Annotated[int, typer.Option(min=1, help="Speakers of each split.")] = 200,
    worlds: Annotated[str, typer.Option(help=f"Plant these instead, of {', '.join(GROUPS)}.", metavar="A,B")] = "",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    set_: Annotated[list[str], typer.Option("--set", help="Option of the finder.", metavar="KEY=VALUE")] = [],  # noqa: B006
    plugin: Annotated[list[Path], typer.Option("--plugin", help="A plugin in a file.", metavar="FILE.py")] = [],  # noqa: B006
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """How often cohort finders find what was planted, and what was not."""
    try:
        shape = World(share=share, n_speakers=dict.fromkeys(SPLITS, speakers))
        named = [name.strip() for name in worlds.split(",") if name.strip()]
        chosen = [(name, *_finder(name, _options(set_), tuple(plugin))) for name in finders]
        plans = [plan for name, fit, seen in chosen for plan in _plans(name, fit, named or seen, shape, effect)]
    except (InputError, Unsupported) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    rows = []
    for name, fit, truth, world in plans:
        n = draws if world.effects else null_draws
        if not n:
            continue
        label = truth if world.effects else NULL
        with progress.shown(f"{name}, {label}", quiet=quiet) as advance:
            outcomes = measure(fit, world, truth, n_draws=n, seed=seed, progress=advance)
        rows.append(summarize(outcomes, finder=name, world=label))
    typer.echo("\n".join(json.dumps(row) for row in rows) if as_json else table(rows))


def _finder(name: str, options: Mapping[str, Any], files: tuple[Path, ...]) -> tuple[Fit, list[str]]:
    """The ``fit`` of a finder, and the truths that it could see."""
    if name == "random":
        return random_groups, []
    spec = registry.scan(files).named(name, "fairness").spec
    assert isinstance(spec, FairnessSpec)
    seen = seen_by(spec)
    return registry.resolve(spec)(options=options).fit, seen


def _plans(
    name: str, fit: Fit, truths: Sequence[str], shape: World, effect: float
) -> Iterator[tuple[str, Fit, str, World]]:
    """A world for each truth, and one null world."""
    for truth in truths:
        yield name, fit, truth, shape.with_effects({truth: effect})
    yield name, fit, truths[0] if truths else "null", shape


def _options(pairs: Sequence[str]) -> dict[str, Any]:
    """``key=value`` with the value read as JSON, or as text where it is none."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise InputError(f"--set {pair!r} has no value", where="worlds", fix="write --set key=value")
        try:
            found[key] = json.loads(text)
        except json.JSONDecodeError:
            found[key] = text
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of :func:`summarize` as Markdown: percent with exact 95 % intervals."""
    head = ["finder", "planted", "draws", *(name for name, _ in COLUMNS)]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [_cell(row, name) for name, _ in COLUMNS]
        lines.append([row["finder"], row["world"], str(row["n_draws"]), *cells])
    legend = "; ".join(f"{name}: {meaning}" for name, meaning in COLUMNS if meaning)
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", f"percent of draws; {legend}"])


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row[name]
    if value is None or (row["world"] == NULL and name in OF_A_TRUTH):
        return "–"
    if f"{name}_low" not in row:
        return f"{value:.2f}"
    return f"{100 * value:.1f} [{100 * row[f'{name}_low']:.1f}, {100 * row[f'{name}_high']:.1f}]"


if __name__ == "__main__":
    typer.run(main)
