"""What a run will take, in words."""

from __future__ import annotations

from tempfile import gettempdir
from typing import TYPE_CHECKING

from landscape.commands.words import number_of_bytes
from landscape.evaluation.anchors.expected_error import ExpectedError
from landscape.evaluation.runner import Cost
from landscape.parallel.progress import duration

if TYPE_CHECKING:
    from landscape.curvature.cost import CurvatureCost

_KEPT = "network, theta* and directions"


def _error(name: str, expected: ExpectedError, sets: int) -> str:
    which = f"of the {name} loss " if sets > 1 else ""
    return (
        f"standard error {which}of about {100 * expected.anchored:.2g} % of loss + eps, "
        f"{100 * expected.plain:.2g} % without anchors (medians of {expected.points} points measured for this, each "
        "with theta* and the others as its anchors)"
    )


def describe_cost(cost: Cost, start: float | None = None) -> str:
    """Return a few lines: points, samples, time, memory.

    ``start`` is how long it was here, in seconds, from the command to now: the run has such a start, too. None where
    the run's is another, as with directions that are measured for it alone.
    """
    after = "" if start is None else f", after a start of about {duration(start)}"
    samples = ", ".join(f"{name} {number:,}" for name, number in cost.samples.items())
    processes = "one process" if cost.ranks == 1 else f"{cost.ranks} processes"
    most = "at most " if cost.at_most else ""
    weights = "network and theta* (directions are drawn at each point)" if cost.drawn else _KEPT
    copies = f"{number_of_bytes(cost.copies_bytes)} for fused layers, " if cost.copies_bytes else ""
    each = ", in each process" if cost.ranks > 1 else ""
    where = "kept on the device" if cost.resident else "read in parts that fit"
    full = (
        f"anchors  at most {cost.anchors}, theta* the first: {cost.full_samples:,} further samples at each, so that "
        "values are estimates for all data"
    )
    return "\n".join(
        [
            f"points   {most}{cost.points:,} to do of {cost.total_points:,}",
            f"samples  {most}{samples} at each point",
            *([full] if cost.anchors else []),
            *(f"error    {_error(name, each, len(cost.expected))}" for name, each in cost.expected.items()),
            f"time     {most or 'about '}{duration(cost.seconds)} in {processes} "
            f"({cost.seconds_per_point:.3g} s a point){after}",
            f"memory   {number_of_bytes(cost.weight_bytes)} for {weights}, {copies}"
            f"{number_of_bytes(cost.data_bytes)} of data ({where}), and one batch's activations{each}",
        ]
    )


def describe_curvature_cost(name: str, cost: CurvatureCost) -> str:
    """Return a few lines of what a report of a data set takes: products, time, memory, disk."""
    graphs = f"{number_of_bytes(cost.graph_bytes * cost.kept)} for the graphs of {cost.kept} of {cost.batches} batches"
    again = "" if cost.kept == cost.batches else ", the others are built anew for each product"
    return "\n".join(
        [
            f"{name}     {cost.samples:,} samples, {cost.weights:,} weights",
            f"products at most {cost.products:,}, {cost.seconds_per_product:.3g} s each",
            f"time     at most {duration(cost.seconds)}, and the Gauss-Newton matrix",
            f"memory   {graphs}{again}; at most {number_of_bytes(cost.basis_bytes)} for vectors that are kept and "
            f"{number_of_bytes(cost.product_bytes)} for those of a product",
            *([f"disk     at most {number_of_bytes(cost.disk_bytes)} in {gettempdir()}"] if cost.disk_bytes else []),
        ]
    )
