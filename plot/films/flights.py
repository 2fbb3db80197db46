"""Ways through a scene, as functions of time from 0 to 1: what a film shows, and what the page plays.

`web/flights.js` holds the same ways; a fixture holds both to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from landscape.errors import UsageError

FlightName = Literal["orbit", "tour", "path", "epochs"]
FLIGHTS: tuple[str, ...] = get_args(FlightName)

# Azimuth relative to the first view, and elevation: low along the surface, over its top, and back.
_TOUR = ((0.0, 34.0), (60.0, 16.0), (130.0, 30.0), (200.0, 68.0), (290.0, 40.0), (360.0, 34.0))


@dataclass(frozen=True)
class Moment:
    """Where the camera stands, how much of the paths is drawn, and which frame is shown."""

    azimuth: float  # degrees
    elevation: float
    step: float  # part of every path, 0 to 1
    frame: float  # part of all frames, 0 to 1


def flight(name: str, t: float, *, azimuth: float = -52.0, elevation: float = 34.0) -> Moment:
    """Return the moment at time ``t``.

    Parameters
    ----------
    name : {"orbit", "tour", "path", "epochs"}
        Once around; around, low and high; along the paths of a run; through all frames.
    t : float
        0 at the start, 1 at the end.
    azimuth, elevation : float
        The view it starts from, in degrees; the tour has elevations of its own.

    Raises
    ------
    UsageError
        There is no such flight.
    """
    if name == "orbit":
        return Moment(azimuth + 360 * t, elevation, 1.0, 0.0)
    if name == "path":
        return Moment(azimuth - 35 + 70 * _smooth(t), elevation, min(1.0, t / 0.9), 0.0)
    if name == "epochs":
        return Moment(azimuth - 20 + 40 * _smooth(t), elevation, 1.0, t)
    if name == "tour":
        turn, rise = _spline(t)
        return Moment(azimuth + turn, rise, 1.0, 0.0)
    raise UsageError(f"a film is one of {', '.join(FLIGHTS)}, not {name!r}")


def azimuths(name: str, azimuth: float) -> tuple[float, float]:
    """Return the least and the greatest azimuth of a flight in degrees; those of once around are 360 apart."""
    if name in ("orbit", "tour"):
        return azimuth, azimuth + 360.0
    ends = [flight(name, t, azimuth=azimuth).azimuth for t in (0.0, 1.0)]
    return ends[0], ends[1]


def _smooth(t: float) -> float:
    """Start and end at rest."""
    return t * t * (3 - 2 * t)


def _spline(t: float) -> tuple[float, float]:
    """Catmull and Rom's spline through the tour, at rest at both ends."""
    place = _smooth(t) * (len(_TOUR) - 1)
    k = min(len(_TOUR) - 2, int(place))
    u = place - k
    a, b, c, d = (np.array(_TOUR[min(len(_TOUR) - 1, max(0, n))]) for n in (k - 1, k, k + 1, k + 2))
    turn, rise = 0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3)
    return float(turn), float(rise)
