"""Carries a run out, stage by stage: train, hear the references, find and freeze cohorts, repair, choose, measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from earmark.bench import ledger, provenance, rows, store
from earmark.bench.api import InputError
from earmark.bench.bureau import Bureau, assignment_rows
from earmark.bench.choosing import Chosen, choose
from earmark.bench.executors.local import Ended
from earmark.bench.frozen import assigned_file
from earmark.bench.learning import Lesson, School, checkpoint_folder, needed
from earmark.bench.observing import observe, scored, untrained
from earmark.bench.planning import Planned
from earmark.bench.preflight import Prepared
from earmark.bench.protocol import Choice, Repairing
from earmark.bench.tables import Writer, read_table

Say = Callable[[str], None]


class Conductor:
    """Of one run; ``done`` are its cells so far."""

    def __init__(self, prepared: Prepared, folder: store.RunFolder, run: rows.Run, say: Say) -> None:
        self.prepared, self.folder, self.run, self.say = prepared, folder, run, say
        self.done = {cell.cell: cell for cell in folder.read_cells()}
        before = folder.read_measurements()
        self.measurements = {cell: [row for row in before if row.cell == cell] for cell in self.done}
        self.waiting = [cell for cell in prepared.cells if cell.cell not in self.done]
        self.n_waiting = len(self.waiting)
        self.school = School(prepared, folder.path / "logs", say)
        self.bureau = Bureau(prepared, folder, run.normalizer, say)
        self.chosen: dict[str, Chosen] = {}
        self.problems: dict[str, str] = {}
        """By repair key, why there is no repaired model."""

    def carry_out(self) -> int:
        """Do what is left to do; returns how many cells were measured."""
        stolen, protocol = provenance.cpu_times(), self.prepared.protocol
        self.school.teach(Lesson.of(training) for training in self._to_train())
        self._measure(protocol.finding)
        self._find()
        self.school.teach(self._lessons())
        self._measure(protocol.choosing)
        self._choose()
        self._measure(self.prepared.cells)
        self.folder.clear_partial()
        self.folder.write_run(ledger.finished(self.run, self.folder, stolen))
        return self.n_waiting

    def _to_train(self) -> Iterable[Any]:
        """Every training that a waiting cell, or the repair of a waiting cell, begins with."""
        keys = dict.fromkeys(cell.train_key for cell in self.waiting)
        return needed(self.prepared.trainings[key] for key in keys if key in self.prepared.trainings)

    # --- finding and repairing ------------------------------------------------------------------------------------

    def _find(self) -> None:
        wanted = {key for cell in self.waiting for key in cell.found.values()}
        wanted |= {key for name in self._repair_keys() if (key := self.prepared.protocol.repairs[name].scheme_key)}
        findings = {key: one for key, one in self.prepared.protocol.findings.items() if key in wanted}
        self.bureau.find(findings)
        self._note(cohort_schemes=self.bureau.facts)

    def _repair_keys(self) -> list[str]:
        """Of every repaired model that a waiting cell hears, or that one of its candidates is."""
        choices = self.prepared.protocol.choices
        keys = dict.fromkeys(cell.repair_key for cell in self.waiting if cell.repair_key)
        return list(dict.fromkeys(k for key in keys for k in (choices[key].candidates if key in choices else (key,))))

    def _lessons(self) -> list[Lesson]:
        lessons = []
        for key in self._repair_keys():
            repairing = self.prepared.protocol.repairs[key]
            try:
                lessons.append(self._lesson(repairing))
            except InputError as error:
                self.problems[key] = str(error)
        return lessons

    def _lesson(self, repairing: Repairing) -> Lesson:
        base = repairing.base
        learned = self.school.ending(base.train_key)
        if learned is not None and learned.status != "ok":
            raise InputError(f"training: {learned.reason}")
        target, cohorts = self._cohorts_for(repairing)
        option = "".join(
            f", {name} {value}" for name, value in repairing.options.items() if not isinstance(value, list)
        )
        return Lesson(
            key=repairing.repair_key, plugin=base.plugin, seed=base.seed, device=base.device,
            title=f"repairing {base.plugin} by {repairing.name} (seed {base.seed}{option})",
            threads=repairing.recipe.threads,
            job={
                "repair": repairing.model_dump(mode="json"), "target": target, "cohorts": cohorts,
                "checkpoint": str(checkpoint_folder(base.train_key)),
            },
        )  # fmt: skip

    def _cohorts_for(self, repairing: Repairing) -> tuple[list[str], str | None]:
        """The cohorts that are to be repaired, and where those of train speakers stand; nothing without cohorts."""
        base, key = repairing.base, repairing.scheme_key
        if key is None:
            return [], None
        if key in self.bureau.problems:
            raise InputError(self.bureau.problems[key])
        corpus = self.prepared.corpora[base.corpus]
        target = self.bureau.frozen[key].targets(repairing.target)
        self.bureau.cohorts_of(self.prepared.protocol.findings[key], corpus, base.corpus)
        return target, str(assigned_file(key, corpus.fingerprint))

    def _choose(self) -> None:
        for key, choice in self.prepared.protocol.choices.items():
            if any(cell.repair_key == key for cell in self.waiting):
                try:
                    self.chosen[key] = self._chosen(choice)
                except InputError as error:
                    self.problems[key] = str(error)
        self._note(checkpoints={key: chosen.to_json() for key, chosen in self.chosen.items()})

    def _chosen(self, choice: Choice) -> Chosen:
        missing = [cell for cell in (*choice.heard, choice.before) if self.done[cell].status != "ok"]
        if missing:
            raise InputError(f"a candidate could not be heard on select: {self.done[missing[0]].reason}")
        repairing = self.prepared.protocol.repairs[choice.candidates[0]]
        assert repairing.scheme_key is not None  # who has no cohorts has no choice
        frozen = self.bureau.frozen[repairing.scheme_key]
        finding = self.prepared.protocol.findings[repairing.scheme_key]
        corpus = self.prepared.corpora[finding.corpus]
        cohorts = self.bureau.cohorts_of(finding, corpus, finding.corpus)
        target = frozen.targets(repairing.target)
        targeted = {speaker for speaker, cohort in cohorts.items() if cohort in target}
        folders = {cell: self.folder.observations(cell) for cell in (*choice.heard, choice.before)}
        found = choose(choice, folders, targeted, self.run.normalizer)
        self.say(f"{repairing.name} ({repairing.base.plugin}): {found.option} {found.value} chosen on select")
        return found

    # --- measuring ------------------------------------------------------------------------------------------------

    def _measure(self, cells: Iterable[Planned]) -> None:
        wanted = {cell.cell for cell in cells}
        for cell in [cell for cell in self.waiting if cell.cell in wanted]:
            self.waiting.remove(cell)
            number = self.n_waiting - len(self.waiting)
            self._measure_one(cell, f"[{number}/{self.n_waiting}] {_title(cell)}")

    def _measure_one(self, cell: Planned, title: str) -> None:
        self.say(title)
        absent = self._absent(cell)
        if absent is not None:
            row, ended = untrained(self.prepared, cell, absent), absent
        else:
            row, ended = observe(self.prepared, self.folder, self.run, cell, title, self._told(cell))
        if row.status == "ok":
            row = self._assign(cell, row)
        row, self.measurements[cell.cell] = scored(row, cell, self.folder, self.run.normalizer)
        self.done[cell.cell] = row
        self.run = ledger.with_trained_on(self.run, cell.plugin, ended)
        self._note(checkpoints=self.school.facts)
        self.folder.write_measurements(m for found in self.measurements.values() for m in found)
        self.folder.write_cells(self.done.values())
        self.say(f"  {row.status}" + (f": {row.reason}" if row.reason else ""))

    def _absent(self, cell: Planned) -> Ended | None:
        """How the making of a cell's model ended, where it ended badly; or that there is nothing to hear."""
        if cell.cell in self.prepared.unheard:
            return Ended("unsupported", self.prepared.unheard[cell.cell])
        learned = self.school.ending(cell.train_key)
        if learned is not None and learned.status != "ok":
            return Ended(learned.status, f"training: {learned.reason}", bad_input=learned.bad_input)
        if cell.repair_key is None:
            return None
        key = self.chosen[cell.repair_key].repair_key if cell.repair_key in self.chosen else cell.repair_key
        problem = self.problems.get(cell.repair_key) or self.problems.get(key)
        if problem is not None:
            return Ended("unsupported", f"repair: {problem}")
        repaired = self.school.ending(key)
        if repaired is not None and repaired.status != "ok":
            return Ended(repaired.status, f"repair: {repaired.reason}", bad_input=repaired.bad_input)
        if cell.cohort_input != "none" and not self._config(key).get("conditions"):
            return Ended("unsupported", f"repair: {cell.mitigation} tells its model nothing of cohorts")
        return None

    def _told(self, cell: Planned) -> dict[str, Any]:
        """The checkpoint of a cell's model, and what the model is told of speakers."""
        if cell.repair_key is None:
            known = cell.train_key in self.prepared.trainings
            return {"checkpoint": str(checkpoint_folder(cell.train_key)) if known else None}
        key = self.chosen[cell.repair_key].repair_key if cell.repair_key in self.chosen else cell.repair_key
        conditions = self._config(key).get("conditions")
        told = {"checkpoint": str(checkpoint_folder(key))}
        return told if conditions is None else {**told, "conditions": self._conditions(cell, key, conditions)}

    def _conditions(self, cell: Planned, key: str, conditions: Mapping[str, Any]) -> dict[str, Any]:
        if cell.cohort_input != "known":
            return {"of_speaker": {}, "hidden": conditions["hidden"]}
        asked, corpus = self.prepared.corpus_of(cell)
        scheme = self.prepared.protocol.repairs[key].scheme_key
        assert scheme is not None  # cohorts are told where there are some
        cohorts = self.bureau.cohorts_of(self.prepared.protocol.findings[scheme], corpus, asked)
        by_cohort = conditions["by_cohort"]
        known = {speaker: by_cohort[cohort] for speaker, cohort in cohorts.items() if cohort in by_cohort}
        return {"of_speaker": known, "hidden": conditions["hidden"]}

    def _config(self, key: str) -> dict[str, Any]:
        from earmark.bench.training import checkpoint

        return checkpoint.config_of(checkpoint_folder(key))

    def _assign(self, cell: Planned, row: rows.Cell) -> rows.Cell:
        """Write down who of a cell's speakers is in which found cohort; the row tells the scheme of its repair."""
        folder = self.folder.observations(cell.cell)
        heard = "embeddings" if cell.task == "verification" else "utterances"
        speakers = sorted({name for name in read_table(folder, heard)["speaker"].to_pylist() if name})
        with Writer(folder, cell.cell) as writer:
            for name, key in cell.found.items():
                for found in self._assignments(cell, name, key, speakers):
                    writer.add("assignments", **found)
        if cell.repair_key is None:
            return row
        key = self.chosen[cell.repair_key].repair_key if cell.repair_key in self.chosen else cell.repair_key
        scheme = self.prepared.protocol.repairs[key].scheme_key
        if scheme is None:
            return row
        frozen = self.bureau.frozen[scheme]
        told = {"finder": frozen.finder, "scheme": frozen.name, "scheme_digest": frozen.digest}
        flags = [f"chosen:{c.option}={c.value}" for c in (self.chosen.get(cell.repair_key),) if c is not None]
        return row.model_copy(update={**told, "flags": sorted({*row.flags, *flags})})

    def _assignments(self, cell: Planned, name: str, key: str, speakers: list[str]) -> list[dict[str, Any]]:
        asked, corpus = self.prepared.corpus_of(cell)
        frozen, problem = self.bureau.frozen.get(key), self.bureau.problems.get(key)
        cohorts = {} if frozen is None else self.bureau.cohorts_of(self.prepared.protocol.findings[key], corpus, asked)
        return assignment_rows(name, frozen, problem, cohorts, speakers)

    def _note(self, **facts: Mapping[str, Any]) -> None:
        """Keep facts in ``run.json``."""
        update = {name: {**getattr(self.run, name), **found} for name, found in facts.items()}
        self.run = self.run.model_copy(update=update)
        self.folder.write_run(self.run)


def _title(cell: Planned) -> str:
    repaired = f" repaired by {cell.repair}" if cell.repair else ""
    told = f", cohort {cell.cohort_input}" if cell.cohort_input != "none" else ""
    split = "" if cell.split == "measure" else f"/{cell.split}"
    return f"{cell.plugin}{repaired} on {cell.corpus}{split} ({cell.condition}, {cell.device}{told})"
