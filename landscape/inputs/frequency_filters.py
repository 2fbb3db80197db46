"""Images with only some of their spatial frequencies: radial cut-offs in the discrete Fourier transform.

References
----------
.. [1] Wang, Wu, Huang and Xing, "High-Frequency Component Helps Explain the Generalization of Convolutional Neural
   Networks", CVPR 2020, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from landscape.errors import UsageError


def radii(height: int, width: int) -> Tensor:
    """Return each frequency's distance from 0, shape (height, width), in cycles along the shorter side."""
    short = min(height, width)
    rows = torch.fft.fftfreq(height, dtype=torch.float64) * short
    columns = torch.fft.fftfreq(width, dtype=torch.float64) * short
    return torch.hypot(rows[:, None], columns[None, :])


def low_pass(images: Tensor, cutoff: float) -> Tensor:
    """Return images with the frequencies within the cut-off alone, shape (..., height, width) [1]_.

    The mean is frequency 0, so a cut-off of 0 leaves each channel's mean, and what `low_pass` takes away has none.
    """
    height, width = images.shape[-2:]
    kept = (radii(height, width) <= cutoff * (1 + 1e-12)).to(images.device)
    wide = images.to(torch.float64)
    found: Tensor = torch.fft.ifft2(torch.fft.fft2(wide) * kept).real.to(images.dtype)
    return found


def require_images(inputs: Tensor) -> None:
    """Raise UsageError for inputs that have no rows and columns of pixels."""
    if inputs.ndim not in (3, 4) or min(inputs.shape[-2:]) < 2:
        raise UsageError(
            f"frequencies are of images, inputs of shape (n, channels, height, width) or (n, height, width); these are "
            f"of shape {tuple(inputs.shape)}"
        )
    if inputs.ndim == 4 and inputs.shape[-1] <= 4 < inputs.shape[1]:
        raise UsageError(
            f"inputs of shape {tuple(inputs.shape)} look as if channels came last; frequencies are taken over the last "
            "two dimensions, which have to be height and width"
        )
