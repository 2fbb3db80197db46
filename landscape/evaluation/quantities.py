"""What may be measured at a point of a grid: the protocol of a quantity, and the list of those there are.

A run measures losses and metrics at each point (`landscape.evaluation.losses_and_metrics`), then whatever else its
settings name. Of each quantity the loop knows what is below and nothing more: it moves the weights, hands out the
points (over ranks, coarse to fine, refined, resumed, interrupted) and keeps what comes back in the file. A quantity is
a class in a file of its own, in whatever room, and an entry of `REGISTERED`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from landscape.directions.construct import Plane
from landscape.errors import UsageError
from landscape.parallel.scheduler import Span, WorkItem
from landscape.surface.grid import Floats
from landscape.surface.statistics import Moments

Step = tuple[Span, ...]
# (data set, name of the value) -> its moments. Of a value that is no mean over samples: their number, the value, its
# standard error or NaN, and twice NaN.
PointResult = Mapping[tuple[str, str], Moments]


class Quantity(Protocol):
    """Something with values at each point. Every rank has one of its own, which lasts as long as the run.

    What it keeps of points that it measured, a neighbour's eigenvectors to start from, is its own affair: points come
    in no order that it may count on, and to several ranks.
    """

    @property
    def name(self) -> str:
        """How the file and messages call it: letters, digits and "_"."""

    @property
    def stores(self) -> Mapping[str, Sequence[str]]:
        """Data set -> names of its values, ``data/DATA/NAME`` in the file."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Return all that changes a value beside what a surface's file says anyway, as JSON.

        It is stored, and a resumed run refuses what differs.
        """

    @property
    def steps(self) -> Sequence[Step]:
        """Spans of samples that are measured in one go, in order; as a rule one step of all. Rank 0's count."""

    @property
    def weight(self) -> float:
        """What a sample costs, in forward passes of a sample: a first guess, ranks find out the truth."""

    @property
    def divisible(self) -> bool:
        """Whether values are means over samples, so that those of some join with those of others.

        A point's samples may then be shared among ranks, and a later run may add more. Else all samples of a point are
        measured at once, and again where there are to be more.
        """

    def begin_plane(self, plane: Plane) -> None:
        """Be told which plane points lie in from now on; the weights are at theta*."""

    def prepare(self, piece: WorkItem) -> Any:
        """Return what measuring the samples ``piece.part`` takes at any point."""

    def measure(self, prepared: Any, number: int, at: Floats) -> PointResult:
        """Measure with the weights as they are, which is at a point.

        Parameters
        ----------
        prepared
            What `prepare` returned.
        number : int
            Of the point, in the order of the grid's arrays.
        at : ndarray of float64, shape (axes,)
            Its coordinates, x first.
        """


# From the run's setup (`landscape.evaluation.setup.Setup`), its objective, and options as keywords.
Factory = Callable[..., Quantity]


def _convexity_map(setup: Any, objective: Any, **options: Any) -> Quantity:
    from landscape.curvature.convexity_map import ConvexityMap

    return ConvexityMap(setup, objective, **options)


REGISTERED: dict[str, Factory] = {"curvature": _convexity_map}


def register(name: str, factory: Factory) -> None:
    """Offer a quantity under a name, on every rank: ``evaluate(..., quantities={name: options})`` measures it, too.

    Parameters
    ----------
    name : str
    factory : callable
        ``factory(setup, objective, **options)`` returns the `Quantity`. It is called at theta*, on all ranks, and may
        measure there.
    """
    REGISTERED[name] = factory


def make_quantities(asked: Mapping[str, Mapping[str, Any]], setup: Any, objective: Any) -> list[Quantity]:
    """Return the quantities that are asked for by name, with their options.

    Raises
    ------
    UsageError
        There is none of that name.
    """
    unknown = [name for name in asked if name not in REGISTERED]
    if unknown:
        known = ", ".join(REGISTERED)
        raise UsageError(f"there is no quantity {unknown[0]!r} to measure beside the losses; there are: {known}")
    return [REGISTERED[name](setup, objective, **options) for name, options in asked.items()]


def samples_of(quantity: Quantity) -> dict[str, int]:
    """Return how many samples of each data set a point has when it has all."""
    wanted: dict[str, int] = {}
    for step in quantity.steps:
        for name, _, stop in step:
            wanted[name] = max(stop, wanted.get(name, 0))
    return wanted
