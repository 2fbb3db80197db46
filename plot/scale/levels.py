"""Round numbers for levels and ticks: 1-2-5 ladders, and how a number is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from landscape.surface.grid import Floats

# Many more iso-lines become a grey smear at the size of a column; one more is better than half as many.
MOST_LEVELS = 13
FEWEST_LEVELS = 5

# From fine to coarse. Below 1-2-5 comes 1-3, not 1-5: lines are read by their density, so steps must be even in log.
_MANTISSAS: tuple[tuple[float, ...], ...] = (
    (1, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3.2, 3.6, 4, 4.5, 5, 5.6, 6.3, 7, 8, 9),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    (1, 1.5, 2, 3, 5, 7),
    (1, 2, 5),
    (1, 3),
    (1,),
)
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def ladder(low: float, high: float, mantissas: Sequence[float], decades: int = 1) -> tuple[float, ...]:
    """Return every mantissa times a power of 10 (of ``10**decades``) from ``low`` to ``high``, which are positive.

    Examples
    --------
    >>> ladder(0.1, 3, (1, 2, 5))
    (0.1, 0.2, 0.5, 1.0, 2.0)
    """
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    # Through text, so that 0.3 is the double nearest to 0.3 and not 3 * 0.1.
    rungs = [
        float(f"{mantissa}e{power}")
        for power in range(first, last + 1)
        if power % decades == 0
        for mantissa in mantissas
    ]
    return tuple(rung for rung in rungs if low * (1 - 1e-12) <= rung <= high * (1 + 1e-12))


def log_levels(low: float, high: float) -> tuple[float, ...]:
    """Return levels for a log scale: a 1-2-5 ladder, finer or coarser where that gives too few or too many."""
    if not 0 < low < high:
        return linear_steps(low, high)
    plain = _MANTISSAS.index((1, 2, 5))
    best = ladder(low, high, _MANTISSAS[plain])
    if len(best) < FEWEST_LEVELS:
        for mantissas in reversed(_MANTISSAS[:plain]):
            best = ladder(low, high, mantissas)
            if len(best) >= FEWEST_LEVELS:
                return best
        return linear_steps(low, high)
    for mantissas in _MANTISSAS[plain:]:
        best = ladder(low, high, mantissas)
        if len(best) <= MOST_LEVELS:
            return best
    decades = 2
    while len(best) > MOST_LEVELS:
        best = ladder(low, high, (1,), decades)
        decades += 1
    return best


def linear_steps(low: float, high: float, most: int = MOST_LEVELS) -> tuple[float, ...]:
    """Return at most ``most`` multiples of 1, 2 or 5 times a power of 10 between two values."""
    span = high - low
    if not (np.isfinite(span) and span > 0):
        return (float(low),)
    power = int(np.floor(np.log10(span / most))) - 1
    while True:
        for mantissa in (1, 2, 5):
            step = float(f"{mantissa}e{power}")
            first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
            if last - first + 1 <= most:
                # Rounded to the step's own decimals: 3 * 0.1 is not the double nearest to 0.3.
                return tuple(round(float(number) * step, max(-power, 0)) + 0.0 for number in np.arange(first, last + 1))
        power += 1


def signed_levels(low: float, high: float, width: float) -> tuple[float, ...]:
    """Return levels on both sides of 0, from the width of the linear part outwards."""
    sides = [log_levels(width, reach) if reach > width else () for reach in (-low, high)]
    most = MOST_LEVELS // 2
    below, above = (side[:: max(1, -(-len(side) // most))] for side in sides)
    levels = (*tuple(-each for each in reversed(below)), 0.0, *above)
    levels = tuple(each for each in levels if low <= each <= high)
    return levels if len(levels) >= FEWEST_LEVELS else linear_steps(low, high)


def spread_ticks(
    low: float, high: float, position: Callable[[ArrayLike], Floats], *, linear: bool, gap: float = 0.07
) -> tuple[float, ...]:
    """Return round values from ``low`` to ``high`` that stand at least ``gap`` apart on an axis of length 1.

    Powers of 10 come first, then 5, then 2 times a power: what a reader looks for is what stays.
    """
    if linear:
        return linear_steps(low, high, 8)
    reach = max(abs(low), abs(high))
    small = min(low, high) if low > 0 else reach * 1e-15
    chosen: dict[float, float] = {}  # each with its place
    candidates: list[float] = [0.0]
    for mantissa in (1, 5, 2):
        rungs = ladder(max(small, 1e-300), reach, (mantissa,))
        # From large to small: near zero the steps get too narrow anyhow.
        candidates += [sign * rung for rung in reversed(rungs) for sign in (1.0, -1.0)]
    if low >= 0:
        # Where a log scale ends in its linear part, 0 would push out a power of 10 for nothing.
        candidates.remove(0.0)
    within = [each for each in candidates if low <= each <= high]
    for value, place in zip(within, position(within).tolist(), strict=True):
        if all(abs(place - other) >= gap for other in chosen.values()):
            chosen[value] = place
    if len(chosen) >= 3:
        return tuple(sorted(chosen))
    tried = [linear_steps(low, high, most) for most in range(8, 1, -1)]
    return next((each for each in tried if _stand_apart(each, position, gap)), tuple(sorted(chosen)) or tried[-1])


def _stand_apart(values: Sequence[float], position: Callable[[ArrayLike], Floats], gap: float) -> bool:
    places = position(values).tolist()
    return len(values) > 1 and all(second - first >= gap for first, second in pairwise(places))


def number_text(value: float, digits: int = 4) -> str:
    """Return a number as a reader of a picture wants it, rounded to some digits: 0.1, 500, 2·10⁶.

    Examples
    --------
    >>> number_text(0.5), number_text(20000.0), number_text(3e6)
    ('0.5', '2·10⁴', '3·10⁶')
    """
    if not np.isfinite(value):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        text = f"{value + 0.0:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"
        if "e" in text:  # 9999.96 rounded to four digits
            return number_text(float(text), digits)
        return text.replace("-", "−")
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    exponent = str(int(power)).translate(_SUPERSCRIPTS)
    text = f"{mantissa[:-1]}10{exponent}" if mantissa in ("1", "-1") else f"{mantissa}·10{exponent}"
    return text.replace("-", "−")
