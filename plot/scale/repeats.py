"""Several seeds of one picture: their middle, their spread, and whether what is seen is just one direction's doing."""

from __future__ import annotations

import dataclasses

import numpy as np

from landscape.surface.grid import Floats
from landscape.surface.surface import NOT_COMPUTED, Surface

from .levels import linear_steps, log_levels, number_text
from .scale import Scale

# The values of the picture that is made of the spread.
SPREAD = "seeds/spread"


def middle_half(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return median, lower and upper quartile over the first axis; NaN where any seed is not finite.

    Not over those that are finite: the seeds that diverged would then make the picture look calm.
    """
    low, middle, high = np.quantile(np.where(np.isfinite(values), values, np.nan), [0.25, 0.5, 0.75], axis=0)
    return middle, low, high


def spread(surface: Surface, name: str, scale: Scale) -> tuple[Surface, Scale]:
    """Return how far the seeds of a plane differ at each point, as a surface, and the scale to draw it on.

    On a log scale it is the ratio of the largest to the smallest ``L + eps``, else the largest less the smallest.
    NaN where any seed is not finite. A point that is not computed, or is interpolated, for any seed is so in all.
    """
    values = surface[name]
    whole = np.isfinite(values).all(axis=0) & (surface.state != NOT_COMPUTED).all(axis=0)
    kept = np.where(whole, values, 0.0)
    largest, smallest = kept.max(axis=0), kept.min(axis=0)
    if scale.kind == "log":
        found = (largest + scale.eps) / (smallest + scale.eps)
        label = f"largest / smallest L + {number_text(scale.eps)}"
    else:
        found = largest - smallest
        label = "largest − smallest" + (" (points)" if scale.percent else "")
    found = np.where(whole, found, np.nan)
    first, missing = surface.repeat(0), (surface.state == NOT_COMPUTED).any(axis=0)
    picture = dataclasses.replace(
        first,
        values={SPREAD: found},
        state=np.where(missing, NOT_COMPUTED, surface.state.max(axis=0)).astype(np.uint8),
        stderr={},
        paired_stderr={},
        counts={},
        anchored={},
        tails={},
        origin={key: value for key, value in first.origin.items() if key != "values"},
        title=f"spread over {surface.repeats} seeds",
    )
    own = Scale.of(
        picture,
        SPREAD,
        kind="log" if scale.kind == "log" else "linear",
        eps=1e-9,
        colormap="cividis",
        independent=False,
    )
    if scale.kind == "log":
        # A ratio is read in steps of its own, from 1 (no spread at all).
        high = max(own.high, 1.01)
        levels = log_levels(1.0, high)
        own = dataclasses.replace(own, low=1.0, high=high, levels=levels, ticks=levels[:: max(1, len(levels) // 6)])
    else:
        high = max(own.high, 1e-12)
        levels = linear_steps(0.0, high)
        own = dataclasses.replace(own, low=0.0, high=high, levels=levels, ticks=linear_steps(0.0, high, 8))
    return picture, dataclasses.replace(own, label=label, percent=scale.percent)


def outcome(picture: Surface, scale: Scale) -> str:
    """Say in one sentence how much the seeds differ."""
    values = picture[SPREAD]
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "No point is finite for all seeds"
    median, worst = number_text(float(np.median(finite)), 3), number_text(float(finite.max()), 3)
    if scale.kind == "log":
        return f"Between seeds the loss differs by a factor of {median} (median over points), at most {worst}"
    if scale.percent:
        median, worst = number_text(100 * float(np.median(finite)), 3), number_text(100 * float(finite.max()), 3)
        return f"Between seeds the accuracy differs by {median} points (median), at most {worst}"
    return f"Between seeds the values differ by {median} (median over points), at most {worst}"
