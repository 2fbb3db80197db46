"""How negative the least eigenvalue is beside the greatest: the ratio, what is known of it, and its colours.

In the colours and the range of Li et al.'s map [1]_: 0 is dark and convex as far as eigenvalues tell, 0.5 and more is
bright.

References
----------
.. [1] Li et al., "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018, section 6.2.
"""

from __future__ import annotations

import numpy as np

from landscape.errors import PlotError
from landscape.surface.grid import Floats
from landscape.surface.surface import Surface

from .scale import Scale

# The 2018 tool's range.
TOP = 0.5
# Half the width of what the residuals leave of a ratio, above which its colour says more than is known.
OPEN = 0.05
_NEEDED = ("eigenvalue_max", "eigenvalue_min", "eigenvalue_max_residual", "eigenvalue_min_residual")


def ratio_of(surface: Surface, data: str) -> tuple[Floats, Floats]:
    """Return |least / greatest| of a data set's eigenvalues and half the width of what their residuals leave.

    Parameters
    ----------
    surface : Surface
    data : str
        With the values ``DATA/eigenvalue_max``, ``DATA/eigenvalue_min`` and their residuals.

    Returns
    -------
    tuple of ndarray
        Of the surface's shape; NaN where eigenvalues are, infinite where the greatest may be 0.

    Raises
    ------
    PlotError
        There are no eigenvalues of that data set.
    """
    missing = [each for each in _NEEDED if f"{data}/{each}" not in surface.values]
    if missing:
        raise PlotError(
            f"{surface.path or 'the surface'} has no {data}/{missing[0]}: a convexity map is measured with "
            "'landscape evaluate --curvature'"
        )
    greatest, least, greatest_error, least_error = (surface[f"{data}/{each}"] for each in _NEEDED)
    with np.errstate(all="ignore"):
        ratio = np.abs(least / greatest)
        smallest = np.abs(greatest) - greatest_error
        highest = np.where(smallest > 0, (np.abs(least) + least_error) / smallest, np.inf)
        lowest = np.maximum(np.abs(least) - least_error, 0.0) / (np.abs(greatest) + greatest_error)
        open_by = np.maximum(highest - ratio, ratio - lowest)
    return ratio, np.where(np.isfinite(ratio), open_by, np.nan)


def ratio_scale() -> Scale:
    """Return the colours and the range of every convexity map, so that all of them compare."""
    return Scale(
        "linear", 0.0, 0.0, TOP, None, "viridis", "|least / greatest eigenvalue|", (), (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    )


def ratio_words(surface: Surface, data: str) -> str:
    """Return what a caption says of a surface's ratios: how many are off the scale or open, and what they took."""
    ratio, open_by = ratio_of(surface, data)
    said = []
    if above := int((ratio > TOP).sum()):
        said.append(f"{above} of {ratio.size} above {TOP}, in its colour")
    if unsure := int((open_by > OPEN).sum()):
        said.append(f"{unsure} hatched: residuals leave the ratio open by more than {OPEN}")
    products = surface.values.get(f"{data}/products")
    if products is not None and np.isfinite(products).any():
        said.append(f"{np.nanmedian(products):.0f} products a point (median)")
    return ", ".join(said)
