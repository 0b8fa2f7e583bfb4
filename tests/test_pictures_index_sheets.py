"""What a notebook asks of a folder of pictures: descriptions, graph, clusters, sheets, sliders."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from own_pictures import BROKEN, GOOD, described_checkpoint, mixed_pictures
from PIL import Image
from reference import eq_4

from clipsim.data import DataError, load
from clipsim.pictures import index
from clipsim.pictures.index import own_describer
from clipsim.pictures.sheets import COLUMNS, explorer, neighbour_sheet, search_sheet

SETTINGS = [{}, {"vector_space": "text", "normalisation": "paper"}]


@pytest.fixture(scope="module", params=SETTINGS, ids=["joint, mean", "text, paper"])
def folder(request, tmp_path_factory):
    """Describer, pictures and their 30 descriptions."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("pictures.index", "model.features"):
            patch.setattr(f"clipsim.{module}.CACHE", tmp_path_factory.mktemp("cache"))
        checkpoint = described_checkpoint(tmp_path_factory.mktemp("model"), **request.param)
        describer = own_describer(checkpoint)
        path = mixed_pictures(tmp_path_factory.mktemp("pictures") / "mine")
        images, encoded = index.folder_or_example(path, describer.profile, describer)
        assert (encoded.names, tuple(encoded.broken)) == (GOOD, BROKEN)
        # An untrained model sees hardly a difference between pictures; these differ.
        vectors = np.random.default_rng(0).normal(size=encoded.vectors.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        yield describer, images, describer.described(encoded.names, vectors, 30)


def scores_by_hand(describer, retrieval):
    sets = retrieval.description_vectors
    norm = describer.profile.normalisation
    return np.array([[eq_4(a, b, norm) for b in sets] for a in sets])


def between(scores):
    """A threshold in the middle of scores, and none of them."""
    levels = np.unique(scores[np.triu_indices(len(scores), 1)])
    gap = 10 + np.argmax(np.diff(levels[10:-10]))
    return float(levels[gap : gap + 2].mean())


def test_the_most_alike_are_those_of_eq_4(folder):
    describer, _, wide = folder
    scores = scores_by_hand(describer, wide)
    found = index.most_alike(wide, wide.at([3]), describer.profile.normalisation, 99)
    order = np.argsort(-scores[3], kind="stable")
    assert [row["name"] for row in found] == [GOOD[i] for i in order]
    np.testing.assert_allclose([row["score"] for row in found], scores[3][order], atol=1e-5)


def test_clusters_come_largest_first_with_a_description_of_their_own(folder):
    _, _, wide = folder
    few = wide.first(3)
    groups = index.clusters(few, np.array([7, 1, 1, 7, 1, 0, 1, 7, 0, 9]))
    members = [[1, 2, 4, 6], [0, 3, 7], [5, 8], [9]]
    assert [group["names"] for group in groups] == [[GOOD[i] for i in rows] for rows in members]
    for group, rows in zip(groups, members, strict=True):
        vectors = few.description_vectors[rows].reshape(-1, few.pool_vectors.shape[1])
        closeness = vectors @ vectors.mean(axis=0)
        best = few.ids[rows].ravel()[closeness.argmax()]
        assert group["typical"] == few.pool[best]


def test_without_a_folder_the_test_images_stand_in(smoke, tmp_path, monkeypatch):
    monkeypatch.setattr("clipsim.model.features.CACHE", tmp_path / "cache")
    monkeypatch.setattr(index, "EXAMPLES", 6)
    describer = own_describer(described_checkpoint(tmp_path / "model"))
    images, encoded = index.folder_or_example(None, smoke, describer)
    everything = load(smoke)
    first = [everything.image_ids[i] for i in everything.indices("test")[:6]]
    assert images.image_ids == encoded.names == tuple(first)
    expected = describer.model.encode_images(everything.pixel_batch(first))
    np.testing.assert_allclose(encoded.vectors, expected, atol=1e-6)


def test_one_picture_is_too_few_to_compare(folder, tmp_path, monkeypatch):
    describer, _, _ = folder
    monkeypatch.setattr("clipsim.pictures.index.CACHE", tmp_path / "cache")
    mixed_pictures(tmp_path / "one")
    for name in GOOD[1:]:
        (tmp_path / "one" / name).unlink()
    with pytest.raises(DataError, match="1 of its pictures can be read, 3 are broken"):
        index.folder_or_example(tmp_path / "one", describer.profile, describer)


def test_sheets_show_what_their_tables_say(folder):
    describer, images, wide = folder
    scores = scores_by_hand(describer, wide)
    norm = describer.profile.normalisation
    figure, table, _ = neighbour_sheet(images, wide, norm, 0.5, n_rows=2)
    assert len(figure.axes) == 2 * COLUMNS
    assert table.picture.unique().tolist() == [GOOD[0], GOOD[5]]
    for row in table.itertuples():
        a, b = GOOD.index(row.picture), GOOD.index(row.neighbour)
        assert row.score == pytest.approx(scores[a, b], abs=1e-5)
        best = np.sort(np.delete(scores[a], a))[::-1]
        assert row.score == pytest.approx(best[row.rank - 1], abs=1e-5)
    figure, table, _ = search_sheet(images, describer, wide, ["a boat"])
    assert len(figure.axes) == len(table) == COLUMNS
    shown = np.asarray(figure.axes[0].images[0].get_array(), dtype=float)
    each = [Image.fromarray(images.pixels(name).transpose(1, 2, 0)) for name in GOOD]
    apart = [np.abs(shown - np.asarray(one.resize(shown.shape[:2]))).mean() for one in each]
    assert GOOD[np.argmin(apart)] == table.picture[0]


def test_names_and_descriptions_are_shown_as_they_are(folder):
    describer, images, wide = folder
    odd = replace(images, name="$x_$y")
    figure, *_ = search_sheet(odd, describer, wide, ["cost_$5_vs_$6.jpg"])
    figure.savefig(BytesIO())  # as formulas these would be errors
    assert figure.get_suptitle().startswith("$x_$y")


def test_a_slider_that_moves_draws_anew(folder):
    describer, images, wide = folder
    profile = describer.profile
    scores = scores_by_hand(describer, wide.first(profile.n_descriptions))
    middle = between(scores)
    box = explorer(images, wide, profile, middle)
    (n, tau), line, picture = box.children[0].children, box.children[1], box.children[2]
    assert (n.value, n.max, tau.value) == (profile.n_descriptions, 30, pytest.approx(middle))
    assert f"Pairs alike: {np.count_nonzero(np.triu(scores >= middle, 1)):,};" in line.value
    seen = [(line.value, picture.value)]
    for slider, value, n_pairs in ((tau, tau.max, 0), (tau, tau.min, 45), (n, 30, 45)):
        slider.value = value
        assert f"Pairs alike: {n_pairs};" in line.value
        seen.append((line.value, picture.value))
    assert len(set(seen)) == 4
    tau.value, n.value = middle, profile.n_descriptions
    assert (line.value, picture.value) == seen[0]


def test_sliders_say_when_too_many_pairs_are_alike(folder, monkeypatch):
    describer, images, wide = folder
    monkeypatch.setattr(index, "MOST_EDGES", 3)
    box = explorer(images, wide, describer.profile, 5.0)
    box.children[0].children[1].value = -1.0
    assert "raise it" in box.children[1].value
    assert box.children[2].value == b""
