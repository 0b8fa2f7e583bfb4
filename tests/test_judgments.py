"""People's judgments of captions, read as judgments of image pairs."""

import itertools
import math
from dataclasses import replace

import numpy as np
import photograph_folders as folders
import pytest

from clipsim.data import DataError, load_pairs
from clipsim.data.photographs.judgments import caption_ratings, human_pairs
from clipsim.profile import REPOSITORY

FLICKR8K = REPOSITORY.parent / "shared" / "flickr8k"
A, B, C, D, *REST = folders.names()


def expert(image, other, *scores, number=2):
    return "\t".join([image, f"{other}#{number}", *map(str, scores)])


def crowd(image, other, yes, no, number=2):
    return "\t".join([image, f"{other}#{number}", f"{yes / (yes + no):.15g}", str(yes), str(no)])


def plenty(row, good, bad):
    """Rows of 12 pairs among the images from the fifth on: six similar, six dissimilar."""
    neighbours = list(itertools.pairwise(REST[:13]))
    rows = [row(a, b, *good) for a, b in neighbours[:6]]
    return rows + [row(a, b, *bad) for a, b in neighbours[6:]]


EXPERTS = plenty(expert, (4, 4, 4), (1, 1, 1))
CROWDS = plenty(crowd, (3, 0), (0, 3))


def judged(root, max_bad_rows=0.01):
    return folders.profile(root, pairs="human", max_bad_rows=max_bad_rows)


@pytest.fixture
def root(tmp_path):
    return folders.kaggle(tmp_path)


@pytest.fixture
def images(root):
    return folders.read(root)


def write(root, experts=None, crowds=None, end="\n"):
    for name, rows in (("ExpertAnnotations", experts), ("CrowdFlowerAnnotations", crowds)):
        if rows is not None:
            (root / f"{name}.txt").write_bytes(end.join([*rows, ""]).encode())


def found(pairs, a, b, source):
    """Label and graded score of one pair, or None."""
    a, b = sorted((a, b))
    mask = (pairs.id_a == a) & (pairs.id_b == b) & (pairs.source == source)
    assert mask.sum() <= 1
    return (int(pairs.similar[mask][0]), float(pairs.graded[mask][0])) if mask.any() else None


@pytest.mark.parametrize(
    ("ratings", "label", "graded"),
    [
        ([(A, B, 4, 4, 4)], 1, 1),
        ([(A, B, 3, 3, 3)], 1, 2 / 3),
        ([(A, B, 3, 3, 2)], -1, 5 / 9),
        ([(A, B, 2, 2, 2)], -1, 1 / 3),
        ([(A, B, 2, 2, 1)], 0, 2 / 9),
        ([(A, B, 4, 4, 4), (B, A, 2, 2, 2)], 1, 2 / 3),
        ([(A, B, 4, 4, 4), (A, B, 1, 1, 1)], -1, 1 / 2),
        ([(A, B, 3, 0)], 1, 1),
        ([(A, B, 2, 1)], 1, 2 / 3),
        ([(A, B, 2, 2)], -1, 1 / 2),
        ([(A, B, 1, 5)], -1, 1 / 6),
        ([(A, B, 0, 3)], 0, 0),
        ([(A, B, 3, 0), (B, A, 0, 3)], -1, 1 / 2),
        ([(A, B, 3, 0), (B, A, 0, 1)], 1, 3 / 4),  # every answer counts once
    ],
)
def test_labels_and_grades_of_a_pair(root, images, ratings, label, graded):
    """Of three scores by experts, or of yes and no by the crowd."""
    by_experts = len(ratings[0]) == 5
    write(root, EXPERTS + [expert(*r) for r in ratings if by_experts])
    write(root, crowds=CROWDS + [crowd(*r) for r in ratings if not by_experts])
    pairs = human_pairs(images, judged(root))
    source = "expert" if by_experts else "crowd"
    assert found(pairs, A, B, source) == (label, pytest.approx(graded))


