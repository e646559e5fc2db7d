"""Cohorts by an attribute of the area people live in, an area-level proxy. https://arxiv.org/abs/2207.11345"""

from earmark.bench.api import FairnessSpec

SPEC = FairnessSpec(
    name="geodemographic",
    role="finder",
    entry="earmark.fairness.geodemographic.method:build",
    source="https://arxiv.org/abs/2207.11345",
    tasks=("recognition", "conversation"),
    needs=frozenset({"errors", "area"}),
)
