"""Runs drawn on the 3D still: the path on the surface, dashed where a ridge hides it, and the steps' own losses.

The surface's height under a step is the loss of other weights than the step's: a plumb line leads from there to a dot
at the step's own loss. What the surface hides is drawn through it, dashed and faint, instead of being left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D

from landscape.surface.grid import Floats

from ..paths.path_words import losses_of, records_of
from ..paths.trajectories import CASING, WIDTH, Path, gradient, handlers_of, marked, paths_of
from ..style.style import SOFT_INK
from .panel3d import Panel

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.legend_handler import HandlerBase

    from .scenes import Scene

# Stretches of one colour, so that a run of thousands of steps is cut against the surface only so often.
_STRETCHES = 48
# How far above the box a step's own loss may stand, as a share of the box's height; what is beyond gets an arrow.
_ABOVE = 0.5
DASHES = (0, (2.6, 2.2))
# Of what is hidden, in points, to be spoken of.
_SHORTEST = 4.0
# Between two plumb lines, in points: closer ones would be a curtain.
_ROOM = 6.0


def draw_paths_on(
    panel: Panel, *, marks: Sequence[int] = (), until: float = 1.0, steady: bool = False
) -> list[tuple[Artist, str, HandlerBase | None]]:
    """Draw the runs of a surface on its 3D still.

    Parameters
    ----------
    panel : Panel
    marks : sequence of int
        Steps to mark with a tick across the path, beside those where the learning rate fell.
    until : float
        Which part of each run to draw, 0 to 1, counted in records.
    steady : bool
        Explain in the legend also what only other pictures of a film show, so that it keeps its size.

    Returns
    -------
    list of (Artist, str, HandlerBase or None)
        The legend's entries, the runs first: sample, text, and what draws the sample.
    """
    sheet = panel.scene.sheet
    paths = paths_of(sheet.whole, until=until)
    dotted = hidden = False
    for path in paths:
        if path.run.unordered:
            _draw_samples(panel, path)
        else:
            _draw_shadow(panel, path)
            hidden |= _draw_on_surface(panel, path)
        _draw_ticks_on(panel, path, marks)
        found = losses_of(sheet.whole, path.run, sheet.name)
        if found is not None:
            _draw_own(panel, path, found[0][: path.drawn])
            dotted = True
        _draw_ends(panel, path)
    handles = [Line2D([], []) for _ in paths]
    handlers = handlers_of(handles, paths)
    entries: list[tuple[Artist, str, HandlerBase | None]] = [
        (handle, path.label, handlers[handle]) for handle, path in zip(handles, paths, strict=True)
    ]
    if hidden or (steady and any(not path.run.unordered for path in paths)):
        entries.append((Line2D([], [], color=SOFT_INK, lw=1.3, ls=DASHES), "behind the surface", None))
    if dotted:
        dot = Line2D([], [], ls="none", marker="o", ms=3.0, mfc=SOFT_INK, mec="white", mew=0.4)
        entries.append((dot, _own_words(panel), None))
    return entries


def own_points(scene: Scene) -> Floats:
    """Return where the steps' own losses are in a scene, shape (n, 3): the picture has to hold them."""
    found = [np.zeros((0, 3))]
    for path in paths_of(scene.sheet.whole):
        losses = losses_of(scene.sheet.whole, path.run, scene.sheet.name)
        if losses is not None:
            within = _within(scene, losses[0])
            placed = scene.box.place(path.points[:, 0], path.points[:, 1], scene.sheet.scale.forward(within))
            inside = (np.abs(placed[:, :2]) <= np.array(scene.box.half) + 1e-9).all(axis=1)
            found.append(placed[inside & np.isfinite(placed).all(axis=1)])
    return np.concatenate(found)


def _within(scene: Scene, losses: Floats) -> Floats:
    """Return losses moved to where the picture can hold them; those that are not finite as high as it goes."""
    scale, (low, high) = scene.sheet.scale, scene.box.z
    reach = high - low
    heights = np.where(np.isfinite(losses), scale.forward(losses), np.inf)
    # Not below the floor, which lies a gap below the box.
    return np.asarray(scale.inverse(np.clip(heights, low - 0.3 * reach, high + _ABOVE * reach)), dtype=np.float64)


