"""Where numbers and titles of the 3D still's axes stand: beside their axes, and on nothing that is drawn.

A number that lies on the surface would be read as one of its own, and one on another axis's as another one. It goes
outwards along its grid line, a little where that is enough, and is left out otherwise, as long as two of its axis are
left; these go as far as it takes. A title goes along its axis or outwards. The view is then fitted around them anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.transforms import IdentityTransform

from landscape.errors import PlotError
from landscape.surface.grid import Floats

from ..style.placement import Box, Room
from .frame3d import TICK_LENGTH, Label, fit_frame
from .panel3d import DEPTH_RESOLUTION, Panel
from .trajectories3d import own_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .camera import Camera
    from .scenes import Scene

# How far a number goes before it is left out, and how far one of the last two of its axis, in points.
NUDGE, FURTHEST = 6.0, 90.0
# From one place that is tried to the next.
STEP = 2.0
# Spots that stand for a surface: as many as tell it from what is beside it.
SPOTS = 6000
# Between spots that stand for the floor, in points: less than a line of letters is high.
FLOOR_STEP = 6.0
# How often the view is fitted around labels that have moved: each time it is a little smaller.
FITS = 4


@dataclass(frozen=True, eq=False)
class Placed:
    """A label that is drawn."""

    label: Label
    shift: Floats  # (2,), in points, from its own place
    free: bool  # whether it lies on nothing


def fitted_panel(
    ax: Axes,
    scene: Scene,
    camera: Camera,
    titles: tuple[str, str, str],
    content: Floats,
    size: tuple[float, float],
    *,
    steady: tuple[float, float] | None = None,
    foot: float = 0.0,
) -> Panel:
    """Return the panel whose view holds the content and all labels, each where it lies on nothing.

    Parameters
    ----------
    ax, scene
        As of the panel.
    camera, titles, content, steady
        As of `fit_frame`.
    size : (float, float)
        Of the panel, in points.
    foot : float
        Kept free below everything, in points.

    Raises
    ------
    PlotError
        There is no room.
    """
    shifts: dict[tuple[int, str], tuple[float, float]] = {}
    for _ in range(FITS):
        room = size[0], size[1] - foot
        try:
            frame = fit_frame(camera, scene.box, scene.sheet.scale, titles, content, room, steady=steady, shifts=shifts)
        except PlotError:
            if not shifts:
                raise
            break  # no room to move them: they stay within the view there is
        panel = Panel(ax, scene, replace(frame, view=frame.view.raised(foot)))
        if steady:
            break  # wherever its labels go, the view stays
        found = placed_labels(panel, ground_of(panel))
        inside = Room(((0.0, foot), size))
        moved = {each.label.key: each.shift for each in found if inside.depth(box_of_label(panel, each)) > 0}
        if not moved:
            break
        # None goes back: the view would jump to and fro between the two.
        shifts |= {key: (float(shift[0]), float(shift[1])) for key, shift in moved.items()}
    return panel


def ground_of(panel: Panel, *, framed: bool = False) -> Room:
    """Return where no text may lie: surface, floor, walls and height axis, and beyond the panel where ``framed``."""
    room = Room(((0.0, 0.0), panel.frame.view.size) if framed else None)
    drawn = panel.raster.triangle >= 0
    step = max(1, int(np.sqrt(drawn.sum() / SPOTS)))
    # All of a block counts where any of it is drawn: a spike may be one pixel wide.
    rows, columns = (-(-each // step) for each in drawn.shape)
    whole = np.zeros((rows * step, columns * step), dtype=bool)
    whole[: drawn.shape[0], : drawn.shape[1]] = drawn
    up, across = np.nonzero(whole.reshape(rows, step, columns, step).any(axis=(1, 3)))
    middles = (np.stack([across, up], axis=1) + 0.5) * step
    room.take_spots(middles / DEPTH_RESOLUTION, 0.6 * step / DEPTH_RESOLUTION)
    corners = panel.flat(panel.frame.corners)
    longest = float(np.hypot(*(corners - np.roll(corners, 1, axis=0)).T).max())
    across_floor = np.linspace(0, 1, int(np.clip(np.ceil(longest / FLOOR_STEP), 8, 150)) + 1)
    s, t = np.meshgrid(across_floor, across_floor)
    weights = np.stack([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t], axis=-1)
    room.take_spots((weights @ corners).reshape(-1, 2), 0.5)
    for line in (np.concatenate([corners, corners[:1]]), *map(panel.flat, panel.frame.walls)):
        room.take_line(line, 0.35)
    if panel.frame.height_axis.size:
        room.take_line(panel.flat(panel.frame.height_axis), 0.35)
    room.take_spots(panel.flat(own_points(panel.scene)), 1.5)
    return room


def drawn_room(panel: Panel) -> Room:
    """Return the room within the panel beside all that has been drawn into it; its data are points."""
    room = ground_of(panel, framed=True)
    room.take_drawn(panel.axes, IdentityTransform())
    return room


def box_of_label(panel: Panel, placed: Placed) -> Box:
    """Return what a label covers."""
    return _boxes(panel, placed.label, placed.shift[None])[0]


def _boxes(panel: Panel, label: Label, shifts: Floats) -> list[Box]:
    own = panel.flat(label.anchor) + label.direction * label.offset
    turn = float(np.deg2rad(label.rotation))
    return [Box.of_text(label.text, label.size, own + shift, turn=turn) for shift in shifts]


def _first_free(panel: Panel, room: Room, label: Label, shifts: Floats) -> tuple[int, float]:
    """Return the number of the first of some shifts, shape (n, 2), by which a label is free, and its depth there."""
    box = _boxes(panel, label, np.zeros((1, 2)))[0]
    return room.first_free(box.middle + shifts, box.half, box.turn)


def tick_line(panel: Panel, placed: Placed) -> Floats:
    """Return a number's tick, shape (2, 2): as far as the number went, and only what lies beside the surface."""
    spot, label = panel.flat(placed.label.anchor), placed.label
    ends = np.stack([spot, spot + label.direction * TICK_LENGTH + placed.shift])
    dense = ends[0] + (ends[1] - ends[0]) * np.linspace(0, 1, 60)[:, None]
    covered = np.flatnonzero(panel.on_surface(dense))
    return np.asarray(dense[[min(int(covered[-1]) + 1, 59) if covered.size else 0, -1]])


