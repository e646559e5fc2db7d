"""A folder with ``manifest.jsonl`` is a corpus.

Every bad line is reported, with its number and how to mend it, before anything runs. ``docs/corpora.md`` describes
the format.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from earmark.bench.api import Corpus, InputError
from earmark.bench.corpora import splits
from earmark.bench.corpora.files import AudioFacts, Report, fingerprint, inspect_all
from earmark.bench.corpora.parse import Draft, Problem, check_times, parse_line
from earmark.bench.corpora.schema import Row, complete, metadata, speakers_of, to_dataset
from earmark.bench.corpora.settings import Settings, read_settings
from earmark.bench.corpora.sidecar import read_sidecar
from earmark.bench.corpora.trial_lists import with_folder_list

MANIFEST = "manifest.jsonl"
SHOWN = 20
"""Problems that an error lists; it counts the rest."""
FEW_SPEAKERS = 10
"""With fewer speakers in measure no cohort can be reported: the floor of ``insufficient``."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A manifest that was read: the rows that are whole, the facts of their audio by id, and what is wrong."""

    rows: list[Row]
    facts: dict[str, AudioFacts]
    problems: list[Problem]
    n_lines: int


def load_manifest(folder: Path, *, cache: Path, progress: Report) -> Corpus:
    """The corpus in ``folder``; an InputError lists what is wrong with it, line by line."""
    settings = read_settings(folder)
    checked = check(folder, settings, cache=cache, progress=progress)
    raise_problems(checked.problems, folder / MANIFEST, checked.n_lines)
    digests = {name: facts.sha256 for name, facts in checked.facts.items()}
    corpus = Corpus(
        name=settings.name,
        rows=to_dataset(checked.rows),
        fingerprint=fingerprint(checked.rows, digests),
        license=settings.license or _licenses(checked.rows),
        source=settings.source or folder.name,
        revision=settings.revision,
        flags=flags_of(checked.rows),
    )
    return with_folder_list(corpus, folder)


def validate(folder: Path, *, cache: Path, progress: Report, deep: bool = False) -> list[Problem]:
    """Everything that is wrong with a corpus folder; ``deep`` decodes every file, to find NaN and cut-off audio."""
    checked = check(folder, read_settings(folder), cache=cache, progress=progress)
    return [*checked.problems, *(check_audio(checked.rows, progress=progress) if deep else [])]


def check(folder: Path, settings: Settings, *, cache: Path, progress: Report) -> Checked:
    """Read and check a manifest without decoding audio; ``rows`` leaves out lines with problems."""
    drafts = _drafts(folder)
    sidecar = read_sidecar(folder)
    for draft in drafts:
        sidecar.fill(draft)
    _check_ids(drafts)
    facts = _check_audio_files(drafts, folder.resolve(), cache, progress)
    if not settings.divides:
        _check_splits(drafts)
    good = [draft for draft in drafts if not draft.problems]
    problems = [*(problem for draft in drafts for problem in draft.problems), *sidecar.problems]
    return Checked(_rows(good, folder.resolve(), facts, settings), facts, problems, len(drafts))


def raise_problems(problems: list[Problem], path: Path, n_lines: int) -> None:
    """Raise one InputError that lists the first problems and counts all; nothing to raise where there is none."""
    if not problems:
        return
    if len(problems) == 1:
        raise InputError(problems[0].what, where=f"{path}, {problems[0].where}", fix=problems[0].fix)
    lines = [f"  {problem}" for problem in problems[:SHOWN]]
    if len(problems) > SHOWN:
        lines.append(f"  and {len(problems) - SHOWN} more")
    count = f"{len(problems)} problems in {n_lines} lines"
    raise InputError("\n".join([count, *lines]), where=str(path))


def check_audio(rows: list[Row], *, progress: Report) -> list[Problem]:
    """Decode every row; the problems of those that cannot be used."""
    from earmark.bench.corpora.audio import decode

    problems = []
    for index, row in enumerate(rows):
        progress(index, len(rows), "decoding audio")
        try:
            decode(row)
        except InputError as error:
            problems.append(Problem(error.where, error.what, error.fix))
    progress(len(rows), len(rows), "decoding audio")
    return problems


