"""Runs drawn over the contours of their plane: path, records, start and end, falls of the learning rate.

A path is a projection, and the contours below it are of other weights than its own; `path_words` says how far off.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.legend_handler import HandlerBase

from landscape.surface.grid import Floats
from landscape.surface.surface import Surface, Trajectory

from ..style.style import look

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

log = logging.getLogger(__name__)
# Not in viridis or cividis, apart for every kind of eye, and dark enough at the end of a run for a white casing.
COLORS = ("#D55E00", "#111111", "#C2417F", "#F0A000", "#0091E0", "#7A4B1E")
CASING, WIDTH = 3.2, 1.8  # points
# A path begins in a tint of its colour: this much of it is white.
TINT = 0.5
# Pieces of a segment, so that colour changes along it and not at its ends.
_PIECES = 12
# Between two dots that mark records, in points: closer ones would be a line of their own.
_DOT_ROOM = 5.0
# Of the area of axes, what a legend may cover.
LARGEST_LEGEND = 0.15
# Records that are farther apart are beads, as the picture has room for them.
_BEAD_ROOM = 12.0


@dataclass(frozen=True, eq=False)
class Path:
    """One run, ready to be drawn."""

    name: str
    run: Trajectory
    color: str
    points: Floats  # (k, 2): its records as far as it is drawn, and the point where it ends
    ramp: Floats  # (k, 3): their colours, by order, since steps may be spaced in log time
    drawn: int  # how many of its records are drawn

    @property
    def whole(self) -> bool:
        """Whether it is drawn to its end."""
        return self.drawn == len(self.run.step)

    @property
    def unit(self) -> str:
        """What is counted along the run."""
        return str(self.run.attributes.get("unit", "step"))

    @property
    def label(self) -> str:
        """Name and range, for a legend."""
        if self.run.unordered:
            return f"{self.name}: {len(self.run.step)} samples"
        return f"{self.name}: {self.unit} {self.run.step[0]} to {self.run.step[-1]}"

    def ends(self) -> list[tuple[int, str, dict[str, Any]]]:
        """Return number, name and look of its first and last point: a hollow circle, a star or, under way, a dot.

        Samples in no order have neither.
        """
        if self.run.unordered:
            return []
        start = {"marker": "o", "ms": 5.0, "mfc": "white", "mec": self.color, "mew": 1.5}
        end = {"marker": "*", "ms": 9.0} if self.whole else {"marker": "o", "ms": 4.6}
        end |= {"mfc": self.color, "mec": "white", "mew": 0.7}
        return [(0, "start", {"ls": "none", **start}), (-1, "end" if self.whole else "head", {"ls": "none", **end})]


def ramp(color: str, number: int) -> Floats:
    """Return colours from a tint to the full colour, shape (number, 3)."""
    white = np.linspace(TINT, 0.0, max(number, 2))[:number, None]
    colors: Floats = (1 - white) * np.array(to_rgb(color)) + white
    return colors


def paths_of(surface: Surface, *, until: float = 1.0) -> list[Path]:
    """Return the runs of a plane that can be drawn, each in a colour of its own.

    Parameters
    ----------
    surface : Surface
        A plane.
    until : float
        Which part of the runs, 0 to 1, counted in records: of all runs together where they count the same thing, so
        that each is drawn up to the same step.
    """
    found = []
    units = {str(run.attributes.get("unit", "step")) for run in surface.trajectories.values()}
    steps = [run.step for run in surface.trajectories.values()] if len(units) == 1 else []
    moments = np.unique(np.concatenate(steps)).astype(np.float64) if steps else np.zeros(0)
    for number, (name, run) in enumerate(surface.trajectories.items()):
        if run.coordinates.shape[1] >= 2 and len(run.step):
            part = min(max(until, 0.0), 1.0)
            if moments.size and part < 1 and (np.diff(run.step) > 0).all():
                now = np.interp(part * (len(moments) - 1), np.arange(len(moments)), moments)
                part = float(np.interp(now, run.step, np.arange(len(run.step)))) / max(1, len(run.step) - 1)
            found.append(_path(name, run, COLORS[number % len(COLORS)], part))
    return found


def _path(name: str, run: Trajectory, color: str, until: float) -> Path:
    points, colors = run.coordinates[:, :2], ramp(color, len(run.step))
    if run.unordered:
        drawn = int(until * (len(points) - 1) + 1e-9) + 1
        return Path(name, run, color, points[:drawn], np.array([to_rgb(color)] * drawn), drawn)
    end = until * (len(points) - 1)
    drawn = int(end + 1e-9) + 1
    if drawn < len(points):
        share = end - (drawn - 1)
        points, colors = (
            np.concatenate([each[:drawn], each[drawn - 1 : drawn] * (1 - share) + each[drawn : drawn + 1] * share])
            for each in (points, colors)
        )
    return Path(name, run, color, points, colors, drawn)


def draw_paths(ax: Axes, surface: Surface, *, marks: Sequence[int] = ()) -> list[Path]:
    """Draw the runs of a plane over its contours, or over anything with the same coordinates.

    Parameters
    ----------
    ax : Axes
        With its limits and aspect as they will stay.
    surface : Surface
    marks : sequence of int
        Steps to mark with a tick across the path, beside those where the learning rate fell.

    Returns
    -------
    list of Path
        What was drawn.
    """
    paths = paths_of(surface)
    ax.apply_aspect()
    for path in paths:
        _draw_path(ax, path)
        _draw_ticks(ax, path, marks)
        _draw_ends(ax, path)
    if paths:
        _draw_legend(ax, paths)
    return paths


def gradient(points: Floats, colors: Floats, pieces: int = _PIECES) -> tuple[Floats, Floats]:
    """Cut a line into short pieces, shape (k, 2, dimensions), with the colour in the middle of each, shape (k, 3)."""
    if len(points) < 2:
        return np.zeros((0, 2, points.shape[1])), np.zeros((0, 3))
    at = np.linspace(0, len(points) - 1, (len(points) - 1) * pieces + 1)
    known = np.arange(len(points))
    dense = np.stack([np.interp(at, known, points[:, k]) for k in range(points.shape[1])], axis=1)
    middle = (at[:-1] + at[1:]) / 2
    shades = np.stack([np.interp(middle, known, colors[:, k]) for k in range(3)], axis=1)
    return np.stack([dense[:-1], dense[1:]], axis=1), shades


def _draw_path(ax: Axes, path: Path) -> None:
    if path.run.unordered:
        spots: dict[str, Any] = {"ms": 4.4, "mfc": path.color, "mec": "white", "mew": 0.8}
        ax.plot(*path.points.T, "o", zorder=6.3, label=f"samples of {path.name}", **spots)
        return
    ax.plot(*path.points.T, color="white", lw=CASING, solid_capstyle="round", solid_joinstyle="round", zorder=6.1)
    # Plain below, since between two pieces the ground would shine through.
    ax.plot(*path.points.T, color=path.ramp[len(path.points) // 2], lw=WIDTH, solid_joinstyle="round", zorder=6.15)
    pieces, shades = gradient(path.points, path.ramp)
    ax.add_collection(
        LineCollection(list(pieces), colors=shades, linewidths=WIDTH, capstyle="butt", zorder=6.2, label=path.name),
        autolim=False,
    )
    on_screen = ax.transData.transform(path.points) / _dpi(ax) * 72
    records = path.points[: path.drawn]
    gaps = np.hypot(*np.diff(on_screen[: path.drawn], axis=0).T)
    beads = len(records) > 1 and float(np.median(gaps)) > _BEAD_ROOM
    dots = records[_apart(on_screen[: path.drawn], _DOT_ROOM)]
    style: dict[str, Any] = {"ms": 3.6, "mec": "white", "mew": 0.7} if beads else {"ms": 1.6, "mec": "none"}
    color = path.color if beads else "white"
    ax.plot(*dots.T, "o", mfc=color, zorder=6.3, label=f"records of {path.name}", **style)


def _apart(spots: Floats, room: float) -> list[int]:
    """Return the numbers of spots, in order, each of which is at least ``room`` from the one before it."""
    kept = [0]
    for number, spot in enumerate(spots):
        if np.hypot(*(spot - spots[kept[-1]])) >= room:
            kept.append(number)
    return kept


def _dpi(ax: Axes) -> float:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return float(figure.dpi)


def _draw_ends(ax: Axes, path: Path) -> None:
    for number, what, style in path.ends():
        ax.plot(*path.points[number], zorder=6.5 - 0.1 * number, label=f"{what} of {path.name}", **style)


def known_values(run: Trajectory, key: str, name: str) -> Floats | None:
    """Return one of the arrays that a run carries, shape (n,); None where there is none, or nothing that is one."""
    table = run.attributes.get(key)
    try:
        array = np.asarray(table[name] if isinstance(table, Mapping) else None, dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        return None
    return array if array.shape == run.step.shape else None


def drops_of(run: Trajectory) -> list[int]:
    """Return the steps at which a run's learning rate fell."""
    drops = run.attributes.get("lr_drops")
    return [each for each in drops if isinstance(each, int)] if isinstance(drops, Sequence) else []