def test_both_sources_stand_apart(root, images):
    experts = [*EXPERTS, expert(A, B, 4, 4, 4)]
    write(root, experts, [*CROWDS, crowd(A, B, 0, 3), crowd(C, D, 1, 2)])
    pairs = human_pairs(images, judged(root))
    assert found(pairs, A, B, "expert") == (1, 1)
    assert found(pairs, A, B, "crowd") == (0, 0)
    assert found(pairs, C, D, "expert") is None
    assert set(pairs.split) == {"cross"}
    assert set(pairs.kind) == {""}
    counts = pairs.details["crowd"]
    assert (counts["similar"], counts["dissimilar"], counts["in_between"]) == (6, 7, 1)
    assert counts["share_similar"] == pytest.approx(6 / 13)
    agreement = pairs.details["agreement"]
    assert agreement["pairs"] == agreement["labelled_by_both"] == 13
    assert agreement["equal_labels"] == pytest.approx(12 / 13)
    # Rank correlation of two 0/1 variables, 7 and 6 of 13 ones, 6 in common.
    assert agreement["spearman"] == pytest.approx((13 * 6 - 7 * 6) / math.sqrt(7 * 6 * 6 * 7))


def test_own_captions_and_pairs_whose_images_are_missing(root, images):
    rows = [expert(A, A, 4, 4, 4), expert(A, B, 4, 4, 4), expert(A, "9_00000000.jpg", 1, 1, 1)]
    write(root, experts=EXPERTS + rows)
    fewer = images.subset([i for i, name in enumerate(images.image_ids) if name != B])
    pairs = human_pairs(fewer, judged(root))
    counts = pairs.details["expert"]
    assert (counts["pairs_judged"], counts["pairs"], len(pairs)) == (14, 12, 12)
    assert (counts["similar_judged"], counts["similar"]) == (7, 6)
    assert not {A, B} & set(pairs.image_ids)


def test_none_or_too_few_of_a_class(root, images):
    with pytest.raises(DataError, match=r"no ExpertAnnotations\.txt or CrowdFlowerAnnotations"):
        human_pairs(images, judged(root))
    write(root, experts=[])
    with pytest.raises(DataError, match="no judgments in it"):
        human_pairs(images, judged(root))
    write(root, experts=EXPERTS[2:])
    with pytest.raises(DataError, match=r"ExpertAnnotations\.txt: 4 similar pairs have both"):
        human_pairs(images, judged(root))
    write(root, experts=EXPERTS, crowds=CROWDS[:10])
    with pytest.raises(DataError, match=r"4 dissimilar pairs .*pairs=captions"):
        human_pairs(images, judged(root))


def test_line_ends_and_blank_lines(root, images):
    write(root, experts=["\ufeff" + EXPERTS[0], "", *EXPERTS[1:]], end="\r\n")
    details = human_pairs(images, judged(root, 0.0)).details["expert"]
    assert (details["rows"], details["bad_rows"]) == (12, 0)


GOOD = expert(A, B, 4, 4, 4)
DAMAGED = (
    GOOD.replace("_", "\ufffd"), GOOD.replace("_", "\0"), GOOD.replace("#", " "),
    GOOD.replace("\t", " "), GOOD[:-2], f"{GOOD}\t4", GOOD + GOOD, expert(A, B, 4, 4, 5),
    expert(A, B, 4, 4, "x"), expert(A, B, 4, 4, 4, number="x"), expert("", B, 4, 4, 4),
)  # fmt: skip
DAMAGED_CROWDS = ("0.5\t3\t0", "nan\t0\t0", "2\t-2\t1", "1\t3", "0\t0\t0", "1.2.3\t3\t0")


