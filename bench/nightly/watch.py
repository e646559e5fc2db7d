"""One night from end to end; killed anywhere, it goes on where it was when it is started again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args

from filelock import FileLock, Timeout

from earmark.bench import board, provenance
from earmark.bench import run as runner
from earmark.bench.api import InputError
from earmark.bench.nightly import keeping, records, trend
from earmark.bench.nightly.judging import Judged, confirmed, failures, judge
from earmark.bench.nightly.records import Finding, Night
from earmark.bench.nightly.text import screen
from earmark.bench.preflight import Request
from earmark.bench.registry import unknown
from earmark.bench.store import RunFolder, run_folders, write_text
from earmark.bench.suite import read_suite

Say = Callable[[str], None]
TOLERANCE = 0.25
N_WITNESSES = 3
"""Models that nobody doubts, measured beside those that are measured once more, to tell the drift by."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a night. ``request.device`` empty: the device that is there; ``feed``: what asv is told."""

    request: Request
    tolerance: float = TOLERANCE
    policy: keeping.Policy = field(default_factory=keeping.Policy)
    feed: trend.Feed = "stored"


def wish(suite: str, *, tolerance: float, feed: str, keep: int, **request: Any) -> Wish:
    """A wish as the command line takes it; ``keep`` is for how many nights observations are kept."""
    if feed not in get_args(trend.Feed):
        raise unknown("trend", feed, get_args(trend.Feed))
    return Wish(
        Request(suite, new=True, **request), tolerance, keeping.Policy(observations=keep), cast(trend.Feed, feed)
    )


@dataclass(frozen=True, slots=True)
class Report:
    """How a night ended: its record, the screen, and 0 where nothing got worse, else 1."""

    night: Night
    text: str

    @property
    def exit_code(self) -> int:
        return 0 if self.night.verdict == "good" else 1

    def to_json(self) -> dict[str, Any]:
        return self.night.model_dump(mode="json") | {"exit_code": self.exit_code}


def night(wish: Wish, say: Say) -> Report:
    """Run the suite anew, compare, remember, feed asv, build the page, tidy up.

    Raises:
        InputError: the suite can't be carried out as it stands, or another night is at work on it.
    """
    request = wish.request
    suite = read_suite(request.suite, request.overrides).name
    folder = records.folder_of(request.results, suite)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            return _locked(replace(wish, request=_on_what_is_there(request)), suite, say)
    except Timeout as error:
        raise InputError("another night is at work on it", where=str(folder), fix="wait for it to end") from error


def _on_what_is_there(request: Request) -> Request:
    if request.device:
        return replace(request, new=True)
    import torch

    return replace(request, device=("cuda",) if torch.cuda.is_available() else ("cpu",), new=True)


def _locked(wish: Wish, suite: str, say: Say) -> Report:
    log = keeping.log_of(wish.request.results, suite)

    def tell(line: str) -> None:
        say(line)
        log.info("%s", line)

    try:
        return _Night(wish, suite, tell).result()
    except BaseException as error:
        log.error("stopped: %s: %s", type(error).__name__, error)
        raise


