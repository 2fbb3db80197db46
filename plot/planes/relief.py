"""Hill shading of a plane: light from the north-west over the scale's height."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landscape.surface.grid import Floats

from .marks import Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AZIMUTH, ALTITUDE, STRENGTH = 315.0, 45.0, 0.35
# The box of the 3D pictures: as high as 0.55 of its width.
HEIGHT = 0.55
PIXELS = 700


def draw_relief(ax: Axes, sheet: Sheet) -> None:
    """Draw the plane as a shaded image, its colour from the scale and its light from the slope."""
    x, y = sheet.x, sheet.y
    heights = sheet.scale.forward(sheet.values)
    side = max(x[-1] - x[0], y[-1] - y[0])
    across = max(2, round(PIXELS * (x[-1] - x[0]) / side))
    upwards = max(2, round(PIXELS * (y[-1] - y[0]) / side))
    # Centres of the image's pixels.
    xs = x[0] + (np.arange(across) + 0.5) * (x[-1] - x[0]) / across
    ys = y[0] + (np.arange(upwards) + 0.5) * (y[-1] - y[0]) / upwards
    fine = bilinear(heights, x, y, xs, ys)
    bottom, top = sheet.scale.forward([sheet.scale.low, sheet.scale.high])
    unit = HEIGHT * side / (top - bottom)
    slope_y, slope_x = (bilinear(each, x, y, xs, ys) for each in np.gradient(heights * unit, y, x))
    colors = sheet.scale.colors(sheet.scale.inverse(fine))
    light = _light(np.nan_to_num(slope_x), np.nan_to_num(slope_y))
    linear = colors[..., :3] ** 2.2 * light[..., None]
    colors[..., :3] = np.clip(linear, 0, 1) ** (1 / 2.2)
    colors[..., 3] = np.isfinite(fine)
    if sheet.scale.cap is not None:
        # Not drawn: the hatched ground shows.
        colors[np.nan_to_num(fine, nan=-np.inf) > sheet.scale.forward(sheet.scale.cap), 3] = 0
    ax.imshow(
        colors,
        extent=(x[0], x[-1], y[0], y[-1]),
        origin="lower",
        aspect=ax.get_aspect(),
        zorder=1,
        interpolation="none",
    )


def _light(slope_x: Floats, slope_y: Floats) -> Floats:
    """Return how bright a slope is, 1 where the ground is level."""
    azimuth, altitude = np.deg2rad([AZIMUTH, ALTITUDE])
    # A compass: 0 is up, 90 is right.
    east, north, up = np.sin(azimuth) * np.cos(altitude), np.cos(azimuth) * np.cos(altitude), np.sin(altitude)
    normal = np.sqrt(1 + slope_x**2 + slope_y**2)
    facing = np.clip((up - east * slope_x - north * slope_y) / normal, 0, None)
    return np.asarray(1 + STRENGTH * (facing / up - 1))


def bilinear(values: Floats, x: Floats, y: Floats, xs: Floats, ys: Floats) -> Floats:
    """Interpolate between the points of a grid; NaN in every cell that touches a NaN."""
    i = np.clip(np.searchsorted(x, xs, side="right") - 1, 0, len(x) - 2)
    j = np.clip(np.searchsorted(y, ys, side="right") - 1, 0, len(y) - 2)[:, None]
    s, t = (xs - x[i]) / (x[i + 1] - x[i]), ((ys - y[j[:, 0]]) / (y[j[:, 0] + 1] - y[j[:, 0]]))[:, None]
    below = values[j, i] * (1 - s) + values[j, i + 1] * s
    above = values[j + 1, i] * (1 - s) + values[j + 1, i + 1] * s
    return np.asarray(below * (1 - t) + above * t)
