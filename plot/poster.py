"""The picture a page shows where it cannot draw: maps side by side on one scale, as a small PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from landscape.grid import Floats
from landscape.surface import Surface

from .packing import Array
from .scale import NOT_FINITE_GREY, Scale

SIDE, GAP = 360, 24


def draw_poster(surfaces: Sequence[Surface], name: str) -> bytes:
    """Return a PNG of the maps of some planes on one scale; a plane without these values stays empty."""
    from PIL import Image

    known = [surface.finished_part() for surface in surfaces if name in surface.values]
    scale = Scale.of(known, name)
    columns = min(len(known), 3)
    rows = -(-len(known) // columns)
    canvas = np.full((rows * (SIDE + GAP) - GAP, columns * (SIDE + GAP) - GAP, 3), 255, dtype=np.uint8)
    for k, surface in enumerate(known):
        top, left = (k // columns) * (SIDE + GAP), (k % columns) * (SIDE + GAP)
        canvas[top : top + SIDE, left : left + SIDE] = _map_pixels(surface, name, scale)
    stream = io.BytesIO()
    # 256 colours are what the colour map has: a third of the bytes.
    Image.fromarray(canvas).quantize(256, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _map_pixels(surface: Surface, name: str, scale: Scale) -> Array:
    heights = scale.normalized(np.where(surface.state > 0, surface[name], np.nan))
    x, y = (axis.values for axis in surface.axes)
    fine = _between(_between(heights, x).T, y).T[::-1]
    colors = scale.cmap()(np.ma.masked_invalid(fine), bytes=True)[..., :3]
    colors[np.isnan(fine)] = (255 * np.asarray(NOT_FINITE_GREY[:3])).astype(np.uint8)
    return np.asarray(colors, dtype=np.uint8)


def _between(values: Floats, x: Floats) -> Floats:
    """Put SIDE points evenly along the last axis, on straight lines between neighbours."""
    places = np.linspace(x[0], x[-1], SIDE)
    left = np.clip(np.searchsorted(x, places, side="right") - 1, 0, len(x) - 2)
    part = (places - x[left]) / (x[left + 1] - x[left])
    return np.asarray(values[:, left] * (1 - part) + values[:, left + 1] * part)