def _crosses(panel: Panel, placed: Placed, boxes: Sequence[Box]) -> bool:
    """Return whether a number's tick runs through other texts."""
    tick = Room()
    tick.take_line(tick_line(panel, placed), 0.35)
    return any(tick.depth(box) > 0 for box in boxes)


def placed_labels(panel: Panel, room: Room) -> list[Placed]:
    """Return the labels to draw and where, numbers first; their places are then taken in ``room``."""
    found: list[Placed] = []

    def keep(label: Label, shift: Floats, free: bool = True) -> None:
        placed = Placed(label, shift, free)
        room.take(box_of_label(panel, placed))
        if label.tick:
            room.take_line(tick_line(panel, placed), 0.35)
        found.append(placed)

    for axis in (2, 0, 1):
        labels = [label for label in panel.frame.labels if label.axis == axis]
        numbers = [label for label in labels if label.tick]
        near = np.arange(0.0, NUDGE + STEP / 2, STEP)
        far = np.arange(0.0, FURTHEST, STEP)
        own = [_first_free(panel, room, label, np.zeros((1, 2)))[1] for label in numbers]
        waiting = [numbers[k] for k in np.argsort(own, kind="stable")]
        for most, ways in ((len(numbers), near), (2, far)):
            for label in list(waiting):
                if sum(each.label.tick and each.label.axis == axis for each in found) >= most:
                    break
                shifts = label.direction * ways[:, None]
                best, depth = _first_free(panel, room, label, shifts)
                if depth <= 0 and not _crosses(panel, Placed(label, shifts[best], True), room.boxes):
                    keep(label, shifts[best])
                    waiting.remove(label)
        for title in (label for label in labels if not label.tick):
            shifts = _ways(panel, title, numbers)
            best, depth = _first_free(panel, room, title, shifts)
            keep(title, shifts[best], depth <= 0)
    return found


def _ways(panel: Panel, title: Label, numbers: Sequence[Label]) -> Floats:
    """Return by how much a title may be moved along its axis and outwards, the least first, shape (n, 2)."""
    ends = panel.flat([numbers[0].anchor, numbers[-1].anchor]) if numbers else np.zeros((2, 2))
    length = float(np.hypot(*(ends[1] - ends[0])))
    along = (ends[1] - ends[0]) / length if length else np.zeros(2)
    reach = np.arange(0.0, length / 2 + 1e-9, title.size)
    sideways = np.concatenate([reach, -reach[1:]])
    out = np.arange(0.0, FURTHEST, 2 * STEP)
    s, o = (each.ravel() for each in np.meshgrid(sideways, out))
    order = np.argsort(np.abs(s) + 1.5 * o, kind="stable")
    return np.asarray(s[order, None] * along + o[order, None] * title.direction)
