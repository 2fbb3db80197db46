"""What stands around a lit surface: floor and walls, axes with their labels, the checkpoint, notes in a corner.

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

from ..paths.path_words import path_lines
from ..planes.marks import NETWORK, corner_lines, hole_cells, hole_colors
from ..scale.scale import OK
from ..scale.smoothing import snapped
from ..style.placement import Box, Room, corner_boxes
from ..style.style import HATCH, HATCH_GREY, INK, SOFT_INK, look, text_width
from ..style.wording import plain_text, short_name
from .frame3d import TICK_LENGTH, Label
from .panel3d import EDGES, LIFT, Panel

# Of a label, on the surface: less is an edge that both share.
TOUCH = 0.02
# How far a network's mark reaches, in points.
MARK = 4.5


def room_in(panel: Panel) -> Room:
    """Return where a legend and notes may go: within the panel, and on nothing of ground, surface and axes."""
    room = Room(((0.0, 0.0), panel.frame.view.size))
    room.take_spots(panel.occupied(), 0.0)
    for label, shift, _ in placed_labels(panel):
        middle = panel.flat(label.anchor) + label.direction * label.offset + shift
        room.take(Box.of_text(label.text, label.size, middle, turn=float(np.deg2rad(label.rotation))))
    return room


def draw_notes(panel: Panel, room: Room, *, foot: float = 0.0, anywhere: bool = True, fixed: bool = False) -> float:
    """Say in a free corner what the picture has to say of missing, capped and smoothed points.

    Parameters
    ----------
    panel : Panel
    room : Room
        What is taken.
    foot : float
        What is kept free below everything, in points.
    anywhere : bool
        Draw them also where no corner is free.
    fixed : bool
        Draw them into the lower right corner whatever is there: in a film they would jump.

    Returns
    -------
    float
        The height they need in points where they are not drawn, else 0.
    """
    scene = panel.scene
    lines = corner_lines(scene.sheet, to_scale=scene.box.to_scale, smoothed=scene.smoothed)
    lines += path_lines(scene.sheet.whole)
    if not lines:
        return 0.0
    size, line_height = panel.frame.view.size, 1.3 * look().small
    whole = len(lines) * line_height + 4
    # The lower right first, where the other pictures have it; in the foot, above a legend that stands there.
    corners: list[tuple[float, float]] = [(1, 0), (0, 0)]
    if foot > whole:
        corners += [(right, (foot - whole) / (size[1] - whole)) for right in (1, 0)]
    corners += [(1, 1), (0, 1), *(EDGES if anywhere else [])]
    corners = corners[:1] if fixed else corners
    placed: dict[tuple[float, float], list[str]] = {corner: [] for corner in corners}

    def box_in(corner: tuple[float, float], texts: list[str]) -> Box:
        width = max(text_width(each, look().small) for each in texts) * 72
        return corner_boxes(((0.0, 0.0), size), (width + 4, len(texts) * line_height + 4), 0.0, [corner])[0]

    def crowded(corner: tuple[float, float], texts: list[str]) -> float:
        return max(0.0, room.depth(box_in(corner, texts)))

    best = min(corners, key=lambda corner: crowded(corner, lines))
    if crowded(best, lines):
        # No corner has room for all of them: each line for itself.
        for line in lines:
            placed[min(corners, key=lambda corner: crowded(corner, [*placed[corner], line]))].append(line)
    else:
        placed[best] = lines
    if not anywhere and any(texts and crowded(corner, texts) for corner, texts in placed.items()):
        return whole
    for (right, up), texts in placed.items():
        if texts:
            box = box_in((right, up), texts)
            x, y = box.middle + (np.array(box.half) - 2) * (1 if right else -1, 1 if up == 1 else -1)
            note = panel.axes.text(x, y, "\n".join(texts), fontsize=look().small, color=INK, linespacing=1.25, zorder=8)
            note.set(ha="right" if right else "left", va="top" if up == 1 else "bottom", parse_math=False, gid="notes")
    return 0.0


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


def draw_axes(panel: Panel) -> None:
    """Draw the height axis where nothing hides it, and the ticks and labels that do not lie on the surface."""
    ax = panel.axes
    for part in panel.cut(panel.frame.height_axis):
        ax.plot(*part.T, color=SOFT_INK, lw=0.7, zorder=4, gid="height axis")
    for label, shift, covered in placed_labels(panel):
        spot = panel.flat(label.anchor)
        if label.tick:
            ax.plot(*np.stack([spot, spot + label.direction * TICK_LENGTH]).T, color=SOFT_INK, lw=0.7, zorder=4)
        x, y = spot + label.direction * label.offset + shift
        text = ax.text(x, y, label.text, fontsize=label.size, color=INK, ha="center", va="center", zorder=5)
        text.set(rotation=label.rotation, rotation_mode="anchor", parse_math=False)
        if covered:
            # Only over the surface: with a halo, letters become outlines in a PDF.
            text.set_path_effects([withStroke(linewidth=2.0, foreground="white", alpha=0.85)])


def placed_labels(panel: Panel) -> list[tuple[Label, Floats, float]]:
    """Return the labels to draw, by how much each is moved along its axis, and how much of it lies on the surface.

    A title moves along its axis to where the surface is not. A number on the surface would be read as one of its own:
    it is left out as long as two of its axis are left, and so is one that touches another axis's in any case.
    """
    found: list[tuple[Label, Floats, float]] = []
    for axis in (2, 0, 1):
        labels = [label for label in panel.frame.labels if label.axis == axis]
        ticks = [label for label in labels if label.tick]
        costs = [panel.covered(label) + any(_touch(panel, label, other) for other, *_ in found) for label in ticks]
        order = np.argsort(costs, kind="stable")
        kept = [k for n, k in enumerate(order) if costs[k] < (1 if n < 2 else TOUCH)]
        found += [(ticks[k], np.zeros(2), costs[k]) for k in kept]
        for title in (label for label in labels if not label.tick):
            shifts = [each for each in _along(panel, ticks, title.size) if panel.holds(title, each)] or [np.zeros(2)]
            shares = np.array([panel.covered(title, each) for each in shifts])
            best = int(np.argmax(shares < TOUCH)) if shares.min() < TOUCH else int(np.argmin(shares))
            found.append((title, shifts[best], float(shares[best])))
    return found


def _touch(panel: Panel, one: Label, other: Label) -> bool:
    """Whether two numbers touch."""
    spots = [panel.flat(label.anchor) + label.direction * label.offset for label in (one, other)]
    return other.tick and bool((np.abs(spots[0] - spots[1]) < np.add(one.half, other.half)).all())


def _along(panel: Panel, ticks: Sequence[Label], step: float) -> list[Floats]:
    """Return by how much a title may be moved along its axis, the least first."""
    ends = panel.flat([ticks[0].anchor, ticks[-1].anchor]) if ticks else np.zeros((2, 2))
    way = ends[1] - ends[0]
    most = int(np.hypot(*way) / 2 / step)
    return [np.zeros(2), *(sign * n * step * way / np.hypot(*way) for n in range(1, most + 1) for sign in (1, -1))]


def draw_checkpoint(panel: Panel) -> None:
    """Mark the checkpoint with stars on the floor and, where it can be seen, on the surface, and a plumb line.

    So are other networks with diamonds; each has its name where there are several.
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
    for (left, bottom), text in placed_names(named, panel.frame.view.size):
        label = panel.axes.text(left, bottom, text, fontsize=look().small, color=INK)
        label.set(ha="left", va="bottom", zorder=7, parse_math=False, gid="network")
        label.set_path_effects([withStroke(linewidth=2.2, foreground="white", alpha=0.9)])


def placed_names(
    named: Sequence[tuple[str, Floats]], size: tuple[float, float]
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
    """
    room = Room(((0.0, 0.0), size))
    room.take_spots([at for _, at in named], MARK)
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
