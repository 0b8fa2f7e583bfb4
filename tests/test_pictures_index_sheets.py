"""What a notebook asks of a folder of pictures: descriptions, graph, clusters, sheets, sliders."""

from copy import copy
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from own_pictures import BROKEN, GOOD, described_checkpoint, mixed_pictures
from PIL import Image
from reference import eq_4

from clipsim.data import BadImageError, DataError, read_picture
from clipsim.pictures import PictureIndex, answers, compare, describe, index, own_describer
from clipsim.pictures.sheets import COLUMNS, explorer, neighbour_sheet, search_sheet

SETTINGS = [{}, {"vector_space": "text", "normalisation": "paper"}]


@pytest.fixture(scope="module", params=SETTINGS, ids=["joint, mean", "text, paper"])
def folder(request, tmp_path_factory):
    """The index of a folder, with 30 descriptions of each picture."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("pictures.chosen_model", "model.features"):
            patch.setattr(f"clipsim.{module}.CACHE", tmp_path_factory.mktemp("cache"))
        checkpoint = described_checkpoint(tmp_path_factory.mktemp("model"), **request.param)
        describer = own_describer(checkpoint)
        path = mixed_pictures(tmp_path_factory.mktemp("pictures") / "mine")
        mine = PictureIndex(path, describer)
        assert (tuple(mine.names), tuple(mine.broken)) == (GOOD, BROKEN)
        # An untrained model sees hardly a difference between pictures; these differ.
        vectors = np.random.default_rng(0).normal(size=mine.retrieval.image_vectors.shape)
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        mine.retrieval = describer.described(GOOD, vectors, 30)
        mine.known |= {"threshold": 0.5, "chance": [[0.0, 0.1], [1.0, 0.0]]}
        yield mine


def scores_by_hand(describer, retrieval):
    sets = retrieval.description_vectors
    norm = describer.profile.normalisation
    return np.array([[eq_4(a, b, norm) for b in sets] for a in sets])


def between(scores):
    """A threshold in the middle of scores, and none of them."""
    levels = np.unique(scores[np.triu_indices(len(scores), 1)])
    gap = 10 + np.argmax(np.diff(levels[10:-10]))
    return float(levels[gap : gap + 2].mean())


def test_the_graph_has_the_pairs_that_eq_4_says(folder, monkeypatch):
    describer, wide = folder.describer, folder.retrieval
    few = wide.first(4)
    scores = scores_by_hand(describer, few)
    threshold = between(scores)
    graph = answers.picture_graph(few, describer.profile.normalisation, threshold)
    expected = {(i, j) for i in range(10) for j in range(i + 1, 10) if scores[i, j] >= threshold}
    assert {tuple(sorted(edge)) for edge in graph.edges} == expected
    for i, j, score in graph.edges(data="score"):
        assert score == pytest.approx(scores[i, j], abs=1e-5)
    monkeypatch.setattr(answers, "MOST_EDGES", 44)
    with pytest.raises(DataError, match=r"threshold -99: over 44 pairs.*raise it"):
        answers.picture_graph(few, "paper", -99)


def test_the_most_alike_are_those_of_eq_4(folder):
    describer, wide = folder.describer, folder.retrieval
    scores = scores_by_hand(describer, wide)
    found = answers.most_alike(wide, wide.at([3]), describer.profile.normalisation, 99)
    order = np.argsort(-scores[3], kind="stable")
    assert [row["name"] for row in found] == [GOOD[i] for i in order]
    np.testing.assert_allclose([row["score"] for row in found], scores[3][order], atol=1e-5)


def test_clusters_come_largest_first_with_a_description_of_their_own(folder):
    wide = folder.retrieval
    few = wide.first(3)
    groups = answers.clusters(few, np.array([7, 1, 1, 7, 1, 0, 1, 7, 0, 9]))
    members = [[1, 2, 4, 6], [0, 3, 7], [5, 8], [9]]
    assert [group["names"] for group in groups] == [[GOOD[i] for i in rows] for rows in members]
    for group, rows in zip(groups, members, strict=True):
        vectors = few.description_vectors[rows].reshape(-1, few.pool_vectors.shape[1])
        closeness = vectors @ vectors.mean(axis=0)
        best = few.ids[rows].ravel()[closeness.argmax()]
        assert group["typical"] == few.pool[best]


def test_sheets_show_what_their_tables_say(folder):
    describer, images, wide = folder.describer, folder.images, folder.retrieval
    scores = scores_by_hand(describer, wide)
    figure, table, caption = neighbour_sheet(folder, n_rows=2)
    assert len(figure.axes) == 2 * COLUMNS
    assert table.picture.unique().tolist() == [GOOD[0], GOOD[5]]
    for row in table.itertuples():
        a, b = GOOD.index(row.picture), GOOD.index(row.neighbour)
        assert row.score == pytest.approx(scores[a, b], abs=1e-5)
        best = np.sort(np.delete(scores[a], a))[::-1]
        assert row.score == pytest.approx(best[row.rank - 1], abs=1e-5)
    notes = [axis.get_xlabel().split("\n")[0] for axis in figure.axes]
    assert [f"D = {score:.2f}" for score in table.score] == [t for t in notes if t[:2] == "D "]
    assert f"{(table.score >= 0.5).mean():.0%} of the neighbours" in caption
    figure, table, caption = search_sheet(folder, ["a boat"])
    assert len(figure.axes) == len(table) == COLUMNS
    assert table.fits.tolist() == (table.similarity >= 0.9).tolist()
    assert ("none" in caption) == bool(table.fits[0])
    shown = np.asarray(figure.axes[0].images[0].get_array(), dtype=float)
    each = [Image.fromarray(images.pixels(name).transpose(1, 2, 0)) for name in GOOD]
    apart = [np.abs(shown - np.asarray(one.resize(shown.shape[:2]))).mean() for one in each]
    assert GOOD[np.argmin(apart)] == table.picture[0]


def test_names_and_descriptions_are_shown_as_they_are(folder):
    odd = copy(folder)
    odd.images = replace(folder.images, name="$x_$y")
    figure, *_ = search_sheet(odd, ["cost_$5_vs_$6.jpg"])
    figure.savefig(BytesIO())  # as formulas these would be errors
    assert figure.get_suptitle().startswith("$x_$y")


def test_a_slider_that_moves_draws_anew(folder, monkeypatch):
    describer, images, wide = folder.describer, folder.images, folder.retrieval
    profile = describer.profile
    scores = scores_by_hand(describer, wide.first(profile.n_descriptions))
    middle = between(scores)
    box = explorer(images, wide, profile, middle)
    (n, tau), line, picture = box.children[0].children, box.children[1], box.children[2]
    assert (n.value, n.max, tau.value) == (profile.n_descriptions, 30, pytest.approx(middle))
    assert Image.open(BytesIO(picture.value)).width > 700
    assert f"Pairs alike: {np.count_nonzero(np.triu(scores >= middle, 1)):,};" in line.value
    seen = [(line.value, picture.value)]
    for slider, value, n_pairs in ((tau, tau.max, 0), (tau, tau.min, 45), (n, 30, 45)):
        slider.value = value
        assert f"Pairs alike: {n_pairs};" in line.value
        seen.append((line.value, picture.value))
    assert len(set(seen)) == 4
    tau.value, n.value = middle, profile.n_descriptions
    assert (line.value, picture.value) == seen[0]
    monkeypatch.setattr(answers, "MOST_EDGES", 3)
    tau.value = tau.min
    assert ("raise it" in line.value, picture.value) == (True, b"")


def test_an_index_scores_pairs_by_name_as_eq_4(folder):
    scores = scores_by_hand(folder.describer, folder.retrieval)
    named = [(GOOD[4], GOOD[1]), (GOOD[0], GOOD[9]), (GOOD[1], GOOD[4])]
    expected = [scores[4, 1], scores[0, 9], scores[1, 4]]
    np.testing.assert_allclose(folder.scores(named), expected, atol=1e-5)
    with pytest.raises(DataError, match=r"elsewhere\.png: no such picture"):
        folder.scores([(GOOD[0], "elsewhere.png")])
    threshold = between(scores)
    found = {frozenset((a, b)): score for a, b, score in folder.pairs(threshold)}
    upper = {(i, j): scores[i, j] for i in range(10) for j in range(i + 1, 10)}
    expected = {frozenset((GOOD[i], GOOD[j])): s for (i, j), s in upper.items() if s >= threshold}
    assert found == pytest.approx(expected, abs=1e-5)


def test_paths_pictures_and_arrays_are_described_alike(folder):
    path = Path(folder.folder, GOOD[0])
    picture = read_picture(path)
    array = np.asarray(picture.convert("RGB"))
    forms = [str(path), path, picture, array, (array / 255).astype(np.float32)]
    first, *others = [describe(form, 3, folder.describer) for form in forms]
    assert len(first) == 3
    assert all(other == first for other in others)
    found = compare(path, array, folder.describer)
    assert [row["name"] for row in found["pictures"]] == [str(path), "picture 2"]
    own = index.described_pictures(folder.describer, [path])
    sets = own.description_vectors[0], own.description_vectors[0]
    assert found["score"] == pytest.approx(
        eq_4(*sets, folder.describer.profile.normalisation), abs=1e-5
    )
    assert found["image_cosine"] == pytest.approx(1, abs=1e-5)
    with pytest.raises(DataError, match=r"shape \(7, 7\).*expected \(H, W, 3\)"):
        describe(np.zeros((7, 7)), 3, folder.describer)
    with pytest.raises(BadImageError):
        describe(Path(folder.folder, BROKEN[0]), 3, folder.describer)
