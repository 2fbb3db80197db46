"""How a loss becomes a height and a colour: one ``Scale`` behind every renderer, so that all pictures agree.

Losses around a network span decades, so heights are ``z = log(L + eps)`` unless the values are of one magnitude.
Ticks and levels are always in loss units. Nothing is clipped in silence: what lies above a cap, is not finite or
was not measured has a code of its own (`classify`), and every renderer shows it as such.

Only NumPy is needed here; matplotlib is imported by the methods that return something of its own. The page and
the mesh files use the same object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from landscape.errors import PlotError, UsageError
from landscape.surface.grid import Floats
from landscape.surface.heights import PAPER_EPS, TINY, heights_of, suitable_eps, values_of
from landscape.surface.surface import NOT_COMPUTED, Surface

from .choices import (
    ROUNDING,
    checked_cap,
    checked_colormap,
    checked_levels,
    finite_values,
    require_of_accuracy,
    suitable_kind,
    suitable_levels,
)
from .levels import number_text, spread_ticks

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, Normalize

OK, MISSING, CAPPED, NOT_FINITE = 0, 1, 2, 3

Kind = Literal["auto", "log", "linear", "asinh"]

NOT_FINITE_GREY = (0.55, 0.55, 0.55, 1.0)


@dataclass(frozen=True)
class Scale:
    """Values to heights and colours, shared by all panels of a figure and by all renderers.

    Examples
    --------
    >>> scale = Scale.of([surface], "train/loss")               # doctest: +SKIP
    >>> scale.axis_label()                                      # doctest: +SKIP
    'training loss, z = log(L + 0.1)'
    """

    kind: Literal["log", "linear", "asinh"]
    eps: float  # log(L + eps), asinh(L / eps); 0 where linear
    low: float  # loss units; colour 0 and the foot of the height
    high: float  # loss units; colour 1 and the top, never above the cap
    cap: float | None  # loss units: what lies above is shown as capped, not as a plateau
    colormap: str
    label: str  # "training loss"
    levels: tuple[float, ...]  # loss units: iso-lines
    ticks: tuple[float, ...]  # loss units: colour bar and height axis
    independent: bool = False  # whether panels of one figure have scales of their own, which has to be said
    percent: bool = False  # an accuracy: values in [0, 1], shown as percent

    @classmethod
    def of(
        cls,
        surfaces: Surface | Sequence[Surface],
        name: str | Sequence[str],
        *,
        kind: Kind = "auto",
        cap: float | Literal["auto"] | None = None,
        colormap: str = "viridis",
        eps: float | None = None,
        levels: Sequence[float] | None = None,
        independent: bool = False,
    ) -> Scale:
        """Return the scale that suits all these surfaces together.

        Parameters
        ----------
        surfaces : Surface or sequence of Surface
            What will be drawn on this scale. Points that were not computed do not count.
        name : str or sequence of str
            The values, such as ``"train/loss"``. An accuracy is linear from 0 to 1 and shown as percent.
        kind : {"auto", "log", "linear", "asinh"}
            ``auto`` is asinh for values below zero, linear where the 1 % and 99 % quantiles of the positive values
            lie within a factor of 10, and log otherwise.
        cap : float, "auto" or None
            In loss units. ``"auto"`` caps at the 99.5 % quantile where the range exceeds 12 e-folds.
        colormap : str
            One of matplotlib's; rainbows and diverging maps are refused with a warning. ``"classic"`` is the 2018
            look.
        eps : float, optional
            In loss units; ``min(0.1, 0.05 * median)`` for log, the median magnitude for asinh.
        levels : sequence of float, optional
            Iso-lines in loss units; a 1-2-5 ladder of at most 12.
        independent : bool
            Marks a scale that the other panels of the figure do not share.

        Raises
        ------
        PlotError
            A surface has no such values, none of them is finite, or they cannot be drawn on that kind of scale.
        UsageError
            An option is out of its range, or another kind than linear, a cap or an eps is given for an accuracy.
        """
        surfaces = [surfaces] if isinstance(surfaces, Surface) else list(surfaces)
        names = [name] if isinstance(name, str) else list(name)
        values = finite_values(surfaces, names)
        look = checked_colormap(colormap)
        percent = all(each.endswith("accuracy") for each in names)
        label = values_label(names)
        if kind not in get_args(Kind):
            raise UsageError(f"a scale is auto, log, linear or asinh, not {kind!r}")
        if percent:
            require_of_accuracy(kind, cap, eps)
            own = checked_levels(levels) if levels is not None else tuple(each / 10 for each in range(1, 10))
            ticks = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
            return cls("linear", 0.0, 0.0, 1.0, None, look, label, own, ticks, independent, True)

        chosen = suitable_kind(values) if kind == "auto" else kind
        shift = suitable_eps(values, chosen) if eps is None else float(eps)
        if chosen == "linear":
            shift = 0.0
        elif not (np.isfinite(shift) and shift > 0):
            raise UsageError(f"eps must be positive, not {shift:g}")
        low = float(values.min())
        if chosen == "log" and low <= -shift:
            raise PlotError(
                f"the lowest {label} is {low:g}, which log(L + {shift:g}) cannot show; use the scale asinh or linear"
            )
        limit = checked_cap(values, cap, chosen, shift, label)
        high = float(values.max()) if limit is None else min(float(values.max()), limit)
        if high - low <= max(ROUNDING * max(abs(low), abs(high)), TINY):
            # A constant surface still gets a colour, from the middle of the map.
            margin = max(abs(low) * 0.1, shift)
            margin = margin if margin > TINY else PAPER_EPS
            low, high = low - (margin if low - margin > -shift or chosen != "log" else 0.0), high + margin
        with np.errstate(all="ignore"):
            rise = float(np.diff(heights_of([low, high], chosen, shift))[0])
        if not (np.isfinite(rise) and rise > 0):
            why = f"an eps of {shift:g} leaves none" if chosen != "linear" else "they span more than a number can hold"
            raise UsageError(f"there are no heights to draw between {low:g} and {high:g}: {why}")
        chosen_levels = checked_levels(levels) if levels is not None else suitable_levels(chosen, shift, low, high)
        scale = cls(chosen, shift, low, high, limit, look, label, chosen_levels, (), independent)
        object.__setattr__(scale, "ticks", spread_ticks(low, high, scale.normalized, linear=chosen == "linear"))
        return scale

    def forward(self, values: ArrayLike) -> Floats:
        """Return the heights z of values in loss units; NaN where a log does not exist."""
        return heights_of(values, self.kind, self.eps)

    def inverse(self, heights: ArrayLike) -> Floats:
        """Return the loss at heights z: the inverse of `forward`."""
        return values_of(heights, self.kind, self.eps)

    def normalized(self, values: ArrayLike) -> Floats:
        """Return heights between 0 (`low`) and 1 (`high`), clipped; NaN where a value is not finite."""
        array = np.asarray(values, dtype=np.float64)
        bottom, top = self.forward([self.low, self.high])
        z = self.forward(np.where(np.isfinite(array), array, np.nan))
        return np.asarray(np.clip((z - bottom) / (top - bottom), 0.0, 1.0))

    def norm(self) -> Normalize:
        """Return matplotlib's kind of the same scale: `low` to 0, `high` to 1, along z."""
        from matplotlib.colors import FuncNorm

        return FuncNorm((self.forward, self.inverse), vmin=self.low, vmax=self.high)

    def cmap(self) -> Colormap:
        """Return the colour map, with mid-grey for what is not finite."""
        import matplotlib

        try:
            found = matplotlib.colormaps[self.colormap]
        except KeyError:
            raise UsageError(
                f"matplotlib has no colour map {self.colormap!r}; viridis, cividis, magma and inferno are good"
            ) from None
        return found.with_extremes(bad=NOT_FINITE_GREY)

    def colors(self, values: ArrayLike) -> Floats:
        """Return RGBA colours in [0, 1], shape ``values.shape + (4,)``; mid-grey where a value is not finite.

        What lies above the cap has the colour of the cap: ask `classify` where to hatch or cut instead.
        """
        z = self.normalized(values)
        return np.asarray(self.cmap()(np.ma.masked_invalid(z)), dtype=np.float64)

    def classify(self, values: ArrayLike, state: ArrayLike | None = None) -> NDArray[np.uint8]:
        """Return for each value ``OK``, ``MISSING``, ``CAPPED`` or ``NOT_FINITE``.

        ``state`` is the surface's; points that were not computed are ``MISSING`` whatever their value.
        """
        array = np.asarray(values, dtype=np.float64)
        codes = np.full(array.shape, OK, dtype=np.uint8)
        if self.cap is not None:
            codes[array > self.cap] = CAPPED
        codes[~np.isfinite(array)] = NOT_FINITE
        if state is not None:
            codes[np.asarray(state) == NOT_COMPUTED] = MISSING
        return codes

    def formula(self) -> str:
        """Return how a height follows from a loss, such as ``"z = log(L + 0.1)"``; empty where linear."""
        if self.kind == "log":
            return f"z = log(L + {number_text(self.eps)})"
        return f"z = asinh(L / {number_text(self.eps)})" if self.kind == "asinh" else ""

    def axis_label(self) -> str:
        """Return what to write beside a colour bar or a height axis."""
        if self.percent:
            return f"{self.label} (%)"
        return f"{self.label}, {self.formula()}" if self.formula() else self.label

    def text(self, value: float) -> str:
        """Return a value of the scale as text: in loss units, or in percent without the sign."""
        return number_text(value * 100 if self.percent else value, 10)


def values_label(names: str | Sequence[str]) -> str:
    """Return what to call values: "training loss" for "train/loss"; without the data set where there are several."""
    names = [names] if isinstance(names, str) else list(names)
    metrics = list(dict.fromkeys(each.rpartition("/")[2].replace("_", " ") for each in names))
    sets = list(dict.fromkeys(each.rpartition("/")[0] for each in names))
    metric = metrics[0] if len(metrics) == 1 else " and ".join(metrics)
    if len(sets) != 1 or not sets[0]:
        return metric
    return f"{'training' if sets[0] == 'train' else sets[0]} {metric}"


def default_name(surface: Surface) -> str:
    """Return the values to draw where none were named: the training loss, or else the first loss, or the first."""
    names = list(surface.values)
    if not names:
        raise PlotError(f"{surface.path or 'this surface'} holds no values to draw")
    losses = [each for each in names if each.rpartition("/")[2] == "loss"]
    return "train/loss" if "train/loss" in names else (losses or names)[0]
