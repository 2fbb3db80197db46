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

from ..style.style import text_width
from .frame3d import Frame, Label
from .heightfield import Raster, heights_at, rasterize
from .scenes import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Pixels per point of the depth buffer that decides what of a line is visible: below the width of a drawn line.
DEPTH_RESOLUTION = 2.0
# What lies on the surface is judged this much higher: its own pixels would miss the wall before the foot of a well.
LIFT = np.array([0.0, 0.0, 0.01])
# Where a legend or notes go if no corner is free: along the right and the left edge, as shares of the way up.
EDGES = [(right, float(up)) for up in np.linspace(0.1, 0.9, 9) for right in (1.0, 0.0)]


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

    def covered(self, label: Label, shift: ArrayLike = (0.0, 0.0)) -> float:
        """Return the share of a label, moved by so many points, that lies on the drawn surface."""
        spots = np.rint(self._spots(label, shift) * DEPTH_RESOLUTION - 0.5).astype(np.intp)
        rows, columns = self.raster.triangle.shape
        inside = ((spots >= 0) & (spots < (columns, rows))).all(axis=1)
        return float((self.raster.triangle[spots[inside, 1], spots[inside, 0]] >= 0).sum() / len(spots))

    def holds(self, label: Label, shift: ArrayLike = (0.0, 0.0)) -> bool:
        """Return whether a label, moved by so many points, lies within the panel."""
        spots = self._spots(label, shift)
        return bool((spots >= 0).all() and (spots <= self.frame.view.size).all())

    def _spots(self, label: Label, shift: ArrayLike = (0.0, 0.0)) -> Floats:
        """Return points all over a label's text, shape (n, 2)."""
        middle = self.flat(label.anchor) + label.direction * label.offset + np.asarray(shift)
        half = text_width(label.text, label.size) * 36, label.size / 2
        spots = np.stack(np.meshgrid(np.linspace(-half[0], half[0], 40), [-half[1], 0, half[1]]), axis=-1)
        c, s = np.cos(np.deg2rad(label.rotation)), np.sin(np.deg2rad(label.rotation))
        return np.asarray(middle + spots.reshape(-1, 2) @ np.array([[c, s], [-s, c]]))

    def occupied(self) -> Floats:
        """Return points all over surface, floor, walls and axes, shape (n, 2): where no further text may go."""
        view, t = self.frame.view, np.linspace(0, 1, 60)[:, None]
        corners = self.flat(np.concatenate([self.frame.corners, self.frame.corners[:1]]))
        lines = [*(corners[k : k + 2] for k in range(4)), *(self.flat(wall)[:2] for wall in self.frame.walls)]
        lines += [self.flat(wall)[1:] for wall in self.frame.walls if len(wall) > 2]
        lines += [self.flat(self.frame.height_axis)] if self.frame.height_axis.size else []
        return np.concatenate([view.project(self.scene.content)[:, :2], *(a + (b - a) * t for a, b in lines)])

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
