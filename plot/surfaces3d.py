"""The 3D still: a lit surface among vector axes, over the contours of its floor.

The surface is one picture made by `shading` at whatever resolution the figure is written with; all lines and texts
around it are matplotlib's, projected by the same camera, so that a PDF stays small and its text sharp. The floor lies
below the surface and the eye above, so what is drawn on the floor is hidden by drawing the surface over it; what
stands higher is cut where the depth buffer hides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from landscape.surface import Surface

from .camera import Camera
from .colorbars import draw_colorbar
from .frame3d import TICK_LENGTH, fit_frame
from .marks import Sheet, axis_text, corner_lines, hole_colors
from .panel3d import LIFT, Panel
from .path_words import path_lines
from .scale import CAPPED, MISSING, NOT_FINITE, OK, Scale
from .scenes import SurfaceImage, make_scene, shared_box
from .shading import Light
from .style import HATCH, HATCH_GREY, INK, SMALL_SIZE, SOFT_INK, TITLE_SIZE, our_style, text_width
from .trajectories3d import draw_paths_on, legend_area, own_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Height by width at which a panel is filled, from the default camera.
PANEL_ASPECT = 0.88
# Width of a colour bar with its texts, in inches.
BAR_ROOM = 0.95


def surface(
    surface: Surface,
    name: str | None = None,
    *,
    scale: Scale | None = None,
    camera: Camera | None = None,
    figure: Figure | None = None,
    colorbar: bool = True,
    interpolate: bool = True,
    light: Literal["scene", "camera"] = "scene",
    marks: Sequence[int] = (),
) -> Axes:
    """Draw a plane as a lit surface in three dimensions.

    Parameters
    ----------
    surface : Surface
        A plane. One that is not finished is drawn as its finest complete grid, and says so.
    name : str, optional
        The values, such as ``"test/loss"``; the training loss where there is one.
    scale : Scale, optional
        Shared with other pictures; by default what suits these values.
    camera : Camera, optional
        Where from; by default azimuth -52, elevation 34 degrees.
    figure : Figure, optional
        Where to draw, filling it. Without it, a figure with title, colour bar and caption is made.
    colorbar : bool
        Draw a colour bar to the right in ``figure``.
    interpolate : bool
        Draw a smooth surface through the points of a grid of less than 75 x 75, and say so.
    light : {"scene", "camera"}
        Whether light stays where it is when the camera turns, or turns along.
    marks : sequence of int
        Steps of the surface's runs to mark on their paths, beside those where the learning rate fell.

    Returns
    -------
    Axes
        Of the surface, in points; ``axes.figure`` is the picture.

    Raises
    ------
    PlotError
        Not a plane, no such values, or no four neighbouring points with finite values.
    """
    options: dict[str, Any] = {"camera": camera, "interpolate": interpolate, "light": light, "marks": marks}
    if figure is None:
        from .figures import draw_panels

        drawn = draw_panels([surface], kind="surface", name=name, scale=scale, shown=True, **options)
        return drawn.axes[0]
    whole = (0.0, 0.0, 1.0, 1.0)
    return draw_panel(figure, whole, surface, name, scale, title=surface.title, colorbar=colorbar, **options).axes


def draw_panel(
    figure: Figure,
    rect: tuple[float, float, float, float],
    surface: Surface,
    name: str | None = None,
    scale: Scale | None = None,
    *,
    camera: Camera | None = None,
    title: str = "",
    colorbar: bool = False,
    among: Sequence[tuple[Surface, str | None]] = (),
    interpolate: bool = True,
    light: Literal["scene", "camera"] = "scene",
    marks: Sequence[int] = (),
    steady: bool = False,
    until: float = 1.0,
) -> Panel:
    """Draw one surface into part of a figure.

    Parameters
    ----------
    figure : Figure
    rect : (left, bottom, width, height)
        Of the panel with its labels, title and colour bar, as shares of the figure.
    surface, name, scale, camera, interpolate, light, marks
        As for `surface`.
    title : str
        Written above; nothing by default.
    colorbar : bool
        Draw one to the right, within ``rect``.
    among : sequence of (Surface, str)
        All surfaces of the figure with the names of their values: panels of one size then have one box and one
        framing, so that heights compare from panel to panel.

    steady : bool
        Frame the scene for all azimuths at once, so that nothing pulses in a film that goes around it.
    until : float
        Which part of each run to draw, 0 to 1.

    Returns
    -------
    Panel
        What draws further things into the picture, hidden where the surface hides them.
    """
    if light not in ("scene", "camera"):
        raise ValueError(f"light is fixed to the 'scene' or to the 'camera', not {light!r}")
    camera = camera or Camera()
    with our_style():
        sheet = Sheet.of(surface, name, scale)
        # Their heights fill the box as this one's do, on this scale or each on its own.
        others = [Sheet.of(each, other, scale) for each, other in among if each is not surface or other != name]
        box = shared_box([sheet, *others])
        scene = make_scene(sheet, box, interpolate=interpolate)
        content = [
            scene.content,
            own_points(scene),
            *(make_scene(each, box, interpolate=interpolate).content for each in others),
        ]
        left, bottom, width, height = rect
        inches = figure.get_size_inches()
        if colorbar:
            bar = BAR_ROOM / inches[0]
            width -= bar
            cax = figure.add_axes((left + width + 0.1 * bar, bottom + 0.2 * height, 0.15 * bar, 0.6 * height))
            draw_colorbar(figure, sheet.scale, cax=cax, lines=True)
        head = (TITLE_SIZE * 1.8 / 72 / inches[1]) if title else 0.0
        size = (float(width * inches[0] * 72), float((height - head) * inches[1] * 72))
        titles = (axis_text(sheet.surface.axes[0], 0), axis_text(sheet.surface.axes[1], 1), sheet.scale.label)
        frame = fit_frame(camera, box, sheet.scale, titles, np.concatenate(content), size, steady=steady)
        ax = figure.add_axes((left, bottom, width, height - head), label=f"surface {len(figure.axes)}")
        ax.set_axis_off()
        ax.set(xlim=(0, size[0]), ylim=(0, size[1]), aspect="equal")
        if title:
            ax.set_title(title, fontsize=TITLE_SIZE, pad=TITLE_SIZE * 0.4, parse_math=False)
        panel = Panel(ax, scene, frame)
        draw_ground(panel)
        turned = Light().turned(camera.azimuth - Camera().azimuth) if light == "camera" else Light()
        image = SurfaceImage(scene, frame.view, turned)
        image.set_zorder(3)
        ax.add_artist(image)
        draw_axes(panel)
        draw_checkpoint(panel)
        draw_paths_on(panel, marks=marks, until=until)
        draw_notes(panel)
    # The surface is the picture: whoever asks the figure for its axes finds it first.
    figure.sca(ax)
    return panel


def draw_notes(panel: Panel) -> None:
    """Say in a free corner what the picture has to say of missing, capped and smoothed points."""
    scene = panel.scene
    lines = corner_lines(scene.sheet, to_scale=scene.box.to_scale) + path_lines(scene.sheet.whole)
    if scene.smoothed > 1:
        lines.append(f"smoothed ×{scene.smoothed}")
    if not lines:
        return
    size, taken = np.array(panel.frame.view.size), np.concatenate([panel.occupied(), legend_area(panel)])
    # The lower right first, where the other pictures have it.
    corners = ((1, 0), (0, 0), (1, 1), (0, 1))
    placed: dict[tuple[int, int], list[str]] = {corner: [] for corner in corners}

    def crowded(corner: tuple[int, int], texts: list[str]) -> int:
        reach = np.array([max(text_width(each, SMALL_SIZE) for each in texts) * 72, len(texts) * 1.3 * SMALL_SIZE]) + 8
        low = (size - reach) * corner
        return int(((taken >= low) & (taken <= low + reach)).all(axis=1).sum())

    best = min(corners, key=lambda corner: crowded(corner, lines))
    if crowded(best, lines):
        # No corner has room for all of them: each line for itself.
        for line in lines:
            placed[min(corners, key=lambda corner: crowded(corner, [*placed[corner], line]))].append(line)
    else:
        placed[best] = lines
    for (right, up), texts in placed.items():
        x, y = (size - 4) * (right, up) + 2
        note = panel.axes.text(x, y, "\n".join(texts), fontsize=SMALL_SIZE, color=INK, linespacing=1.25, zorder=8)
        note.set(ha="right" if right else "left", va="top" if up else "bottom", parse_math=False, gid="notes")


def draw_ground(panel: Panel) -> None:
    """Draw what lies behind the surface: the walls' height lines, and the floor with grid, holes and contours."""
    from contourpy import contour_generator

    ax, scene, frame = panel.axes, panel.scene, panel.frame
    box, scale = scene.box, scene.sheet.scale
    outline = panel.flat(np.concatenate([frame.corners, frame.corners[:1]]))
    ax.add_collection(PolyCollection([outline], facecolors="#fafafa", zorder=1))
    grid = [panel.floor([x, x], box.y) for x in frame.x_ticks] + [panel.floor(box.x, [y, y]) for y in frame.y_ticks]
    ax.add_collection(LineCollection(grid, colors="#dedede", linewidths=0.5, zorder=1.1))
    ax.add_collection(
        LineCollection([panel.flat(line) for line in frame.walls], colors="#e4e4e4", linewidths=0.5, zorder=1)
    )
    ax.plot(*outline.T, color=SOFT_INK, lw=0.7, zorder=1.3, solid_joinstyle="round", gid="floor")
    _draw_holes(panel)

    masked = np.ma.masked_invalid(scene.heights)
    lines = contour_generator(scene.x, scene.y, masked, corner_mask=False)
    if scene.ceiling is not None:
        _draw_capped(panel, lines.filled(scene.ceiling, np.inf))
    # A plateau has no contours, only rounding.
    flat = np.nanmax(scene.heights) - np.nanmin(scene.heights) < 1e-9 * (box.z[1] - box.z[0])
    for level in scale.levels if not flat else ():
        found = [panel.floor(*np.asarray(line).T) for line in lines.lines(float(scale.forward(level)))]
        if found and (scale.cap is None or level < scale.cap):
            color = scale.colors(level)
            ax.add_collection(LineCollection(found, colors=[color], linewidths=1.0, zorder=1.5, gid=f"level {level:g}"))


