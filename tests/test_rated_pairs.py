"""Pairs rated side by side: kept out of training and pool, half of them for choices."""

import itertools

import numpy as np
import photograph_folders as folders
import pytest
from test_judgments import EXPERTS, write

from clipsim.data import DataError, caption_pool, load, load_pairs

NAMES = folders.names()
RATED = list(itertools.pairwise(NAMES[:17]))  # a chain: nothing may cut it
APART = [(NAMES[i], NAMES[i + 1]) for i in range(6, 30, 2)]
SCORES = [4.5, 0.4, 3.0, 1.9, 2.5, 0.0] * 4


def write_rated(root, pairs, header="image_a\timage_b\tscore", row="{}\t{}\t{}"):
    scored = zip(pairs, itertools.cycle(SCORES))
    rows = [row.format(a, b, score) for (a, b), score in scored]
    (root / "vsts.tsv").write_text("\n".join([header, *rows, ""]))


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr("clipsim.data.pictures.CACHE", tmp_path / "cache")
    monkeypatch.setattr("clipsim.data.photographs.judgments.FEWEST", 1)
    monkeypatch.setattr("clipsim.data.FEWEST", 0)  # all validation images are rated ones here
    folders.kaggle(tmp_path)
    write(tmp_path, EXPERTS)
    return tmp_path


def of_vsts(root):
    profile = folders.profile(root, pairs="human", n_descriptions=1)
    images = load(profile)
    pairs = load_pairs(profile, images)
    return profile, images, pairs.where(pairs.source == "vsts"), pairs


def test_no_rated_photograph_is_trained_on_and_none_of_its_captions_is_in_the_pool(root):
    write_rated(root, APART)
    profile, images, _, _ = of_vsts(root)
    rated = {name for pair in APART for name in pair}
    training = {images.image_ids[i] for i in images.indices("train")}
    validation = {images.image_ids[i] for i in images.indices("val")}
    assert training
    assert not rated & (training | validation)
    pool = set(caption_pool(profile, images))
    assert not pool & {folders.captions(name)[0] for name in rated}


def test_no_photograph_is_in_both_halves_and_both_are_about_equal(root):
    write_rated(root, APART)
    _, _, pairs, _ = of_vsts(root)
    chooses = pairs.split == "val"
    assert abs(chooses.sum() - (~chooses).sum()) <= 1
    assert set(pairs.split.tolist()) == {"val", "cross"}
    first, second = (set(pairs.where(half).image_ids) for half in (chooses, ~chooses))
    assert not first & second


def test_labels_and_grades(root):
    write_rated(root, APART)
    _, _, pairs, _ = of_vsts(root)
    graded = dict(zip(zip(pairs.id_a, pairs.id_b, strict=True), pairs.graded, strict=True))
    label = dict(zip(zip(pairs.id_a, pairs.id_b, strict=True), pairs.similar, strict=True))
    assert [label[pair] for pair in APART[:6]] == [1, 0, 1, 0, -1, 0]
    assert [graded[pair] for pair in APART[:6]] == pytest.approx(np.divide(SCORES[:6], 5))


def test_the_original_file_is_read_by_its_own_columns(root):
    write_rated(
        root,
        [(f"images/{a}", f"images\\{b}") for a, b in APART],
        "id\tsource\tsent1\timage1\tsent2\timage2\tsim",
        "1\tflickr\ta dog\t{}\ta cat\t{}\t{}",
    )
    (root / "vsts.tsv").rename(root / "visual_sts.v2.0.all.tsv")
    _, _, pairs, _ = of_vsts(root)
    assert len(pairs) == len(APART)


def test_pairs_that_hang_together_cannot_be_halved_and_are_left_out_with_a_note(root):
    write_rated(root, RATED)
    _, _, of_source, pairs = of_vsts(root)
    assert len(of_source) == 0
    assert "not used" in pairs.details["vsts"]["note"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\n1\t2\n", "first line must name"),
        ("image_a\timage_b\tscore\na.jpg\ta.jpg\t2\n", "1 of 1 rows are damaged"),
        (f"image_a\timage_b\tscore\n{NAMES[0]}\t{NAMES[1]}\t5.5\n", "1 of 1 rows are damaged"),
        ("image_a\timage_b\tscore\n", "no judgments in it"),
    ],
)
def test_a_file_that_is_no_such_file_is_named(root, text, message):
    (root / "vsts.tsv").write_text(text)
    with pytest.raises(DataError, match=message):
        of_vsts(root)
