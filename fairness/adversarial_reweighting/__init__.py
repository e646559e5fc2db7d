"""Weights for badly served voices, given by an adversary that knows no groups. arXiv 2207.07776"""

from earmark.bench.api import FairnessSpec

SPEC = FairnessSpec(
    name="adversarial_reweighting",
    role="mitigation",
    entry="earmark.fairness.adversarial_reweighting.method:build",
    source="https://arxiv.org/abs/2207.07776",
    tasks=("verification",),
)
