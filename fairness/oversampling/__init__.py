"""More of the worst cohorts in training, with human or machine transcripts. arXiv 2207.11345"""

from earmark.bench.api import FairnessSpec

SPEC = FairnessSpec(
    name="oversampling",
    role="mitigation",
    entry="earmark.fairness.oversampling.method:build",
    source="https://arxiv.org/abs/2207.11345",
    tasks=("recognition", "conversation", "verification"),
)
