"""A height field as triangles, and the z-buffer that finds which of them each pixel sees.

Triangles are grouped by the powers of two of their width and height on screen; for each group, in chunks, all
pixels of a window of that size are tested at once with barycentric coordinates, and the nearest wins. The buffer
keeps the triangle's number and the inverse depth, which is linear on screen; the perspective-correct weights of a
triangle's corners follow from those once a pixel (`Raster.weights`). Rows count upwards, as everywhere in a picture
measured in points. NumPy only, and the same picture every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.surface.grid import Floats

from ..scale.smoothing import slopes
from .camera import View

Ints = NDArray[np.intp]

# Pixel tests at a time: a few arrays of this many doubles stay within the processor's cache or close to it.
CHUNK = 1 << 18
# How far behind the surface a point still lies on it, in the scene's unit.
SLACK = 0.01
# How far outside a triangle, in barycentric coordinates, a pixel still counts: closes the cracks of rounding.
CRACK = 1e-9


@dataclass(frozen=True, eq=False)
class Mesh:
    """A height field cut into triangles, in the scene's coordinates; holes have none."""

    vertices: Floats  # (n, 3)
    normals: Floats  # (n, 3), unit length, upwards
    triangles: Ints  # (m, 3), vertex numbers
    shape: tuple[int, int]  # (ny, nx) of the grid; vertex number j * nx + i


def build_mesh(x: Floats, y: Floats, z: Floats) -> Mesh:
    """Cut a height field into triangles, with the normals of its own slopes.

    A cell becomes two triangles along the diagonal whose ends differ less in height, so that ridges and valleys
    follow it. A cell with a corner that is not finite is a hole.

    Parameters
    ----------
    x, y : ndarray, shapes (nx,) and (ny,)
        Increasing; in the scene's coordinates, like the heights.
    z : ndarray, shape (ny, nx)

    Returns
    -------
    Mesh
    """
    ny, nx = z.shape
    finite = np.isfinite(z)
    normals = np.stack([-slopes(z, x), -slopes(z.T, y).T, np.ones_like(z)], axis=-1)
    normals[~finite] = (0.0, 0.0, 1.0)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    vertices = np.stack([*np.meshgrid(x, y), np.where(finite, z, 0.0)], axis=-1)

    number = np.arange(ny * nx).reshape(ny, nx)
    # Corners of each cell, anticlockwise from the lower left.
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    whole = finite[:-1, :-1] & finite[:-1, 1:] & finite[1:, 1:] & finite[1:, :-1]
    a, b, c, d = a[whole], b[whole], c[whole], d[whole]
    flat = z.ravel()
    rising = np.abs(flat[a] - flat[c]) <= np.abs(flat[b] - flat[d])
    first = np.where(rising, [a, b, c], [a, b, d])
    second = np.where(rising, [a, c, d], [b, c, d])
    triangles = np.stack([first.T, second.T], axis=1).reshape(-1, 3)
    return Mesh(vertices.reshape(-1, 3), normals.reshape(-1, 3), triangles, (ny, nx))


def heights_at(x: Floats, y: Floats, z: Floats, at_x: ArrayLike, at_y: ArrayLike) -> Floats:
    """Return the heights of the triangles of `build_mesh` above points; NaN outside the grid and in holes.

    Parameters
    ----------
    x, y, z : ndarray, shapes (nx,), (ny,) and (ny, nx)
    at_x, at_y : array_like
        Of one shape.

    Returns
    -------
    ndarray of that shape
    """
    at_x, at_y = np.asarray(at_x, dtype=np.float64), np.asarray(at_y, dtype=np.float64)
    i = np.clip(np.searchsorted(x, at_x, side="right") - 1, 0, len(x) - 2)
    j = np.clip(np.searchsorted(y, at_y, side="right") - 1, 0, len(y) - 2)
    u, v = (at_x - x[i]) / (x[i + 1] - x[i]), (at_y - y[j]) / (y[j + 1] - y[j])
    a, b, c, d = z[j, i], z[j, i + 1], z[j + 1, i + 1], z[j + 1, i]
    rising = np.abs(a - c) <= np.abs(b - d)
    along_rising = np.where(u >= v, a + u * (b - a) + v * (c - b), a + v * (d - a) + u * (c - d))
    along_falling = np.where(u + v <= 1, a + u * (b - a) + v * (d - a), c + (1 - u) * (d - c) + (1 - v) * (b - c))
    found = np.where(rising, along_rising, along_falling)
    inside = (x[0] <= at_x) & (at_x <= x[-1]) & (y[0] <= at_y) & (at_y <= y[-1])
    return np.where(inside & np.isfinite(a) & np.isfinite(b) & np.isfinite(c) & np.isfinite(d), found, np.nan)