def _stretches(path: Path) -> list[tuple[Floats, Any]]:
    """Cut a path into stretches of one colour each, which share their end points."""
    pieces, shades = gradient(path.points, path.ramp)
    if not len(pieces):
        return []
    cuts = np.unique(np.linspace(0, len(pieces), min(_STRETCHES, len(pieces)) + 1).astype(np.intp))
    line = np.concatenate([pieces[:, 0], pieces[-1:, 1]])
    return [(line[low : high + 1], shades[low:high].mean(axis=0)) for low, high in itertools.pairwise(cuts)]


def _draw_samples(panel: Panel, path: Path) -> None:
    """Draw samples in no order as dots, on the floor and, where they can be seen, on the surface."""
    style: dict[str, Any] = {"mfc": path.color, "mec": "white", "ls": "none"}
    for x, y in path.points:
        panel.axes.plot(*panel.floor(x, y), "o", ms=2.6, mew=0.3, zorder=1.95, **style)
        loss = panel.drape([x], [y])[2][0]
        if np.isfinite(loss) and panel.visible(x, y, loss):
            panel.axes.plot(*panel.project(x, y, loss), "o", ms=4.2, mew=0.7, zorder=6.2, label=path.name, **style)


def _draw_shadow(panel: Panel, path: Path) -> None:
    """Draw the path on the floor, below the surface."""
    found = [(panel.floor(*points.T), color) for points, color in _stretches(path)]
    panel.axes.add_collection(
        LineCollection(
            [points for points, _ in found], colors=[c for _, c in found], linewidths=1.1, zorder=1.95, alpha=0.8
        )
    )
    for number, what, style in path.ends():
        small = {**style, "ms": 0.7 * style["ms"], "mew": 0.7 * style["mew"]}
        panel.axes.plot(*panel.floor(*path.points[number]), zorder=1.97, label=f"{what} on the floor", **small)


def _draw_on_surface(panel: Panel, path: Path) -> bool:
    """Draw the path on the surface, dashed where it is hidden; return whether some of it is."""
    shown: dict[bool, list[tuple[Floats, Any]]] = {False: [], True: []}
    for points, color in _stretches(path):
        line = panel.drape(*points.T)
        for hidden, found in shown.items():
            found += [(part, color) for part in panel.visible_parts(*line, hidden=hidden)]
    style: dict[str, Any] = {"capstyle": "round", "joinstyle": "round"}
    parts, colors = [part for part, _ in shown[False]], [color for _, color in shown[False]]
    panel.axes.add_collection(LineCollection(parts, colors="white", linewidths=CASING, zorder=6.1, **style))
    panel.axes.add_collection(
        LineCollection(parts, colors=colors, linewidths=WIDTH, zorder=6.2, label=path.name, **style)
    )
    # In one piece: dashes begin anew with every piece.
    parts, colors = _joined([part for part, _ in shown[True]], [color for _, color in shown[True]])
    dashes: dict[str, Any] = {"linestyles": [DASHES], "linewidths": 1.3, "zorder": 5.8}
    panel.axes.add_collection(LineCollection(parts, colors=colors, label=f"{path.name}, hidden", **dashes))
    # Less than a dash is the rounding of a depth buffer.
    return float(sum(np.hypot(*np.diff(part, axis=0).T).sum() for part, _ in shown[True])) > _SHORTEST


def _joined(parts: list[Floats], colors: list[Any]) -> tuple[list[Floats], list[Any]]:
    """Join parts that follow each other, with the mean of their colours."""
    chains: list[list[int]] = []
    for number, part in enumerate(parts):
        if chains and np.hypot(*(part[0] - parts[chains[-1][-1]][-1])) < 1.0:
            chains[-1].append(number)
        else:
            chains.append([number])
    joined = [np.concatenate([parts[number] for number in chain]) for chain in chains]
    return joined, [np.mean([colors[number] for number in chain], axis=0) for chain in chains]


