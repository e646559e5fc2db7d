"""Cohorts of alike voices, found without labels, ranked by word error rate.

Dheram et al., "Toward fairness in speech recognition: discovery and mitigation of performance disparities" (arXiv
2207.11345), cluster speaker embeddings and compare the clusters by error rate. How many clusters there were is not
known; here select speakers say so. README.md lists the choices. In reading order: options, the finder,
:func:`build`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from earmark.bench.api import InputError, Json
from earmark.bench.metrics.resampling import Floats
from earmark.fairness.voice_clusters.naming import describe, names_for
from earmark.fairness.voice_clusters.scheme import ALL_VOICES, NAME, VoiceScheme
from earmark.fairness.voice_clusters.vectors import embeddings, stability, voices
from earmark.models._blocks.checks import in_range, read_options
from earmark.models._blocks.clusters import k_means, nearest
from earmark.models._blocks.dividing import contrasts, largest_by_chance, p_value
from earmark.models._blocks.finding import Speakers, numbers, read_splits, remarks

if TYPE_CHECKING:
    from numpy.random import Generator

    from earmark.bench.api import Table

STABLE = 0.5
"""Adjusted Rand index below which clusters get no names."""
DESCRIBED_BY = ("snr_db", "duration_s")
REPEATS = 5
"""Clusterings with other seeds, and of halves of the speakers, that stability is taken from."""


@dataclass(frozen=True, slots=True)
class Options:
    """Choices about the clusters."""

    k_max: int = 8
    """Most clusters tried; every number from 2 on is."""
    min_speakers: int = 10
    """Discover speakers that a cluster must have to be ranked; also bounds the number of clusters."""
    restarts: int = 4
    """Starts of each k-means, the best of which counts."""
    alpha: float = 0.05
    """Share of worlds in which voices make no difference and clusters are told apart all the same."""
    n_deals: int = 499
    """Random deals of outcomes to voices that the test makes."""

    def __post_init__(self) -> None:
        in_range("k_max", self.k_max, 2, 100, plugin=NAME)
        in_range("min_speakers", self.min_speakers, 1, 1_000_000, plugin=NAME)
        in_range("restarts", self.restarts, 1, 1000, plugin=NAME)
        in_range("alpha", self.alpha, 0.001, 1.0, plugin=NAME)
        in_range("n_deals", self.n_deals, 19, 100_000, plugin=NAME)


@dataclass(frozen=True, slots=True)
class Heard:
    """Speakers with an embedding: vectors of length 1 (S, D), counts (S,), and means (S,) of what describes them."""

    vectors: Floats
    errors: Floats
    words: Floats
    described: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A number of clusters that was tried: centroids by discover rank, and the first one's contrast on select."""

    centroids: Floats
    t: float
    p_value: float


