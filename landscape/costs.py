"""What a run would take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a run would take, by the measurement at theta*."""

    points: int  # to do
    total_points: int
    samples: dict[str, int]
    seconds: float
    seconds_per_point: float
    data_bytes: int  # of the samples of all data sets
    weight_bytes: int  # network, theta* and what is kept of directions
    copies_bytes: int  # weights once more, in the form that fused layers take
    drawn: bool  # whether directions are drawn anew at each point instead of kept
    resident: bool  # whether the data stay on the device
    ranks: int
    at_most: bool = False  # fewer points or samples may do
