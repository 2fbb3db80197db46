"""A plane of measurements as a scene in three dimensions: its place in the box, its triangles, its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from landscape.errors import PlotError
from landscape.surface.grid import Floats

from ..planes.marks import Sheet
from .camera import HEIGHT, Box, View
from .heightfield import Mesh, build_mesh
from .shading import Light, Paint, render, rim_of, sky_openness
from .tints import Tint

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase

# Pixels per point of the surface in PDF and SVG: 300 dpi.
VECTOR_RESOLUTION = 300 / 72
ISO_WIDTH = 0.45  # points


@dataclass(frozen=True, eq=False)
class Scene:
    """A surface in the scene's coordinates."""

    sheet: Sheet
    box: Box
    x: Floats  # (nx,), in the data's unit, finer than measured where smoothed
    y: Floats  # (ny,)
    heights: Floats  # (ny, nx), the scale's heights, NaN in holes
    smoothed: int  # by how much the grid was refined; 1 where it was not
    tint: Tint | None = None  # colours that are not the height's

    @property
    def ceiling(self) -> float | None:
        """The height, in the scale's unit, above which the surface is cut away."""
        return None if self.sheet.scale.cap is None else float(self.sheet.scale.forward(self.sheet.scale.cap))

    @property
    def lid(self) -> float | None:
        """The ceiling in the scene's coordinates."""
        return None if self.ceiling is None else float(self.box.rise(self.ceiling))

    @cached_property
    def placed(self) -> Floats:
        """The grid in the scene, shape (ny, nx, 3)."""
        return self.box.place(self.x[None, :], self.y[:, None], self.heights)

    @cached_property
    def mesh(self) -> Mesh:
        """The surface as triangles."""
        return build_mesh(self.placed[0, :, 0], self.placed[:, 0, 1], self.placed[..., 2])

    @cached_property
    def content(self) -> Floats:
        """All points of the surface that are drawn, shape (n, 3)."""
        points = self.placed.reshape(-1, 3)
        points = points[np.isfinite(points[:, 2])]
        if self.lid is not None:
            points[:, 2] = np.minimum(points[:, 2], self.lid)
        return points

    @cached_property
    def openness(self) -> Floats:
        """The share of the sky that each vertex sees, shape (ny * nx,)."""
        return sky_openness(self.placed[0, :, 0], self.placed[:, 0, 1], self.placed[..., 2]).ravel()

    def paint(self, line_width: float, light: Light) -> Paint:
        """Return what the surface is painted with; ``line_width`` in pixels."""
        scale = self.sheet.scale
        # 4,096 steps: finer than what eight bits a channel tell apart.
        colors = np.asarray(scale.cmap()(np.linspace(0, 1, 4096)), dtype=np.float64)[:, :3]
        levels = self.box.rise(scale.forward(list(scale.levels)))
        rim = rim_of(self.heights).ravel()
        return Paint(colors, HEIGHT, levels, self.openness, rim, self.lid, line_width, light, self.tint)


def make_scene(sheet: Sheet, box: Box, *, interpolate: bool = True, color: str | None = None) -> Scene:
    """Put a plane into a box, smoothed where its grid is coarse, coloured by its height or by `tints.TINTS`."""
    plain = sheet.scale.forward(sheet.values), sheet.x, sheet.y, 1
    heights, x, y, factor = sheet.smooth if interpolate else plain
    scene = Scene(sheet, box, x, y, heights, factor, Tint.of(color, sheet, box))
    if not scene.mesh.triangles.size:
        raise PlotError(
            f"{sheet.whole.path or 'the surface'} has no four neighbouring points with finite values to draw a "
            "surface through; a heat map shows single points: --kind heatmap"
        )
    return scene


def shared_box(sheets: Sequence[Sheet]) -> Box:
    """Return the box that holds all these planes; heights are those of the first one's scale."""
    scale = sheets[0].scale
    bottom, top = scale.forward([scale.low, scale.high])
    return Box(
        (min(float(each.x[0]) for each in sheets), max(float(each.x[-1]) for each in sheets)),
        (min(float(each.y[0]) for each in sheets), max(float(each.y[-1]) for each in sheets)),
        (float(bottom), float(top)),
    )


class SurfaceImage(Artist):
    """The lit surface, made anew at the resolution of each file it is written to."""

    def __init__(self, scene: Scene, view: View, light: Light) -> None:
        super().__init__()
        self.scene, self.view, self.light = scene, view, light
        self._made: tuple[tuple[float, ...], NDArray[np.uint8]] | None = None

    def draw(self, renderer: RendererBase, *args: Any, **kwargs: Any) -> None:
        """Draw at the renderer's own pixels, or at 300 dpi where it has none."""
        if not self.get_visible() or self.axes is None:
            return
        corner, far = self.axes.transData.transform([(0.0, 0.0), self.view.size])
        unit = (far[0] - corner[0]) / self.view.size[0]  # of the renderer, for a point
        vector = renderer.option_scale_image()
        own = renderer.get_image_magnification()
        # A browser shows a scaled picture without smoothing: it is scaled only where the file's own resolution is low.
        scaled = vector and own * unit < VECTOR_RESOLUTION * 0.99
        pixels = VECTOR_RESOLUTION / unit if scaled else own
        image, left, low = self.picture(unit * pixels, float(corner[0] * pixels), float(corner[1] * pixels))
        gc = renderer.new_gc()
        if scaled:
            size = Affine2D().scale(image.shape[1] / pixels, image.shape[0] / pixels)
            renderer.draw_image(gc, left / pixels, low / pixels, image, size)
        else:
            renderer.draw_image(gc, left / pixels, low / pixels, image)
        gc.restore()
        self.stale = False

    def picture(self, scale: float, x: float, y: float) -> tuple[NDArray[np.uint8], int, int]:
        """Return the surface, lowest row first, and the whole pixels at which its lower left corner lies.

        Parameters
        ----------
        scale : float
            Pixels a point.
        x, y : float
            Where the panel's lower left corner lies, in pixels.
        """
        view = self.view.scaled(scale)
        spots = view.project(self.scene.content)[:, :2] + (x, y)
        left, low = (int(each) for each in np.floor(spots.min(axis=0)) - 1)
        right, high = (int(each) for each in np.ceil(spots.max(axis=0)) + 1)
        key = (scale, x - left, y - low, right - left, high - low)
        if self._made is None or self._made[0] != key:
            centre = (view.centre[0] + x - left, view.centre[1] + y - low)
            size = (float(right - left), float(high - low))
            moved = View(view.eye, view.directions, view.scale, centre, size)
            paint = self.scene.paint(ISO_WIDTH * scale, self.light)
            picture = render(self.scene.mesh, moved, (high - low, right - left), paint)
            self._made = key, picture[::-1]  # renderers take the lowest row first
        return self._made[1], left, low
