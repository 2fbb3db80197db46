"""Losses as heights z: the formulas that pictures, interpolation and stated errors share.

Losses around a network span decades. As ``z = log(L + eps)`` equal steps are equal ratios, and what is small against
eps counts as nothing; a difference of z is an error relative to L + eps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from landscape.surface.grid import Floats

# The 2018 paper's constant: cross entropies below it look flat, so that a bowl does not become a needle.
PAPER_EPS = 0.1
# Less than this is nothing: below, doubles lose digits and logarithms overflow.
TINY = 1e-280


def suitable_eps(values: Floats, kind: str) -> float:
    """Return the eps of a log or asinh scale: min(0.1, 0.05 median) for log, the median magnitude for asinh."""
    middle = float(np.median(np.abs(values)))
    if kind == "asinh":
        found = middle or float(np.abs(values).max()) or PAPER_EPS
    else:
        found = min(PAPER_EPS, 0.05 * middle) or PAPER_EPS
    # Two digits: the formula under the picture is then exact. Not so small that L / eps overflows.
    return float(f"{max(found, float(np.abs(values).max()) * 1e-290, TINY):.1e}")


def scale_of_losses(losses: Floats) -> tuple[str, float]:
    """Return "log", or "asinh" where a loss is below 0, and the eps that suits those that are finite."""
    finite = losses[np.isfinite(losses)]
    if not finite.size:
        return "log", PAPER_EPS
    kind = "log" if finite.min() >= 0 else "asinh"
    return kind, suitable_eps(finite, kind)


def heights_of(values: ArrayLike, kind: str, eps: float) -> Floats:
    """Return log(L + eps), asinh(L / eps) or, where ``kind`` is "linear", L itself; NaN where a log does not exist."""
    array = np.asarray(values, dtype=np.float64)
    if kind == "linear":
        return array.copy()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shares = array / eps
        beyond = np.isinf(shares) & np.isfinite(array)
        # Where not even the share can be held, eps is nothing beside the loss.
        logs = np.log(np.where(beyond, np.abs(array), 1.0))
        if kind == "asinh":
            return np.where(beyond, np.sign(array) * (np.log(2) + logs - np.log(eps)), np.arcsinh(shares))
        # log(L + eps) by log1p: a loss far below eps keeps its digits on the way there and back.
        return np.where(beyond & (array > 0), logs, np.log(eps) + np.log1p(shares))


def values_of(heights: ArrayLike, kind: str, eps: float) -> Floats:
    """Return the losses at heights: the inverse of `heights_of`."""
    z = np.asarray(heights, dtype=np.float64)
    if kind == "linear":
        return z.copy()
    # A height that no loss has is infinite; beyond exp(700), sinh and expm1 overflow before eps is multiplied.
    far = np.abs(z) if kind == "asinh" else z - np.log(eps)
    with np.errstate(over="ignore", invalid="ignore"):
        if kind == "log":
            # exp(z) - eps, without losing the digits of a loss far below eps.
            return np.where(far > 700, np.exp(z), eps * np.expm1(z - np.log(eps)))
        return np.where(far > 700, np.sign(z) * np.exp(far - np.log(2) + np.log(eps)), np.sinh(z) * eps)
