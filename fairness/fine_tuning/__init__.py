"""Plain adaptation of a trained model to its worst cohorts: the baseline of every repair. arXiv 2207.07850"""

from earmark.bench.api import FairnessSpec

SPEC = FairnessSpec(
    name="fine_tuning",
    role="mitigation",
    entry="earmark.fairness.fine_tuning.method:build",
    source="https://arxiv.org/abs/2207.07850",
    tasks=("recognition", "conversation", "verification"),
)
