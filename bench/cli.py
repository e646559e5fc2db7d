"""The command line: argument parsing only. What a command does is imported when it runs, so that ``--help`` is instant.

Exit codes: 0 done, 1 something planned did not succeed, 2 bad input (one line says what, where and how to mend it).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from earmark import __version__

app = typer.Typer(
    name="earmark",
    help="Speech systems measured for accuracy, speed and fairness at once.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
corpus_app = typer.Typer(help="Corpora: prepare and describe them.", no_args_is_help=True, rich_markup_mode=None)
cache_app = typer.Typer(help="What earmark keeps and can make again.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(corpus_app, name="corpus")
app.add_typer(cache_app, name="cache")

Results = Annotated[Path, typer.Option(help="Folder of the result tables.", metavar="DIR")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
PluginFiles = Annotated[list[Path], typer.Option("--plugin", help="A plugin in a file of its own.", metavar="FILE.py")]
Which = Annotated[str, typer.Argument(help="Run id, its beginning, a path, or 'latest'.")]
DEFAULT_RESULTS = Path("results")


@app.command()
def run(
    suite: Annotated[str, typer.Argument(help="Name of a suite, or the path of a suite file.")],
    corpus: Annotated[str | None, typer.Option(help="Measure on this corpus instead: a name or a folder.")] = None,
    plugins: Annotated[str | None, typer.Option(help="Measure these models instead.", metavar="A,B")] = None,
    plugin: PluginFiles = [],  # noqa: B006
    seeds: Annotated[str | None, typer.Option(metavar="0,1,2")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...", metavar="A,B")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most this many recordings a cell; 0: all.")] = None,
    set_: Annotated[
        list[str], typer.Option("--set", help="Override a suite key, e.g. passes=1.", metavar="KEY=VALUE")
    ] = [],  # noqa: B006
    new: Annotated[bool, typer.Option("--new", help="A new run: timings afresh, quality reused and flagged.")] = False,
    real_time: Annotated[bool, typer.Option("--real-time", help="Feed in real time instead of replaying.")] = False,
    results: Results = DEFAULT_RESULTS,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Run a suite: observe, score, store the tables and build the page."""
    from earmark.bench import board, ledger
    from earmark.bench import run as runner
    from earmark.bench.preflight import Request

    request = Request(
        suite=suite, corpus=corpus, plugins=_names(plugins), plugin_files=tuple(plugin), seeds=_numbers(seeds),
        device=_names(device), limit=limit, overrides=tuple(set_), results=results, new=new, real_time=real_time,
        quiet=quiet, command=ledger.command_line(),
    )  # fmt: skip
    outcome = runner.run_suite(request, say=_note)
    page = results / "board" / "index.html"
    if outcome.measured or not page.is_file():
        board.build_board(results, page)
    _note(f"tables: {outcome.folder.path}")
    _note(f"page:   {page}")
    raise typer.Exit(outcome.exit_code)


