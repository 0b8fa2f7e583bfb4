"""Clusters against what is known: against scikit-learn, by hand, and on scores with an answer."""

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
from planted import planted_groups
from sklearn.metrics import adjusted_rand_score, cohen_kappa_score

from clipsim import load_profile
from clipsim.data import LabelledPairs, load, load_pairs
from clipsim.data.pairs import AGREE, DISAGREE, TOP
from clipsim.retrieval.caption_index import Retrieval
from clipsim.studies.similarity_graph.clusters import (
    CLUSTERS,
    PAIRS,
    PAPER,
    KnownImages,
    MetricGraphs,
    best_threshold_for_components,
    best_thresholds,
    chosen_thresholds,
    component_agreement,
    every_pair,
    growth_rows,
    known_images,
    n_compared,
    pair_agreement,
    pictured,
    quality_rows,
    sweep,
    together,
)

PROFILE = load_profile("smoke")


def random_partition(n_images, seed):
    return np.random.default_rng(seed).integers(0, 12, n_images)


@pytest.mark.parametrize("seed", range(5))
def test_over_all_pairs_kappa_is_the_adjusted_rand_index(seed):
    known, _ = planted_groups()
    labels = random_partition(len(known), seed)
    expected = adjusted_rand_score(known.classes["content"], labels)
    assert pair_agreement(together(known, labels), known.alike) == pytest.approx(expected)


def test_kappa_of_some_pairs_is_scikit_learns_and_weights_are_repetitions():
    rng = np.random.default_rng(0)
    in_cluster, alike = rng.random((2, 60)) < 0.4
    counts = rng.integers(0, 4, 60)
    repeated = cohen_kappa_score(np.repeat(in_cluster, counts), np.repeat(alike, counts))
    assert pair_agreement(in_cluster, alike) == pytest.approx(cohen_kappa_score(in_cluster, alike))
    assert pair_agreement(in_cluster, alike, counts) == pytest.approx(repeated)
    several = np.stack([in_cluster, ~in_cluster, alike], axis=1)
    assert pair_agreement(several, alike)[[0, 2]] == pytest.approx(
        [cohen_kappa_score(in_cluster, alike), 1]
    )


def test_kappa_of_one_cluster_of_all_and_of_no_pair():
    alike = np.array([True, False, False])
    assert pair_agreement(np.ones(3, dtype=bool), alike) == 0
    assert np.isnan(pair_agreement(np.ones(3, dtype=bool), np.ones(3, dtype=bool)))
    assert np.isnan(pair_agreement(alike, alike, np.zeros(3)))


def test_a_sweep_finds_the_planted_classes():
    known, matrix = planted_groups()
    table = sweep(MetricGraphs.of(known, matrix), seed=0)
    assert (np.diff(table.threshold) < 0).all()
    assert (np.diff(table.share_in_largest) >= 0).all()
    assert (np.diff(table.share_alone) <= 0).all()
    for method in ("components", "communities"):
        best = table.loc[table[method].idxmax()]
        assert (best[method], best.n_components, best.share_in_largest) == (1, 8, 5 / 40)
    last = table.iloc[-1]
    assert (last.n_edges, last.share_in_largest, last.components) == (780, 1, 0)
    assert last.neighbours == len(known) - 1


def test_scores_of_known_pairs_and_what_their_edges_are_worth():
    known, matrix = planted_groups(noise=0.5)
    some = np.random.default_rng(0).permutation(len(known.pairs))[:200]
    weights = 1.0 + np.arange(200) % 2
    few = KnownImages(known.image_ids, known.pairs[some][:, ::-1], known.alike[some], weights, {})
    graphs = MetricGraphs.of(few, matrix)
    scores = matrix[tuple(few.pairs.T)]
    np.testing.assert_array_equal(graphs.known_scores, scores)
    shape = graphs.shape(0.6)
    edge = scores >= 0.6
    both = weights[edge & few.alike].sum()
    assert shape["edges_alike"] == pytest.approx(both / weights[edge].sum())
    assert shape["alike_joined"] == pytest.approx(both / weights[few.alike].sum())
    assert np.isnan(graphs.shape(9)["edges_alike"])


