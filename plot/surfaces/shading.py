"""Light on a height field: from a raster of triangles to a picture with transparent surroundings.

Each pixel is shaded once, from interpolated normals, in linear RGB: a key and a fill light, a sky that is brighter
above than below, a highlight, and less sky where the neighbourhood stands higher. Colour is given by the height
alone, or by a `Tint`; light changes only how light or dark it is, and a level surface keeps its colour nearly exactly.
Iso-lines are drawn a pixel at a time from the height and its gradient on screen, so they have the same width
everywhere.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats

from .camera import View
from .heightfield import Ints, Mesh, Raster, rasterize
from .tints import Tint

# Subpixels along each side of a pixel.
SUPERSAMPLING = 2
# A subpixel counts for the pixels around it by a tent two pixels wide: smoother edges than the plain mean of four.
TENT = (0.125, 0.375, 0.375, 0.125)
# Subpixels in a band, and pixels shaded at once: about 150 MB, whatever the size of the picture.
BAND = 1 << 21
CHUNK = 1 << 17
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear sRGB
DARK = 0.07
# Change for a pixel below which something is level: a plateau has no iso-line, only rounding.
FLAT = 1e-7


@dataclass(frozen=True)
class Light:
    """Where light comes from and how strong it is; the sums give a level surface its own colour, within a tenth."""

    key: tuple[float, float, float] = (-0.55, -0.35, 0.75)
    key_strength: float = 0.80
    fill: tuple[float, float, float] = (0.7, 0.2, 0.5)
    fill_strength: float = 0.26
    sky: float = 0.30
    ground: float = 0.85  # light from the sky that reaches a face turned away from it, as a share
    page: float = 0.45  # light that the white page throws back at what is turned down
    specular: float = 0.10
    exponent: float = 40.0
    occlusion: float = 0.35  # share of the light that a point without any sky above it loses

    def turned(self, degrees: float) -> Light:
        """Return the same lights turned about the vertical axis, as if fixed to a camera at another azimuth."""
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))

        def turn(v: tuple[float, float, float]) -> tuple[float, float, float]:
            return (float(c * v[0] - s * v[1]), float(s * v[0] + c * v[1]), v[2])

        return dataclasses.replace(self, key=turn(self.key), fill=turn(self.fill))


@dataclass(frozen=True, eq=False)
class Paint:
    """What a mesh is painted with; heights are the scene's."""

    colors: Floats  # (k, 3) sRGB in [0, 1] for heights evenly from 0 to `top`
    top: float
    levels: Floats  # (n,) heights of iso-lines, increasing
    openness: Floats  # (vertices,): share of the sky that each vertex sees
    rim: Floats  # (vertices,): 0 at the surface's edge and around holes, 1 elsewhere
    ceiling: float | None = None  # height at which the surface is cut away
    line_width: float = 1.0  # of iso-lines, in pixels of the finished picture
    light: Light = Light()
    tint: Tint | None = None  # what gives colours in the place of the height


def to_linear(srgb: Floats) -> Floats:
    """Return linear light for sRGB values (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: Floats) -> Floats:
    """Return sRGB values for linear light, the inverse of `to_linear`."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def sky_openness(x: Floats, y: Floats, z: Floats) -> Floats:
    """Return the share of the sky each point of a height field sees, shape (ny, nx), 0 to 1.

    In sixteen directions the steepest of six neighbours, near to far, is the horizon; a direction contributes the
    cosine-weighted share of sky above it, ``1 / (1 + slope**2)``. Beyond the border, and over holes, the sky is open.
    """
    ny, nx = z.shape
    total = np.zeros(z.shape)
    directions = [(1, 0), (2, 1), (1, 1), (1, 2), (0, 1), (-1, 2), (-1, 1), (-2, 1)]
    directions += [(-right, -up) for right, up in directions]
    for right, up in directions:
        slope = np.zeros(z.shape)
        length = np.hypot(right, up)
        for reach in (0.008, 0.02, 0.045, 0.09, 0.17, 0.3):
            di = round(right / length * reach * nx)
            dj = round(up / length * reach * ny)
            if not (di or dj) or abs(di) >= nx or abs(dj) >= ny:
                continue
            here = (slice(max(-dj, 0), ny - max(dj, 0)), slice(max(-di, 0), nx - max(di, 0)))
            there = (slice(max(dj, 0), ny + min(dj, 0)), slice(max(di, 0), nx + min(di, 0)))
            away = np.hypot(x[there[1]] - x[here[1]], (y[there[0]] - y[here[0]])[:, None])
            slope[here] = np.fmax(slope[here], (z[there] - z[here]) / away)
        total += 1 / (1 + slope**2)
    return total / len(directions)


