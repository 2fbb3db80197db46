"""From where a surface with a run is first seen: most of the run in sight, within a pleasant range of angles.

`web/opening.js` chooses the page's first view by the same rule; a fixture holds both to it. A run's length is counted
in the scene, at `SAMPLES` points in equal distances along it; of two cameras that see equally much, the one nearer to
the paper's view is taken.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landscape.surface.grid import Floats

from ..paths.trajectories import paths_of
from .camera import HEIGHT, Camera
from .heightfield import heights_at

if TYPE_CHECKING:
    from .scenes import Scene

# Degrees away from the paper's azimuth, to both sides, and elevations.
TURNS, RISES = (0, 12, 24, 36, 48, 60, 75), (34, 42, 50)
# A share of the run that a degree away from the paper's view has to bring into sight.
TURN_COST, RISE_COST = 0.0008, 0.004
SAMPLES = 60
# From the point towards the eye, as a share of the way: a point must not be hidden by the facets it lies on.
_START = 0.006


def opening_camera(scenes: Sequence[Scene]) -> Camera:
    """Return the camera that sees the most of all runs on some surfaces; the paper's where there is none."""
    seen = runs_on(scenes)
    plain = Camera()
    best, most = plain, -np.inf
    if not any(len(points) for _, points in seen):
        return best
    for rise in RISES:
        for turn in (sign * each for each in TURNS for sign in ((1, -1) if each else (1,))):
            camera = dataclasses.replace(plain, azimuth=plain.azimuth + turn, elevation=float(rise))
            score = share_seen(seen, camera) - TURN_COST * abs(turn) - RISE_COST * (rise - plain.elevation)
            if score > most:
                best, most = camera, score
    return best


def runs_on(scenes: Sequence[Scene]) -> list[tuple[Scene, Floats]]:
    """Return the runs of some surfaces, each as points in equal distances along it."""
    # No path leads through samples in no order.
    runs = [(each, path.points) for each in scenes for path in paths_of(each.sheet.whole) if not path.run.unordered]
    return [(scene, thinned(draped(scene, points))) for scene, points in runs]


def share_seen(runs: Sequence[tuple[Scene, Floats]], camera: Camera) -> float:
    """Return the share of points on surfaces that nothing of their own surface stands before; 1 of none."""
    hidden = [_blocked(scene, points, camera.eye(scene.box.half)) for scene, points in runs if len(points)]
    return 1 - float(np.concatenate(hidden).mean()) if hidden else 1.0


def draped(scene: Scene, points: Floats) -> Floats:
    """Return the segments of a run laid onto the surface, shape (n, 2, 3); none over holes and above the cap."""
    x, y = scene.placed[0, :, 0], scene.placed[:, 0, 1]
    cell = min((x[-1] - x[0]) / len(x), (y[-1] - y[0]) / len(y))
    places = scene.box.place(points[:, 0], points[:, 1], scene.box.z[0])[:, :2]
    found = [np.zeros((0, 2, 3))]
    for start, end in itertools.pairwise(places):
        pieces = int(min(2000, max(1, np.ceil(np.hypot(*(end - start)) / (0.7 * cell)))))
        line = start + (end - start) * np.arange(pieces + 1)[:, None] / pieces
        line = np.column_stack([line, _height(scene, line[:, 0], line[:, 1])])
        segments = np.stack([line[:-1], line[1:]], axis=1)
        found.append(segments[np.isfinite(segments).all(axis=(1, 2))])
    return np.concatenate(found)


def thinned(segments: Floats) -> Floats:
    """Return the ends of the segments in which equal distances along the run lie, shape (at most `SAMPLES`, 3)."""
    if not len(segments):
        return np.zeros((0, 3))
    ends = np.cumsum(np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1))
    at = ends[-1] * (np.arange(SAMPLES) + 0.5) / SAMPLES
    found: Floats = segments[np.searchsorted(ends, at).clip(0, len(ends) - 1), 1]
    return found


def _height(scene: Scene, x: Floats, y: Floats) -> Floats:
    """Return the height of what is drawn at places of the scene; NaN outside, in holes and where it is cut away."""
    placed = scene.placed
    found = heights_at(placed[0, :, 0], placed[:, 0, 1], placed[..., 2], x, y)
    return found if scene.lid is None else np.where(found <= scene.lid, found, np.nan)


def _blocked(scene: Scene, points: Floats, eye: Floats) -> NDArray[np.bool_]:
    """Return behind which points, shape (n, 3), the look towards the eye meets the surface; steps of half a cell."""
    x, y = scene.placed[0, :, 0], scene.placed[:, 0, 1]
    towards = eye - points
    start, end = np.full(len(points), _START), np.ones(len(points))
    for k, low, high in ((0, x[0], x[-1]), (1, y[0], y[-1]), (2, -0.02, HEIGHT + 0.02)):
        with np.errstate(divide="ignore", invalid="ignore"):
            a, b = (low - points[:, k]) / towards[:, k], (high - points[:, k]) / towards[:, k]
        level = np.abs(towards[:, k]) < 1e-12
        start = np.where(level, start, np.maximum(start, np.minimum(a, b)))
        end = np.where(level, end, np.minimum(end, np.maximum(a, b)))
        end = np.where(level & ((points[:, k] < low) | (points[:, k] > high)), -np.inf, end)
    inside = start < end
    start, end = np.where(inside, start, 0.0), np.where(inside, end, 0.0)
    cell = min((x[-1] - x[0]) / len(x), (y[-1] - y[0]) / len(y))
    steps = np.maximum(64, np.ceil((end - start) * np.hypot(*towards[:, :2].T) / (cell / 2)))
    share = np.minimum(np.arange(steps.max(initial=0) + 1) / steps[:, None], 1.0)
    way = points[:, None] + (start[:, None] + (end - start)[:, None] * share)[..., None] * towards[:, None]
    above = way[..., 2] - _height(scene, way[..., 0], way[..., 1])
    with np.errstate(invalid="ignore"):
        # The last place stands several times where the others take more steps: that is no crossing.
        met = (above[:, :-1] * above[:, 1:] <= 0) & (share[:, 1:] > share[:, :-1])
    return np.asarray(met.any(axis=1) & inside)
