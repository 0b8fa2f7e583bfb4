"""The metrics of pixels, of pairs: each pair as the metric of two pictures gives it."""

import pytest

from clipsim import load_profile
from clipsim.data import load, load_pairs
from clipsim.metrics import fsim, pixel_scores, ssim


@pytest.mark.parametrize("variant", ["canonical", "package"])
def test_pixels_are_compared_by_the_variants_asked_for(variant):
    profile = load_profile("smoke", n_pairs=8)
    images = load(profile)
    few = load_pairs(profile, images).where(slice(0, 3))
    suffix = {"canonical": "", "package": "_package"}[variant]
    found = pixel_scores(images, few, (variant,))
    assert set(found) == {f"ssim{suffix}", f"fsim{suffix}"}
    for row, (a, b) in enumerate(zip(few.id_a, few.id_b, strict=True)):
        pixels = images.pixels(str(a)), images.pixels(str(b))
        for name, metric in (("ssim", ssim), ("fsim", fsim)):
            expected = metric(*pixels, variant=variant)
            assert found[name + suffix][row] == pytest.approx(expected, abs=1e-5)
