"""Photographs that may be shown: those that scikit-image and scikit-learn install.

Who took each and on which terms it may be shown is what its package says of it.
"""

from pathlib import Path

import numpy as np
import skimage
import sklearn

from clipsim.data.captioned_images import CaptionedImages
from clipsim.data.pictures import PictureFile, Pictures

# File in the package, and what the package's own documentation says of it.
TERMS = {
    "chelsea.png": "Stefan van der Walt; CC0",
    "coffee.png": "Rachel Michetti, Pikolo Espresso Bar; CC0",
    "flower.jpg": "vultilion; CC BY 2.0",
    "camera.png": "Lav Varshney; CC0",
    "astronaut.png": "NASA; public domain",
    "china.jpg": "danielbuechele; CC BY 2.0",
    "rocket.jpg": "SpaceX; public domain",
    "coins.png": "Brooklyn Museum; no known copyright restrictions",
}


def package_photographs():
    """The photographs, without captions, as `CaptionedImages`; `details["terms"]` credits them."""
    folders = [Path(skimage.__file__).parent / "data"]
    folders.append(Path(sklearn.__file__).parent / "datasets" / "images")
    files = {
        name: PictureFile(next(folder / name for folder in folders if (folder / name).is_file()))
        for name in TERMS
    }
    return CaptionedImages(
        name="photographs of scikit-image and scikit-learn",
        image_ids=tuple(files),
        captions=((),) * len(files),
        split=np.full(len(files), ""),
        read_image=Pictures(files),
        details={"terms": TERMS},
    )
