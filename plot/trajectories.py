"""Runs drawn over the contours of their plane: path, steps, start, end, and what the plane does not show of them.

A path is a projection, and the contours below it are of other weights than its own: how much of the run lies outside
the plane stands in the picture itself, and how far its own losses are from the plane's in the caption.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.legend_handler import HandlerBase

from landscape.grid import Floats
from landscape.paths import shares_off_plane, values_below
from landscape.surface import Surface, Trajectory

from .ladders import number_text
from .scale import values_label
from .style import SMALL_SIZE

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

# Not in viridis or cividis, apart for every kind of eye, and dark enough at the end of a run for a white casing.
COLORS = ("#D55E00", "#111111", "#C2417F", "#F0A000", "#0091E0", "#7A4B1E")
CASING, WIDTH = 3.2, 1.8  # points
# A path begins in a tint of its colour: this much of it is white.
TINT = 0.5
# Pieces of a segment, so that colour changes along it and not at its ends.
_PIECES = 12
# Between two dots that mark records, in points: closer ones would be a line of their own.
_DOT_ROOM = 5.0


@dataclass(frozen=True, eq=False)
class Path:
    """One run, ready to be drawn."""

    name: str
    run: Trajectory
    points: Floats  # (n, 2)
    color: str

    @property
    def ramp(self) -> Floats:
        """Colours from the first record to the last, shape (n, 3): by order, since steps may be spaced in log time."""
        return ramp(self.color, len(self.points))

    @property
    def unit(self) -> str:
        """What is counted along the run."""
        return str(self.run.attributes.get("unit", "step"))

    @property
    def label(self) -> str:
        """Name and range, for a legend."""
        return f"{self.name}: {self.unit} {self.run.step[0]} to {self.run.step[-1]}"


def ramp(color: str, number: int) -> Floats:
    """Return colours from a tint to the full colour, shape (number, 3)."""
    white = np.linspace(TINT, 0.0, max(number, 2))[:number, None]
    colors: Floats = (1 - white) * np.array(to_rgb(color)) + white
    return colors


def paths_of(surface: Surface, runs: Sequence[str] | None = None) -> list[Path]:
    """Return the runs of a plane that can be drawn, each in a colour of its own.

    Parameters
    ----------
    surface : Surface
        A plane.
    runs : sequence of str, optional
        Names of some of its runs; all by default.
    """
    found = []
    for number, (name, run) in enumerate(surface.trajectories.items()):
        if (runs is None or name in runs) and run.coordinates.shape[1] >= 2 and len(run.step):
            found.append(Path(name, run, run.coordinates[:, :2], COLORS[number % len(COLORS)]))
    return found


def draw_paths(
    ax: Axes, surface: Surface, *, runs: Sequence[str] | None = None, marks: Sequence[int] = (), legend: bool = True
) -> list[Path]:
    """Draw the runs of a plane over its contours, or over anything with the same coordinates.

    Parameters
    ----------
    ax : Axes
        With its limits and aspect as they will stay.
    surface : Surface
    runs : sequence of str, optional
        Names of some of its runs; all by default.
    marks : sequence of int
        Steps to mark with a tick across the path, beside those where the learning rate fell.
    legend : bool
        Say which run is which, and from which step to which.

    Returns
    -------
    list of Path
        What was drawn.
    """
    paths = paths_of(surface, runs)
    ax.apply_aspect()
    for path in paths:
        _draw_path(ax, path)
        _draw_ticks(ax, path, [*path.run.attributes.get("lr_drops", []), *marks])
        _draw_ends(ax, path)
    if legend and paths:
        _draw_legend(ax, paths)
    return paths


def path_lines(surface: Surface) -> list[str]:
    """Return what the corner of a picture has to say: the share of the runs that the plane does not show."""
    lines = []
    shares = explained(surface)
    if shares is not None:
        lines.append(
            f"{100 * max(0.0, 1 - sum(shares[: len(surface.directions)])):.1f} % of variance outside the plane"
        )
    else:
        far = [shares_off_plane(surface, path.run).max() for path in paths_of(surface)]
        if far:
            lines.append(f"path up to {100 * max(far):.0f} % off the plane")
    beyond = sum(int((~_inside(surface, path.points)).sum()) for path in paths_of(surface))
    total = sum(len(path.points) for path in paths_of(surface))
    return [*lines, f"{beyond} of {total} steps outside the picture"] if beyond else lines


def path_notes(surface: Surface, name: str, *, ticks: bool = True) -> list[str]:
    """Return sentences for the caption: what the marks are, how far off the plane and its losses the runs are.

    ``ticks`` is whether falls of the learning rate are marked.
    """
    paths = paths_of(surface)
    if not paths:
        return []
    many = len(paths) > 1
    ends = f"{paths[0].name}, {paths[0].unit} {paths[0].run.step[0]} (circle) to {paths[0].run.step[-1]} (star)"
    which = f"{', '.join(path.name for path in paths)}, each from circle to star" if many else ends
    notes = [f"Path{'s' if many else ''}: {which}, projected onto the plane"]
    if ticks and any(path.run.attributes.get("lr_drops") for path in paths):
        notes[0] += "; ticks across: the learning rate fell"
    far = [(path.run.residual.max(), shares_off_plane(surface, path.run)[path.run.residual.argmax()]) for path in paths]
    distance, share = max(far)
    if distance > 0:
        notes.append(
            f"The steps lie up to {number_text(float(distance), 3)} off the plane, {100 * share:.0f} % of the way from "
            "the checkpoint"
        )
    found = [losses_of(surface, path.run, name) for path in paths]
    gaps = np.concatenate([np.zeros(0), *(np.abs(each[0] - each[1]) for each in found if each is not None)])
    if np.isfinite(gaps).any():
        middle, most = (number_text(float(each(gaps)), 2) for each in (np.nanmedian, np.nanmax))
        notes.append(
            f"Their own {values_label(name)} differs from the plane's below them by {middle} in the median, {most} at "
            "most"
        )
    return notes


def explained(surface: Surface) -> list[float] | None:
    """Return the share of variance of each principal component, where the surface's axes are such."""
    if any(axis.source != "pca" for axis in surface.directions):
        return None
    for run in surface.trajectories.values():
        if "explained_variance" in run.attributes:
            return [float(each) for each in run.attributes["explained_variance"]]
    return None


