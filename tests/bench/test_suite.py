"""Suite files: what multiplies, what is refused and how clearly, and what identity depends on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from earmark.bench.api import FairnessSpec, InputError, ModelSpec
from earmark.bench.planning import Digests, Planned, plan, plan_digest, trainings
from earmark.bench.protocol import Planner
from earmark.bench.selecting import with_corpus, with_every, with_plugins
from earmark.bench.suite import Suite, available, parse_suite, read_suite

SPECS = {
    "asr": ModelSpec("asr", "recognition", "m:build", ("tiny", "paper"), "MIT", "nowhere"),
    "other": ModelSpec("other", "recognition", "m:build", ("tiny",), "MIT", "nowhere"),
    "voice": ModelSpec("voice", "verification", "m:build", ("tiny",), "MIT", "nowhere"),
}
DIGESTS = {name: f"code of {name}" for name in SPECS}
LEARNS = {"id": "words", "task": "recognition", "plugins": ["asr"], "corpus": "c", "steps": 5}
ONE = {"train": [LEARNS], "measure": [{"of": ["words"], "corpus": ["c"]}]}
REPAIR = {"id": "all", "of": "words", "plugins": ["asr"], "method": "more", "steps": 2}


def data(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "schema": 1,
        "name": "unit",
        "train": [
            {"id": "words", "task": "recognition", "plugins": ["asr"]},
            {"id": "voices", "task": "verification", "plugins": ["voice"]},
        ],
        "measure": [{"of": ["words", "voices"], "corpus": ["c"]}],
    }
    return whole | changes


def planned(suite: Suite, *, digests: Mapping[str, str] = DIGESTS, harness: str = "h") -> tuple[Planned, ...]:
    fingerprints = {name: f"audio of {name}" for name in suite.corpora()}
    return plan(suite, specs=SPECS, digests=Digests(digests, fingerprints, harness))


def test_lists_multiply() -> None:
    suite = parse_suite(
        data(
            seeds=[0, 1, 2],
            defaults={"chunk_ms": [60, 120], "condition": ["clean", "snr10"]},
            measure=[{"of": ["words"], "corpus": ["c", "d"]}],
        ),
        "unit",
    )
    cells = planned(suite)
    assert len(cells) == 3 * 2 * 2 * 2
    assert len({cell.cell for cell in cells}) == len(cells)


def test_verification_has_no_chunks_and_is_offline() -> None:
    (voice,) = (cell for cell in planned(parse_suite(data(), "unit")) if cell.task == "verification")
    assert (voice.chunk_ms, voice.pacing) == (None, "offline")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sedes": [1]}, "unknown key 'sedes'; did you mean 'seeds'?"),
        ({"defaults": {"pases": 3}}, "unknown key 'defaults.pases'; did you mean 'passes'?"),
        ({"measure": [{"of": ["words"], "corpus": ["c"], "spilt": "dev"}]}, "'measure.1.spilt'; did you mean 'split'?"),
        ({"measure": [{"of": ["wrods"], "corpus": ["c"]}]}, "did you mean words?"),
        ({"defaults": {"passes": 0}}, "defaults.passes: input should be greater than or equal to 1"),
        ({"seeds": []}, "seeds: list should have at least 1 item"),
        ({"defaults": {"chunk_ms": [-120]}}, "defaults.chunk_ms.1: input should be greater than or equal to 1"),
        ({"defaults": {"pacing": "offline"}}, "defaults.pacing: input should be 'virtual' or 'real'"),
        ({"schema": 2}, "schema: input should be 1"),
        ({"measure": []}, "the suite measures nothing"),
        ({"train": [{"id": "a", "task": "recognition", "plugins": ["asr"]}] * 2}, "two blocks have the id 'a'"),
        ({**ONE, "repair": [REPAIR | {"target": {"worst": 2}}]}, "has 'target' and no cohorts"),
        ({**ONE, "repair": [REPAIR | {"cohort_input": ["known"]}]}, "has 'cohort_input' and no cohorts"),
        ({**ONE, "repair": [REPAIR | {"cohorts": "x"}]}, "repair 'all': cohorts names"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_suite(data(**change), "unit")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_identity_covers_code_audio_and_circumstances() -> None:
    base = planned(parse_suite(data(), "unit"))
    assert base == planned(parse_suite(data(), "unit"))
    others = [
        planned(parse_suite(data(), "unit"), digests=DIGESTS | {"asr": "new code", "voice": "new code"}),
        planned(parse_suite(data(), "unit"), harness="new harness"),
        planned(parse_suite(data(seeds=[7]), "unit")),
        planned(parse_suite(data(defaults={"threads": 2}), "unit")),
        planned(parse_suite(data(measure=[{"of": ["words", "voices"], "corpus": ["c"], "limit": 5}]), "unit")),
    ]
    ids = {cell.cell for cells in [base, *others] for cell in cells}
    assert len(ids) == sum(map(len, [base, *others]))


def test_scoring_choices_change_the_plan_and_not_the_cells() -> None:
    base = parse_suite(data(), "unit")
    changed = parse_suite(data(measure=[{"of": ["words", "voices"], "corpus": ["c"], "cohorts": ["gender"]}]), "unit")
    assert [c.cell for c in planned(base)] == [c.cell for c in planned(changed)]
    assert plan_digest(base, planned(base)) != plan_digest(changed, planned(changed))


def test_blocks_that_measure_the_same_cell_are_merged() -> None:
    blocks = [
        {"of": ["words"], "corpus": ["c"], "cohorts": ["gender"], "metrics": ["wer"]},
        {"of": ["words"], "corpus": ["c"], "cohorts": ["accent"], "metrics": ["gaps"]},
    ]
    (cell,) = planned(parse_suite(data(measure=blocks), "unit"))
    assert (cell.cohorts, cell.metrics) == (["gender", "accent"], ["wer", "gaps"])


def test_a_block_overrides_the_defaults() -> None:
    blocks = [{"of": ["words"], "corpus": ["c"], "passes": 5, "condition": ["snr0"]}]
    (cell,) = planned(parse_suite(data(defaults={"passes": 2}, measure=blocks), "unit"))
    assert (cell.passes, cell.condition) == (5, "snr0")


def test_models_are_replaced_by_task() -> None:
    suite = with_plugins(parse_suite(data(), "unit"), ["other"], SPECS)
    assert [cell.plugin for cell in planned(suite)] == ["other"]
    with pytest.raises(InputError, match="did you mean other"):
        with_plugins(suite, ["othr"], SPECS)
    with pytest.raises(InputError, match="no verification block"):
        with_plugins(suite, ["voice"], SPECS)


def test_a_named_model_keeps_to_the_blocks_that_name_it() -> None:
    blocks = [
        {"id": "learned", "task": "recognition", "plugins": ["asr"], "corpus": "c", "steps": 3},
        {"id": "foreign", "task": "recognition", "plugins": ["other"]},
    ]
    suite = parse_suite(data(train=blocks, measure=[{"of": ["learned", "foreign"], "corpus": ["c"]}]), "unit")
    assert [block.id for block in with_plugins(suite, ["other"], SPECS).train] == ["foreign"]
    specs = {**SPECS, "new": ModelSpec("new", "recognition", "m:build", ("tiny",), "MIT", "nowhere")}
    assert [(block.id, block.plugins) for block in with_plugins(suite, ["new"], specs).train] == [("learned", ["new"])]


def test_a_star_stands_for_every_model_that_fits_and_is_named_nowhere_else() -> None:
    learns, comes = {"corpus": "c", "steps": 2, "task": "recognition"}, {"task": "recognition"}
    specs = SPECS | {n: ModelSpec(n, "recognition", "m:b", ("d",), "l", "s", pretrained=True) for n in ("kit", "old")}
    blocks = [
        {"id": "own", "plugins": ["other"], **learns},
        {"id": "rest", "plugins": ["*"], **learns},
        {"id": "foreign", "plugins": ["kit", "*"], **comes},
    ]
    suite = parse_suite(data(train=blocks, measure=[{"of": ["own", "rest", "foreign"], "corpus": ["c"]}]), "unit")
    told = {block.id: block.plugins for block in with_every(suite, specs).train}
    assert told == {"own": ["other"], "rest": ["asr"], "foreign": ["kit", "old"]}


def test_a_reference_must_be_among_the_models_that_a_star_stands_for() -> None:
    train = {"id": "rest", "task": "recognition", "plugins": ["*"], "corpus": "c", "steps": 2}
    cohorts = {"id": "found", "finder": "f", "reference": {"train": "rest", "plugin": "asrr"}}
    suite = parse_suite(data(train=[train], cohorts=[cohorts], measure=[{"of": ["rest"], "corpus": ["c"]}]), "unit")
    with pytest.raises(InputError, match=r"'asrr'.*did you mean asr"):
        with_every(suite, SPECS)


def test_a_block_may_take_only_some_of_the_seeds() -> None:
    measure = [{"of": ["words"], "corpus": ["c"]}, {"of": ["words"], "corpus": ["d"], "seeds": [1]}]
    cells = planned(parse_suite(data(seeds=[0, 1, 2], measure=measure), "unit"))
    assert [(cell.corpus, cell.seed) for cell in cells] == [("c", 0), ("c", 1), ("c", 2), ("d", 1)]


def test_checkpoints_are_planned_once_for_all_that_is_measured_with_them() -> None:
    block = {"id": "words", "task": "recognition", "plugins": ["asr", "other"], "corpus": "c", "steps": 3}
    measure = [{"of": ["words"], "corpus": ["c", "d"], "chunk_ms": [60, 120]}]
    suite = parse_suite(data(train=[block], seeds=[0, 1], measure=measure), "unit")
    digests = Digests(DIGESTS, {name: f"audio of {name}" for name in suite.corpora()}, "h", "t")
    keys = trainings(suite, specs=SPECS, digests=digests)
    assert len(keys) == 2 * 2
    assert {cell.train_key for cell in plan(suite, specs=SPECS, digests=digests)} == set(keys)
    changed = Digests(DIGESTS, {**digests.corpora, "c": "other audio"}, "h", "t")
    assert not set(trainings(suite, specs=SPECS, digests=changed)) & set(keys)


def going_on(**changes: Any) -> dict[str, Any]:
    """A block that learns, one of another model that goes on from it, and one that takes that one's weights."""
    task = {"task": "recognition"}
    blocks = [
        {"id": "base", "plugins": ["asr"], "preset": "paper", "corpus": "c", "steps": 3, **task},
        {"id": "more", "of": "base", "plugins": ["asr"], "corpus": "c", "steps": 2, **task},
        {"id": "same", "of": "more", "plugins": ["asr"], "with": {"beam": 2}, **task},
    ]
    return data(train=blocks, measure=[{"of": ["same"], "corpus": ["d"]}], **changes)


