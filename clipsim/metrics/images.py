"""Two small formulas that SSIM and FSIM share.

Images as the metrics accept them: checked, as float tensors in [0, 1].
"""

import numpy as np
import torch

LUMA_WEIGHTS = (0.299, 0.587, 0.114)
FLOATS = {"float32": torch.float32, "float64": torch.float64}
SHAPES = "(3, H, W) or (B, 3, H, W)"


def image_pair(a, b, dtype=None, min_side=1):
    """Two images, or two batches of as many, ready to compare.

    Parameters
    ----------
    a, b : torch.Tensor or numpy.ndarray, shape (3, H, W) or (B, 3, H, W)
        RGB, float32 or float64 in [0, 1], or uint8. Both of one shape, dtype and device.
    dtype : torch.dtype, numpy dtype or str, optional
        float32 or float64 to compute in; by default the images' own, float32 for uint8.
    min_side : int
        Smallest height and width that the metric can use, in pixels.

    Returns
    -------
    a, b : torch.Tensor, shape (B, 3, H, W)
        In [0, 1]; B = 1 for single images.

    Raises
    ------
    ValueError
        Naming the argument, what was expected and what was found.
    """
    check_stack(a, "a", (3, 4), SHAPES, min_side)
    check_stack(b, "b", (3, 4), SHAPES, min_side)
    if a.shape != b.shape:
        raise ValueError(f"b: expected the shape of a, {tuple(a.shape)}, got {tuple(b.shape)}")
    if dtype_name(a) != dtype_name(b):
        raise ValueError(f"b: expected the dtype of a, {dtype_name(a)}, got {dtype_name(b)}")
    a, b = pixels(a, "a", dtype), pixels(b, "b", dtype)
    if a.device != b.device:
        raise ValueError(f"b: expected the device of a, {a.device}, got {b.device}")
    if a.ndim == 3:
        a, b = a[None], b[None]
    return a, b


def check_stack(images, name, ndims, shapes, min_side):
    """Raise ValueError unless type, dtype and shape are right; reads no pixel."""
    if not isinstance(images, torch.Tensor | np.ndarray):
        found = type(images).__name__
        raise ValueError(f"{name}: expected a torch tensor or numpy array {shapes}, got {found}")
    if dtype_name(images) not in (*FLOATS, "uint8"):
        found = dtype_name(images)
        raise ValueError(f"{name}: expected dtype uint8, float32 or float64, got {found}")
    shape = tuple(images.shape)
    if images.ndim not in ndims or shape[-3] != 3:
        last = len(shape) >= 3 and shape[-1] == 3
        hint = "; move the channels before the rows" if last else ""
        raise ValueError(f"{name}: expected shape {shapes}, got {shape}{hint}")
    if shape[0] == 0:
        raise ValueError(f"{name}: expected at least one image, got shape {shape}")
    if min(shape[-2:]) < min_side:
        raise ValueError(
            f"{name}: expected height and width of at least {min_side} pixels, "
            f"got {shape[-2]}×{shape[-1]}"
        )


def pixels(images, name, dtype=None):
    """`images` as a float tensor in [0, 1]; ValueError if its values are not in range."""
    if isinstance(images, np.ndarray):
        images = torch.from_numpy(np.array(images))
    target = float_dtype(dtype) if dtype is not None else None
    if images.dtype == torch.uint8:
        return images.to(target or torch.float32) / 255
    low, high = (float(value) for value in images.detach().aminmax())
    if not (low >= 0 and high <= 1):  # not (low < 0 or …): NaN must fail
        raise ValueError(
            f"{name}: expected values in [0, 1] for {dtype_name(images)}, found {low:g} to "
            f"{high:g}; divide 0–255 by 255, or pass uint8"
        )
    return images.to(target or images.dtype)


def float_dtype(dtype):
    """`dtype` as torch.float32 or torch.float64; ValueError for any other."""
    try:
        name = str(dtype) if isinstance(dtype, torch.dtype) else np.dtype(dtype).name
    except TypeError:
        name = repr(dtype)
    name = name.removeprefix("torch.")
    if name not in FLOATS:
        raise ValueError(f"dtype: expected float32 or float64, got {name}")
    return FLOATS[name]


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


def magnitude(x, y):
    """√(x² + y²) with gradient 0 at (0, 0), where that of the square root is infinite."""
    return torch.complex(x, y).abs()
