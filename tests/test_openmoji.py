"""The drawn scenes, and the data set that they make."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from clipsim.data import DataError
from clipsim.data.scenes.openmoji import DRAWING, draw_scene, glyph, openmoji_scenes, scene_pairs
from clipsim.data.scenes.scenes import KINDS, training_scene

PROFILE = SimpleNamespace(seed=0, n_train_scenes=40, n_pairs=40)


@pytest.fixture(scope="module")
def images():
    return openmoji_scenes(PROFILE)


@pytest.fixture(scope="module")
def pairs(images):
    return scene_pairs(PROFILE, images)


# drawing


def test_every_object_shows_and_stays_inside_the_crop():
    for number in range(12):
        scene = training_scene(5, number)
        empty = np.asarray(draw_scene(replace(scene, objects=())), dtype=int)
        for placed in scene.objects:
            alone = np.asarray(draw_scene(replace(scene, objects=(placed,))), dtype=int)
            ys, xs = np.nonzero(np.abs(alone - empty).sum(axis=2) > 90)
            assert len(ys) > 300
            assert min(ys.min(), xs.min()) >= 10
            assert max(ys.max(), xs.max()) <= 246


def test_artwork_that_is_missing_is_named():
    with pytest.raises(FileNotFoundError, match=r"1F4FFF\.svg"):
        glyph("1F4FFF", 90)


# the data set


def test_more_training_scenes_change_nothing_else(images):
    more = openmoji_scenes(SimpleNamespace(seed=0, n_train_scenes=60, n_pairs=40))
    for split in ("train", "val", "test"):
        ids = [images.image_ids[i] for i in images.indices(split)]
        assert [more.image_ids[i] for i in more.indices(split)][: len(ids)] == ids
        assert all(more.scenes[i] == images.scenes[i] for i in ids)
    captions = dict(zip(more.image_ids, more.captions, strict=True))
    assert all(captions[i] == c for i, c in zip(images.image_ids, images.captions, strict=True))


def test_pixels_key_follows_the_scenes_and_how_they_are_drawn(images, monkeypatch):
    profiles = [SimpleNamespace(seed=seed, n_train_scenes=40, n_pairs=40) for seed in (0, 1)]
    again, other = map(openmoji_scenes, profiles)
    assert images.pixels_key == again.pixels_key != other.pixels_key
    assert images.fingerprint == again.fingerprint != other.fingerprint
    monkeypatch.setattr("clipsim.data.scenes.openmoji.DRAWING", 2)
    assert openmoji_scenes(PROFILE).pixels_key != images.pixels_key
    assert openmoji_scenes(PROFILE).fingerprint != images.fingerprint


def test_the_drawing_is_the_one_of_its_version():
    """Features and checkpoints of scenes rest on it: other pixels want another `DRAWING`."""
    means = [np.asarray(draw_scene(training_scene(0, number))).mean() for number in range(8)]
    assert DRAWING == 1
    assert means == pytest.approx(
        [174.64, 91.58, 136.96, 155.41, 150.65, 131.76, 189.12, 50.31], abs=0.01
    )


def test_pairs_are_balanced_and_share_no_image(images, pairs):
    for split in ("val", "test"):
        chosen = pairs.where(pairs.split == split)
        assert [int((chosen.kind == kind).sum()) for kind in KINDS] == [10] * 4
    same = np.char.startswith(pairs.kind, "same content")
    assert (pairs.similar == same).all()
    assert pairs.graded[same].min() >= 0.8 > 0.5 >= pairs.graded[~same].max()
    used = np.concatenate([pairs.id_a, pairs.id_b])
    assert len(set(used.tolist())) == len(used)
    split = dict(zip(images.image_ids, images.split, strict=True))
    for a, b, where in zip(pairs.id_a, pairs.id_b, pairs.split, strict=True):
        assert split[str(a)] == split[str(b)] == where


def test_pairs_of_another_profile_are_refused(images):
    with pytest.raises(DataError, match="another profile"):
        scene_pairs(SimpleNamespace(seed=1, n_train_scenes=40, n_pairs=40), images)