class VoiceClusters:
    """A :class:`earmark.bench.api.CohortFinder`."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def fit(self, discover: Table, select: Table, *, seed: int) -> VoiceScheme:
        """Clusters of discover voices, as many as select speakers bear out.

        Raises:
            InputError: a split has no rows, no speaker of discover has an embedding, or somebody is in both splits.
        """
        speakers = read_splits(discover, select, plugin=NAME)
        learned, judged = (heard(who, rows) for who, rows in zip(speakers, (discover, select), strict=True))
        if speakers[0].names and not len(learned.vectors):
            what = "no speaker of discover has an embedding"
            raise InputError(what, where=NAME, fix='name an embedder in the suite, embedder = "..."')
        said = remarks(*speakers)
        if n_missing := sum(len(who.names) for who in speakers) - len(learned.vectors) - len(judged.vectors):
            said.append(f"{n_missing} speakers have no embedding")
        rng = np.random.default_rng(seed)
        tried = self.candidates(learned, judged, rng)
        about: dict[str, Json] = {
            "options": asdict(self.options),
            "discover_speakers": len(learned.vectors),
            "select_speakers": len(judged.vectors),
            "tried": [{"k": len(c.centroids), "t": _finite(c.t), "p_value": c.p_value} for c in tried],
        }
        best = max(tried, key=lambda c: c.t, default=None)
        if best is None or best.p_value > self.options.alpha:
            said.append("one cohort: no cluster of voices stands out on select speakers")
            centroid = np.zeros((1, learned.vectors.shape[1]))
            return VoiceScheme((ALL_VOICES,), centroid, {**about, "remarks": [*said]})
        return self._scheme(best, learned, about, said, rng)

    def load(self, scheme: Json) -> VoiceScheme:
        """A scheme from its JSON."""
        return VoiceScheme.from_json(scheme)

    def candidates(self, learned: Heard, judged: Heard, rng: Generator) -> list[Candidate]:
        """Every number of clusters that these speakers allow, with its test on select.

        For each, the cluster with the highest rate on discover is held against everybody else on select (studentized,
        one-sided). p values are those of the largest such contrast over all numbers of clusters in random deals of
        the select outcomes to the select voices.
        """
        if len(judged.vectors) < 2:
            return []
        most = min(self.options.k_max, len(learned.vectors) // max(self.options.min_speakers, 1))
        most = min(most, len(np.unique(learned.vectors, axis=0))) if most > 1 else most
        found = [k_means(learned.vectors, k, restarts=self.options.restarts, rng=rng) for k in range(2, most + 1)]
        ranked = [r for c in found if (r := rank(learned, c, self.options.min_speakers)) is not None]
        if not ranked:
            return []
        bottoms = np.stack([nearest(judged.vectors, centroids) == 0 for centroids in ranked])
        observed = contrasts(bottoms, judged.errors, judged.words)
        chance = largest_by_chance(bottoms, judged.errors, judged.words, n_deals=self.options.n_deals, rng=rng)
        return [Candidate(c, float(t), p_value(t, chance)) for c, t in zip(ranked, observed, strict=True)]

    def _scheme(
        self, best: Candidate, learned: Heard, about: dict[str, Json], said: list[str], rng: Generator
    ) -> VoiceScheme:
        seeds, halves = stability(
            learned.vectors, best.centroids, restarts=self.options.restarts, times=REPEATS, rng=rng
        )
        stable = min(seeds, halves) >= STABLE
        centroids = best.centroids if stable else best.centroids[np.lexsort(best.centroids.T[::-1])]
        clusters = nearest(learned.vectors, centroids)
        differences = [describe(learned.described, clusters == i) for i in range(len(centroids))]
        if not stable:
            said.append("unstable: the clusters change with the seed or the speakers, so they get no names")
        about |= {
            "stable": stable,
            "adjusted_rand_seeds": round(seeds, 6),
            "adjusted_rand_halves": round(halves, 6),
            "discover_rates": [_rate(learned, clusters == i) for i in range(len(centroids))],
            "mean_differences": [{**d} for d in differences],
            "remarks": [*said],
        }
        return VoiceScheme(names_for(differences, stable), centroids, about)


def heard(speakers: Speakers, rows: Table) -> Heard:
    """Every speaker with an embedding: the average of theirs, at length 1."""
    vectors, who = voices(speakers, *embeddings(rows, plugin=NAME))
    described = {
        name: _speaker_means(speakers, numbers(rows, name, plugin=NAME))[who]
        for name in DESCRIBED_BY
        if name in rows.column_names
    }
    return Heard(vectors, speakers.errors[who], speakers.words[who], described)


def rank(learned: Heard, centroids: Floats, min_speakers: int) -> Floats | None:
    """The centroids from the highest discover rate to the lowest, clusters that are too small last.

    None where none is large enough, or nobody in the first has an error.
    """
    k, cluster = len(centroids), nearest(learned.vectors, centroids)
    errors, words = (np.bincount(cluster, weights=v, minlength=k) for v in (learned.errors, learned.words))
    large = np.bincount(cluster, minlength=k) >= min_speakers
    rates = errors / np.maximum(words, 1.0)
    order = np.lexsort((np.arange(k), -rates, ~large))
    return centroids[order] if large[order[0]] and rates[order[0]] > 0 else None


def _speaker_means(speakers: Speakers, values: Floats) -> Floats:
    known = np.isfinite(values) & (speakers.row_speaker >= 0)
    who, n = speakers.row_speaker[known], len(speakers.names)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(who, values[known], minlength=n) / np.bincount(who, minlength=n))


def _rate(learned: Heard, inside: np.ndarray) -> float | None:
    words = float(learned.words[inside].sum())
    return float(learned.errors[inside].sum()) / words if words else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def build(*, options: Mapping[str, Json]) -> VoiceClusters:
    """The finder with these options."""
    return VoiceClusters(read_options(Options, options, plugin=NAME))