def losses_of(surface: Surface, run: Trajectory, name: str) -> tuple[Floats, Floats] | None:
    """Return a run's own values of ``name`` and the plane's below it, where both are known, shape (n,) each."""
    own = run.attributes.get("values", {}).get(name)
    if own is None and run.attributes.get("loss_name", name) == name and np.isfinite(run.loss).any():
        own = run.loss
    if own is None:
        return None
    below = run.attributes.get("plane_values", {}).get(name)
    if below is None:
        if name not in surface.values:
            return None
        below = values_below(surface, run, name)
    return np.asarray(own, dtype=np.float64), np.asarray(below, dtype=np.float64)


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


def _inside(surface: Surface, points: Floats) -> np.ndarray[Any, np.dtype[np.bool_]]:
    inside = np.ones(len(points), dtype=bool)
    for k, axis in enumerate(surface.directions[:2]):
        inside &= (points[:, k] >= axis.values[0]) & (points[:, k] <= axis.values[-1])
    return inside


def _draw_path(ax: Axes, path: Path) -> None:
    ax.plot(*path.points.T, color="white", lw=CASING, solid_capstyle="round", solid_joinstyle="round", zorder=6.1)
    # Plain below, since between two pieces the ground would shine through.
    ax.plot(*path.points.T, color=path.ramp[len(path.points) // 2], lw=WIDTH, solid_joinstyle="round", zorder=6.15)
    pieces, shades = gradient(path.points, path.ramp)
    ax.add_collection(
        LineCollection(list(pieces), colors=shades, linewidths=WIDTH, capstyle="butt", zorder=6.2, label=path.name),
        autolim=False,
    )
    on_screen = ax.transData.transform(path.points) / _dpi(ax) * 72
    dots = path.points[_apart(on_screen, _DOT_ROOM)]
    ax.plot(*dots.T, ".", ms=2.4, color="white", mew=0, zorder=6.3, label=f"records of {path.name}")


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


def covered_by(ax: Axes, surface: Surface) -> Floats:
    """Return points of the axes' data, shape (n, 2), that runs will cover, about a label's height apart."""
    found = [np.zeros((0, 2))]
    for path in paths_of(surface):
        dense = np.concatenate([gradient(path.points, path.ramp, 40)[0][:, 0], path.points[-1:]])
        on_screen = ax.transData.transform(dense) / _dpi(ax) * 72
        found.append(dense[_apart(on_screen, SMALL_SIZE)])
    return np.concatenate(found)


def _draw_ends(ax: Axes, path: Path) -> None:
    start, end = path.points[0], path.points[-1]
    ax.plot(*start, "o", ms=5.0, mfc="white", mec=path.color, mew=1.5, zorder=6.5, label=f"start of {path.name}")
    ax.plot(*end, "*", ms=9.0, mfc=path.color, mec="white", mew=0.7, zorder=6.6, label=f"end of {path.name}")


def _draw_ticks(ax: Axes, path: Path, steps: Sequence[int]) -> None:
    """Draw ticks across the path, at right angles to it on the screen."""
    on_screen = ax.transData.transform(path.points)
    size = 4.5 / 72 * _dpi(ax)
    for step in sorted(set(steps)):
        at = np.interp(step, path.run.step, np.arange(len(path.points)))
        if not path.run.step[0] <= step <= path.run.step[-1] or len(path.points) < 2:
            continue
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
        from matplotlib.lines import Line2D

        y = (height - ydescent) / 2
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
    """Put the legend into the upper or lower left or the upper right corner, where the fewest steps are."""
    from matplotlib.lines import Line2D

    spots = np.concatenate([path.points for path in paths])
    spots = ax.transAxes.inverted().transform(ax.transData.transform(spots))
    corners = {"upper right": (1.0, 1.0), "upper left": (0.0, 1.0), "lower left": (0.0, 0.0)}
    reach = np.array([0.45, 0.12 + 0.06 * len(paths)])
    crowd = {
        place: int((np.abs(spots - np.array(corner)) < reach).all(axis=1).sum()) for place, corner in corners.items()
    }
    handles = [Line2D([], []) for _ in paths]
    place: Any = min(crowd, key=lambda place: crowd[place])
    legend = ax.legend(
        handles,
        [path.label for path in paths],
        handler_map=handlers_of(handles, paths),
        loc=place,
        fontsize=SMALL_SIZE,
        frameon=True,
        framealpha=0.86,
        facecolor="white",
        edgecolor="none",
        borderpad=0.45,
        handlelength=2.4,
    )
    legend.set_zorder(8)
    for text in legend.get_texts():
        text.set_parse_math(False)