def _draw_ticks_on(panel: Panel, path: Path, marks: Sequence[int]) -> None:
    """Draw ticks across the path where it can be seen, at right angles to it in the picture."""
    for step, at in marked(path, marks):
        low = min(int(at), len(path.points) - 2)
        x, y = path.points[low] + (at - low) * (path.points[low + 1] - path.points[low])
        loss = panel.drape([x], [y])[2][0]
        if not np.isfinite(loss) or not panel.visible(x, y, loss):
            continue
        # The path's own slope on the screen, from a little before to a little after.
        before, after = (
            path.points[low] + min(max(at - low + shift, 0.0), 1.0) * (path.points[low + 1] - path.points[low])
            for shift in (-0.05, 0.05)
        )
        heights = [panel.drape(end[:1], end[1:])[2][0] for end in (before, after)]
        if not np.isfinite(heights).all():
            heights = [loss, loss]
        ends = panel.project([before[0], after[0]], [before[1], after[1]], heights)
        along = ends[1] - ends[0]
        if not along.any():
            continue
        across = np.array([-along[1], along[0]]) / np.hypot(*along) * 4.5
        spots = panel.project(x, y, loss) + np.stack([-across, across])
        panel.axes.plot(*spots.T, color="white", lw=3.0, solid_capstyle="butt", zorder=6.35)
        panel.axes.plot(*spots.T, color=path.color, lw=1.5, solid_capstyle="butt", zorder=6.4, gid=f"mark {step}")


def _draw_own(panel: Panel, path: Path, losses: Floats) -> None:
    """Draw plumb lines from the surface to dots at the steps' own losses."""
    points = path.points[: path.drawn]
    below = np.array([panel.drape(x, y)[2][0] for x, y in zip(points[:, :1], points[:, 1:], strict=True)])
    within = _within(panel.scene, losses)
    # As high as the picture goes, with a cross: to leave a step out would pass it off as never measured.
    lost = ~np.isfinite(losses)
    beyond = np.where(lost, 0, np.sign(losses - within) * ~np.isclose(losses, within))
    spots = panel.project(points[:, 0], points[:, 1], within)
    drawn: list[Floats] = []
    for number, (spot, loss, under) in enumerate(zip(spots, within, below, strict=True)):
        if not np.isfinite([loss, under, *spot]).all():
            continue
        if drawn and np.hypot(*(spot - drawn[-1])) < _ROOM:
            continue
        drawn.append(spot)
        x, y = points[number]
        seen = bool(panel.visible(x, y, loss))
        color = to_rgba(path.ramp[number], 1.0 if seen else 0.35)
        whole = panel.project([x, x], [y, y], [under, loss])
        panel.axes.plot(*whole.T, ":", color=SOFT_INK, lw=0.5, alpha=0.6, zorder=5.9)
        for part in panel.visible_parts(*np.array([[x, x], [y, y], [under, loss]])):
            panel.axes.plot(*part.T, color=SOFT_INK, lw=0.6, zorder=6.0)
        face = color if seen else "none"
        if lost[number]:
            panel.axes.plot(*spot, "x", ms=4.0, mec=color, mew=1.2, zorder=6.3, label="not finite")
            continue
        marker = {0: "o", 1: "^", -1: "v"}[int(beyond[number])]
        panel.axes.plot(*spot, marker, ms=3.0, mfc=face, mec="white" if seen else color, mew=0.4, zorder=6.3)


def _draw_ends(panel: Panel, path: Path) -> None:
    for number, what, style in path.ends():
        x, y = path.points[number]
        loss = panel.drape([x], [y])[2][0]
        if np.isfinite(loss):
            seen = bool(panel.visible(x, y, loss))
            place: dict[str, Any] = {"zorder": 6.6} if seen else {"zorder": 5.9, "alpha": 0.5}
            panel.axes.plot(*panel.project(x, y, loss), label=f"{what} of {path.name}", **place, **style)


def _own_words(panel: Panel) -> str:
    """Return what dots are, and the other marks in their place."""
    markers = {line.get_marker() for line in panel.axes.lines}
    words = (["triangle: beyond"] if markers & {"^", "v"} else []) + (["cross: not finite"] if "x" in markers else [])
    records = records_of(panel.scene.sheet.whole.trajectories.values())
    what = {"steps": "step", "samples": "sample"}.get(records, "record")
    return f"a {what}'s own loss" + (f" ({', '.join(words)})" if words else "")
