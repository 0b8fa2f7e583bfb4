"""Two small formulas that SSIM and FSIM share."""

import torch


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