def marked(path: Path, marks: Sequence[int]) -> list[tuple[int, float]]:
    """Return the steps to mark on a path, those where the learning rate fell among them, and where along its points.

    A place of 2.5 is half-way between the third and the fourth point.
    """
    found: list[tuple[int, float]] = []
    if path.run.unordered:
        return found
    for step in sorted({*drops_of(path.run), *marks}):
        at = float(np.interp(step, path.run.step, np.arange(len(path.run.step))))
        if path.run.step[0] <= step <= path.run.step[-1] and len(path.points) > 1 and at <= path.drawn - 1:
            found.append((step, at))
    return found


def _draw_ticks(ax: Axes, path: Path, marks: Sequence[int]) -> None:
    """Draw ticks across the path, at right angles to it on the screen."""
    on_screen = ax.transData.transform(path.points)
    size = 4.5 / 72 * _dpi(ax)
    for step, at in marked(path, marks):
        low = min(int(at), len(path.points) - 2)
        middle = on_screen[low] + (at - low) * (on_screen[low + 1] - on_screen[low])
        along = on_screen[min(low + 1, len(on_screen) - 1)] - on_screen[max(low - (at == low), 0)]
        if not along.any():
            continue
        across = np.array([-along[1], along[0]]) / np.hypot(*along) * size
        ends = ax.transData.inverted().transform([middle - across, middle + across])
        ax.plot(*ends.T, color="white", lw=3.0, solid_capstyle="butt", zorder=6.35)
        ax.plot(*ends.T, color=path.color, lw=1.5, solid_capstyle="butt", zorder=6.4, gid=f"mark {step}")