class _Night:
    """A night while it goes on."""

    def __init__(self, wish: Wish, suite: str, say: Say) -> None:
        self.wish, self.suite, self.say = wish, suite, say
        self.results, self.started = wish.request.results, time.monotonic()
        self.notes: list[str] = []
        self.uncompared: list[Finding] = []

    def result(self) -> Report:
        record, folder = self._measured()
        baseline = records.last_good(records.read(self.results, self.suite), record)
        judged = self._judged(folder, baseline)
        findings = [*self.uncompared, *failures(folder.read_cells())]
        if judged is not None:
            failed = {finding.label for finding in findings}
            findings += [finding for finding in judged.findings if finding.label not in failed]
            findings += self._looked_at_again(judged, baseline, folder)
        self._surroundings(record)
        record = record.model_copy(
            update={
                "verdict": "worse" if findings else "good", "findings": findings, "notes": self.notes,
                "baseline": baseline.run_id if baseline else None,
            }
        )  # fmt: skip
        records.write(self.results, record)
        self._tidy()
        text = screen(record, baseline, judged, folder, minutes=(time.monotonic() - self.started) / 60)
        write_text(records.folder_of(self.results, self.suite) / f"{record.run_id}.txt", text + "\n")
        return Report(record, text)

    def _measured(self) -> tuple[Night, RunFolder]:
        """Tonight's run, or that of a night which was measured and not judged."""
        for night in records.read(self.results, self.suite):
            if night.verdict == "unjudged":
                self.say(f"run {night.run_id} was measured and not judged: judging it")
                return night, next(f for f in run_folders(self.results, self.suite) if f.run_id == night.run_id)
        outcome = runner.run_suite(self.wish.request, self.say)
        run = outcome.folder.read_run()
        record = Night(
            suite=self.suite, run_id=run.run_id, host=run.host.id, devices=list(self.wish.request.device),
            git_sha=run.git_sha,
        )  # fmt: skip
        records.write(self.results, record)
        return record, outcome.folder

    def _judged(self, folder: RunFolder, baseline: Night | None) -> Judged | None:
        if baseline is None:
            self.notes.append("there is no good night before this one: nothing to compare with")
            return None
        try:
            return judge(self.results, self._folder(baseline), folder, self.wish.tolerance)
        except InputError as error:  # another corpus or setting: nobody knows whether this night is a good one
            text = f"not compared with {baseline.run_id}: {error}"
            self.uncompared.append(Finding(label="the whole night", kind="uncompared", text=text))
            return None

    def _folder(self, night: Night) -> RunFolder:
        return next(folder for folder in run_folders(self.results, self.suite) if folder.run_id == night.run_id)

    def _busy(self, folder: RunFolder, judged: Judged) -> bool:
        """Whether other programs had the processors: then a clock proves nothing, which is noted."""
        run = folder.read_run()
        load = max(run.environment.load_start, run.environment.load_end or 0.0)
        if load <= run.host.n_cpus:
            return False
        where = f"a busy machine (load {load:.1f} on {run.host.n_cpus} processors)"
        self.notes.append(
            f"slower by the clock alone on {where}, which names nobody: {'; '.join(sorted(judged.doubts))}"
        )
        return True

    def _looked_at_again(self, judged: Judged, baseline: Night | None, folder: RunFolder) -> list[Finding]:
        """Measure the doubtful models once more, with some that nobody doubts beside them."""
        if not judged.doubts or baseline is None or self._busy(folder, judged):
            return []
        doubted = sorted({judged.plugin_of[label] for label in judged.doubts})
        others = sorted(
            {*judged.plugin_of.values()} - {*doubted, *(judged.plugin_of.get(f.label) for f in judged.findings)}
        )
        self.say(f"slower by the clock alone, so measured once more: {', '.join(doubted)}")
        again = replace(self.wish.request, plugins=(*doubted, *others[:N_WITNESSES]))
        measured = runner.run_suite(again, self.say).folder
        if self._busy(measured, judged):
            return []
        second = judge(self.results, self._folder(baseline), measured, self.wish.tolerance)
        found = confirmed(second, judged.doubts)
        once = sorted({*judged.doubts} - {finding.label for finding in found})
        if once:
            self.notes.append(f"slow once and not when measured again, {len(once)} cells: {'; '.join(once)}")
        return found

    def _surroundings(self, record: Night) -> None:
        """The trend and the page: what goes wrong there is told and costs no verdict on the models."""
        for what, work in (("asv", self._feed), ("page", self._page)):
            try:
                self.notes += work(record)
            except Exception as error:
                self.notes.append(f"{what}: {type(error).__name__}: {error}".splitlines()[0])

    def _feed(self, record: Night) -> list[str]:
        return trend.feed(self.results, record.git_sha, provenance.host().id, self.wish.feed, self.say)

    def _page(self, _record: Night) -> list[str]:
        board.build_board(self.results, self.results / "board" / "index.html")
        return []

    def _tidy(self) -> None:
        for line in keeping.prune(self.results, records.read(self.results, self.suite), self.wish.policy):
            self.say(line)