def test_a_training_that_goes_on_is_planned_after_what_it_goes_on_from() -> None:
    suite = parse_suite(going_on(), "unit")
    digests = Digests(DIGESTS, {name: f"audio of {name}" for name in suite.corpora()}, "h", "t")
    base, more, same = trainings(suite, specs=SPECS, digests=digests).values()
    assert (base.base, more.base, same.base) == (None, base, more)
    assert [one.preset for one in (base, more, same)] == ["paper"] * 3
    assert [(one.steps, one.corpus) for one in (base, more, same)] == [(3, "c"), (2, "c"), (0, "c")]
    (cell,) = plan(suite, specs=SPECS, digests=digests)
    assert (cell.train_key, cell.train, cell.train_corpus, cell.steps) == (same.train_key, "same", "c", None)
    longer = going_on()
    longer["train"][0]["steps"] = 4
    assert not set(trainings(parse_suite(longer, "unit"), specs=SPECS, digests=digests)) & {
        base.train_key,
        same.train_key,
    }


def test_a_named_model_keeps_what_it_goes_on_from() -> None:
    whole = going_on()
    whole["train"][2]["plugins"] = ["other"]
    suite = with_plugins(parse_suite(whole, "unit"), ["other"], SPECS)
    assert [(block.id, block.plugins) for block in suite.train] == [
        ("base", ["asr"]),
        ("more", ["asr"]),
        ("same", ["other"]),
    ]
    assert suite.measure[0].of == ["same"]


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (1, {"of": "bsae"}, "train 'more': of names unknown block 'bsae'; did you mean base?"),
        (1, {"of": "same"}, "unknown block 'same'"),
        (1, {"steps": None}, "train block 'more' has no steps"),
        (1, {"pieces": "word"}, "give a number of pieces, 2 or more, or 'words' (got 'word')"),
        (1, {"pieces": 1}, "give a number of pieces, 2 or more, or 'words' (got 1)"),
        (2, {"vocabulary": "corpus"}, "train block 'same' learns its vocabulary from its corpus"),
    ],
)
def test_blocks_that_cannot_go_on_are_refused(place: int, change: dict[str, Any], message: str) -> None:
    whole = going_on()
    whole["train"][place].update(change)
    with pytest.raises(InputError) as caught:
        parse_suite(whole, "unit")
    assert message in str(caught.value)