class PathHandler(HandlerBase):
    """Shows a path in a legend: its colours, with the start's circle and the end's star."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def create_artists(
        self,
        legend: Any,
        orig_handle: Any,
        xdescent: float,
        ydescent: float,
        width: float,
        height: float,
        fontsize: float,
        trans: Transform,
    ) -> list[Any]:
        """Return the line, its start and its end."""
        from matplotlib.lines import Line2D

        y = (height - ydescent) / 2
        if self._path.run.unordered:
            dots: dict[str, Any] = {"mfc": self._path.color, "mec": "white", "mew": 0.6, "ls": "none"}
            spread = np.linspace(0.15, 0.85, 3) * width
            return [Line2D([x], [y], marker="o", ms=4.0, transform=trans, **dots) for x in spread]
        ends = np.array([[0.0, y], [width, y]])
        pieces, shades = gradient(ends, ramp(self._path.color, 2), 24)
        line = LineCollection(list(pieces), colors=shades, linewidths=WIDTH, capstyle="projecting", transform=trans)
        style: dict[str, Any] = {"transform": trans, "ls": "none"}
        start = Line2D([0], [y], marker="o", ms=3.6, mfc="white", mec=self._path.color, mew=1.1, **style)
        end = Line2D([width], [y], marker="*", ms=6.5, mfc=self._path.color, mec="white", mew=0.5, **style)
        return [line, start, end]


def handlers_of(handles: Sequence[Artist], paths: Sequence[Path]) -> dict[Artist | type, HandlerBase]:
    """Return what a legend draws paths with."""
    return {handle: PathHandler(path) for handle, path in zip(handles, paths, strict=True)}


def _draw_legend(ax: Axes, paths: Sequence[Path]) -> None:
    """Put the legend where the fewest steps are: the upper right, upper left or lower left corner.

    In small axes it says no more than names; a single run there has none, and the caption says what it is.
    """
    from matplotlib.lines import Line2D

    spots = np.concatenate([path.points for path in paths])
    spots = ax.transAxes.inverted().transform(ax.transData.transform(spots))
    corners = {"upper right": (1.0, 1.0), "upper left": (0.0, 1.0), "lower left": (0.0, 0.0)}
    handles = [Line2D([], []) for _ in paths]
    choices = [[path.label for path in paths], [path.name for path in paths]]
    for words in choices:
        legend = ax.legend(
            handles,
            words,
            handler_map=handlers_of(handles, paths),
            loc="upper right",
            fontsize=look().small,
            frameon=True,
            framealpha=0.86,
            facecolor="white",
            edgecolor="none",
            borderpad=0.45,
            handlelength=2.4,
        )
        share = np.asarray(legend.get_window_extent().size) / ax.get_window_extent().size
        if share.prod() <= LARGEST_LEGEND and share[0] <= 1:
            break
    else:
        if len(paths) == 1:
            legend.remove()
            log.warning("axes so small have no room for a legend of %r: say in the text what it is", paths[0].label)
            return
    reach = share + 0.03
    crowd = {
        place: int((np.abs(spots - np.array(corner)) < reach).all(axis=1).sum()) for place, corner in corners.items()
    }
    emptiest: Any = min(crowd, key=lambda place: crowd[place])
    legend.set_loc(emptiest)
    legend.set_zorder(8)
    for text in legend.get_texts():
        text.set_parse_math(False)
