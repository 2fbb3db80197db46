"""What contours and heat maps have in common: which part is drawn, axes, marks, holes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axis import XAxis
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from landscape.errors import PlotError
from landscape.surface.grid import Axis, Floats
from landscape.surface.heights import TINY
from landscape.surface.other_networks import networks_on
from landscape.surface.surface import INTERPOLATED, Surface

from ..scale.choices import ROUNDING
from ..scale.levels import number_text
from ..scale.repeats import SPREAD
from ..scale.scale import CAPPED, MISSING, NOT_FINITE, NOT_FINITE_GREY, OK, Scale, default_name
from ..scale.smoothing import smooth_surface
from ..style.direction_words import GREEK, bare_label
from ..style.style import HATCH, HATCH_GREY, INK, MISSING_GREY, look, text_width
from ..style.wording import cleaned, plain_text, short_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as MatplotlibAxis

# Another network than the checkpoint.
NETWORK: dict[str, Any] = {
    "marker": "D", "ms": 5.0, "mfc": "white", "mec": "black", "mew": 0.7, "ls": "none", "label": "another network",
}  # fmt: skip
# With equal aspect a longer strip than this cannot be read: it is stretched, and the picture says so.
LONGEST = 4.0
# Points of a grid whose filling a PDF or SVG still holds as vectors; lines and text always are.
VECTORS = 10_000


# Values of which less is neither better nor worse: the spread of seeds, classes, shares, ratios of curvature.
_NO_BEST = (SPREAD.rpartition("/")[2], "predicted_class", "margin", "clipped_share", "convexity")


@dataclass(frozen=True, eq=False)
class Sheet:
    """The part of a plane that is drawn, ready for any renderer of planes."""

    surface: Surface  # complete where a complete coarser grid exists
    whole: Surface  # as it was given
    name: str
    x: Floats  # (nx,)
    y: Floats  # (ny,)
    values: Floats  # (ny, nx), loss units; NaN where missing or not finite
    codes: NDArray[np.uint8]  # (ny, nx), see Scale.classify
    scale: Scale

    @classmethod
    def of(cls, surface: Surface, name: str | None, scale: Scale | None) -> Sheet:
        """Choose what to draw of a plane: its finest complete grid, on a scale of its own unless one is given."""
        surface = cleaned(surface)
        name = name or default_name(surface)
        require_directions(surface, 2)
        part = surface.finished_part()
        scale = scale or Scale.of(part, name)
        values, codes = part[name], scale.classify(part[name], part.state)
        if min(part.shape) < 2:
            raise PlotError(
                f"a plane needs at least 2 x 2 points, got {part.shape[1]} x {part.shape[0]}; draw it as a line: "
                "--kind line"
            )
        values = np.where((codes == MISSING) | (codes == NOT_FINITE), np.nan, values)
        return cls(part, surface, name, part.axes[0].values, part.axes[1].values, values, codes, scale)

    @cached_property
    def smooth(self) -> tuple[Floats, Floats, Floats, int]:
        """Heights to draw, with x and y, finer than measured where the grid is coarse, and by what factor."""
        heights = self.scale.forward(self.values)
        finer = smooth_surface(heights, self.x, self.y)
        known = np.isfinite(finer[0])
        whole = known[:-1, :-1] & known[1:, :-1] & known[:-1, 1:] & known[1:, 1:]
        # Between three points there is nothing to smooth.
        return finer if whole.any() else (heights, self.x, self.y, 1)

    @property
    def best_is_high(self) -> bool:
        """Whether more is better: the point to mark of an accuracy is its highest."""
        return self.name.endswith("accuracy")

    @property
    def constant(self) -> bool:
        """Whether the finite values differ by no more than rounding: then no point is lower than the others."""
        finite = self.values[np.isfinite(self.values)]
        return not finite.size or bool(np.ptp(finite) <= max(ROUNDING * np.abs(finite).max(), TINY))

    @property
    def best(self) -> tuple[float, float, float] | None:
        """The best point that was measured, the lowest loss or the highest accuracy: x, y and its value.

        None where there is none, where all are equal, or where less is neither better nor worse.
        """
        values = np.where(self.surface.state == INTERPOLATED, np.nan, self.values)
        if self.name.rpartition("/")[2] in _NO_BEST or self.constant or not np.isfinite(values).any():
            return None
        flat = int(np.nanargmax(values) if self.best_is_high else np.nanargmin(values))
        j, i = np.unravel_index(flat, values.shape)
        return float(self.x[i]), float(self.y[j]), float(values[j, i])

    @property
    def has_checkpoint(self) -> bool:
        """Whether the checkpoint, where all coefficients are 0, lies in the picture."""
        elsewhere = bool(self.surface.origin.get("elsewhere"))
        return bool(self.x[0] <= 0 <= self.x[-1] and self.y[0] <= 0 <= self.y[-1]) and not elsewhere

    @cached_property
    def networks(self) -> list[tuple[float, float, str]]:
        """The other networks that lie in the picture: x, y and the checkpoint's name."""
        if self.surface.origin.get("elsewhere"):
            return []
        places = [(float(at[0]), float(at[1]), plain_text(name)) for name, at in networks_on(self.surface)]
        inside = self.x[0], self.x[-1], self.y[0], self.y[-1]
        return [each for each in places if inside[0] <= each[0] <= inside[1] and inside[2] <= each[1] <= inside[3]]


