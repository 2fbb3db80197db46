"""How a scale is chosen: from the values where nothing was asked for, and checked where something was."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np

from landscape.errors import PlotError, UsageError
from landscape.surface.grid import Floats
from landscape.surface.heights import PAPER_EPS
from landscape.surface.surface import NOT_COMPUTED, Surface

from .levels import linear_steps, log_levels, signed_levels

# Values that differ by less than this share of the largest are one value.
ROUNDING = 1e-12

# Their lightness goes up and down: they draw ridges where the loss has none.
_RAINBOWS = frozenset(
    {"turbo", "jet", "spectral", "rainbow", "gist_rainbow", "hsv", "nipy_spectral", "gist_ncar", "prism", "flag"}
)
# They diverge from a middle, and a loss has no middle. Only the look of the 2018 figures asks for one ("classic").
_DIVERGING = frozenset(
    {"coolwarm", "bwr", "seismic", "rdbu", "rdylbu", "rdylgn", "piyg", "prgn", "brbg", "puor", "rdgy"}
)


def finite_values(surfaces: Sequence[Surface], names: Sequence[str]) -> Floats:
    """Return all finite values that were computed, of all surfaces and names together; raise PlotError for none."""
    if not surfaces or not names:
        raise PlotError("there is nothing to draw: no surface was given")
    found = []
    for surface in surfaces:
        for name in names:
            if name not in surface.values:
                raise PlotError(
                    f"{surface.path or surface.title or 'the surface'} has no values called {name!r}; "
                    f"there are {', '.join(surface.values) or 'none'}"
                )
            array = surface.values[name]
            found.append(array[np.isfinite(array) & (surface.state != NOT_COMPUTED)])
    values = np.concatenate(found)
    if not values.size:
        computed = sum(int((surface.state != NOT_COMPUTED).sum()) for surface in surfaces)
        where = ", ".join(surface.path or surface.title for surface in surfaces if surface.path or surface.title)
        raise PlotError(
            f"nothing to draw: none of the {computed} computed values of {' and '.join(names)} is finite"
            + (f" in {where}" if where else "")
        )
    return values


def suitable_kind(values: Floats) -> Literal["log", "linear", "asinh"]:
    """Return which kind of scale shows these values."""
    if values.min() < 0:
        sizes = np.abs(values)
        return "linear" if np.quantile(sizes, 0.99) < 10 * np.median(sizes) else "asinh"
    positive = values[values > 0]
    if not positive.size:
        return "linear"
    low, high = np.quantile(positive, [0.01, 0.99])
    # The quantiles do not see a lone spike, but a linear scale would show nothing except it.
    return "linear" if high < 10 * low and positive.max() < 10 * high else "log"


def suitable_levels(kind: str, eps: float, low: float, high: float) -> tuple[float, ...]:
    """Return iso-lines for a scale."""
    if kind == "linear":
        return linear_steps(low, high)
    return log_levels(max(low, eps), high) if kind == "log" else signed_levels(low, high, eps)


def checked_cap(values: Floats, cap: float | str | None, kind: str, eps: float, label: str) -> float | None:
    """Return the cap in loss units, None for none."""
    if cap is None:
        return None
    if cap == "auto":
        low, high = float(values.min()), float(values.max())
        span = np.log((high + eps) / (low + eps)) if kind == "log" else np.log(max(high, 1.0) / PAPER_EPS)
        return float(np.quantile(values, 0.995)) if span > 12 else None
    limit = float(cap)
    if not np.isfinite(limit):
        raise UsageError(f"a cap is a finite loss or 'auto', not {cap!r}")
    if limit <= values.min():
        raise PlotError(f"a cap of {limit:g} hides everything: the lowest {label} is {values.min():g}")
    return limit


def require_of_accuracy(kind: str, cap: float | str | None, eps: float | None) -> None:
    """Refuse what an accuracy's scale, which is always the same, has no use for; nothing is left out in silence."""
    asked = {
        "scale": kind if kind not in ("auto", "linear") else None,
        "cap": cap if cap != "auto" else None,
        "eps": eps,
    }
    given = {name: value for name, value in asked.items() if value is not None}
    if given:
        listed = " and ".join(f"{name} {value}" for name, value in given.items())
        raise UsageError(
            f"an accuracy is drawn linearly from 0 to 100 %, uncapped: leave out {listed}, which losses take"
        )


def checked_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Return levels as asked for; raise UsageError unless they increase."""
    array = np.asarray(levels, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all() or (np.diff(array) <= 0).any():
        raise UsageError(f"levels are increasing finite numbers, not {levels!r}")
    return tuple(float(each) for each in array)


def checked_colormap(name: str) -> str:
    """Return the name of the map to use: viridis, with a warning, in the place of one that misleads."""
    if name == "classic":
        return "coolwarm"
    plain = name.lower().removesuffix("_r")
    reason = (
        "its lightness goes up and down, which draws ridges that are not in the loss"
        if plain in _RAINBOWS
        else "it diverges from a middle, and a loss has none"
        if plain in _DIVERGING
        else ""
    )
    if reason:
        warnings.warn(f"the colour map {name!r} is not used: {reason}; viridis is used instead", stacklevel=3)
        return "viridis"
    return name