@app.command()
def nightly(
    suite: Annotated[str, typer.Argument(help="Name of a suite, or the path of a suite file.")] = "nightly",
    accept: Annotated[
        str | None, typer.Option(help="Run nothing: let this night count as good.", metavar="RUN")
    ] = None,
    device: Annotated[str | None, typer.Option(help="What is there by default.", metavar="A,B")] = None,
    plugin: PluginFiles = [],  # noqa: B006
    set_: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE")] = [],  # noqa: B006
    tolerance: Annotated[float, typer.Option(min=0.0, help="Slower by this share is not named.")] = 0.25,
    trend: Annotated[str, typer.Option(help="What asv is told: none, stored or all.")] = "stored",
    keep: Annotated[int, typer.Option(min=1, help="Nights whose observations are kept.")] = 14,
    results: Results = DEFAULT_RESULTS,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """One unattended night: run anew, compare with the last good night, say on one screen what got worse."""
    from earmark.bench import ledger
    from earmark.bench import nightly as nights

    if accept is not None:
        _note(f"{nights.accept(results, suite, accept).run_id} counts as good from now on")
        return
    wish = nights.wish(
        suite, device=_names(device), plugin_files=tuple(plugin), overrides=tuple(set_), results=results, quiet=quiet,
        command=ledger.command_line(), tolerance=tolerance, feed=trend, keep=keep,
    )  # fmt: skip
    report = nights.night(wish, _note)
    _print_json(report.to_json()) if as_json else print(report.text)
    raise typer.Exit(report.exit_code)


@app.command("list")
def list_(plugin: PluginFiles = [], as_json: AsJson = False) -> None:  # noqa: B006
    """What there is: models, fairness methods, corpora and suites."""
    from earmark.bench import listing, registry

    found = registry.scan(tuple(plugin))
    _print_json(listing.as_json(found)) if as_json else _lines(listing.as_text(found))


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="Name of a plugin.")],
    plugin: PluginFiles = [],  # noqa: B006
    preset: Annotated[str | None, typer.Option(help="Size to build; the first by default.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    audio: Annotated[Path | None, typer.Option(help="Speech to test with, instead of made-up speech.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Run the long checks whole, however long they take.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check that a plugin keeps every promise of the contract."""
    from earmark.bench import checking

    raise typer.Exit(
        checking.check(name, files=tuple(plugin), preset=preset, device=device, audio=audio, full=full, as_json=as_json)
    )


@app.command()
def plan(
    suite: Annotated[str, typer.Argument(help="Name of a suite, or the path of a suite file.")],
    corpus: Annotated[str | None, typer.Option(help="Plan for this corpus instead.")] = None,
    plugins: Annotated[str | None, typer.Option(metavar="A,B")] = None,
    plugin: PluginFiles = [],  # noqa: B006
    set_: Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE")] = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """The cells of a suite and what they cost; runs nothing."""
    from earmark.bench import listing, preflight

    request = preflight.Request(
        suite, corpus, plugins=_names(plugins), plugin_files=tuple(plugin), overrides=tuple(set_)
    )
    prepared = preflight.prepare(request)
    if as_json:
        _print_json(prepared.plan.to_json())
    else:
        _lines(listing.plan_text(prepared, preflight.estimate(prepared)))


@app.command()
def show(run: Which = "latest", results: Results = DEFAULT_RESULTS, as_json: AsJson = False) -> None:
    """The table of a run, in the terminal."""
    from earmark.bench import show as view

    view.show(results, run, as_json=as_json)


@app.command()
def errors(
    run: Which = "latest",
    cell: Annotated[str | None, typer.Option(help="Only this cell (its beginning will do).")] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many utterances and pairs.")] = 20,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """The worst utterances of a run, aligned, and the words that are confused most."""
    from earmark.bench import show as view

    view.errors(results, run, cell=cell, n=n, as_json=as_json)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="Run id, its beginning, a path, or 'latest'; :MODEL behind it names one.")],
    b: Annotated[str, typer.Argument(help="The run that is compared with it.")],
    metrics: Annotated[list[str], typer.Option("--metric", help="Only this metric.", metavar="NAME")] = [],  # noqa: B006
    alpha: Annotated[float, typer.Option(min=0.0, max=1.0, help="Chance of any false alarm.")] = 0.05,
    n: Annotated[int, typer.Option("-n", min=0, help="How many utterances that changed most.")] = 5,
    fail_on_regression: Annotated[bool, typer.Option("--fail-on-regression", help="Exit 1 if worse.")] = False,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """What changed from run A to run B: paired differences, their p values, cohorts, timings beyond the noise."""
    from earmark.bench import compare as comparing
    from earmark.bench import show as view

    found = comparing.compare(a, b, results=results, metrics=metrics, alpha=alpha, n_moved=n)
    _print_json(found.to_json()) if as_json else view.print_rendered(comparing.render(found))
    raise typer.Exit(1 if fail_on_regression and found.worse else 0)


@app.command()
def steps(
    metrics: Annotated[list[str], typer.Option("--metric", help="Only this metric.", metavar="NAME")] = [],  # noqa: B006
    suite: Annotated[str | None, typer.Option(help="Only runs of this suite.")] = None,
    threshold: Annotated[float, typer.Option(min=0.0, help="Smallest step, as a share.")] = 0.05,
    fail_on_regression: Annotated[
        bool, typer.Option("--fail-on-regression", help="Exit 1 if one ended worse.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Where figures changed their level over the stored runs; notes come from annotations.toml beside them."""
    from earmark.bench import steps as trends

    found = trends.history(results, metrics=metrics, threshold=threshold, suite=suite)
    _print_json([one.to_json() for one in found]) if as_json else _lines(trends.as_text(found))
    raise typer.Exit(1 if fail_on_regression and any(trends.standing(one) for one in found) else 0)


@app.command()
def validate(
    path: Annotated[str, typer.Argument(help="A run's folder or id, or a results folder: then every run.")] = "results",
    strict: Annotated[bool, typer.Option("--strict", help="Refuse what can't be checked whole.")] = False,
    results: Results = DEFAULT_RESULTS,
    as_json: AsJson = False,
) -> None:
    """Whether stored runs can be believed: hashes, provenance, plan, every score computed again."""
    from earmark.bench import validate as validating

    reports = validating.validate(validating.named(results, path), strict=strict)
    _print_json([r.to_json() for r in reports]) if as_json else _lines(line for r in reports for line in r.lines())
    raise typer.Exit(0 if all(report.ok for report in reports) else 1)


@app.command()
def score(
    run: Which = "latest",
    normalizer: Annotated[str | None, typer.Option(help="Score by this text normalizer from now on.")] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Score a finished run again from its observations; needs no model."""
    from earmark.bench import query
    from earmark.bench import score as scoring
    from earmark.bench.store import RunFolder

    folder = RunFolder(query.find_run(results, run))
    before = (folder.path / "measurements.jsonl").read_bytes() if folder.path.is_dir() else b""
    n = scoring.score_run(folder, normalizer)
    same = (folder.path / "measurements.jsonl").read_bytes() == before
    _note(f"{n} measurements, {'byte for byte as before' if same else 'changed'}: {folder.path}")


@app.command()
def export(
    run: Which = "latest",
    out: Annotated[Path, typer.Option("--out", "-o", help="File (csv, parquet) or folder (field formats).")] = Path(
        "export.csv"
    ),
    format_: Annotated[
        str, typer.Option("--format", help="csv, parquet, ctm, stm, trn, rttm, seglst or trials.")
    ] = "csv",
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Results as one flat table, or in the formats of other tools."""
    from earmark.bench import export as exporting

    _lines(f"wrote {path}" for path in exporting.export(results, run, out, format_))


@app.command()
def board(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page; results/board/index.html by default.")
    ] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Build the page from the tables; it works offline."""
    from earmark.bench import board as boards

    _note(f"page: {boards.build_board(results, out or results / 'board' / 'index.html')}")


@app.command()
def transcribe(
    model: Annotated[str, typer.Argument(help="Name of a recognizer.")],
    file: Annotated[str, typer.Argument(help="A sound file, or - for standard input.")],
    plugin: PluginFiles = [],  # noqa: B006
    preset: Annotated[str | None, typer.Option(help="Size to build.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    chunk_ms: Annotated[int, typer.Option(min=10, help="Audio given at a time.")] = 120,
    real_time: Annotated[bool, typer.Option("--real-time", help="As if it were being spoken now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Stream a recording through a recognizer and show partials as they come; conversations in lanes."""
    from earmark.bench import registry
    from earmark.bench import transcribe as live

    found = registry.scan(tuple(plugin)).named(model, "model")
    heard = live.listen(found, file, preset=preset, device=device, chunk_ms=chunk_ms)
    live.show(heard, as_json=as_json, real_time=real_time)


@corpus_app.command("describe")
def corpus_describe(
    name: Annotated[str, typer.Argument(help="A corpus name or folder.")], as_json: AsJson = False
) -> None:
    """Hours, speakers, metadata coverage, splits and licence of a corpus."""
    from earmark.bench import listing

    described = listing.describe(name)
    _print_json(described.to_json()) if as_json else listing.print_description(described)


@corpus_app.command("prepare")
def corpus_prepare(name: Annotated[str, typer.Argument(help="A corpus name or folder.")]) -> None:
    """Make or check a corpus, so that a run can start at once."""
    from earmark.bench import listing

    corpus = listing.load(name)
    _note(f"{corpus.name}: {len(corpus.rows)} recordings, fingerprint {corpus.fingerprint}")


@cache_app.command("ls")
def cache_ls(as_json: AsJson = False) -> None:
    """What is kept, how large it is and when it was last used."""
    from earmark.bench import caching

    _print_json([entry.to_json() for entry in caching.entries()]) if as_json else _lines(caching.as_text())


@cache_app.command("prune")
def cache_prune(
    older_than_days: Annotated[float, typer.Option(min=0, help="Only what has not been used for so long.")] = 0.0,
) -> None:
    """Delete what can be made again."""
    from earmark.bench import caching

    _lines(caching.prune(older_than_days))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Whether this machine has what earmark needs, and what each plugin lacks."""
    from earmark.bench import listing

    found = listing.doctor()
    _print_json(found) if as_json else _lines(f"{key:20} {value}" for key, value in found.items())


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    del debug  # taken out of the arguments by ``main``; it stands here for ``--help``
    if version:
        print(f"earmark {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line and exit; whatever goes wrong is one line, unless ``--debug`` asks for more."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    try:
        code = typer.main.get_command(app)([a for a in arguments if a != "--debug"], standalone_mode=False)
    except Exception as error:
        if debug:
            raise
        sys.exit(_explain(error))
    except KeyboardInterrupt:
        _note("stopped; the same command continues where it was")
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> int:
    """Say in one line what went wrong; the exit code is 2 where the input is at fault."""
    from earmark.bench.api import InputError, Unsupported

    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has gone: no complaint at exit either
        return 1
    usage = getattr(error, "format_message", None)  # Typer's own errors, whichever click it stands on
    if usage is not None:
        _note(f"earmark: {usage()}; see earmark --help")
        return 2
    if isinstance(error, InputError | Unsupported):
        _note(f"earmark: {error}")
        return 2
    _note(f"earmark: unexpected {type(error).__name__}: {error}; --debug shows where")
    return 1


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def _numbers(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _names(text))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no list of whole numbers", param_hint="--seeds") from error
