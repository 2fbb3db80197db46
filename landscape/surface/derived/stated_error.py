r"""How far off a surface's values may be in all: samples, interpolation and precision added up.

Relative to loss + eps, as in pictures, each part bounds 95 % of points: half the width of the interval that samples
leave; the largest error of interpolated points that were held out and measured, or, of more such points, the second
largest; the largest error of a low precision at the probes. The first two are independent of each other, and which
samples were drawn, or which points, has nothing to do with what precision does: of an error that is shifted by as much
as that, e is what 95 % stay below, s being normal.

.. math:: P(|e_\mathrm{precision} + s| \le e) = 0.95, \quad
          P\Big(|s| \le \sqrt{e_\mathrm{samples}^2 + e_\mathrm{interpolation}^2}\Big) = 0.95

It is less than the sum, since what is shifted one way is not beyond the other. That the sum of samples and
interpolation is spread like a normal error is an assumption; so e is never less than interpolation and precision
added. One number is asked for by ``--error``; `share_out` says what that leaves to each part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from landscape.surface.derived.intervals import half_widths
from landscape.surface.derived.unseen import NORMAL
from landscape.surface.heights import scale_of_losses
from landscape.surface.surface import COMPUTED, INTERPOLATED, Surface

# Share of points whose error each part bounds.
BOUNDED = 0.95
# What precision may take of an error that is asked for. A low one took 0.6 of the time (ResNet-20, bfloat16), which is
# worth the samples that this takes. What it leaves is for samples and interpolation, which add up like independent
# errors do.
OF_PRECISION = 0.15
# Of what is left, as a factor, for samples, which cost more; the rest of the square is for interpolation. A larger part
# would be cheaper still, did it not leave to interpolation less than samples scatter by from point to point: held-out
# points are then seldom within it, and three times as many are measured (at 0.9, of 1,437 digits).
OF_SAMPLES = 0.75


@dataclass(frozen=True)
class StatedError:
    """Relative to loss + eps; 0 where a part does not arise, NaN where it is not known."""

    samples: float
    interpolation: float
    precision: float
    asked: float | None = None

    @property
    def total(self) -> float:
        """The whole."""
        whole = shifted(math.hypot(self.samples, self.interpolation), self.precision)
        # Nor less than interpolation at its worst: it may well be off to one side, as of a bowl.
        return max(whole, self.interpolation + self.precision) if math.isfinite(whole) else math.nan


@dataclass(frozen=True)
class Shares:
    """What each part may be for a whole to hold."""

    standard_error: float
    tolerance: float
    precision_tolerance: float


def share_out(error: float, precision: float | None = None) -> Shares:
    """Return what an error leaves to each part; ``precision`` is what that takes, where it is known already.

    Examples
    --------
    >>> shares = share_out(0.02)
    >>> round(shifted(math.hypot(NORMAL * shares.standard_error, shares.tolerance), shares.precision_tolerance), 6)
    0.02
    >>> shares = share_out(0.02, precision=0.001)
    >>> round(shifted(math.hypot(NORMAL * shares.standard_error, shares.tolerance), 0.001), 6)
    0.02
    """
    most = OF_PRECISION * error
    # A precision that was asked for by its name may take more than its share: samples do not make up for it.
    taken = most if precision is None or math.isnan(precision) else min(precision, most)
    rest = _bisect(lambda part: shifted(part, taken) > error, error - taken, error)
    return Shares(OF_SAMPLES * rest / NORMAL, math.sqrt(1 - OF_SAMPLES**2) * rest, most)


def shifted(bound: float, shift: float) -> float:
    """Return what 95 % of errors stay below that would be normal and stay below a bound, were they not shifted.

    Examples
    --------
    >>> [round(shifted(1.0, shift), 3) for shift in (0.0, 0.1, 1.0, 100.0)]
    [1.0, 1.019, 1.839, 100.839]
    """
    if not (math.isfinite(bound) and math.isfinite(shift)):
        return math.nan
    scale = bound / NORMAL * math.sqrt(2)

    def all_below(limit: float) -> bool:
        return (math.erf((limit - shift) / scale) + math.erf((limit + shift) / scale)) / 2 >= BOUNDED

    # Neither less than each nor more than both.
    return _bisect(all_below, max(bound, shift), bound + shift) if bound and shift else bound + shift


def stated_error(surface: Surface, name: str) -> StatedError | None:
    """Return how far off a loss may be at 95 % of a surface's points; None where nothing is known of its samples.

    Parameters
    ----------
    surface : Surface
    name : str
        Such as ``"train/loss"``.
    """
    widths = half_widths(surface, name)
    measured = (surface.state == COMPUTED) & np.isfinite(surface[name])
    if widths is None or not measured.any():
        return None
    quality = surface.quality
    eps = _mapping(_mapping(quality.get("standard_error")).get("eps")).get(name.partition("/")[0])
    losses = surface[name][measured]
    if not isinstance(eps, int | float):
        _, eps = scale_of_losses(losses)
    relative = widths[measured] / (np.abs(losses) + eps)
    # Where no width is known none bounds the error; there may be so many of these points that none bounds 95 % of them.
    known = np.where(np.isnan(relative), math.inf, relative)
    samples = float(np.quantile(known, BOUNDED, method="higher"))
    samples = samples if math.isfinite(samples) else math.nan
    made = _mapping(_mapping(quality.get("interpolation")).get("errors"))
    interpolation = interpolation_bound(_mapping(made.get(name)))
    if interpolation is None and (surface.state == INTERPOLATED).any():
        interpolation = _number(quality.get("interpolation_error"))  # files that do not say it of each loss
    error = quality.get("precision_error", 0.0)
    asked = quality.get("error")
    return StatedError(
        samples,
        0.0 if interpolation is None else interpolation,
        _number(error),
        float(asked) if isinstance(asked, int | float) else None,
    )


def interpolation_bound(errors: Mapping[str, Any]) -> float | None:
    """Return what bounds the errors of 95 % of the points, of what a file says of a value's errors.

    At 95 % confidence; NaN where it is not finite, None where the file says nothing.
    """
    if not errors:
        return None
    bound = errors.get("bound", errors.get("largest"))  # files that are older say the largest alone
    return _number(bound)


def stated_words(found: StatedError) -> str:
    """Return a stated error and its parts in words.

    Examples
    --------
    >>> stated_words(StatedError(0.012, 0.01, 0.0))
    '1.6 % of loss + eps at 95 % of points: samples 1.2 %, interpolation 1 %'
    """
    parts = {"samples": found.samples, "interpolation": found.interpolation, "precision": found.precision}
    texts = [f"{part} {_percent(value)}" for part, value in parts.items() if value != 0]
    much = _percent(found.total) if math.isfinite(found.total) else "an unknown share"
    whole = f"{much} of loss + eps at 95 % of points"
    asked = f" ({_percent(found.asked)} asked for)" if found.asked is not None else ""
    return whole + asked + (": " + ", ".join(texts) if texts else "")


def _bisect(above: Callable[[float], bool], low: float, high: float) -> float:
    """Return the smallest number between two from which on something is true, to rounding; the high one at most."""
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (low, middle) if above(middle) else (middle, high)
    return high


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _percent(value: float) -> str:
    return f"{100 * value:.2g} %" if math.isfinite(value) else "not known"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
