"""What every fairness plugin promises: finders about their schemes, mitigations about the model they are given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from earmark.bench import registry
from earmark.bench.api import HasInfo, InputError, Json, Repaired
from earmark.bench.contract.verdicts import Broken, Undecided

if TYPE_CHECKING:
    from earmark.bench.api import CohortScheme, Table

OPTIONAL = ("lat", "lon", "area_code", "area_attribute", "embedding", "snr_db")


@dataclass
class FairnessSubject:
    """A fairness plugin. Its entry is called as ``build(options={...})`` and gives a finder or a mitigation."""

    plugin: registry.Plugin
    options: Mapping[str, Json] = field(default_factory=dict)
    device: str = "cpu"

    def build(self) -> Any:
        return registry.resolve(self.plugin.spec)(options=self.options)

    @cached_property
    def method(self) -> Any:
        return self.build()

    @cached_property
    def scheme(self) -> CohortScheme:
        return self.fit(self.method)

    def fit(self, finder: Any) -> CohortScheme:
        from earmark.bench.contract.standins import outcome_rows

        return finder.fit(outcome_rows("discover"), outcome_rows("select"), seed=0)  # type: ignore[no-any-return]

    @cached_property
    def rows(self) -> Table:
        """Speakers that the finder has not seen, outcomes removed."""
        from earmark.bench.contract.standins import OUTCOMES, outcome_rows

        return outcome_rows("measure").drop_columns([*OUTCOMES])

    @cached_property
    def cohorts(self) -> list[str]:
        return self.scheme.assign(self.rows)

    def must_divide(self) -> list[str]:
        """The assignment; Undecided where all are in one cohort, for then every comparison would hold."""
        if len(set(self.cohorts)) < 2:
            raise Undecided("it puts everybody into one cohort of the test rows: vacuous")
        return self.cohorts

    @cached_property
    def repaired(self) -> Repaired:
        return self.repair(self.model)

    @cached_property
    def model(self) -> Any:
        from earmark.bench.contract.standins import StandIn

        return StandIn().to(self.device).eval()

    def repair(self, model: Any) -> Repaired:
        from earmark.bench.contract.standins import StandInTrainer

        return self.build().apply(model, ["north"], StandInTrainer())  # type: ignore[no-any-return]


def can_be_built(subject: FairnessSubject) -> str:
    """The entry builds the method with the given options."""
    return type(subject.method).__name__


# --- finders ------------------------------------------------------------------------------------------------------


def assigns_every_row(subject: FairnessSubject) -> str:
    """One cohort name a row, none of them empty, for speakers that were not in its data."""
    if len(subject.cohorts) != len(subject.rows):
        raise Broken(f"{len(subject.rows)} rows got {len(subject.cohorts)} cohorts")
    for name in subject.cohorts:
        if not isinstance(name, str) or not name:
            raise Broken(f"a cohort is called {name!r}")
    return f"{len(subject.rows)} rows in {len(set(subject.cohorts))} cohorts"


def same_data_same_scheme(subject: FairnessSubject) -> str:
    """Another finder with the same data and seed gives the same scheme."""
    subject.must_divide()
    if subject.fit(subject.build()).to_json() != subject.scheme.to_json():
        raise Broken("a second fit with the same seed gave another scheme")
    return "two fits with seed 0"


def scheme_survives_json(subject: FairnessSubject) -> str:
    """Written as JSON text, read back and loaded, it assigns as before."""
    text = json.dumps(subject.scheme.to_json(), allow_nan=False)
    loaded = subject.build().load(json.loads(text))
    _must_equal(loaded.assign(subject.rows), subject.must_divide(), "after a round trip through JSON")
    if json.dumps(loaded.to_json(), allow_nan=False) != text:
        raise Broken("its JSON changes in a round trip")
    return f"{len(text):,} characters"


def assigns_without_outcomes(subject: FairnessSubject) -> str:
    """Errors and words change nothing about an assignment."""
    from earmark.bench.contract.standins import outcome_rows

    with_outcomes = outcome_rows("measure")
    _must_equal(subject.scheme.assign(with_outcomes), subject.must_divide(), "with outcome columns")
    return "the same with and without errors and words"


def each_row_is_assigned_by_itself(subject: FairnessSubject) -> str:
    """A row's cohort does not depend on the other rows or on their order."""
    cohorts, n = subject.must_divide(), len(subject.rows)
    backwards = subject.scheme.assign(subject.rows.take([*range(n - 1, -1, -1)]))
    _must_equal(backwards[::-1], cohorts, "in the opposite order")
    single = [subject.scheme.assign(subject.rows.slice(k, 1))[0] for k in range(0, n, 9)]
    _must_equal(single, cohorts[::9], "alone")
    return f"{len(single)} rows alone, {n} in the opposite order"