def _draw_holes(panel: Panel) -> None:
    """Paint the floor's cells that touch a point without a value, in the colours of the 2D pictures."""
    sheet = panel.scene.sheet
    bad = np.where(sheet.codes == CAPPED, OK, sheet.codes)
    corners = np.stack([bad[:-1, :-1], bad[:-1, 1:], bad[1:, :-1], bad[1:, 1:]])
    cells = np.where(
        (corners == NOT_FINITE).any(axis=0), NOT_FINITE, np.where((corners == MISSING).any(axis=0), MISSING, OK)
    )
    quads, codes = [], []
    for j, row in enumerate(cells):
        # Neighbours with one code are one piece: no seams, and a small file.
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(row)], strict=True):
            if row[start] != OK:
                x, y = sheet.x[[start, end, end, start]], sheet.y[[j, j, j + 1, j + 1]]
                quads.append(panel.floor(x, y))
                codes.append(row[start])
    if quads:
        colors = hole_colors(np.array(codes, dtype=np.uint8))
        panel.axes.add_collection(
            PolyCollection(quads, facecolors=colors, edgecolors=colors, linewidths=0.5, zorder=1.2, gid="holes")
        )


def _draw_capped(panel: Panel, filled: Any) -> None:
    """Hatch the floor where the surface is cut away."""
    polygons, offsets = filled
    for points, starts in zip(polygons, offsets, strict=True):
        flat = panel.floor(*np.asarray(points).T)
        codes = np.full(len(flat), Path.LINETO)
        codes[starts[:-1]] = Path.MOVETO
        codes[starts[1:] - 1] = Path.CLOSEPOLY
        patch = PathPatch(Path(flat, codes), facecolor="none", edgecolor=HATCH_GREY, hatch=HATCH, lw=0, zorder=1.2)
        patch.set_gid("above the cap")
        panel.axes.add_patch(patch)


