"""A tree over latitude and longitude whose leaves are regions of alike error rates. https://arxiv.org/abs/2207.07850"""

from earmark.bench.api import FairnessSpec

SPEC = FairnessSpec(
    name="region_tree",
    role="finder",
    entry="earmark.fairness.region_tree.method:build",
    source="https://arxiv.org/abs/2207.07850",
    tasks=("recognition", "conversation"),
    needs=frozenset({"errors", "place"}),
)
