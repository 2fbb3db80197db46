"""Where the numbers stand on iso-lines: on straight stretches, on nothing else, never in a loop too small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from landscape.surface.grid import Floats

from .placement import LINE_HEIGHT, Box, Room, to_points
from .style import INK, look, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet

# A line shorter than this many label widths would be nothing but its label.
SHORTEST = 2.5
# Around a label, in font sizes: numbers that nearly touch are read as one.
ROOM = 0.3
# A long line is labelled again after so many font sizes.
AGAIN = 44.0


def label_lines(ax: Axes, lines: QuadContourSet, texts: Mapping[float, str], room: Room) -> None:
    """Write texts onto the iso-lines of given levels, rotated along them, with a white halo.

    Parameters
    ----------
    ax : Axes
        With its limits, aspect and place in the figure as they will stay.
    lines : QuadContourSet
    texts : mapping of float to str
        Level, in the unit of ``lines.levels``, to what is written.
    room : Room
        What is drawn already, within the axes; the labels are taken from then on.
    """
    size, to_screen = look().small, to_points(ax)
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        text = next((text for known, text in texts.items() if np.isclose(known, level, rtol=1e-9, atol=1e-12)), None)
        if text is None:
            continue
        half = text_width(text, size) * 36, LINE_HEIGHT * size / 2
        # Matplotlib would leave out what is less than a ninth beside a line: of a pixel as it thinks, of the data here.
        exact = Path(path.vertices, path.codes)
        exact.should_simplify = False
        pieces = [np.asarray(each, dtype=np.float64) for each in exact.to_polygons(closed_only=False)]
        for points in sorted((each for each in pieces if len(each) > 2), key=len, reverse=True):
            for place, angle in _places(to_screen.transform(points), half, room):
                x, y = to_screen.inverted().transform(place)
                ax.text(
                    float(x),
                    float(y),
                    text,
                    rotation=np.rad2deg(angle),
                    rotation_mode="anchor",
                    ha="center",
                    va="center_baseline",
                    fontsize=size,
                    color=INK,
                    zorder=4,
                    clip_on=True,
                    path_effects=[withStroke(linewidth=1.6 * look().factor, foreground="white", alpha=0.85)],
                    gid="level",
                )


def _places(line: Floats, half: tuple[float, float], room: Room) -> list[tuple[Floats, float]]:
    """Take from the room where labels go on one line; return their middles, in points, and their angles."""
    width = 2 * half[0]
    steps = np.hypot(*np.diff(line, axis=0).T)
    line = line[np.concatenate([[True], steps > 0])]
    if len(line) < 3:
        return []
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    length = along[-1]
    sides = np.ptp(line, axis=0)
    closed = np.allclose(line[0], line[-1], atol=1e-4)
    if length < SHORTEST * width or (closed and sides.min() < 1.3 * width):
        return []
    # Candidates every few points: centre, chord over the label's width, how far the line leaves it.
    at = np.arange(half[0] + 1.5, length - half[0] - 1.5, 3.6)
    if not at.size:
        return []

    def point(s: Floats) -> Floats:
        return np.stack([np.interp(s, along, line[:, 0]), np.interp(s, along, line[:, 1])], axis=-1)

    start, middle, end = point(at - half[0]), point(at), point(at + half[0])
    chord = end - start
    bend = 1 - np.hypot(*chord.T) / width
    angle = np.arctan2(chord[:, 1], chord[:, 0])
    # Read from the left, never upside down.
    angle = np.where(angle > np.pi / 2, angle - np.pi, np.where(angle <= -np.pi / 2, angle + np.pi, angle))
    cost = 4 * bend + 0.15 * np.abs(np.sin(angle)) + 0.1 * np.abs(at / length - 0.5)
    around = half[0] + ROOM * look().small, half[1] + ROOM * look().small / 2
    cost[(bend > 0.35) | (room.depths(middle, around, angle) > 0)] = np.inf
    found: list[tuple[Floats, float]] = []
    again = AGAIN * look().small
    for _ in range(1 + int(length / again)):
        best = int(np.argmin(cost))
        if not np.isfinite(cost[best]):
            break
        found.append((middle[best], float(angle[best])))
        room.take(Box(middle[best], half, float(angle[best])))
        cost[np.hypot(*(middle - middle[best]).T) < 0.6 * again + width] = np.inf
    return found
