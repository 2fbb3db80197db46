"""A drawn surface as others see it: where points of the data lie in the picture, and which of them are hidden.

What is to be drawn on a surface (a path of an optimizer, say) is laid onto it with `Panel.drape`, cut where the
surface hides it with `Panel.visible_parts`, and drawn with the axes' own methods::

    for part in panel.visible_parts(*panel.drape(path_x, path_y)):
        panel.axes.plot(*part.T, zorder=6)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.surface.grid import Floats

from .frame3d import Frame
from .heightfield import Raster, heights_at, rasterize
from .scenes import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Pixels per point of the depth buffer that decides what of a line is visible: below the width of a drawn line.
DEPTH_RESOLUTION = 2.0
# What lies on the surface is judged this much higher: its own pixels would miss the wall before the foot of a well.
LIFT = np.array([0.0, 0.0, 0.01])


@dataclass(frozen=True, eq=False)
class Panel:
    """One drawn surface, and what draws further things into it in perspective.

    The axes' data coordinates are points (1/72 inch) from the panel's lower left corner.
    """

    axes: Axes
    scene: Scene
    frame: Frame

    def place(self, x: ArrayLike, y: ArrayLike, loss: ArrayLike) -> Floats:
        """Return points in the scene's coordinates, shape (..., 3); x and y in the data's unit."""
        return self.scene.box.place(x, y, self.scene.sheet.scale.forward(loss))

    def project(self, x: ArrayLike, y: ArrayLike, loss: ArrayLike) -> Floats:
        """Return where points are in the panel, shape (..., 2), hidden or not."""
        return self.flat(self.place(x, y, loss))

    def flat(self, points: ArrayLike) -> Floats:
        """Return where points of the scene are in the panel, shape (..., 2)."""
        return self.frame.view.project(points)[..., :2]

    def floor(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Return where points of the floor are in the panel, shape (..., 2)."""
        return self.flat(self.scene.box.floor(x, y))

    @cached_property
    def raster(self) -> Raster:
        """The depth buffer behind `visible` and `visible_parts`."""
        view = self.frame.view.scaled(DEPTH_RESOLUTION)
        shape = int(np.ceil(view.size[1])), int(np.ceil(view.size[0]))
        return rasterize(self.scene.mesh, view, shape, ceiling=self.scene.lid)

    def visible(self, x: ArrayLike, y: ArrayLike, loss: ArrayLike) -> NDArray[np.bool_]:
        """Return which points are in front of the surface or on its upper side."""
        return self.raster.visible(self.place(x, y, loss) + LIFT)

    def visible_parts(self, x: ArrayLike, y: ArrayLike, loss: ArrayLike, *, hidden: bool = False) -> list[Floats]:
        """Cut a line into the parts that the surface does not hide, each of shape (k, 2), ready for ``axes.plot``.

        Points whose loss is NaN cut the line as well. With ``hidden`` the other parts are returned.
        """
        line = self.place(x, y, loss) + LIFT
        known = np.isfinite(line).all(axis=1)
        cuts = np.flatnonzero(np.diff(known.astype(np.int8))) + 1
        pieces = zip(np.split(line, cuts), np.split(known, cuts), strict=True)
        return [part for piece, drawn in pieces if drawn[0] for part in self.cut(piece, hidden=hidden)]

    def on_surface(self, spots: ArrayLike) -> NDArray[np.bool_]:
        """Return which points of the picture, shape (n, 2), lie on the drawn surface."""
        pixels = np.floor(np.asarray(spots) * DEPTH_RESOLUTION).astype(np.intp)
        rows, columns = self.raster.triangle.shape
        inside = np.asarray(((pixels >= 0) & (pixels < (columns, rows))).all(axis=-1))
        column, row = np.where(inside[..., None], pixels, 0).T
        return np.asarray(inside & (self.raster.triangle[row, column] >= 0))

    def drape(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Lay a line onto the surface: more points along it, and the loss drawn there, NaN outside and over holes."""
        scene = self.scene
        line = np.stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)], axis=-1)
        cell = np.array([np.diff(scene.x).min(), np.diff(scene.y).min()])
        pieces = np.ceil(np.abs(np.diff(line, axis=0) / cell).max(axis=1)).clip(1, 1000).astype(np.intp)
        steps = [
            start + (end - start) * np.arange(n)[:, None] / n
            for start, end, n in zip(line, line[1:], pieces, strict=False)
        ]
        dense = np.concatenate([*steps, line[-1:]])
        heights = heights_at(scene.x, scene.y, scene.heights, dense[:, 0], dense[:, 1])
        return dense[:, 0], dense[:, 1], scene.sheet.scale.inverse(heights)

    def cut(self, line: Floats, *, hidden: bool = False) -> list[Floats]:
        """As `visible_parts`, for a line of the scene, shape (n, 3)."""
        return [part / DEPTH_RESOLUTION for part, seen in self.raster.parts(line) if seen != hidden]