def require_directions(surface: Surface, number: int) -> None:
    """Refuse a surface of another number of axes, and say which pictures suit it."""
    kinds = {1: "a line: --kind line", 2: "a plane: --kind contour, heatmap or surface", 3: "a volume: draw its slices"}
    given = len(surface.axes) if surface.axes[-1].kind == "direction" else len(surface.axes) - 1
    if given != number:
        wanted = {1: "a line", 2: "a plane"}[number]
        raise PlotError(
            f"this picture is of {wanted}, {surface.path or 'the surface'} is {kinds.get(given, f'of {given} axes')}"
        )
    if surface.axes[-1].kind != "direction":
        raise PlotError(
            f"{surface.path or 'the surface'} holds {surface.repeats} seeds; draw one, surface.repeat(0), or all of "
            "them with landscape.plot.draw(surface)"
        )


def axis_text(axis: Axis, number: int) -> str:
    """Return what to write along an axis: a Greek letter, and what the direction is where that is known."""
    label = bare_label(axis)
    if axis.source == "pca" and label:
        return label
    if label != axis.label:
        # The letter that its own label gives it: the second axis of a plane is β also where it is drawn alone.
        return axis.label
    return f"{GREEK[number]}  ({label})" if label else GREEK[number]


def draw_ticks(axis: MatplotlibAxis, most: int = 6) -> None:
    """Put at most so many round ticks on an axis whose limits are set, as many as stand beside each other."""
    figure = axis.axes.get_figure(root=True)
    assert figure is not None
    across, upwards = np.asarray(axis.axes.get_window_extent().size) / figure.dpi
    low, high = sorted(axis.get_view_interval())
    while most > 3:
        ticks, widest = round_ticks(low, high, most)
        room, needed = (across, widest) if isinstance(axis, XAxis) else (upwards, look().tick / 72)
        if len(ticks) < 2 or room * (ticks[1] - ticks[0]) / (high - low) > needed + 0.5 * look().tick / 72:
            break
        most -= 1
    axis.set_major_locator(MaxNLocator(most - 1, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick_text(value)))


def round_ticks(low: float, high: float, most: int = 6) -> tuple[list[float], float]:
    """Return the ticks that `draw_ticks` puts between two values, and the width of the longest of their texts."""
    found = MaxNLocator(most - 1, steps=[1, 2, 5, 10]).tick_values(low, high)
    ticks = [float(each) for each in found if low <= each <= high]
    return ticks, max((text_width(_tick_text(each), look().tick) for each in ticks), default=0.0)


def _tick_text(value: float) -> str:
    return number_text(round(value, 12), 6)


def draw_frame(ax: Axes, sheet: Sheet, extent: Sequence[float], *, equal: bool = True) -> bool:
    """Set limits, labels and aspect; return whether both axes are drawn to the same scale."""
    ax.set_xlim(extent[0], extent[1])
    ax.set_ylim(extent[2], extent[3])
    equal = equal and is_readable(extent)
    ax.set_aspect("equal" if equal else "auto")
    ax.apply_aspect()
    draw_ticks(ax.xaxis)
    draw_ticks(ax.yaxis)
    label_axis(ax.xaxis, axis_text(sheet.surface.axes[0], 0))
    label_axis(ax.yaxis, axis_text(sheet.surface.axes[1], 1))
    return equal


def label_axis(axis: MatplotlibAxis, text: str) -> None:
    """Write what an axis is along it, and no more than its name where all of that is longer than the axis."""
    figure = axis.axes.get_figure(root=True)
    assert figure is not None
    across, upwards = np.asarray(axis.axes.get_window_extent().size) / figure.dpi
    room = across if isinstance(axis, XAxis) else upwards
    if text_width(text, look().label) > 1.15 * room:
        # "α  (towards b.pt)", "PC 1 (93.3 % of variance)", "training loss, z = log(L + 0.1)"
        text = re.split(r" +\(|, ", text)[0]
    axis.set_label_text(text, parse_math=False)