def test_which_of_several_models_a_stranger_goes_on_from_is_not_guessed() -> None:
    whole = going_on()
    whole["train"][0]["plugins"], whole["train"][1]["plugins"] = ["asr", "other"], ["voice"]
    with pytest.raises(InputError, match="trains several models and 'voice' is none of them"):
        parse_suite(whole, "unit")


def test_a_repair_for_nobody_in_particular_needs_no_cohorts() -> None:
    suite = parse_suite(
        data(train=[LEARNS], repair=[REPAIR], measure=[{"of": ["words", "all"], "corpus": ["c"]}]), "unit"
    )
    more = FairnessSpec("more", "mitigation", "m:build", "nowhere", ("recognition",))
    digests = Digests(DIGESTS, {"c": "audio"}, "h", fairness={"more": "code"})
    found = Planner(suite, SPECS, {"more": more}, digests).plan()
    (repairing,) = found.repairs.values()
    assert (repairing.scheme_key, found.findings, found.finding) == (None, {}, ())
    (cell,) = found.repaired
    assert (cell.repair, cell.repair_key) == ("all", repairing.repair_key)


def test_a_path_is_called_by_its_last_part() -> None:
    """Paths differ from machine to machine, content does not: the fingerprint is the identity."""
    here, there = (with_corpus(parse_suite(data(), "unit"), path) for path in ("/home/a/speech", "/mnt/b/speech"))
    one, two = (plan(s, specs=SPECS, digests=Digests(DIGESTS, {s.corpora()[0]: "f"}, "h")) for s in (here, there))
    assert one == two
    assert one[0].corpus == "speech"


