"""The suites of nights: every plugin is in them, and the simulated one has the same shape."""

from __future__ import annotations

from earmark.bench import registry
from earmark.bench.selecting import with_every
from earmark.bench.suite import Suite, read_suite


def told(name: str) -> Suite:
    return with_every(read_suite(name), registry.models())


def test_every_model_is_measured() -> None:
    suite = told("nightly")
    measured = {name for block in suite.measure for name in block.of}
    there = {name for block in suite.train if block.id in measured for name in block.plugins}
    assert there == registry.models().keys()
    assert len(suite.seeds) == 3


def test_the_simulated_night_has_the_same_shape() -> None:
    night, simulated = told("nightly"), told("nightly-sim")

    def shape(suite: Suite) -> object:
        return (
            [(block.id, block.task, block.plugins, block.corpus is None) for block in suite.train],
            [(block.id, block.finder) for block in suite.cohorts],
            [(block.id, block.method, block.cohorts) for block in suite.repair],
        )

    assert shape(simulated) == shape(night)
    audible = [(block.of, block.metrics) for block in night.measure if not block.concurrent]
    assert [(block.of, block.metrics) for block in simulated.measure] == audible
    assert all((block.steps or 0) <= 2 for block in simulated.train)
