"""Elastic weight consolidation: adaptation that holds on to the weights that mattered. arXiv 2207.07850"""

from earmark.bench.api import FairnessSpec

SPEC = FairnessSpec(
    name="ewc",
    role="mitigation",
    entry="earmark.fairness.ewc.method:build",
    source="https://arxiv.org/abs/2207.07850",
    tasks=("recognition", "conversation"),
)
