"""What stands around a lit surface: floor and walls, axes with their labels, the checkpoint.

The floor lies below the surface and the eye above, so what is drawn on the floor is hidden by drawing the surface over
it; what stands higher is cut where the depth buffer hides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from landscape.surface.grid import Floats

from ..planes.marks import NETWORK, hole_cells, hole_colors
from ..scale.scale import OK
from ..scale.smoothing import snapped
from ..style.placement import Box, Room
from ..style.style import HATCH, HATCH_GREY, INK, SOFT_INK, look, text_width
from ..style.wording import plain_text, short_name
from .axis_texts import Placed, box_of_label, tick_line
from .panel3d import LIFT, Panel

# How far a network's mark reaches, in points.
MARK = 4.5


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

    masked = np.ma.masked_invalid(snapped(scene.heights, scale.forward(list(scale.levels))))
    lines = contour_generator(scene.x, scene.y, masked, corner_mask=False)
    if scene.ceiling is not None:
        _draw_capped(panel, lines.filled(scene.ceiling, np.inf))
    # A plateau has no contours, only rounding.
    flat = np.nanmax(scene.heights) - np.nanmin(scene.heights) < 1e-9 * (box.z[1] - box.z[0])
    for level in scale.levels if not flat else ():
        found = [panel.floor(*np.asarray(line).T) for line in lines.lines(float(scale.forward(level)))]
        if found and (scale.cap is None or level < scale.cap):
            # Where colours mean something else, heights have none.
            color = scale.colors(level) if scene.tint is None else SOFT_INK
            ax.add_collection(LineCollection(found, colors=[color], linewidths=1.0, zorder=1.5, gid=f"level {level:g}"))


def _draw_holes(panel: Panel) -> None:
    """Paint the floor's cells that touch a point without a value, in the colours of the 2D pictures."""
    sheet = panel.scene.sheet
    cells = hole_cells(sheet.codes)
    quads, codes = [], []
    for j, row in enumerate(cells):
        # Neighbours with one code are one piece: no seams, and a small file.
        starts = np.flatnonzero(np.diff(row.astype(int), prepend=-1))
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


def draw_axes(panel: Panel, placed: Sequence[Placed]) -> None:
    """Draw the height axis where nothing hides it, the ticks beside the surface, and the labels."""
    ax = panel.axes
    for part in panel.cut(panel.frame.height_axis):
        ax.plot(*part.T, color=SOFT_INK, lw=0.7, zorder=4, gid="height axis")
    for each in placed:
        label = each.label
        if label.tick:
            ax.plot(*tick_line(panel, each).T, color=SOFT_INK, lw=0.7, zorder=4, gid="tick")
        x, y = box_of_label(panel, each).middle
        text = ax.text(x, y, label.text, fontsize=label.size, color=INK, ha="center", va="center", zorder=5)
        text.set(rotation=label.rotation, rotation_mode="anchor", parse_math=False)
        if not each.free:
            # Only over what is drawn: with a halo, letters become outlines in a PDF.
            text.set_path_effects([withStroke(linewidth=2.0, foreground="white", alpha=0.85)])


def draw_checkpoint(panel: Panel) -> list[tuple[str, Floats]]:
    """Mark the checkpoint with stars on the floor and, where it can be seen, on the surface, and a plumb line.

    So are other networks with diamonds. Their names, where there are several, and places are returned for `draw_names`.
    """
    sheet = panel.scene.sheet
    star: dict[str, Any] = {"marker": "*", "ms": 7.0, "mfc": "white", "mec": "black", "mew": 0.6, "ls": "none"}
    own = plain_text(PurePath(str(sheet.surface.origin.get("checkpoint") or "")).name) if sheet.networks else ""
    marks = [(0.0, 0.0, own, {**star, "label": "checkpoint"})] if sheet.has_checkpoint else []
    named: list[tuple[str, Floats]] = []
    for x, y, name, style in [*marks, *((*each, NETWORK) for each in sheet.networks)]:
        foot, loss = panel.floor(x, y), panel.drape([x], [y])[2][0]
        panel.axes.plot(*foot, zorder=2, **style | {"label": f"{style['label']}, on the floor"})
        seen = foot
        if np.isfinite(loss):
            point = panel.place(x, y, loss)
            spot = panel.flat(point)
            panel.axes.plot(*np.stack([foot, spot]).T, ":", color=SOFT_INK, lw=0.7, zorder=1.9)
            if (panel.scene.lid is None or point[2] <= panel.scene.lid) and panel.raster.visible(point + LIFT):
                panel.axes.plot(*spot, zorder=6, **style)
                seen = spot
        named.append((short_name(name) if name else "", seen))
    return named


def draw_names(panel: Panel, room: Room, named: Sequence[tuple[str, Floats]]) -> None:
    """Write networks' names beside their marks, on no other text or mark; nothing else is then put on them."""
    marks = [line for line in panel.axes.lines if line.get_marker() in tuple("*oDs^vx") and line.get_visible()]
    spots = np.concatenate([np.zeros((0, 2)), *(np.asarray(line.get_xydata(), dtype=np.float64) for line in marks)])
    for (left, bottom), text in placed_names(named, panel.frame.view.size, room.boxes, spots):
        label = panel.axes.text(left, bottom, text, fontsize=look().small, color=INK)
        label.set(ha="left", va="bottom", zorder=7, parse_math=False, gid="network")
        label.set_path_effects([withStroke(linewidth=2.2, foreground="white", alpha=0.9)])
        room.take(Box.of_text(text, look().small, (left, bottom), (-1, -1)))


def placed_names(
    named: Sequence[tuple[str, Floats]],
    size: tuple[float, float],
    texts: Sequence[Box] = (),
    marks: Floats | None = None,
) -> list[tuple[tuple[float, float], str]]:
    """Return the lower left corners of names beside networks' marks, towards the middle where that is free.

    A name goes to another side of its mark where it would lie on another one or its mark, or leave the picture, and is
    left out where no side is free: the caption says all of them.

    Parameters
    ----------
    named : sequence of (str, ndarray)
        Name, or nothing, and the mark's place in points.
    size : (float, float)
        Of the picture, in points.
    texts : sequence of Box
        What stands there already.
    marks : ndarray, shape (n, 2), optional
        Where other marks are, of runs and on the floor.
    """
    room = Room(((0.0, 0.0), size))
    room.take(*texts)
    room.take_spots([at for _, at in named], MARK)
    if marks is not None:
        room.take_spots(marks, MARK - 1.0)
    found = []
    for text, (x, y) in named:
        half = text_width(text, look().small) * 36, 0.6 * look().small
        sides = (-1, 1) if x > size[0] / 2 else (1, -1)
        for across, up in ((sides[0], 1), (sides[1], 1), (sides[0], -1), (sides[1], -1)):
            box = Box(np.array([x + across * (6 + half[0]), y + up * (5 + half[1])]), half)
            if text and room.depth(box) <= 0:
                room.take(box)
                found.append(((float(box.middle[0] - half[0]), float(box.middle[1] - half[1])), text))
                break
    return found
