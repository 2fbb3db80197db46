"""The picture a page shows where it cannot draw, and a gallery shows of a page: small surfaces side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from landscape.errors import PlotError
from landscape.surface.surface import Surface

from ..scale.scale import NOT_FINITE_GREY, Scale
from .packing import Array

WIDTH, HEIGHT, GAP = 400, 330, 20
# At this size more points than these along an axis cannot be seen, and cost most of the time.
MOST_POINTS = 90


def draw_poster(surfaces: Sequence[Surface], name: str, scale: Scale | None = None) -> bytes:
    """Return a PNG of some planes on one scale, as surfaces; one without these values is left out."""
    from PIL import Image

    known = [_thinned(surface.finished_part()) for surface in surfaces if name in surface.values]
    if not known:
        raise PlotError(f"no surface has values called {name!r}")
    scale = scale or Scale.of(known, name)
    columns = min(len(known), 3)
    rows = -(-len(known) // columns)
    canvas = np.full((rows * (HEIGHT + GAP) - GAP, columns * (WIDTH + GAP) - GAP, 3), 255, dtype=np.uint8)
    for k, surface in enumerate(known):
        top, left = (k // columns) * (HEIGHT + GAP), (k % columns) * (WIDTH + GAP)
        try:
            panel = _solid(surface, name, scale)
        except PlotError:
            panel = _flat(surface, name, scale)
        canvas[top : top + HEIGHT, left : left + WIDTH] = panel
    stream = io.BytesIO()
    # A palette of 256 colours: a third of the bytes, and hardly a difference at this size.
    Image.fromarray(canvas).quantize(256, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _thinned(surface: Surface) -> Surface:
    kept = []
    for axis in surface.axes:
        stride = -(-(len(axis) - 1) // (MOST_POINTS - 1))
        kept.append(np.unique(np.append(np.arange(0, len(axis), stride), len(axis) - 1)))
    return surface.select(*kept)


def _solid(surface: Surface, name: str, scale: Scale) -> Array:
    """Draw the surface alone: axes and texts would not be readable."""
    from ..planes.marks import Sheet
    from ..surfaces.camera import Camera, fit_view
    from ..surfaces.scenes import make_scene, shared_box
    from ..surfaces.shading import Light, render

    sheet = Sheet.of(surface, name, scale)
    box = shared_box([sheet])
    scene = make_scene(sheet, box)
    content = scene.content
    margin = np.full((len(content), 4), 8.0)
    view = fit_view(Camera(), content, margin, (float(WIDTH), float(HEIGHT)), box.half)
    picture = render(scene.mesh, view, (HEIGHT, WIDTH), scene.paint(0.8, Light())).astype(np.float64)
    alpha = picture[..., 3:] / 255
    return np.rint(picture[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _flat(surface: Surface, name: str, scale: Scale) -> Array:
    """Draw every point as a rectangle: what can be done with points that have no neighbours."""
    values = np.where(surface.state > 0, surface[name], np.nan)
    rows, columns = (np.arange(n) * count // n for n, count in zip((HEIGHT, WIDTH), values.shape, strict=True))
    picked = values[::-1][np.ix_(rows, columns)]
    colors = scale.cmap()(np.ma.masked_invalid(scale.normalized(picked)), bytes=True)[..., :3]
    colors[~np.isfinite(picked)] = (255 * np.asarray(NOT_FINITE_GREY[:3])).astype(np.uint8)
    return np.asarray(colors, dtype=np.uint8)