def test_damaged_rows_are_counted_and_the_others_kept(root, images):
    rows = "\n".join([*EXPERTS, *DAMAGED]).encode().replace("\ufffd".encode(), b"\xff")
    (root / "ExpertAnnotations.txt").write_bytes(rows)
    write(root, crowds=CROWDS + [f"{A}\t{B}#0\t{numbers}" for numbers in DAMAGED_CROWDS])
    with pytest.raises(DataError, match=r"11 of 23 rows .*line 13.*a larger -p max_bad_rows"):
        human_pairs(images, judged(root))
    pairs = human_pairs(images, judged(root, 0.479))
    assert len(pairs) == 24
    assert pairs.details["expert"]["bad_lines"] == [*range(13, 24)]
    assert pairs.details["crowd"]["bad_lines"] == [*range(13, 19)]
    write(root, experts=["image,caption"])
    with pytest.raises(DataError, match=r"1 of 1 rows are damaged.*use the original file"):
        human_pairs(images, judged(root))


def test_expert_ratings(root, images):
    own, missing = expert(A, A, 4, 4, 4), expert(B, A, 1, 2, 3)
    write(root, experts=[expert(A, B, 1, 2, 4, number=3), own, missing])
    only_a = images.subset([images.position()[A]])
    ratings = caption_ratings(only_a, judged(root), "expert")
    assert ratings.image_ids == (A,)
    assert ratings.captions == (folders.captions(B)[3],)  # B itself need not be there
    assert ratings.scores.tolist() == [[1, 2, 4]]
    with pytest.raises(DataError, match="none of its rows has its image on disk"):
        caption_ratings(images.subset([images.position()[C]]), judged(root), "expert")


def test_judgments_of_a_data_set_beside_another(tmp_path):
    for part in ("flickr8k", "flickr30k"):
        folders.kaggle(tmp_path / part)
    write(tmp_path / "flickr8k", experts=[*EXPERTS, expert(A, B, 4, 4, 4)])
    for merge, name in ((True, A), (False, f"flickr8k/{A}")):
        images = folders.read(tmp_path, merge=merge)
        assert name in human_pairs(images, judged(tmp_path)).image_ids
        ratings = caption_ratings(images, judged(tmp_path), "expert")
        assert ratings.image_ids[-1] == name
        assert ratings.captions[-1] == folders.captions(B)[2]


@pytest.fixture(scope="module")
def flickr8k():
    if not FLICKR8K.is_dir():
        pytest.skip("shared/flickr8k is not beside the repository")
    return folders.read(FLICKR8K, pairs="human")


def test_the_real_judgments(flickr8k):
    pairs = load_pairs(folders.profile(FLICKR8K, pairs="human"), flickr8k)
    columns = ("rows", "bad_rows", "pairs_judged", "similar_judged", "pairs", "similar")
    counts = {s: [pairs.details[s][c] for c in columns] for s in ("expert", "crowd")}
    assert counts == {
        "expert": [5822, 0, 5608, 444, 1321, 106],
        "crowd": [47288, 0, 42107, 1274, 9853, 327],
    }
    assert pairs.details["agreement"]["pairs"] == 520
    captioned = pairs.where(pairs.source != "vsts")
    assert len(captioned.image_ids) == 500
    assert (pairs.id_a < pairs.id_b).all()
    assert ((pairs.graded >= 0) & (pairs.graded <= 1)).all()


def test_as_many_ratings_as_clipscore_counts(flickr8k):
    """Its appendix: 16,992 = 3 × 5,664 ratings, own captions left out."""
    lines = (FLICKR8K / "ExpertAnnotations.txt").read_text().splitlines()
    names = sorted({line.partition("\t")[0] for line in lines})
    everyone = replace(
        flickr8k,
        image_ids=tuple(names),
        captions=((),) * len(names),
        split=np.full(len(names), "test"),
    )
    assert caption_ratings(everyone, judged(FLICKR8K), "expert").scores.shape == (5664, 3)
    assert caption_ratings(flickr8k, judged(FLICKR8K), "expert").scores.shape == (2807, 3)