def test_overrides_reach_defaults_and_blocks(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'schema = 1\nname = "mine"\n[[train]]\nid = "a"\ntask = "recognition"\nplugins = ["asr"]\n'
        '[[measure]]\nof = ["a"]\ncorpus = ["c"]\npasses = 9\n',
        encoding="utf-8",
    )
    sets = ["passes=2", "chunk_ms=60,90", "measure.cohorts=gender", "measure.exclude.qc=long", "device=cuda"]
    suite = read_suite(str(path), sets)
    (first, second) = planned(suite)
    assert (first.passes, first.chunk_ms, second.chunk_ms, first.device) == (2, 60, 90, "cuda")
    assert (first.cohorts, first.exclude) == (["gender"], {"qc": ["long"]})
    with pytest.raises(InputError, match="not key=value"):
        read_suite(str(path), ["passes"])
    with pytest.raises(InputError, match="did you mean 'passes'"):
        read_suite(str(path), ["defaults.pases=2"])
    with pytest.raises(InputError, match="has no keys"):
        read_suite(str(path), ["name.x=1"])
    with pytest.raises(InputError, match="seeds: input should be a valid list"):
        read_suite(str(path), ["seeds.x=1"])


def test_how_models_learn_is_overridden_in_the_blocks_that_learn(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    block = '[[train]]\nid = "{}"\ntask = "recognition"\nplugins = ["asr"]\n'
    learning = block.format("a") + 'corpus = "c"\nsteps = 9\n'
    end = '[[measure]]\nof = ["b"]\ncorpus = ["c"]\n'
    sets = ["train.steps=5", "train.recipe.batch_size=3", "train.with.beam=2"]
    path.write_text(f'schema = 1\nname = "mine"\n{learning}{block.format("b")}{end}', encoding="utf-8")
    learns, comes_trained = read_suite(str(path), sets).train
    assert (learns.steps, learns.recipe.batch_size, learns.options) == (5, 3, {"beam": 2})
    assert (comes_trained.steps, comes_trained.options) == (None, {})
    path.write_text(f'schema = 1\nname = "mine"\n{block.format("b")}{end}', encoding="utf-8")
    assert read_suite(str(path), ["train.with.beam=2"]).train[0].options == {"beam": 2}, "where nobody learns, all"


@pytest.mark.parametrize("name", available())
def test_shipped_suites_are_valid(name: str) -> None:
    suite = read_suite(name)
    assert suite.name == name
    assert suite.description


def test_unknown_suites_and_bad_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown suite 'smok'; did you mean smoke"):
        read_suite("smok")
    with pytest.raises(InputError, match="can't be read"):
        read_suite(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("a = = 1", encoding="utf-8")
    with pytest.raises(InputError, match="not TOML"):
        read_suite(str(tmp_path / "bad.toml"))


def test_an_unknown_preset_names_the_known_ones() -> None:
    blocks = [{"id": "words", "task": "recognition", "plugins": ["asr"], "preset": "smal"}]
    suite = parse_suite(data(train=blocks, measure=[{"of": ["words"], "corpus": ["c"]}]), "unit")
    with pytest.raises(InputError, match="unknown preset of asr 'smal'; there is paper, tiny"):
        planned(suite)