def rim_of(z: Floats) -> Floats:
    """Return 0 at vertices on the border of a height field or of a hole in it, 1 elsewhere; shape (ny, nx)."""
    ny, nx = z.shape
    finite = np.isfinite(z)
    whole = np.zeros((ny + 1, nx + 1), dtype=bool)
    whole[1:-1, 1:-1] = finite[:-1, :-1] & finite[:-1, 1:] & finite[1:, 1:] & finite[1:, :-1]
    return (whole[:-1, :-1] & whole[:-1, 1:] & whole[1:, 1:] & whole[1:, :-1]).astype(np.float64)


def render(mesh: Mesh, view: View, shape: tuple[int, int], paint: Paint) -> NDArray[np.uint8]:
    """Draw a mesh.

    Parameters
    ----------
    mesh : Mesh
    view : View
        In pixels of the finished picture.
    shape : (int, int)
        Rows and columns of the finished picture.
    paint : Paint

    Returns
    -------
    ndarray of uint8, shape (rows, columns, 4)
        sRGB with straight alpha, the top row first; alpha is the share of a pixel that the surface covers.
    """
    rows, columns = shape
    n = SUPERSAMPLING
    finer = view.scaled(n)
    table = to_linear(np.asarray(paint.colors, dtype=np.float64))
    picture = np.zeros((rows, columns, 4), dtype=np.uint8)
    band = max(1, BAND // (columns * n * n))
    for first in range(0, rows, band):
        last = min(first + band, rows)
        # The tent reaches one subpixel beyond each side of the band.
        raster = rasterize(
            mesh, finer, ((last - first) * n + 2, columns * n), first_row=first * n - 1, ceiling=paint.ceiling
        )
        samples = np.zeros((raster.triangle.size, 4), dtype=np.float32)
        covered = np.flatnonzero(raster.triangle.ravel() >= 0)
        for start in range(0, len(covered), CHUNK):
            pixels = covered[start : start + CHUNK]
            samples[pixels, :3] = shade(raster, pixels, paint, table)
            samples[pixels, 3] = 1.0
        picture[first:last] = _downsample(samples.reshape(*raster.triangle.shape, 4))
    return picture[::-1].copy()


def shade(raster: Raster, pixels: Ints, paint: Paint, table: Floats) -> Floats:
    """Return the linear RGB of flat-numbered pixels of a raster, shape (n, 3)."""
    mesh, light = raster.mesh, paint.light
    corners, weights, gradients = raster.weights(pixels)

    def mix(values: Floats) -> Floats:
        picked = values[corners]
        return np.asarray((picked * weights.reshape(weights.shape + (1,) * (picked.ndim - 2))).sum(axis=0))

    place = mix(mesh.vertices)
    normal = mix(mesh.normals)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    towards = raster.view.eye - place
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    # Which side is seen is the triangle's matter, not the interpolated normal's: the two differ at silhouettes.
    below = raster.turned_away[raster.triangle.ravel()[pixels]]
    normal[below] *= -1

    height = place[:, 2]
    if paint.tint is None:
        color = table[np.clip(np.rint(height / paint.top * (len(table) - 1)), 0, len(table) - 1).astype(np.intp)]
    else:
        painted, stripes = paint.tint.at(place)
        color = np.maximum(to_linear(painted), stripes[:, None])
    bright = light.sky * (light.ground + (1 - light.ground) * (normal[:, 2] + 1) / 2)
    bright += light.page * np.maximum(-normal[:, 2], 0)
    for direction, strength in ((light.key, light.key_strength), (light.fill, light.fill_strength)):
        bright += strength * np.maximum(normal @ (np.array(direction) / np.linalg.norm(direction)), 0)
    halfway = towards + np.array(light.key) / np.linalg.norm(light.key)
    halfway /= np.linalg.norm(halfway, axis=1, keepdims=True)
    shine = light.specular * np.maximum((normal * halfway).sum(axis=1), 0) ** light.exponent
    # From below, the page is in sight: no hollow takes its light away.
    bright *= np.where(below, 1.0, 1 - light.occlusion * (1 - mix(paint.openness)))
    # Half of the highlight in the surface's own colour, like silk: pure white would wash out what colour says.
    tint = 0.5 + 0.5 * color / color.max(axis=1, keepdims=True).clip(1e-6)
    lit = color * bright[:, None] + np.where(below, 0.0, shine)[:, None] * tint

    gradient = np.hypot(*(gradients * mesh.vertices[corners, 2]).sum(axis=1))
    edge = np.hypot(*(gradients * paint.rim[corners]).sum(axis=1))
    width = paint.line_width * SUPERSAMPLING
    line = 0.6 * _line_cover(height, gradient, paint.levels, width)
    line = np.maximum(line, 0.4 * _cover(mix(paint.rim), edge, width * 1.5))[:, None]
    # Dark lines would drown in the dark end of a colour map: there they are light. The colour decides, not the
    # lighting, so that an iso-line is of one kind all along.
    inked = np.where((color @ LUMINANCE > DARK)[:, None], 0.15 * lit, lit + 0.15)
    lit += line * (inked - lit)
    if paint.ceiling is not None:
        lit *= 1 - 0.7 * _cut_cover(raster, pixels, paint.ceiling - height, gradient, width)[:, None]
    return np.asarray(lit)


def _cover(distance: Floats, gradient: Floats, width: float) -> Floats:
    """Return how much of each pixel a line of some width covers, whose distance is given in the gradient's unit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.where(gradient > FLAT, np.abs(distance) / gradient, np.inf)
    return np.clip(width / 2 + 0.5 - away, 0, 1) * min(width, 1.0)


def _line_cover(height: Floats, gradient: Floats, levels: Floats, width: float) -> Floats:
    """Return how much of each pixel the nearest iso-line covers."""
    if not len(levels):
        return np.zeros(len(height))
    above = np.searchsorted(levels, height).clip(0, len(levels) - 1)
    below = (above - 1).clip(0)
    nearer = np.abs(levels[above] - height) <= np.abs(levels[below] - height)
    cover = _cover(np.where(nearer, levels[above], levels[below]) - height, gradient, width)
    # Where a wall is so steep on screen that lines would merge into a black patch, they fade instead.
    apart = np.abs(levels[above] - levels[below])
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where((apart > 0) & (gradient > 0), apart / gradient, np.inf)
    return np.asarray(cover * np.clip(room / (4 * width) - 0.25, 0.25, 1))


def _cut_cover(raster: Raster, pixels: Ints, distance: Floats, gradient: Floats, width: float) -> Floats:
    """Return the ink of a cut edge: a line along it, and hatching beside it."""
    rows, columns = np.divmod(pixels, raster.triangle.shape[1])
    period = 5 * width
    hatch = np.abs(((rows + raster.first_row + columns) / period) % 1 - 0.5) * period
    stripe = np.clip(width * 0.6 + 0.5 - hatch, 0, 1)
    band = _cover(distance, gradient, 16 * width)
    return np.maximum(_cover(distance, gradient, 2 * width), 0.6 * stripe * band)


def _downsample(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return pixels from 2 x 2 subpixels; samples have one more row at each end, and are premultiplied linear light."""
    padded = np.pad(samples, ((0, 0), (1, 1), (0, 0)))
    rows, columns = padded.shape[0] // 2 - 1, padded.shape[1] // 2 - 1
    tall = np.zeros((rows, padded.shape[1], 4), dtype=np.float32)
    mixed = np.zeros((rows, columns, 4), dtype=np.float32)
    for k, weight in enumerate(TENT):
        tall += np.float32(weight) * padded[k : k + 2 * rows : 2]
    for k, weight in enumerate(TENT):
        mixed += np.float32(weight) * tall[:, k : k + 2 * columns : 2]
    alpha = mixed[..., 3:]
    straight = mixed[..., :3] / np.where(alpha > 0, alpha, 1)
    finished = np.concatenate([to_srgb(np.clip(straight, 0, 1)), alpha], axis=-1)
    return np.asarray(np.rint(finished * 255).astype(np.uint8))