@pytest.mark.parametrize("n_known", [780, 60])
def test_one_sort_gives_the_agreement_at_every_threshold(n_known):
    known, matrix = planted_groups(noise=0.5)
    some = np.sort(np.random.default_rng(1).permutation(len(known.pairs))[:n_known])
    weights = np.where(known.alike[some], 1.0, 3.0)
    few = KnownImages(known.image_ids, known.pairs[some], known.alike[some], weights, {})
    graphs = MetricGraphs.of(few, matrix)
    thresholds, kappas = component_agreement(graphs)
    assert (np.diff(thresholds) < 0).all()
    for threshold, kappa in zip(thresholds, kappas, strict=True):
        assert graphs.agreement(graphs.hierarchy.labels(threshold)) == pytest.approx(kappa)
    best = best_threshold_for_components(graphs)
    assert graphs.agreement(graphs.hierarchy.labels(best)) == pytest.approx(np.nanmax(kappas))


def test_the_best_threshold_is_between_the_planted_scores():
    known, matrix = planted_groups()
    graphs = MetricGraphs.of(known, matrix)
    best = best_thresholds(graphs, sweep(graphs, seed=0))
    highest_between = matrix[tuple(known.pairs[~known.alike].T)].max()
    assert highest_between < best["components"] < 0.9
    for method, threshold in best.items():
        assert graphs.agreement(graphs.labels(threshold, method, seed=0)) == 1


def test_rows_with_intervals_controls_and_differences():
    known, matrix = planted_groups()
    noise = np.random.default_rng(1).random(matrix.shape).astype(np.float32)
    graphs = {
        "clip_score": MetricGraphs.of(known, matrix),
        "image_cosine": MetricGraphs.of(known, np.triu(noise, 1) + np.triu(noise, 1).T),
    }
    best = {
        "clip_score": {"components": 0.5, "communities": 0.5},
        "image_cosine": {"components": 0.97, "communities": 0.97},
    }
    held_out, paper = {"clip_score": 0.1, "image_cosine": 0.5}, {"clip_score": 0.5}
    chosen = chosen_thresholds(held_out, paper | {"image_cosine": None}, best)
    assert len(chosen) == 2 * 3 + 2 * 2
    rows, differences = quality_rows(graphs, chosen, PROFILE)
    of = {(row["metric"], row["origin"], row["method"]): row for row in rows}
    planted_row = of["clip_score", CLUSTERS, "components"]
    assert (planted_row["kappa"], planted_row["kappa_ci95"]) == (1, [1, 1])
    assert planted_row["classes"]["content"]["adjusted_rand"] == 1
    assert of["clip_score", PAPER, "components"]["kappa"] == 1
    giant = of["clip_score", PAIRS, "components"]
    assert (giant["kappa"], giant["share_in_largest"], giant["n_clusters"]) == (0, 1, 1)
    for row in rows:
        assert abs(row["kappa_shuffled"]) < 0.02
        low, high = row["kappa_shuffled_95"]
        assert low <= 0 <= high
    by_chance = of["image_cosine", CLUSTERS, "components"]
    assert by_chance["kappa_ci95"][0] < 0.1
    for row in differences:
        assert row["baseline"] == "image_cosine"
        assert row["difference"] == pytest.approx(
            1 - of["image_cosine", CLUSTERS, row["method"]]["kappa"]
        )
        assert row["difference_ci95"][0] > 0.5


def test_more_images_join_at_the_same_threshold():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(240, 1, 4)).astype(np.float32)
    ids = np.array([f"{i}" for i in range(240)])
    pool_ids = np.arange(240)[:, None]
    retrieval = Retrieval(ids, vectors[:, 0], pool_ids, pool_ids, ids, vectors[:, 0])
    pairs = every_pair(240)
    known = KnownImages(tuple(ids), pairs, rng.random(len(pairs)) < 0.1, np.ones(len(pairs)), {})
    rows = growth_rows(PROFILE, retrieval, {"val": known, "test": known}, {"fixed": 0.9})
    of = {
        origin: [row for row in rows if row["origin"] == origin] for origin in ("fixed", CLUSTERS)
    }
    assert [row["n_images"] for row in of["fixed"]] == [50, 100, 200, 240]
    neighbours = [row["neighbours"] for row in of["fixed"]]
    assert neighbours == sorted(neighbours)
    whole = MetricGraphs.of(known, score(vectors))
    assert of["fixed"][-1] == {
        "n_images": 240, "origin": "fixed",
        "kappa": whole.agreement(whole.hierarchy.labels(0.9)), **whole.shape(0.9),
    }  # fmt: skip
    best = best_threshold_for_components(whole)
    assert of[CLUSTERS][-1]["threshold"] == pytest.approx(best, abs=1e-6)
    assert of[CLUSTERS][-1]["kappa"] == pytest.approx(component_agreement(whole)[1].max())


