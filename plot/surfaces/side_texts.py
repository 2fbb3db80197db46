"""Legend and notes beside a lit surface: where nothing is drawn, or else in a strip below that is kept for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.surface.grid import Floats

from ..paths.path_words import path_lines
from ..planes.corner_notes import corner_lines
from ..style.legends import spots_in
from ..style.placement import CLEAR, LINE_HEIGHT, Box, Room
from ..style.style import INK, look, text_width
from .panel3d import Panel

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.legend import Legend
    from matplotlib.legend_handler import HandlerBase

# An entry of a legend: sample, text, and what draws the sample where matplotlib's own does not.
Entry = tuple["Artist", str, "HandlerBase | None"]
# From the strip's edges and from each other, in points.
MARGIN = 2 * CLEAR + 1.0
# Between notes that stand in one line.
JOINT = "  ·  "


@dataclass
class Strip:
    """What is kept free below a surface."""

    height: float = 0.0  # points
    fixed: bool = False  # whether everything stands there, as in a film, where it would jump otherwise
    needed: float = field(default=0.0, init=False)  # what would have been, for that which found no place

    def spots(self, size: tuple[float, float], half: Sequence[float]) -> Floats:
        """Return middles of boxes in the strip, from its foot up, to the right first, shape (n, 2)."""
        low = half[1] + MARGIN - CLEAR
        up = np.arange(low, self.height - low + 0.5, 1.5)
        sides = size[0] - half[0] - MARGIN, half[0] + MARGIN
        return np.array([(x, y) for y in up for x in sides]).reshape(-1, 2)


def draw_legend(panel: Panel, room: Room, entries: Sequence[Entry], strip: Strip) -> None:
    """Draw a legend of runs in one column where that is free, in several where only these are."""
    size = panel.frame.view.size
    heights = []
    # In a strip as flat as can be: what it takes is the surface's.
    order = range(1, len(entries) + 1)
    for columns in reversed(order) if strip.height else order:
        legend = _legend(panel, entries, columns)
        # Letters are as large in points while the axes wait for their size.
        width, height = np.asarray(legend.get_window_extent().size) * 72 / panel.axes.figure.dpi
        half = float(width) / 2, float(height) / 2
        if width + 2 * MARGIN <= size[0]:
            heights.append(float(height))
        if (spot := _spot(room, size, half, strip)) is not None:
            room.take(Box(spot, half))
            legend.set_bbox_to_anchor(tuple(spot - half), panel.axes.transData)
            return
        legend.remove()
    strip.needed += min(heights, default=size[1]) + MARGIN


def _legend(panel: Panel, entries: Sequence[Entry], columns: int) -> Legend:
    legend = panel.axes.legend(
        [handle for handle, _, _ in entries],
        [text for _, text, _ in entries],
        handler_map={handle: handler for handle, _, handler in entries if handler is not None},
        ncols=columns,
        loc="lower left",
        bbox_transform=panel.axes.transData,
        fontsize=look().small,
        frameon=False,
        borderpad=0.2,
        borderaxespad=0.0,
        columnspacing=1.4,
        handlelength=2.4,
    )
    legend.set_zorder(8)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return legend


def _spot(
    room: Room,
    size: tuple[float, float],
    half: tuple[float, float],
    strip: Strip,
    corners: Sequence[int] = (0, 1, 2, 3),
) -> Floats | None:
    """Return the middle of the first place that is free for a box of this size, or none.

    ``corners`` are looked at first in their order: 0 is the upper right one, 1 the upper left, 2 and 3 the lower ones.
    """
    if 2 * (half[0] + MARGIN) > size[0]:
        return None
    below = strip.spots(size, half)
    if strip.fixed:
        spots = below
    else:
        around = spots_in(room, half)
        spots = np.concatenate([around[list(corners)], below, around[4:]])
    best, depth = room.first_free(spots, half, clear=CLEAR)
    return np.asarray(spots[best]) if depth + CLEAR <= 0 else None


def notes_of(panel: Panel) -> list[str]:
    """Return what a picture has to say of missing, capped and smoothed points and of its runs."""
    scene = panel.scene
    lines = corner_lines(scene.sheet, to_scale=scene.box.to_scale, smoothed=scene.smoothed)
    return lines + path_lines(scene.sheet.whole)


def draw_notes(panel: Panel, room: Room, strip: Strip) -> None:
    """Say it in one block where that is free, in as few lines as the width allows, or each line for itself."""
    lines = notes_of(panel)
    if not lines:
        return
    size = panel.frame.view.size
    joined = _joined(lines, size[0] - 2 * MARGIN)
    for blocks in ([lines], [joined], [[each] for each in lines]):
        taken = len(room.boxes)
        spots = [_take(room, size, block, strip) for block in blocks]
        if all(spot is not None for spot in spots):
            for block, spot in zip(blocks, spots, strict=True):
                assert spot is not None
                _write(panel, block, spot)
            return
        del room.boxes[taken:]
    strip.needed += 2 * _half(joined)[1] + MARGIN


def _joined(lines: Sequence[str], width: float) -> list[str]:
    """Return notes in as few lines of at most so many points as they fit into."""
    found: list[str] = []
    for line in lines:
        longer = found[-1] + JOINT + line if found else ""
        if longer and text_width(longer, look().small) * 72 <= width:
            found[-1] = longer
        else:
            found.append(line)
    return found


def _half(lines: Sequence[str]) -> tuple[float, float]:
    width = max(text_width(each, look().small) for each in lines) * 72
    return width / 2 + 1.0, LINE_HEIGHT * 1.07 * look().small * len(lines) / 2 + 1.0


def _take(room: Room, size: tuple[float, float], lines: Sequence[str], strip: Strip) -> Floats | None:
    half = _half(lines)
    # The lower right corner first, where the other pictures have them.
    spot = _spot(room, size, half, strip, (2, 3, 0, 1))
    if spot is not None:
        room.take(Box(spot, half))
    return spot


def _write(panel: Panel, lines: Sequence[str], spot: Floats) -> None:
    right = bool(spot[0] > panel.frame.view.size[0] / 2)
    x = float(spot[0]) + (_half(lines)[0] - 1.0) * (1 if right else -1)
    style: dict[str, Any] = {"fontsize": look().small, "color": INK, "linespacing": 1.25, "zorder": 8}
    note = panel.axes.text(x, float(spot[1]), "\n".join(lines), **style)
    note.set(ha="right" if right else "left", va="center", parse_math=False, gid="notes")