def survives_missing_values(subject: FairnessSubject) -> str:
    """Rows without a place, an area or an embedding get a cohort all the same, or an InputError."""
    import pyarrow as pa

    holes = subject.rows.slice(0, 30)
    for name in OPTIONAL:
        values = [None if k % 2 else value for k, value in enumerate(holes[name].to_pylist())]
        place, kind = holes.schema.get_field_index(name), holes.schema.field(name).type
        holes = holes.set_column(place, name, pa.array(values, kind))
    try:
        cohorts = subject.scheme.assign(holes)
    except InputError as error:
        return f"refused: {error}"
    if len(cohorts) != len(holes) or not all(cohorts):
        raise Broken(f"{len(holes)} rows got {len(cohorts)} cohorts, some without a name")
    return f"every other row in {', '.join(sorted(set(cohorts[1::2])))[:60]}"


def _must_equal(found: list[str], expected: list[str], how: str) -> None:
    for k, (one, two) in enumerate(zip(found, expected, strict=True)):
        if one != two:
            raise Broken(f"{how}, row {k} is in {one!r} instead of {two!r}")


# --- mitigations --------------------------------------------------------------------------------------------------


def leaves_the_model_untouched(subject: FairnessSubject) -> str:
    """The model that it is given keeps its weights; the repaired one is another."""
    before = _state(subject.model)
    repaired = subject.repaired
    if not isinstance(repaired, Repaired):
        raise Broken(f"apply() gave {type(repaired).__name__}, not Repaired")
    if changed := _changed(before, _state(subject.model)):
        raise Broken(f"{changed[0]} of the model that it was given has changed")
    if repaired.model is subject.model:
        raise Broken("the repaired model is the very model that it was given")
    return f"{len(before)} tensors"


def gives_a_working_model(subject: FairnessSubject) -> str:
    """The repaired model has finite weights, at least some of them new, and the same sample rate."""
    import torch

    model: Any = subject.repaired.model
    if not isinstance(model, HasInfo) or model.info.sample_rate_hz != subject.model.info.sample_rate_hz:
        raise Broken("the repaired model has no info or another sample rate")
    state = _state(model)
    if bad := [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]:
        raise Broken(f"{bad[0]} is not finite after the repair")
    changed = _changed(_state(subject.model), state)
    if not changed and subject.repaired.conditions is None:
        raise Broken("the repair changed no weight and gave no condition")
    return f"{len(changed)} of {len(state)} tensors are new"


def gives_conditions_for_every_cohort(subject: FairnessSubject) -> str:
    """Where it uses conditions, every cohort and the unknown one has one, all of one size."""
    conditions, hidden = subject.repaired.conditions, subject.repaired.hidden
    if conditions is None:
        raise Undecided("it uses no conditions")
    if missing := {"north", "south"} - set(conditions):
        raise Broken(f"cohort {min(missing)!r} has no condition")
    if hidden is None:
        raise Broken("speakers of unknown cohort have no condition (hidden is None)")
    sizes = {len(condition) for condition in (*conditions.values(), hidden)}
    if len(sizes) > 1:
        raise Broken(f"conditions have different sizes: {sorted(sizes)}")
    return f"{len(conditions)} cohorts, {sizes.pop()} numbers each"


def same_seed_same_repair(subject: FairnessSubject) -> str:
    """Repaired again with the same trainer, the model comes out the same."""
    again = subject.repair(subject.model)
    if changed := _changed(_state(subject.repaired.model), _state(again.model)):
        raise Broken(f"{changed[0]} differs between two repairs with the same seed")
    if (again.conditions, again.hidden) != (subject.repaired.conditions, subject.repaired.hidden):
        raise Broken("conditions differ between two repairs with the same seed")
    return "two repairs"


def _state(model: Any) -> dict[str, Any]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Names whose tensors are new or differ in any bit."""
    return [name for name, tensor in after.items() if name not in before or not bool((before[name] == tensor).all())]
