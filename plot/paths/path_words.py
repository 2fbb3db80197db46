"""What a picture says of the runs in it: how much of them lies outside its plane, and how far their losses are off.

The first stands in the picture itself, the second in its caption.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from landscape.errors import UsageError
from landscape.surface.derived.projected_runs import shares_off_plane, values_below
from landscape.surface.derived.variance_shares import plane_runs
from landscape.surface.grid import Floats
from landscape.surface.surface import Surface, Trajectory

from ..scale.levels import number_text
from ..scale.scale import values_label
from .trajectories import Path, drops_of, known_values, paths_of

_TOLD = 0.005  # of the way from the checkpoint; what lies nearer to the plane would read as 0 %


def path_lines(surface: Surface) -> list[str]:
    """Return what the corner of a picture has to say: the share of the runs that the plane does not show."""
    lines = []
    shares = explained(surface)
    own, others = plane_runs(surface)
    if shares is not None:
        whose = f"the variance of {', '.join(own)}" if others else "variance"
        outside = 100 * max(0.0, 1 - sum(shares[: len(surface.directions)]))
        lines.append(f"{outside:.1f} % of {whose} outside the plane")
    far = [
        shares_off_plane(surface, path.run).max() for path in paths_of(surface) if shares is None or path.name in others
    ]
    if far and max(far) > _TOLD:
        kind = {"steps": "path", "samples": "samples"}.get(records_of(each.run for each in paths_of(surface)))
        whose = ", ".join(others) if others else kind or "paths and samples"
        lines.append(f"{whose} up to {100 * max(far):.0f} % off the plane")
    beyond = sum(int((~_inside(surface, path.points)).sum()) for path in paths_of(surface))
    total = sum(len(path.points) for path in paths_of(surface))
    what = records_of(path.run for path in paths_of(surface))
    return [*lines, f"{beyond} of {total} {what} outside the picture"] if beyond else lines


def records_of(runs: Iterable[Trajectory]) -> str:
    """Return what the records of some runs are: steps where their order is known, else samples."""
    unordered = {run.unordered for run in runs}
    return "steps and samples" if len(unordered) > 1 else "samples" if unordered == {True} else "steps"


def runs_notes(surfaces: Sequence[Surface], name: str, *, marks: Sequence[int] = (), hidden: bool = False) -> list[str]:
    """Return sentences about the runs in a figure: all that is known for one surface, what marks mean for several.

    ``hidden`` is whether a surface stands before a part of them.
    """
    if len(surfaces) == 1:
        return path_notes(surfaces[0], name, marks=marks, hidden=hidden)
    runs = [run for each in surfaces for run in each.trajectories.values()]
    if not runs:
        return []
    words = tick_words(runs, marks, "step")
    records = records_of(runs)
    if records == "samples":
        return ["Dots: samples, projected onto each plane"]
    dots = "" if records == "steps" else "; dots: samples, in no order"
    return [
        f"Paths: recorded steps of training runs, from circle to star{dots}, projected onto each plane; "
        f"{_shades(hidden)}" + (f"; ticks across: {words}" if words else "")
    ]


def _shades(hidden: bool) -> str:
    return "paler: earlier" + ("; dashed: behind the surface" if hidden else "")


def path_notes(surface: Surface, name: str, *, marks: Sequence[int] = (), hidden: bool = False) -> list[str]:
    """Return sentences for the caption: what the marks are, how far off the plane and its losses the runs are.

    ``marks`` are the steps marked beside those where the learning rate fell, ``hidden`` is whether a surface
    stands before a part of the runs.
    """
    paths = paths_of(surface)
    if not paths:
        return []
    records = records_of(path.run for path in paths)
    notes = [_which(paths) + ", projected onto the plane" + ("" if records == "samples" else f"; {_shades(hidden)}")]
    if words := tick_words([path.run for path in paths], marks, paths[0].unit):
        notes[0] += f"; ticks across: {words}"
    far = [(path.run.residual.max(), shares_off_plane(surface, path.run)[path.run.residual.argmax()]) for path in paths]
    distance, share = max(far)
    if distance > 0:
        part = f"{100 * share:.0f} %" if share > _TOLD else f"at most {100 * _TOLD:g} %"
        notes.append(
            f"The {records} lie up to {number_text(float(distance), 3)} off the plane, {part} of the way from the "
            "checkpoint"
        )
    found = [each for each in (losses_of(surface, path.run, name) for path in paths) if each is not None]
    with np.errstate(invalid="ignore"):
        gaps = np.concatenate([np.zeros(0), *(np.abs(own - below) for own, below in found)])
    gaps = gaps[np.isfinite(gaps)]
    if gaps.size:
        middle, most = (number_text(float(each(gaps)), 2) for each in (np.median, np.max))
        notes.append(
            f"Their own {values_label(name)} differs from the plane's below them by {middle} in the median, {most} at "
            "most"
        )
    lost, total = sum(int((~np.isfinite(own)).sum()) for own, _ in found), sum(len(own) for own, _ in found)
    if lost:
        notes.append(f"The own {values_label(name)} of {lost} of {total} {records} is not finite")
    return notes


def _which(paths: Sequence[Path]) -> str:
    """Return which runs are drawn, as paths where the order of their records is known, else as dots."""
    ordered = [path for path in paths if not path.run.unordered]
    loose = [path for path in paths if path.run.unordered]
    parts = []
    if len(ordered) == 1:
        (path,) = ordered
        steps = f"{path.unit} {path.run.step[0]} (circle) to {path.run.step[-1]} (star)"
        parts.append(f"Path: {path.name}, {steps}")
    elif ordered:
        parts.append(f"Paths: {', '.join(path.name for path in ordered)}, each from circle to star")
    if loose:
        parts.append(f"{'dots' if parts else 'Dots'}: {', '.join(path.label for path in loose)}, in no order")
    return "; ".join(parts)


def tick_words(runs: Iterable[Trajectory], marks: Sequence[int], unit: str) -> str:
    """Return what ticks across a path, or lines at steps, stand for; nothing where there are none."""
    words = ["the learning rate fell"] if any(drops_of(run) for run in runs) else []
    if marks:
        words.append(f"{unit} {', '.join(str(step) for step in sorted(set(marks)))}")
    return "; ".join(words)


def require_marks(surfaces: Sequence[Surface], marks: Sequence[int]) -> None:
    """Raise UsageError where a step to be marked lies in no run of the surfaces."""
    runs = [run for surface in surfaces for run in surface.trajectories.values() if len(run.step)]
    if marks and not runs:
        where = surfaces[0].path or "the surface"
        raise UsageError(f"marks are on the paths of training runs, and {where} has none")
    for step in marks:
        if not any(run.step[0] <= step <= run.step[-1] for run in runs):
            low, high = min(int(run.step[0]) for run in runs), max(int(run.step[-1]) for run in runs)
            raise UsageError(f"step {step} is to be marked, the runs go from {low} to {high}")


def explained(surface: Surface) -> list[float] | None:
    """Return the share of variance of each principal component, where the surface's axes are such."""
    if any(axis.source != "pca" for axis in surface.directions):
        return None
    for run in surface.trajectories.values():
        shares = run.attributes.get("explained_variance")
        if isinstance(shares, Sequence | np.ndarray) and not isinstance(shares, str):
            return [float(each) for each in shares if isinstance(each, float | int | np.floating)]
    return None


def losses_of(surface: Surface, run: Trajectory, name: str) -> tuple[Floats, Floats] | None:
    """Return a run's own values of ``name`` and the plane's below it, where both are known, shape (n,) each."""
    own = known_values(run, "values", name)
    if own is None and run.attributes.get("loss_name", name) == name and np.isfinite(run.loss).any():
        own = run.loss
    if own is None:
        return None
    below = known_values(run, "plane_values", name)
    if below is None:
        if name not in surface.values:
            return None
        below = values_below(surface, run, name)
    return np.asarray(own, dtype=np.float64), np.asarray(below, dtype=np.float64)


def _inside(surface: Surface, points: Floats) -> np.ndarray[Any, np.dtype[np.bool_]]:
    inside = np.ones(len(points), dtype=bool)
    for k, axis in enumerate(surface.directions[:2]):
        inside &= (points[:, k] >= axis.values[0]) & (points[:, k] <= axis.values[-1])
    return inside
