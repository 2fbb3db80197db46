"""Where the eye stands, and where a point of the scene lands in the picture.

The scene is a box: x and y run from -1 to 1 along the longer side, heights from 0 to ``HEIGHT``, and the floor with
its contours lies ``GAP`` below. A picture's coordinates are points (1/72 inch) from the panel's lower left corner, y
upwards, so that one camera serves the raster surface, the vector axes around it, and any resolution.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from landscape.errors import PlotError, UsageError
from landscape.surface.grid import Floats

HEIGHT = 1.1  # 0.55 of the box's width of 2
GAP = 0.45
# Beyond this ratio a box to scale would be a strip nobody can read.
LONGEST = 4.0
# Degrees; heights then shift a point by less than a two-thousandth of the picture.
FLAT_FOV = 0.05
# This near to straight down or level, in degrees, the eye moves away, until the picture is a plan or an elevation.
FLATTENING = 6.0
# Azimuth and elevation of the views that have a name, the same as in the page.
VIEWS = {"paper": (-52.0, 34.0), "top": (-90.0, 90.0), "side": (-90.0, 0.0), "along": (0.0, 0.0)}


@dataclass(frozen=True)
class Camera:
    """Direction from which the scene is seen, in degrees.

    Parameters
    ----------
    azimuth : float
        Direction of the eye around the vertical axis, counted from +x towards +y.
    elevation : float
        Angle of the eye above the floor, 0 to 90: from below, the floor would hide the surface. Straight from above
        and level with the floor the picture is orthographic: a point stands where the ticks say.
    fov : float
        Vertical field of view, 1 to 90. It sets how far away the eye stands, hence how strong the perspective is.

    Raises
    ------
    ValueError
        An angle is not finite or out of range.
    """

    azimuth: float = -52.0
    elevation: float = 34.0
    fov: float = 36.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.azimuth):
            raise ValueError(f"the camera's azimuth must be a finite number of degrees, got {self.azimuth}")
        if not 0 <= self.elevation <= 90:
            raise ValueError(f"the camera's elevation must be 0 to 90 degrees, got {self.elevation}")
        if not 1 <= self.fov <= 90:
            raise ValueError(f"the camera's field of view must be 1 to 90 degrees, got {self.fov}")

    @classmethod
    def of(cls, given: Camera | Sequence[float] | str | None) -> Camera | None:
        """Return a camera given as such, as azimuth and elevation, or by the name of a view; None for None.

        Raises
        ------
        UsageError
            There is no such view, or an angle is no camera's.
        """
        if given is None or isinstance(given, Camera):
            return given
        wanted = f"a camera is AZIMUTH,ELEVATION in degrees, as in -52,34, or one of {', '.join(VIEWS)}, not {given!r}"
        try:
            angles = [
                float(each) for each in (VIEWS.get(given) or given.split(",") if isinstance(given, str) else given)
            ]
        except (TypeError, ValueError):
            raise UsageError(wanted) from None
        if len(angles) != 2:
            raise UsageError(wanted)
        try:
            return cls(*angles)
        except ValueError as error:
            raise UsageError(str(error)) from None

    @property
    def heading(self) -> Floats:
        """Unit vector on the floor towards the eye, shape (2,)."""
        angle = np.deg2rad(self.azimuth)
        return np.array([np.cos(angle), np.sin(angle)])

    @property
    def directions(self) -> Floats:
        """Unit vectors to the right, upwards in the picture, and towards the eye; shape (3, 3), one a row."""
        a, e = np.deg2rad([self.azimuth, self.elevation])
        right = [-np.sin(a), np.cos(a), 0.0]
        up = [-np.sin(e) * np.cos(a), -np.sin(e) * np.sin(a), np.cos(e)]
        back = [np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)]
        return np.array([right, up, back])

    def eye(self, box: tuple[float, float] = (1.0, 1.0)) -> Floats:
        """Return where the eye stands for a scene of these half widths: its sphere just fills the field of view."""
        target = np.array([0.0, 0.0, (HEIGHT - GAP) / 2])
        radius = np.hypot(np.hypot(*box), (HEIGHT + GAP) / 2)
        # Straight from above the picture is a map, and level an elevation: from so far away that nothing shifts.
        level = min(self.elevation, 90 - self.elevation)
        away = 1 / np.sin(np.deg2rad(self.fov if level > 0 else FLAT_FOV) / 2)
        if 0 < level < FLATTENING:
            away /= max(0.1, level / FLATTENING)
        return np.asarray(target + self.directions[2] * radius * away)


@dataclass(frozen=True)
class Box:
    """The ranges that fill the scene's box; heights are in the scale's own unit (log loss, say)."""

    x: tuple[float, float]
    y: tuple[float, float]
    z: tuple[float, float]

    @property
    def to_scale(self) -> bool:
        """Whether one unit of x is drawn as long as one unit of y."""
        return 1 / LONGEST <= (self.x[1] - self.x[0]) / (self.y[1] - self.y[0]) <= LONGEST

    @property
    def half(self) -> tuple[float, float]:
        """Half the box's width along x and y in the scene; the larger is 1."""
        if not self.to_scale:
            return 1.0, 1.0
        x, y = self.x[1] - self.x[0], self.y[1] - self.y[0]
        return x / max(x, y), y / max(x, y)

    def place(self, x: ArrayLike, y: ArrayLike, z: ArrayLike) -> Floats:
        """Return the scene's coordinates of points, shape (..., 3)."""
        placed = []
        for values, (low, high), half in zip((x, y), (self.x, self.y), self.half, strict=True):
            placed.append((2 * (np.asarray(values, dtype=np.float64) - low) / (high - low) - 1) * half)
        return np.stack(np.broadcast_arrays(*placed, self.rise(z)), axis=-1)

    def rise(self, z: ArrayLike) -> Floats:
        """Return the scene's vertical coordinate of heights."""
        return np.asarray((np.asarray(z, dtype=np.float64) - self.z[0]) / (self.z[1] - self.z[0]) * HEIGHT)

    def floor(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Return the scene's coordinates of points on the floor, shape (..., 3)."""
        points = self.place(x, y, self.z[0])
        points[..., 2] = -GAP
        return points


@dataclass(frozen=True, eq=False)
class View:
    """A camera that stands somewhere, with a picture plane: what projects points."""

    eye: Floats  # (3,), in the scene's coordinates
    directions: Floats  # (3, 3): right, up, back
    scale: float  # points for a tangent of 1
    centre: tuple[float, float]  # where the camera's axis meets the picture, in points
    size: tuple[float, float]  # of the picture, in points

    def project(self, points: ArrayLike) -> Floats:
        """Return picture x, picture y and the depth along the camera's axis of points of shape (..., 3)."""
        turned = (np.asarray(points, dtype=np.float64) - self.eye) @ self.directions.T
        depth = -turned[..., 2]
        flat = turned[..., :2] * (self.scale / depth)[..., None] + np.asarray(self.centre)
        return np.concatenate([flat, depth[..., None]], axis=-1)

    def raised(self, foot: float) -> View:
        """Return the same view with so much more room below it."""
        centre, size = (self.centre[0], self.centre[1] + foot), (self.size[0], self.size[1] + foot)
        return dataclasses.replace(self, centre=centre, size=size)

    def scaled(self, factor: float) -> View:
        """Return the same view with ``factor`` pixels for a point."""
        return dataclasses.replace(
            self,
            scale=self.scale * factor,
            centre=(self.centre[0] * factor, self.centre[1] * factor),
            size=(self.size[0] * factor, self.size[1] * factor),
        )


def fit_view(
    camera: Camera,
    anchors: ArrayLike,
    margins: ArrayLike,
    size: tuple[float, float],
    box: tuple[float, float] = (1.0, 1.0),
) -> View:
    """Return the view in which everything is as large as the picture allows, and nothing is cut off.

    The eye stands where the bounding sphere of the scene just fills the field of view, so that the perspective depends
    on the box alone. What is seen is then enlarged and moved in the picture plane until the anchors, each with what
    is written around it, touch the picture's edges.

    Parameters
    ----------
    camera : Camera
    anchors : array_like, shape (n, 3)
        Points of the scene: the surface, the corners of the axes, the feet of the labels.
    margins : array_like, shape (n, 4)
        How far the thing at each anchor reaches to the left, down, right and up, in points; may be negative.
    size : (float, float)
        Width and height of the picture in points.
    box : (float, float)
        Half the scene's widths along x and y.

    Returns
    -------
    View

    Raises
    ------
    PlotError
        The picture is too small for what has to be written in it.
    """
    directions, eye = camera.directions, camera.eye(box)
    flat = View(eye, directions, 1.0, (0.0, 0.0), size).project(anchors)[:, :2]
    reach = np.asarray(margins, dtype=np.float64).reshape(-1, 2, 2)  # [:, 0] left and down, [:, 1] right and up
    flat, reach = _touching(flat, reach)

    def extent(scale: float) -> tuple[Floats, Floats]:
        return (flat * scale - reach[:, 0]).min(axis=0), (flat * scale + reach[:, 1]).max(axis=0)

    room = np.asarray(size, dtype=np.float64)
    small, large = 0.0, 100 * float(room.max() * np.linalg.norm(eye))
    first, last = extent(small)
    if (last - first > room).any():
        raise PlotError(f"a picture of {size[0]:.0f} x {size[1]:.0f} points has no room for the labels of a surface")
    for _ in range(60):  # halves the interval to below a double's resolution of any picture size
        middle = (small + large) / 2
        first, last = extent(middle)
        small, large = (middle, large) if (last - first <= room).all() else (small, middle)
    first, last = extent(small)
    centre = (room - first - last) / 2
    return View(eye, directions, small, (float(centre[0]), float(centre[1])), size)


def _touching(flat: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """Return the anchors that may touch an edge: of those with the first one's margins, a whole surface, the ends."""
    alike = (reach == reach[:1]).all(axis=(1, 2))
    numbers, others = np.flatnonzero(alike), np.flatnonzero(~alike)
    ends = numbers[np.concatenate([flat[numbers].argmin(axis=0), flat[numbers].argmax(axis=0)])]
    kept = np.concatenate([ends, others])
    return flat[kept], reach[kept]
