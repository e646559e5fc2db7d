"""Clusters of speaker embeddings, ranked by error rate, without any labels. https://arxiv.org/abs/2207.11345"""

from earmark.bench.api import FairnessSpec

SPEC = FairnessSpec(
    name="voice_clusters",
    role="finder",
    entry="earmark.fairness.voice_clusters.method:build",
    source="https://arxiv.org/abs/2207.11345",
    tasks=("recognition", "conversation"),
    needs=frozenset({"errors", "embedding"}),
    requires=("scikit-learn",),
)
