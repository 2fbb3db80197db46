"""A second quantity on a surface: heights are the loss, colours are cells of something else.

The cells are those of the flat map, one around each measured point, draped over the surface: nothing is put in between
where nothing was measured. What is not known well enough is hatched; hatching lies on the surface, and turns with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.errors import UsageError
from landscape.surface.grid import Floats

from ..planes.marks import Sheet
from ..scale.convexity_ratio import OPEN, ratio_of, ratio_scale
from ..scale.scale import Scale
from .camera import Box

# What a surface is coloured by, beside its own height.
TINTS = ("convexity",)
# Between stripes, in cells and in sides of the scene: one cell shows two of them at least.
STRIPES, WIDEST = 0.45, 0.05
# Of a period.
STRIPE = 0.22


def checked_tint(color: str | None) -> str | None:
    """Return what a surface is to be coloured by; raise UsageError where there is no such thing."""
    if color is not None and color not in TINTS:
        raise UsageError(f"a surface is coloured by its own height, or by {' or '.join(TINTS)}, not {color!r}")
    return color


@dataclass(frozen=True, eq=False)
class Tint:
    """Cells around the points of a grid."""

    scale: Scale
    values: Floats  # (ny, nx); NaN where there is none
    unsure: NDArray[np.bool_]  # (ny, nx): hatched
    x: Floats  # (nx - 1,): borders between cells, in the scene's coordinates
    y: Floats  # (ny - 1,)

    @classmethod
    def of(cls, color: str | None, sheet: Sheet, box: Box) -> Tint | None:
        """Return the cells of a plane's convexity ratio; None where it is to be coloured by its height.

        Raises
        ------
        PlotError
            The plane has no eigenvalues.
        """
        if checked_tint(color) is None:
            return None
        ratio, open_by = ratio_of(sheet.surface, sheet.name.rpartition("/")[0])
        place = box.floor(sheet.x[None, :], sheet.y[:, None])
        x, y = place[0, :, 0], place[:, 0, 1]
        return cls(ratio_scale(), ratio, open_by > OPEN, (x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2)

    @property
    def period(self) -> float:
        """From stripe to stripe, in the scene's coordinates, measured across them."""
        sides = [*np.diff(self.x), *np.diff(self.y)]
        return min(WIDEST, STRIPES * float(min(sides, default=1.0)))

    def at(self, places: Floats) -> tuple[Floats, Floats]:
        """Return sRGB colours at points of the scene, shape (n, 3), and how much of each a white stripe covers."""
        i, j = np.searchsorted(self.x, places[:, 0]), np.searchsorted(self.y, places[:, 1])
        colors = self.scale.colors(self.values)[..., :3][j, i]
        across = ((places[:, 0] + places[:, 1]) / np.sqrt(2) / self.period) % 1
        return colors, np.where(self.unsure[j, i] & (across < STRIPE), 1.0, 0.0)