def score(vectors):
    unit = vectors[:, 0] / np.linalg.norm(vectors[:, 0], axis=1, keepdims=True)
    return unit @ unit.T


@pytest.fixture(scope="module")
def scenes():
    images = load(PROFILE)
    return images, load_pairs(PROFILE, images)


def test_all_pairs_of_scenes_are_known_by_their_content(scenes):
    images, pairs = scenes
    known = known_images(images, pairs, PROFILE)
    for split in ("val", "test"):
        of_split = known[split]
        assert set(of_split.image_ids) == set(pairs.where(pairs.split == split).image_ids)
        assert len(of_split.pairs) == len(of_split) * (len(of_split) - 1) // 2
        for (a, b), alike in zip(of_split.pairs, of_split.alike, strict=True):
            contents = [images.scenes[of_split.image_ids[i]].content for i in (a, b)]
            assert alike == (contents[0] == contents[1])
    labelled = {(a, b): s for a, b, s in zip(pairs.id_a, pairs.id_b, pairs.similar, strict=True)}
    test = known["test"]
    for (a, b), alike in zip(test.pairs, test.alike, strict=True):
        assert labelled.get((test.image_ids[a], test.image_ids[b]), alike) == alike
    assert n_compared(images, known) == min(len(known["val"]), len(known["test"]))


def test_the_first_images_and_what_is_known_of_them(scenes):
    known = known_images(*scenes, PROFILE)["test"]
    few = known.first(7)
    assert (len(few), len(few.pairs), few.pairs.max()) == (7, 21, 6)
    assert few.image_ids == known.image_ids[:7]
    assert all(len(labels) == 7 for labels in few.classes.values())


def test_pictures_of_several_groups():
    known, _ = planted_groups(n_classes=6, n_each=5)
    chosen = pictured(known, seed=0, n_groups=3, n_each=4, n_others=0)
    _, counts = np.unique(known.classes["content"][chosen], return_counts=True)
    assert counts.tolist() == [4, 4, 4]
    more = pictured(known, seed=0, n_groups=3, n_each=4, n_others=5)
    assert (len(set(more)), set(chosen) < set(more)) == (17, True)
    np.testing.assert_array_equal(more, pictured(known, seed=0, n_groups=3, n_each=4, n_others=5))
    assert len(pictured(known, seed=0, n_groups=10, n_each=4, n_others=99)) == 30


def photograph_pairs(n_pairs, split, kinds=("", "")):
    """Chains a-b-c … of photographs, every fourth pair alike."""
    ids = np.array([f"{split}-{i:03d}" for i in range(n_pairs + 1)])
    similar = (np.arange(n_pairs) % 4 == 0).astype(np.int8)
    kind = np.where(similar == 1, kinds[1], kinds[0])
    blank = np.full(n_pairs, "")
    return LabelledPairs(
        ids[:-1],
        ids[1:],
        similar,
        similar.astype(np.float32),
        kind,
        np.full(n_pairs, split),
        blank,
    )


def test_photographs_are_known_by_pairs():
    parts = [photograph_pairs(40, s, (DISAGREE, AGREE)) for s in ("val", "test")]
    columns = [f.name for f in fields(LabelledPairs) if f.name != "details"]
    pairs = LabelledPairs(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in columns)
    )
    photographs = SimpleNamespace(scenes={})
    known = known_images(photographs, pairs, PROFILE)["test"]
    assert sorted(known.image_ids) == sorted(parts[1].image_ids)
    alike = {frozenset(known.image_ids[i] for i in pair) for pair in known.pairs[known.alike]}
    expected = parts[1].where(parts[1].similar == 1)
    assert alike == set(map(frozenset, zip(expected.id_a, expected.id_b, strict=True)))
    assert known.weights[known.alike].sum() == pytest.approx(TOP)
    assert known.weights.sum() == pytest.approx(1)
    few = known.first(30)
    assert 0 < few.alike.mean() < 1, "the pairs come shuffled"


def test_judged_pairs_make_groups_of_photographs():
    pairs, alike = np.array([[0, 1], [1, 2], [2, 3]]), np.array([True, True, False])
    known = KnownImages(("a", "b", "c", "d"), pairs, alike, np.ones(3), {})
    assert known.groups.tolist() == [0, 0, 0, 1]