@dataclass(frozen=True, eq=False)
class Raster:
    """What each pixel of some rows of a picture sees; pixel centres lie at halves, rows count upwards."""

    mesh: Mesh
    view: View  # in pixels
    screen: Floats  # (n, 3): picture x, y and inverse depth of the mesh's vertices
    first_row: int
    inverse_depth: Floats  # (rows, columns), 0 where nothing is
    triangle: NDArray[np.int32]  # (rows, columns), -1 where nothing is

    @property
    def depth(self) -> Floats:
        """Depth along the camera's axis, infinite where nothing is; shape (rows, columns)."""
        with np.errstate(divide="ignore"):
            return 1.0 / self.inverse_depth

    def weights(self, pixels: Ints) -> tuple[Ints, Floats, Floats]:
        """Return the corners that make up flat-numbered pixels, their weights, and the weights' gradients.

        Returns
        -------
        corners : ndarray of int, shape (3, n)
            Vertex numbers of the triangle each pixel sees.
        weights : ndarray, shape (3, n)
            Perspective-correct; they sum to 1.
        gradients : ndarray, shape (2, 3, n)
            Change of each weight for a pixel to the right and a pixel up.
        """
        rows, columns = np.divmod(pixels, self.triangle.shape[1])
        corners = self.mesh.triangles[self.triangle.ravel()[pixels]].T
        x, y, nearness = np.moveaxis(self.screen[corners], -1, 0)
        slope_x, slope_y, area = _edges(x, y)
        dx, dy = columns + 0.5 - x[0], rows + (self.first_row + 0.5) - y[0]
        flat = np.stack([slope_x * dx + slope_y * dy]).reshape(3, -1)
        flat[0] += area
        slope_x, slope_y, flat = slope_x / area * nearness, slope_y / area * nearness, flat / area * nearness
        total = flat.sum(axis=0)
        weights = flat / total
        gradients = np.stack([(slope - weights * slope.sum(axis=0)) / total for slope in (slope_x, slope_y)])
        return corners, weights, gradients

    @cached_property
    def turned_away(self) -> NDArray[np.bool_]:
        """Whether the lower side of each triangle of the mesh faces the eye, shape (m,)."""
        corners = self.mesh.triangles.T
        # Triangles run anticlockwise seen from above.
        return np.asarray(_edges(self.screen[corners, 0], self.screen[corners, 1])[2] < 0)

    def visible(self, points: ArrayLike, slack: float = SLACK) -> NDArray[np.bool_]:
        """Return whether points of the scene, shape (..., 3), are in front of the surface or on it.

        A point counts as visible if it is no further than the furthest of the nine pixels around it, but for
        ``slack``: a line that lies on the surface must not vanish in the surface's own pixels, whatever their
        slope. Where the surface shows its lower side a point on it is hidden: what is drawn on a surface is on top of
        it. Outside the rows held here, and over the background, everything is visible.
        """
        x, y, depth = np.moveaxis(self.view.project(points), -1, 0)
        slack = slack / depth
        nearness = (1 + slack) / depth
        height, width = self.triangle.shape
        column, row = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp) - self.first_row

        def around(buffer: NDArray[Any], right: int, up: int, outside: float) -> NDArray[Any]:
            i, j = column + right, row + up
            inside = (i >= 0) & (i < width) & (j >= 0) & (j < height)
            return np.where(inside, buffer[j.clip(0, height - 1), i.clip(0, width - 1)], outside)

        shifts = [(right, up) for right in (-1, 0, 1) for up in (-1, 0, 1)]
        furthest = np.minimum.reduce([around(self.inverse_depth, right, up, 0.0) for right, up in shifts])
        owner = around(self.triangle, 0, 0, -1)
        below = (owner >= 0) & self.turned_away[owner]
        in_front = nearness > around(self.inverse_depth, 0, 0, 0.0) * (1 + 2 * slack)
        return np.asarray((nearness >= furthest) & (in_front | ~below))

    def parts(self, line: ArrayLike, slack: float = SLACK) -> list[tuple[Floats, bool]]:
        """Cut a line of points, shape (n, 3), into parts that are seen and parts that are hidden.

        Returns
        -------
        list of (ndarray, bool)
            Points of each part in pixels of the picture, shape (k, 2), and whether it is seen, in the line's order;
            the cuts are exact to about a pixel.
        """
        line = np.asarray(line, dtype=np.float64)
        if len(line) < 2:
            return []
        flat = self.view.project(line)
        lengths = np.linalg.norm(np.diff(flat[:, :2], axis=0), axis=1)
        pieces = np.maximum(1, np.ceil(lengths)).astype(np.intp)
        segment = np.repeat(np.arange(len(pieces)), pieces)
        within = np.arange(len(segment)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        share = (within / pieces[segment])[:, None]
        dense = np.concatenate([line[segment] * (1 - share) + line[segment + 1] * share, line[-1:]])
        seen = self.visible(dense, slack)
        drawn = self.view.project(dense)[:, :2]
        cuts = np.flatnonzero(np.diff(seen.astype(np.int8))) + 1
        parts = zip(np.split(drawn, cuts), np.split(seen, cuts), strict=True)
        return [(part, bool(shown[0])) for part, shown in parts if len(part) > 1]


def _edges(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the slopes of the three barycentric coordinates in x and y, and the divisor of all, each along axis 0.

    Coordinate k at (px, py) is ``(slope_x[k] * (px - x[0]) + slope_y[k] * (py - y[0])) / area``, plus 1 for k = 0.
    """
    x1, x2, y1, y2 = x[1] - x[0], x[2] - x[0], y[1] - y[0], y[2] - y[0]
    area = x1 * y2 - x2 * y1
    return np.stack([y1 - y2, y2, -y1]), np.stack([x2 - x1, -x2, x1]), area


def rasterize(
    mesh: Mesh, view: View, shape: tuple[int, int], *, first_row: int = 0, ceiling: float | None = None
) -> Raster:
    """Find what each pixel sees.

    Parameters
    ----------
    mesh : Mesh
    view : View
        In pixels.
    shape : (int, int)
        Rows and columns to fill.
    first_row : int
        Where the rows begin, so that a large picture can be made in bands.
    ceiling : float, optional
        Height, in the scene's coordinates, above which the surface is cut away.

    Returns
    -------
    Raster
    """
    height, width = shape
    screen = view.project(mesh.vertices)
    screen[:, 2] = 1.0 / screen[:, 2]
    nearest = np.zeros(height * width)
    owner = np.full(height * width, -1, dtype=np.int32)
    raster = Raster(mesh, view, screen, first_row, nearest.reshape(shape), owner.reshape(shape))

    x, y = screen[mesh.triangles, 0], screen[mesh.triangles, 1]
    left = np.maximum(np.ceil(x.min(axis=1) - 0.5), 0).astype(np.intp)
    right = np.minimum(np.floor(x.max(axis=1) - 0.5), width - 1).astype(np.intp)
    low = np.maximum(np.ceil(y.min(axis=1) - 0.5) - first_row, 0).astype(np.intp)
    high = np.minimum(np.floor(y.max(axis=1) - 0.5) - first_row, height - 1).astype(np.intp)
    here = (left <= right) & (low <= high)
    if ceiling is not None:
        here &= mesh.vertices[mesh.triangles, 2].min(axis=1) <= ceiling
    sizes = np.full(len(here), -1, dtype=np.intp)
    wide, tall = np.ceil(np.log2([right[here] - left[here] + 1, high[here] - low[here] + 1])).astype(np.intp)
    sizes[here] = wide * 64 + tall
    for size in np.unique(sizes[here]):
        group = np.flatnonzero(sizes == size)
        columns, rows = 1 << int(size // 64), 1 << int(size % 64)
        step = max(1, CHUNK // (columns * rows))
        for start in range(0, len(group), step):
            chunk = group[start : start + step]
            window = (left[chunk], low[chunk], columns, rows)
            _fill(raster, nearest, owner, chunk, window, ceiling)
    return raster


def _fill(
    raster: Raster,
    nearest: Floats,
    owner: NDArray[np.int32],
    chunk: Ints,
    window: tuple[Ints, Ints, int, int],
    ceiling: float | None,
) -> None:
    """Test every pixel of each triangle's window, and keep the nearest; all triangles have windows of one size."""
    height, width = raster.triangle.shape
    left, low, columns, rows = window
    corners = raster.mesh.triangles[chunk].T
    x, y, nearness = np.moveaxis(raster.screen[corners], -1, 0)
    slope_x, slope_y, area = _edges(x, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Triangles seen edge-on have no area: their coordinates are infinite or NaN, and no pixel lies in them.
        slope_x, slope_y = slope_x / area, slope_y / area
        corner_x, corner_y = left + 0.5 - x[0], low + (raster.first_row + 0.5) - y[0]
        origin = slope_x * corner_x + slope_y * corner_y
        origin[0] += 1.0
        across, upwards = np.arange(columns), np.arange(rows)
        along_x = slope_x[..., None] * across
        along_y = origin[..., None] + slope_y[..., None] * upwards
        second = along_y[1][:, :, None] + along_x[1][:, None, :]
        third = along_y[2][:, :, None] + along_x[2][:, None, :]
        inside = (second >= -CRACK) & (third >= -CRACK) & (second + third <= 1 + CRACK)
    inside &= ((left[:, None] + across < width)[:, None, :]) & ((low[:, None] + upwards < height)[:, :, None])
    which, up, along = np.nonzero(inside)
    second, third = second[which, up, along], third[which, up, along]
    first = 1 - second - third
    near = nearness[:, which]
    found = first * near[0] + second * near[1] + third * near[2]
    pixel = (low[which] + up) * width + left[which] + along
    kept = found > nearest[pixel]
    if ceiling is not None:
        z = raster.mesh.vertices[corners[:, which], 2]
        kept &= first * near[0] * z[0] + second * near[1] * z[1] + third * near[2] * z[2] <= ceiling * found
    pixel, found, which = pixel[kept], found[kept], which[kept]
    np.maximum.at(nearest, pixel, found)
    # Of two triangles at the very same depth (a shared edge) the later one stays: always the same one.
    won = nearest[pixel] == found
    owner[pixel[won]] = chunk[which[won]]
