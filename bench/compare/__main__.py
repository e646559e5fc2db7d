"""``python -m earmark.bench.compare RUN:MODEL RUN:MODEL``: false alarms and power of comparisons, as a table.

The two sides are cells of the same recordings, as ``earmark compare`` takes them; the first alone is halved.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from earmark.bench import progress
from earmark.bench.api import InputError
from earmark.bench.compare import calibration
from earmark.bench.compare.matching import Side, match
from earmark.bench.compare.timing import Passes
from earmark.bench.compare.words import Heard, schemes_of
from earmark.bench.score.schemes import Scheme


def main(
    a: Annotated[str, typer.Argument(help="A recognizer's cell, as RUN:MODEL or RUN:CELL.")],
    b: Annotated[str, typer.Argument(help="Another on the same recordings.")],
    draws: Annotated[int, typer.Option(min=1, help="Draws of each kind.")] = 200,
    speakers: Annotated[int, typer.Option(min=10, help="Speakers of the planted worlds.")] = 40,
    gain: Annotated[float, typer.Option(help="Relative improvement that is planted.")] = 0.1,
    mended: Annotated[list[float], typer.Option(help="Share of errors mended.")] = [0.1, 0.3, 0.5],  # noqa: B006
    seed: Annotated[int, typer.Option(min=0)] = 0,
    results: Annotated[Path, typer.Option(metavar="DIR")] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """How often comparisons name what is not there, and find a planted improvement."""
    try:
        heard, schemes, timed = _read(results, a, b)
    except InputError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    rows: list[dict[str, Any]] = []
    for name, play in (("halves", calibration.halves_draws), ("swapped", calibration.swapped_draws)):
        with progress.shown(name, quiet=quiet) as advance:
            found = play(heard, schemes, n_draws=draws, seed=seed, advance=advance)
        rows.append({"test": name} | {field: getattr(found, field) for field in found.__slots__})
    if timed[0].typical:
        with progress.shown("timings", quiet=quiet) as advance:
            tally = calibration.timing_draws(timed, n_draws=draws, seed=seed, advance=advance)
        rows.append({"test": "timings"} | {field: getattr(tally, field) for field in tally.__slots__})
    for share in mended:
        with progress.shown(f"planted, {share:.0%} mended", quiet=quiet) as advance:
            power = partial(calibration.found_share, speakers, gain, share, n_draws=draws, seed=seed, advance=advance)
            rows.append({"test": "planted", "gain": gain, "speakers": speakers, "mended": share, "found": power()})
    typer.echo(json.dumps(rows, indent=1) if as_json else "\n".join(map(_line, rows)))


def _read(results: Path, a: str, b: str) -> tuple[Heard, list[Scheme], list[Passes]]:
    sides = Side.read(results, a), Side.read(results, b)
    pair = match(*sides).pairs[0]
    folders = sides[0].folder.observations(pair.a.cell), sides[1].folder.observations(pair.b.cell)
    wanted = sides[0].planned[pair.a.cell].cohorts
    normalizer = sides[0].run.normalizer
    timed = [Passes.read(cell, folder, normalizer) for cell, folder in zip((pair.a, pair.b), folders, strict=True)]
    return Heard.read(*folders, normalizer), schemes_of(wanted, *folders), timed


def _line(row: dict[str, Any]) -> str:
    if row["test"] == "planted":
        world = f"{row['gain']:.0%} relative gain, {row['speakers']} speakers, {row['mended']:.0%} of errors mended"
        return f"planted  {world}: found in {row['found']:.1%}"
    shares = row["n_below"] / row["n_tests"], row["n_flagged"] / row["n_tests"], row["n_draws_flagged"] / row["n_draws"]
    return (
        f"{row['test']:8} {row['n_draws']} draws, {row['n_tests']} metrics tested: {shares[0]:.1%} by themselves, "
        f"{shares[1]:.1%} flagged, in {shares[2]:.1%} of draws any"
    )


if __name__ == "__main__":
    typer.run(main)
