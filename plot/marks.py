"""What contours and heat maps have in common: which part is drawn, axes, marks, holes, and the counts in the corner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from landscape.errors import PlotError
from landscape.grid import Axis, Floats
from landscape.heights import TINY
from landscape.surface import INTERPOLATED, Surface

from .captions import GREEK, bare_label
from .choices import ROUNDING
from .ladders import number_text
from .repeats import SPREAD
from .scale import CAPPED, MISSING, NOT_FINITE, NOT_FINITE_GREY, OK, Scale, default_name
from .shortcuts import lacking_samples
from .style import HATCH, HATCH_GREY, INK, MISSING_GREY, SMALL_SIZE, text_width
from .wording import cleaned

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as MatplotlibAxis

# With equal aspect a longer strip than this cannot be read: it is stretched, and the picture says so.
LONGEST = 4.0


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
    def lowest(self) -> tuple[float, float, float] | None:
        """The best point that was measured, the lowest loss or the highest accuracy: x, y and its value.

        None where there is none, where all are equal, or where the values are no measurement of a network.
        """
        values = np.where(self.surface.state == INTERPOLATED, np.nan, self.values)
        if self.name == SPREAD or self.constant or not np.isfinite(values).any():
            return None
        flat = int(np.nanargmax(values) if self.best_is_high else np.nanargmin(values))
        j, i = np.unravel_index(flat, values.shape)
        return float(self.x[i]), float(self.y[j]), float(values[j, i])

    @property
    def has_checkpoint(self) -> bool:
        """Whether the checkpoint, where all coefficients are 0, lies in the picture."""
        elsewhere = bool(self.surface.origin.get("elsewhere"))
        return bool(self.x[0] <= 0 <= self.x[-1] and self.y[0] <= 0 <= self.y[-1]) and not elsewhere


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
    """Put at most so many round ticks on an axis, written as short as they can be."""
    axis.set_major_locator(MaxNLocator(most - 1, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number_text(round(value, 12), 6)))


def draw_frame(ax: Axes, sheet: Sheet, extent: Sequence[float], *, equal: bool = True) -> bool:
    """Set limits, labels and aspect; return whether both axes are drawn to the same scale."""
    ax.set_xlim(extent[0], extent[1])
    ax.set_ylim(extent[2], extent[3])
    draw_ticks(ax.xaxis)
    draw_ticks(ax.yaxis)
    ax.set_xlabel(axis_text(sheet.surface.axes[0], 0), parse_math=False)
    ax.set_ylabel(axis_text(sheet.surface.axes[1], 1), parse_math=False)
    equal = equal and is_readable(extent)
    ax.set_aspect("equal" if equal else "auto")
    return equal


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


def draw_marks(ax: Axes, sheet: Sheet) -> None:
    """Mark the checkpoint with a star, the lowest point with a ring, interpolated points with dots."""
    x, y = sheet.x, sheet.y
    dotted = sheet.surface.state == INTERPOLATED
    if dotted.any():
        rows, columns = np.nonzero(dotted)
        size = float(np.clip(40.0 / max(dotted.shape), 0.25, 1.2))
        dots: dict[str, Any] = {"ms": size, "mew": 0, "color": "white", "alpha": 0.75, "label": "interpolated"}
        ax.plot(x[columns], y[rows], ".", zorder=3, clip_on=False, **dots)
    lowest = sheet.lowest
    at_origin = sheet.has_checkpoint and lowest is not None and lowest[0] == 0 and lowest[1] == 0
    if lowest is not None and not at_origin:
        around: list[Any] = [withStroke(linewidth=2.0, foreground="black"), Normal()]
        ring: dict[str, Any] = {"ms": 5.5, "mfc": "none", "mec": "white", "mew": 1.1, "path_effects": around}
        # Both lie inside: at an edge or a corner they would only be cut in half.
        ax.plot(*lowest[:2], "o", zorder=5, clip_on=False, label="lowest", **ring)
    if sheet.has_checkpoint:
        ax.plot(0, 0, "*", ms=8.5, mfc="white", mec="black", mew=0.6, zorder=6, clip_on=False, label="checkpoint")


def counts(sheet: Sheet) -> dict[str, int]:
    """Return how many points of the drawn grid are missing, above the cap, not finite, interpolated."""
    return {
        "points": int(sheet.codes.size),
        "missing": int((sheet.codes == MISSING).sum()),
        "capped": int((sheet.codes == CAPPED).sum()),
        "not finite": int((sheet.codes == NOT_FINITE).sum()),
        "interpolated": int((sheet.surface.state == INTERPOLATED).sum()),
        "drawn": int((sheet.codes == OK).sum()),
    }


def corner_lines(sheet: Sheet, *, to_scale: bool = True) -> list[str]:
    """Return what has to be said inside the picture itself, since a caption may be cut off."""
    number = counts(sheet)
    lines = []
    if sheet.surface is not sheet.whole:
        ny, nx = sheet.surface.shape
        wide, high = sheet.whole.shape[1], sheet.whole.shape[0]
        lines.append(f"unfinished: {nx} × {ny} of {wide} × {high} points")
    if lacking := lacking_samples(sheet.whole):
        lines.append(f"unfinished: {lacking} points lack samples")
    if number["missing"]:
        lines.append(f"{number['missing']} of {number['points']} points missing")
    if number["capped"]:
        cap = number_text(sheet.scale.cap or 0.0)
        lines.append(f"{number['capped']} of {number['points']} points above {cap}")
    if number["not finite"]:
        lines.append(f"{number['not finite']} not finite")
    if number["interpolated"]:
        lines.append(f"{number['interpolated']} interpolated")
    if sheet.scale.independent:
        lines.append("independent scale")
    if not to_scale:
        lines.append("axes not to scale")
    return lines


def draw_corner(ax: Axes, lines: Sequence[str]) -> None:
    """Write lines into the lower right corner, on a pale ground.

    `corner_size` says how much room they take.
    """
    if not lines:
        return
    ax.text(
        0.985,
        0.02,
        "\n".join(lines),
        transform=ax.transAxes,
        ha="right",
        va="bottom",
        fontsize=SMALL_SIZE,
        color=INK,
        linespacing=1.25,
        parse_math=False,
        zorder=8,
        bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "none", "alpha": 0.82},
    )


def corner_size(lines: Sequence[str]) -> tuple[float, float]:
    """Return width and height in inches of what `draw_corner` writes, with its ground."""
    if not lines:
        return 0.0, 0.0
    pad = 0.6 * SMALL_SIZE / 72
    return max(text_width(line, SMALL_SIZE) for line in lines) + pad, len(lines) * 1.35 * SMALL_SIZE / 72 + pad