def is_readable(extent: Sequence[float]) -> bool:
    """Whether a window drawn to scale is not a strip."""
    return 1 / LONGEST <= (extent[1] - extent[0]) / (extent[3] - extent[2]) <= LONGEST


def draw_ground(ax: Axes, sheet: Sheet, extent: Sequence[float]) -> None:
    """Hatch the ground where something lies above the cap: what is drawn over it covers all the rest."""
    if (sheet.codes == CAPPED).any():
        ax.add_patch(
            Rectangle(
                (extent[0], extent[2]),
                extent[1] - extent[0],
                extent[3] - extent[2],
                facecolor="white",
                edgecolor=HATCH_GREY,
                hatch=HATCH,
                linewidth=0,
                zorder=0.5,
                label="above the cap",
            )
        )


def hole_colors(codes: NDArray[np.uint8]) -> Floats:
    """Return RGBA of what has no value, transparent elsewhere: mid-grey not finite, light grey not computed."""
    colors = np.zeros((*codes.shape, 4))
    colors[codes == MISSING] = MISSING_GREY
    colors[codes == NOT_FINITE] = NOT_FINITE_GREY
    return colors


def hole_cells(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the code of each cell between four points, shape (ny - 1, nx - 1): that of the worst corner.

    A point that is not finite outdoes one that was not computed; what is above the cap is no hole.
    """
    bad = np.where(codes == CAPPED, OK, codes)
    return np.asarray(np.maximum.reduce([bad[:-1, :-1], bad[:-1, 1:], bad[1:, :-1], bad[1:, 1:]]))


def draw_marks(ax: Axes, sheet: Sheet) -> None:
    """Mark the checkpoint with a star, other networks with diamonds, the best point with a ring.

    Interpolated points are dots.
    """
    x, y, factor = sheet.x, sheet.y, look().factor
    dotted = sheet.surface.state == INTERPOLATED
    if dotted.any():
        rows, columns = np.nonzero(dotted)
        size = float(np.clip(40.0 / max(dotted.shape), 0.25, 1.2))
        dots: dict[str, Any] = {"ms": size, "mew": 0, "color": "white", "alpha": 0.75, "label": "interpolated"}
        ax.plot(x[columns], y[rows], ".", zorder=3, clip_on=False, **dots)
    best = sheet.best
    at_origin = sheet.has_checkpoint and best is not None and best[0] == 0 and best[1] == 0
    if best is not None and not at_origin:
        around: list[Any] = [withStroke(linewidth=2.0 * factor, foreground="black"), Normal()]
        ring: dict[str, Any] = {"ms": 5.5 * factor, "mfc": "none", "mec": "white", "mew": 1.1 * factor}
        ring["path_effects"] = around
        # Both lie inside: at an edge or a corner they would only be cut in half.
        ax.plot(*best[:2], "o", zorder=5, clip_on=False, label="best", **ring)
    if sheet.networks and sheet.has_checkpoint and (path := sheet.surface.origin.get("checkpoint")):
        _draw_name(ax, plain_text(Path(str(path)).name), (0.0, 0.0))
    if sheet.has_checkpoint:
        star: dict[str, Any] = {"ms": 8.5 * factor, "mfc": "white", "mec": "black", "mew": 0.6 * factor}
        ax.plot(0, 0, "*", zorder=6, clip_on=False, label="checkpoint", **star)
    for px, py, name in sheet.networks:
        ax.plot(px, py, **NETWORK, zorder=6, clip_on=False)
        _draw_name(ax, name, (px, py))


def _draw_name(ax: Axes, name: str, at: tuple[float, float]) -> None:
    """Write what a mark is beside it, towards the middle of the picture, on a pale ground as contours have none."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    on_right, on_top = at[0] > (left + right) / 2, at[1] > (bottom + top) / 2
    text = ax.annotate(
        short_name(name), at, xytext=(-6 if on_right else 6, -5 if on_top else 5), textcoords="offset points",
        ha="right" if on_right else "left", va="top" if on_top else "bottom", fontsize=look().small, color=INK,
        zorder=7, parse_math=False,
    )  # fmt: skip
    text.set_path_effects([withStroke(linewidth=2.2, foreground="white", alpha=0.9)])
