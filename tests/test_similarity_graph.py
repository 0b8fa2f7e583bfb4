"""Clusters against a search, scikit-learn and planted scores; drawings hold every picture."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from made_pairs import joined, labelled_pairs
from reference import components_by_search
from sklearn.metrics import adjusted_rand_score, cohen_kappa_score

from clipsim import load_profile
from clipsim.data import AGREE, TOP, LabelledPairs, load, load_pairs
from clipsim.studies import similarity_graph as study
from clipsim.studies.similarity_graph import KnownImages, MetricGraphs, best_threshold

PROFILE = load_profile("smoke")


def every_pair(n_images):
    return np.stack(np.triu_indices(n_images, k=1), axis=1)


def planted_groups(n_classes=8, n_each=5, noise=0.1, seed=0):
    """Graphs of images of known classes; scores near 0.8 within a class and near 0.2 between."""
    content = np.repeat([f"class {i}" for i in range(n_classes)], n_each)
    pairs = every_pair(len(content))
    alike = content[pairs[:, 0]] == content[pairs[:, 1]]
    ids = tuple(f"{i:03d}" for i in range(len(content)))
    known = KnownImages(ids, pairs, alike, np.ones(len(alike)), content)
    matrix = np.zeros((len(ids), len(ids)), dtype=np.float32)
    noise = noise * np.random.default_rng(seed).uniform(-1, 1, len(pairs))
    matrix[tuple(pairs.T)] = np.where(alike, 0.8, 0.2) + noise
    return MetricGraphs(known, matrix + matrix.T)


def some_known(graphs, n_known, seed):
    """The same scores; known are some pairs only, in any order, and not all weigh alike."""
    known, some = graphs.known, np.random.default_rng(seed).permutation(len(graphs.scores))
    pairs, alike = known.pairs[some[:n_known]][:, ::-1], known.alike[some[:n_known]]
    few = KnownImages(known.image_ids, pairs, alike, 1.0 + np.arange(n_known) % 2, known.groups)
    return MetricGraphs(few, graphs.matrix)


def partition(labels):
    """What is together, without the numbers."""
    labels = np.asarray(labels)
    return sorted(np.flatnonzero(labels == label).tolist() for label in set(labels.tolist()))


def test_components_at_every_threshold_are_what_a_search_finds():
    graphs = planted_groups(noise=0.7)
    tied = MetricGraphs(graphs.known, graphs.matrix.round(1))  # many scores are equal
    levels = np.unique(tied.scores)
    for threshold in [*levels, levels[0] - 1, levels[-1] + 1]:
        edges = every_pair(40)[tied.scores >= threshold]
        expected = sorted(map(sorted, components_by_search(40, edges)))
        assert partition(tied.labels(threshold)) == expected


@pytest.mark.parametrize("seed", range(3))
def test_over_all_pairs_kappa_is_the_adjusted_rand_index(seed):
    graphs = planted_groups()
    labels = np.random.default_rng(seed).integers(0, 12, len(graphs.known))
    expected = adjusted_rand_score(graphs.known.groups, labels)
    assert graphs.agreement(labels) == pytest.approx(expected)
    few = some_known(graphs, 300, seed)
    known, times = few.known, few.known.weights.astype(int)
    repeated = (np.repeat(of, times) for of in (np.equal(*labels[known.pairs.T]), known.alike))
    assert few.agreement(labels) == pytest.approx(cohen_kappa_score(*repeated))


def test_a_sweep_finds_the_planted_classes():
    table = study.sweep(planted_groups())
    assert (np.diff(table.threshold) < 0).all()
    assert (np.diff(table.share_in_largest) >= 0).all()
    best, last = table.loc[table.kappa.idxmax()], table.iloc[-1]
    assert (best.kappa, best.share_in_largest) == (1, 5 / 40)
    assert (last.neighbours, last.share_in_largest, last.kappa) == (39, 1, 0)


@pytest.mark.parametrize("n_known", [780, 60])
def test_no_threshold_makes_better_components_than_the_best(n_known):
    graphs = some_known(planted_groups(noise=0.5), n_known, seed=1)
    best = graphs.agreement(graphs.labels(best_threshold(graphs)))
    assert best == max(graphs.agreement(graphs.labels(score)) for score in graphs.scores)


@pytest.fixture(scope="module")
def scenes():
    images = load(PROFILE)
    return images, load_pairs(PROFILE, images)


def test_all_pairs_of_scenes_are_known_by_their_content(scenes):
    images, pairs = scenes
    labelled = {(a, b): s for a, b, s in zip(pairs.id_a, pairs.id_b, pairs.similar, strict=True)}
    for split, known in study.known_images(images, pairs, PROFILE).items():
        split = split.removeprefix("all ")
        assert set(known.image_ids) <= set(pairs.where(pairs.split == split).image_ids)
        assert len(known.pairs) == len(known) * (len(known) - 1) // 2
        for (a, b), alike in zip(known.pairs, known.alike, strict=True):
            contents = [images.scenes[known.image_ids[i]].content for i in (a, b)]
            assert alike == (contents[0] == contents[1])
            assert labelled.get((known.image_ids[a], known.image_ids[b]), alike) == alike


def photograph_pairs(split):
    """A chain a-b-c … of photographs, every fourth pair alike."""
    ids = np.array([f"{split}-{i:03d}" for i in range(41)])
    similar = (np.arange(40) % 4 == 0).astype(np.int8)
    kind, blank = np.where(similar == 1, AGREE, "other"), np.full(40, "")
    splits = np.full(40, split)
    return LabelledPairs(ids[:-1], ids[1:], similar, similar.astype(float), kind, splits, blank)


def test_photographs_are_known_by_pairs():
    val, test = map(photograph_pairs, ("val", "test"))
    known = study.known_images(SimpleNamespace(scenes={}), joined(val, test), PROFILE)["all test"]
    assert sorted(known.image_ids) == sorted(test.image_ids)
    alike = {frozenset(known.image_ids[i] for i in pair) for pair in known.pairs[known.alike]}
    similar = test.where(test.similar == 1)
    assert alike == set(map(frozenset, zip(similar.id_a, similar.id_b, strict=True)))
    assert known.weights[known.alike].sum() == pytest.approx(TOP)
    assert known.weights.sum() == pytest.approx(1)
    assert 0 < known.subset(range(30)).alike.mean() < 1, "the pairs come shuffled"
    assert np.bincount(known.groups).tolist() == [2] * 10 + [1] * 21


def test_the_dendrogram_joins_what_is_together_at_each_score():
    graphs = planted_groups(n_classes=4, n_each=4)
    grey = np.full((3, 24, 24), 128, dtype=np.uint8)
    pictures = SimpleNamespace(pixels=lambda image_id: grey, scenes=True)
    _, table, _ = study.dendrogram_sheet(pictures, graphs, {study.PAIRS: 0.5})
    for score, images in zip(table.score, table.images, strict=True):
        assert sorted(map(int, images.split(" | "))) in partition(graphs.labels(score))


@pytest.mark.parametrize(
    ("sizes", "verdict"), [((4, 3, 3), "supported"), ((9, 1), "not supported")]
)
def test_one_large_component_refutes_that_the_threshold_prevents(sizes, verdict):
    labels = np.repeat(range(len(sizes)), sizes)
    content = np.array([f"class {i}" for i in np.minimum(np.arange(10) // 4, 2)])
    pairs = every_pair(10)
    alike = content[pairs[:, 0]] == content[pairs[:, 1]]
    ids = tuple(map(str, range(10)))
    known = KnownImages(ids, pairs, alike, np.ones(45), content)
    share, unlike = study.group_findings(known, labels)
    assert (share["estimate"], share["verdict"]) == (max(sizes) / 10, verdict)
    both = [c for a, b, c in zip(*pairs.T, alike, strict=True) if labels[a] == labels[b] == 0]
    assert (unlike["estimate"], unlike["n_pairs"]) == (pytest.approx(1 - np.mean(both)), len(both))
    assert unlike["verdict"] == verdict


def test_neighbours_vote_and_rankings_are_by_graded_pairs(scenes, monkeypatch):
    images, pairs = scenes
    known = study.known_images(images, pairs, PROFILE)["test"]
    lead = np.array([images.scenes[i].objects[0].concept for i in known.image_ids])
    rng, n = np.random.default_rng(0), len(known)
    truth = (lead[:, None] == lead) + 0.01 * rng.random((n, n))
    graphs = {"clip_score": MetricGraphs(known, truth + truth.T)}
    graphs["ssim"] = MetricGraphs(known, rng.random((n, n)))
    graded, vsts = rng.random(300), np.full(300, "vsts")
    judged = replace(labelled_pairs(300, "cross", n_images=30), graded=graded, source=vsts)
    scores = {"clip_score": graded, "image_cosine": -graded}
    monkeypatch.setattr("clipsim.studies.similarity_graph.clusters.load_pairs", lambda *_: judged)
    monkeypatch.setattr("clipsim.evaluation.description_scores", lambda *_: scores)
    rows, findings = study.search_and_classes(PROFILE, images, None, graphs)
    of = {(row["task"], row["metric"]): row for row in rows}
    (task, *_) = of[next(iter(of))].values()
    enough = np.array([(lead == own).sum() > 3 for own in lead])  # three others outvote two
    assert of[task, "clip_score"]["value"] >= enough.mean()
    assert of[task, "clip_score"]["baseline"] == np.unique(lead, return_counts=True)[1].max() / n
    assert of[task, "clip_score"]["value"] > of[task, "ssim"]["value"]
    assert of["nDCG@10 of vsts pairs", "clip_score"]["value"] == pytest.approx(1)
    assert (findings[1]["verdict"], findings[1]["n_pairs"]) == ("supported", 300)