def draw_axes(panel: Panel) -> None:
    """Draw the height axis where nothing hides it, and all ticks and labels."""
    ax = panel.axes
    covered = panel.flat(panel.scene.content)
    for part in panel.cut(panel.frame.height_axis):
        ax.plot(*part.T, color=SOFT_INK, lw=0.7, zorder=4, gid="height axis")
    for label in panel.frame.labels:
        spot = panel.flat(label.anchor)
        if label.tick:
            ax.plot(*np.stack([spot, spot + label.direction * TICK_LENGTH]).T, color=SOFT_INK, lw=0.7, zorder=4)
        x, y = spot + label.direction * label.offset
        text = ax.text(x, y, label.text, fontsize=label.size, color=INK, ha="center", va="center", zorder=5)
        text.set(rotation=label.rotation, rotation_mode="anchor", parse_math=False)
        away = np.abs(covered - (x, y))
        if (away < label.half).all(axis=1).any():
            # Only over the surface: with a halo, letters become outlines in a PDF.
            text.set_path_effects([withStroke(linewidth=2.0, foreground="white", alpha=0.85)])


def draw_checkpoint(panel: Panel) -> None:
    """Mark the checkpoint with stars on the floor and, where it can be seen, on the surface, and a plumb line."""
    scene, ax = panel.scene, panel.axes
    if not scene.sheet.has_checkpoint:
        return
    x, y = scene.x, scene.y
    style: dict[str, Any] = {"marker": "*", "ms": 7.0, "mfc": "white", "mec": "black", "mew": 0.6, "ls": "none"}
    foot = panel.floor(0.0, 0.0)
    ax.plot(*foot, zorder=2, label="checkpoint, on the floor", **style)
    i, j = int(np.argmin(np.abs(x))), int(np.argmin(np.abs(y)))
    if x[i] == 0 and y[j] == 0 and np.isfinite(scene.heights[j, i]):
        point = scene.placed[j, i]
        spot = panel.flat(point)
        ax.plot(*np.stack([foot, spot]).T, ":", color=SOFT_INK, lw=0.7, zorder=1.9)
        if (scene.lid is None or point[2] <= scene.lid) and panel.raster.visible(point + LIFT):
            ax.plot(*spot, zorder=6, label="checkpoint", **style)
