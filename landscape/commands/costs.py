"""What a run will take, in words."""

from __future__ import annotations

from landscape.costs import Cost

_KEPT = "network, theta* and directions"


def describe_cost(cost: Cost) -> str:
    """Return a few lines: points, samples, time, memory."""
    samples = ", ".join(f"{name} {number:,}" for name, number in cost.samples.items())
    processes = "one process" if cost.ranks == 1 else f"{cost.ranks} processes"
    most = "at most " if cost.at_most else ""
    weights = "network and theta* (directions are drawn at each point)" if cost.drawn else _KEPT
    copies = f"{size(cost.copies_bytes)} for fused layers, " if cost.copies_bytes else ""
    each = ", in each process" if cost.ranks > 1 else ""
    where = "kept on the device" if cost.resident else "read in parts that fit"
    return "\n".join(
        [
            f"points   {most}{cost.points:,} to do of {cost.total_points:,}",
            f"samples  {most}{samples} at each point",
            f"time     {most or 'about '}{duration(cost.seconds)} in {processes} "
            f"({cost.seconds_per_point:.3g} s a point)",
            f"memory   {size(cost.weight_bytes)} for {weights}, {copies}"
            f"{size(cost.data_bytes)} of data ({where}), and one batch's activations{each}",
        ]
    )


def duration(seconds: float) -> str:
    """Return a time in the units a person would use."""
    if seconds < 60:
        return f"{seconds:.2g} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 60 else f"{minutes / 60:.1f} h"


def size(number: float) -> str:
    """Return a number of bytes in binary units."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.3g} {unit}"
        number /= 1024
    return f"{number:.3g} TiB"
