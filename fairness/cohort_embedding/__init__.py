"""The recognizer is told whether a speaker is of a badly served cohort. arXiv 2207.11345"""

from earmark.bench.api import FairnessSpec

SPEC = FairnessSpec(
    name="cohort_embedding",
    role="mitigation",
    entry="earmark.fairness.cohort_embedding.method:build",
    source="https://arxiv.org/abs/2207.11345",
    tasks=("recognition", "conversation"),
)
