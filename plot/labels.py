"""Where the numbers stand on iso-lines: on straight stretches, apart from each other, never in a loop too small."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patheffects import withStroke

from landscape.grid import Floats

from .style import INK, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet

# A line shorter than this many label widths would be nothing but its label.
SHORTEST = 2.5
# Between two labels, in label heights.
ROOM = 1.6
# A long line is labelled again after so many inches.
AGAIN = 4.0


def label_lines(
    ax: Axes,
    lines: QuadContourSet,
    texts: Mapping[float, str],
    size: float,
    *,
    corner: tuple[float, float] = (0.0, 0.0),
    avoid: Floats | None = None,
) -> None:
    """Write texts onto the iso-lines of given levels, rotated along them, with a white halo.

    Parameters
    ----------
    ax : Axes
        With its limits, aspect and place in the figure as they will stay: labels are placed in inches.
    lines : QuadContourSet
    texts : mapping of float to str
        Level, in the unit of ``lines.levels``, to what is written.
    size : float
        Font size in points.
    corner : (float, float)
        Width and height in inches of what stands in the lower right corner.
    avoid : ndarray, shape (n, 2), optional
        Points, in the axes' data units, that will be drawn over.
    """
    ax.apply_aspect()
    figure = ax.get_figure(root=True)
    if figure is None:
        return
    to_inches = ax.transData + figure.dpi_scale_trans.inverted()
    box = ax.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    frame = np.array([[box.x0, box.y0], [box.x1, box.y1]])
    covered = np.array([box.x1 - corner[0] - 0.05, box.y0 + corner[1] + 0.05])
    taken: list[tuple[Floats, float]] = []
    taken += [] if avoid is None else [(spot, 0.06) for spot in to_inches.transform(avoid)]
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        text = next((text for known, text in texts.items() if np.isclose(known, level, rtol=1e-9, atol=1e-12)), None)
        if text is None:
            continue
        width, height = text_width(text, size), size / 72
        for points in _pieces([np.asarray(each, dtype=np.float64) for each in path.to_polygons(closed_only=False)]):
            line = to_inches.transform(points)
            for place, angle in _places(line, width, height, frame, covered, taken):
                taken.append((place, width / 2))
                x, y = to_inches.inverted().transform(place)
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
                    path_effects=[withStroke(linewidth=1.6, foreground="white", alpha=0.85)],
                    gid="level",
                )


def _pieces(lines: Iterable[Floats]) -> list[Floats]:
    return sorted((each for each in lines if len(each) > 2), key=len, reverse=True)


def _places(
    line: Floats, width: float, height: float, frame: Floats, covered: Floats, taken: list[tuple[Floats, float]]
) -> list[tuple[Floats, float]]:
    """Return where labels go on one line, in inches, and their angles."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    line = line[np.concatenate([[True], steps > 0])]
    if len(line) < 3:
        return []
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    length = along[-1]
    sides = np.ptp(line, axis=0)
    closed = np.allclose(line[0], line[-1], atol=1e-6)
    if length < SHORTEST * width or (closed and sides.min() < 1.3 * width):
        return []
    # Candidates every twentieth of an inch: centre, chord over the label's width, how far the line leaves it.
    at = np.arange(width / 2 + 0.02, length - width / 2 - 0.02, 0.05)
    if not at.size:
        return []

    def point(s: Floats) -> Floats:
        return np.stack([np.interp(s, along, line[:, 0]), np.interp(s, along, line[:, 1])], axis=-1)

    start, middle, end = point(at - width / 2), point(at), point(at + width / 2)
    chord = end - start
    span = np.hypot(*chord.T)
    bend = 1 - span / width
    angle = np.arctan2(chord[:, 1], chord[:, 0])
    # Read from the left, never upside down.
    angle = np.where(angle > np.pi / 2, angle - np.pi, np.where(angle <= -np.pi / 2, angle + np.pi, angle))
    margin = np.minimum(middle - frame[0], frame[1] - middle).min(axis=1)
    cost = 4 * bend + 0.15 * np.abs(np.sin(angle)) + 0.1 * np.abs(at / length - 0.5)
    cost[(margin < 0.6 * width) | (bend > 0.35)] = np.inf
    cost[(middle[:, 0] > covered[0] - width / 2) & (middle[:, 1] < covered[1] + width / 2)] = np.inf
    found: list[tuple[Floats, float]] = []
    for _ in range(1 + int(length / AGAIN)):
        for place, half in taken + [(place, width / 2 + 0.6 * AGAIN) for place, _ in found]:
            near = np.hypot(*(middle - place).T) < half + width / 2 + (ROOM - 1) * height
            cost[near] = np.inf
        best = int(np.argmin(cost))
        if not np.isfinite(cost[best]):
            break
        found.append((middle[best], float(angle[best])))
    return found
