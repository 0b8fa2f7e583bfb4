"""Images as SSIM and FSIM accept them, and two small formulas that both use."""

import numpy as np
import torch

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
FLOATS = {"float32": torch.float32, "float64": torch.float64}


def image_pair(a, b, min_side):
    """Two images (3, H, W) of one shape and dtype as a tensor (2, 3, H, W) in [0, 1]."""
    for image, name in ((a, "a"), (b, "b")):
        check_images(image, name, "(3, H, W)", min_side)
    if a.shape != b.shape:
        raise ValueError(f"b: expected the shape of a, {tuple(a.shape)}, got {tuple(b.shape)}")
    if dtype_name(a) != dtype_name(b):
        raise ValueError(f"b: expected the dtype of a, {dtype_name(a)}, got {dtype_name(b)}")
    return torch.stack([pixels(a, "a"), pixels(b, "b")])


def check_images(images, name, shape, min_side):
    """Raise ValueError unless type, dtype and shape are right; reads no pixel."""
    if not isinstance(images, torch.Tensor | np.ndarray):
        found = type(images).__name__
        raise ValueError(f"{name}: expected a torch tensor or numpy array {shape}, got {found}")
    if dtype_name(images) not in (*FLOATS, "uint8"):
        found = dtype_name(images)
        raise ValueError(f"{name}: expected dtype uint8, float32 or float64, got {found}")
    found = tuple(images.shape)
    if len(found) != len(shape.split(",")) or found[-3] != 3:
        last = len(found) >= 3 and found[-1] == 3
        hint = "; move the channels before the rows" if last else ""
        raise ValueError(f"{name}: expected shape {shape}, got {found}{hint}")
    if found[0] == 0:
        raise ValueError(f"{name}: expected at least one image, got shape {found}")
    if min(found[-2:]) < min_side:
        raise ValueError(
            f"{name}: expected height and width of at least {min_side} pixels, "
            f"got {found[-2]}×{found[-1]}"
        )


def pixels(images, name, dtype=None):
    """`images` as a float tensor in [0, 1]; ValueError if its values are not in range."""
    if isinstance(images, np.ndarray):
        images = torch.from_numpy(np.array(images))
    images = images.detach().cpu()
    if dtype is not None and dtype not in FLOATS:
        raise ValueError(f"dtype: expected 'float32' or 'float64', got {dtype!r}")
    if images.dtype == torch.uint8:
        return images.to(FLOATS[dtype or "float32"]) / 255
    low, high = (float(value) for value in images.aminmax())
    if not (low >= 0 and high <= 1):  # not (low < 0 or …): NaN must fail
        raise ValueError(
            f"{name}: expected values in [0, 1] for {dtype_name(images)}, found {low:g} to "
            f"{high:g}; divide 0–255 by 255, or pass uint8"
        )
    return images.to(FLOATS[dtype or dtype_name(images)])


def dtype_name(images):
    """The name of an array's or tensor's dtype, the same for both."""
    return str(images.dtype).removeprefix("torch.")


def luma(images):
    """Y = .299 R + .587 G + .114 B (Rec. 601; Y of YIQ; MATLAB's rgb2gray to 4 digits).

    Parameters
    ----------
    images : torch.Tensor, shape (..., 3, H, W)

    Returns
    -------
    torch.Tensor, shape (..., H, W)
        The grey image on which canonical SSIM and FSIM are defined.
    """
    red, green, blue = LUMA_WEIGHTS
    return red * images[..., 0, :, :] + green * images[..., 1, :, :] + blue * images[..., 2, :, :]


def rounded(images):
    """Pixels in [0, 1] rounded to 8 bits, still in [0, 1]."""
    return (images * 255).round() / 255


def similarity(x, y, constant):
    """(2xy + C) / (x² + y² + C), the comparison of both papers, point by point.

    Evaluated as u / (u + (x − y)²) with u = 2xy + C: exactly 1 where x = y, exactly symmetric.
    """
    numerator = torch.addcmul(x.new_full((), constant), x, y, value=2)
    difference = x - y
    return numerator / torch.addcmul(numerator, difference, difference)