def flags_of(rows: list[Row]) -> tuple[str, ...]:
    """Remarks on what a corpus cannot carry: ``no_speakers`` or ``few_speakers`` in measure."""
    if not any(speakers_of(row) for row in rows):
        return ("no_speakers",)
    measuring = {name for row in rows if row["split"] == "measure" for name in speakers_of(row)}
    return ("few_speakers",) if len(measuring) < FEW_SPEAKERS else ()


def _licenses(rows: list[Row]) -> str:
    return " and ".join(sorted({metadata(row).get("license", "") for row in rows} - {""}))


def _drafts(folder: Path) -> list[Draft]:
    path = folder / MANIFEST
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        fix = f"a corpus folder holds {MANIFEST}, one JSON object a line"
        raise InputError(f"cannot read the manifest ({error.strerror})", where=str(path), fix=fix) from error
    drafts = [parse_line(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not drafts:
        raise InputError("the manifest is empty", where=str(path), fix="write one JSON object a line")
    return drafts


def _check_ids(drafts: list[Draft]) -> None:
    first: dict[str, int] = {}
    for draft in drafts:
        name = draft.values.get("id")
        if name is not None and first.setdefault(name, draft.line) != draft.line:
            draft.complain(f"the id stands in line {first[name]} already", "give every line an id of its own")


def _check_audio_files(drafts: list[Draft], folder: Path, cache: Path, progress: Report) -> dict[str, AudioFacts]:
    """Facts by id. Drafts of missing, empty and foreign files, and with times outside them, get their complaints."""
    with_audio = [draft for draft in drafts if "audio" in draft.values]
    paths = list(dict.fromkeys(folder / draft.values["audio"] for draft in with_audio))
    found = inspect_all([path for path in paths if path.is_file()], folder=folder, cache=cache, progress=progress)
    facts: dict[str, AudioFacts] = {}
    for draft in with_audio:
        fact = found.get(folder / draft.values["audio"])
        if fact is None:
            draft.complain(f"no file {draft.values['audio']!r}", "correct `audio`, or delete the line")
        elif isinstance(fact, str):
            draft.complain(fact, "replace it by a sound WAV or FLAC file, or delete the line")
        elif fact.n_frames == 0:
            draft.complain(f"{draft.values['audio']!r} has no samples", "record it again, or delete the line")
        else:
            check_times(draft, fact.duration_s)
            if "id" in draft.values:
                facts.setdefault(draft.values["id"], fact)
    return facts


def _check_splits(drafts: list[Draft]) -> None:
    """All rows have a split or none, and nobody speaks in two."""
    known = [draft for draft in drafts if "split" in draft.values]
    said = [draft for draft in known if draft.values["split"] is not None]
    for draft in known if said else []:
        if draft.values["split"] is None:
            draft.complain("no split, though other lines have one", "give every line a `split`, or none")
    for clash in splits.clashes([draft.values for draft in said]):
        one, two = (said[index] for index in clash.rows)
        two.complain(
            f"speaker {clash.speaker!r} is in {clash.splits[1]} here and in {clash.splits[0]} in line {one.line}",
            'keep each speaker in one split, or put split = "ignore" into corpus.toml to divide by speaker',
        )


def _rows(drafts: list[Draft], folder: Path, facts: dict[str, AudioFacts], settings: Settings) -> list[Row]:
    values = [draft.values for draft in drafts]
    dealt = splits.divide(values, ignore=settings.divides, shares=settings.shares or splits.ALL_SHARES)
    rows = []
    for draft, split in zip(drafts, dealt, strict=True):
        audio = {"bytes": None, "path": str(folder / draft.values["audio"])}
        duration_s = facts[draft.values["id"]].duration_s
        rows.append(complete({**draft.values, "audio": audio, "split": split, "duration_s": duration_s}))
    return rows
