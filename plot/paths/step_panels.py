"""A run over its steps: how far it is off the plane, its own loss beside the plane's, and what each component holds.

What a path on contours leaves out, in figures of its own: without them nobody can tell whether the surface under a
path has to do with the losses that were logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator, PercentFormatter

from landscape.errors import PlotError, UsageError
from landscape.surface.grid import Floats
from landscape.surface.projected_runs import distances, shares_off_plane
from landscape.surface.surface import Surface, Trajectory
from landscape.surface.variance_shares import plane_runs, random_walk_shares

from ..figures import Given, Renderer, opened, register, single_name
from ..scale.levels import number_text, spread_ticks
from ..scale.scale import default_name, values_label
from ..style.captions import caption as caption_of
from ..style.captions import panel_title
from ..style.fields import metadata, remember
from ..style.layout import Plan
from ..style.style import BLUE, HAIRLINE, SOFT_INK, VERMILLION, look, new_figure, our_style, wrapped
from ..style.titles import write_caption
from .path_words import explained, losses_of, require_marks, tick_words
from .trajectories import COLORS, drops_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches.
PANEL, GAP_X, GAP_Y, EDGE = (2.9, 1.9), 0.78, 0.62, (0.62, 0.5)
# Beyond so many components bars are hairs: the rest is summed up.
MOST_BARS = 20


def steps(
    surface: Given,
    name: str | None = None,
    *,
    title: str | None = None,
    caption: bool = True,
    shown: bool = False,
    marks: Sequence[int] = (),
) -> Figure:
    """Draw the runs of a surface over their steps.

    Three panels, four where the surface is of principal components: the distance from theta* and the part of it that
    is off the plane; the runs' own loss (solid) and the plane's below them (dashed); the share of the way that is off
    the plane; the variance of each component.

    Parameters
    ----------
    surface : Surface, str or Path
        With runs on it, or the name of its file.
    name : str, optional
        The values, such as ``"test/loss"``; the training loss where there is one.
    title : str, optional
        Above the figure; the surface's by default.
    caption : bool
        Write the caption below.
    shown : bool
        Make it one of pyplot's figures where somebody looks on.
    marks : sequence of int
        Steps to mark with a line, beside those where the learning rate fell.

    Raises
    ------
    PlotError
        There is no run on the surface.
    """
    surface = opened(surface)
    runs = surface.trajectories
    if not runs:
        raise PlotError(
            f"{surface.path or 'the surface'} has no training run on it; landscape trajectory makes one with runs"
        )
    name = name or (default_name(surface) if surface.values else "train/loss")
    shares = explained(surface)
    panels: list[Any] = [_draw_distances, _draw_losses, _draw_shares, *([_draw_variance] if shares else [])]
    with our_style():
        rows = 2
        columns = 2
        width = EDGE[0] + columns * PANEL[0] + (columns - 1) * GAP_X + 0.2
        text = caption_of(surface, None, name, notes=_notes(surface, name, shares, marks)) if surface.values else ""
        lines = wrapped(text, width - 0.2, look().caption) if caption else []
        below = EDGE[1] + (len(lines) * 1.25 * look().caption / 72 + 0.12 if lines else 0.0)
        height = below + rows * PANEL[1] + (rows - 1) * GAP_Y + 0.52
        figure = new_figure(width, height, shown=shown)
        for number, draw in enumerate(panels):
            row, column = divmod(number, columns)
            ax = figure.add_axes(
                (
                    (EDGE[0] + column * (PANEL[0] + GAP_X)) / width,
                    (below + (rows - 1 - row) * (PANEL[1] + GAP_Y)) / height,
                    PANEL[0] / width,
                    PANEL[1] / height,
                ),
                label=draw.__name__.removeprefix("_draw_"),
            )
            draw(ax, surface, name)
            _draw_drops(ax, runs, marks) if draw is not _draw_variance else None
        _draw_head(figure, surface, panel_title(surface) if title is None else title)
        write_caption(figure, lines)
        remember(figure, metadata(surface, None, name, text=text) if surface.values else {})
    return figure


def draw_steps(surfaces: Sequence[Surface], names: Sequence[str] | None, plan: Plan, options: dict[str, Any]) -> Figure:
    """Draw the runs of one surface over their steps, which have no heights and so no scale; see `steps`."""
    # They need both coordinates of the runs.
    marks = options.pop("marks", ())
    require_marks(surfaces, marks)
    if len(surfaces) != 1:
        raise PlotError(f"steps are drawn of one surface at a time, {len(surfaces)} were given")
    if plan.size is not None:
        raise UsageError("steps have a size of their own; --size and --for are for the other kinds of pictures")
    if options:
        raise UsageError(f"steps have no option {', '.join(options)}")
    title = plan.headline or (plan.titles[0] if plan.titles else None)
    name = single_name(names, "a picture of steps")
    return steps(surfaces[0], name, title=title, caption=plan.caption, shown=plan.shown, marks=marks)


def _notes(surface: Surface, name: str, shares: Sequence[float] | None, marks: Sequence[int]) -> list[str]:
    notes = ["Distances are Euclidean, over all weights that move"]
    if shares:
        notes.append("Variance is about the mean of the recorded steps, distances from the checkpoint")
    if words := tick_words(surface.trajectories.values(), marks, _unit(surface)):
        notes.append(f"Thin vertical lines: {words}")
    found = [each for each in (losses_of(surface, run, name) for run in surface.trajectories.values()) if each]
    if lost := sum(int((~np.isfinite(own)).sum()) for own, _ in found):
        total = sum(len(own) for own, _ in found)
        notes.append(f"The own {values_label(name)} of {lost} of {total} steps is not finite, and a gap")
    return notes


def _runs(surface: Surface) -> list[tuple[str, Trajectory, str]]:
    return [
        (name, run, COLORS[number % len(COLORS)]) for number, (name, run) in enumerate(surface.trajectories.items())
    ]


def _unit(surface: Surface) -> str:
    units = {str(run.attributes.get("unit", "step")) for run in surface.trajectories.values()}
    return units.pop() if len(units) == 1 else "step"


def _start_panel(ax: Axes, surface: Surface, title: str) -> None:
    ax.set_title(title, loc="left", fontsize=look().title - 0.5, pad=5, parse_math=False)
    ax.set_xlabel(_unit(surface))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#e6e6e6", lw=0.5)
    ax.set_axisbelow(True)
    ends = np.concatenate([run.step[[0, -1]] for run in surface.trajectories.values()])
    room = 0.05 * max(int(np.ptp(ends)), 1)
    ax.set_xlim(ends.min() - room, ends.max() + room)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def _plot(ax: Axes, run: Trajectory, values: Floats, color: str, dashes: Any = "-", label: str = "") -> None:
    few = len(run.step) <= 30 or run.unordered
    # Of samples in no order only the two kinds of values are told apart.
    own = dashes == "-" if run.unordered else True
    style: dict[str, Any] = {"ls": "none" if run.unordered else dashes, "mfc": color if own else "white"}
    ax.plot(
        run.step, values, color=color, lw=1.3, marker="o" if few else "", ms=2.2 if own else 3.2, label=label, **style
    )


def _draw_distances(ax: Axes, surface: Surface, name: str) -> None:
    flat = "plane" if len(surface.directions) > 1 else "line"
    _start_panel(ax, surface, "distance from the checkpoint")
    for run_name, run, color in _runs(surface):
        _plot(ax, run, distances(surface, run), color, label=f"{run_name}, distance")
        _plot(ax, run, run.residual, color, (0, (3, 1.5)), label=f"{run_name}, off the {flat}")
    ax.set_ylim(bottom=0)
    _explain(ax, surface, (("whole", "-"), (f"off the {flat}", (0, (3, 1.5)))))


def _draw_losses(ax: Axes, surface: Surface, name: str) -> None:
    flat = "plane" if len(surface.directions) > 1 else "line"
    _start_panel(ax, surface, values_label(name))
    found = []
    for run_name, run, color in _runs(surface):
        losses = losses_of(surface, run, name)
        if losses is None:
            continue
        found += [each[np.isfinite(each)] for each in losses]
        _plot(ax, run, losses[1], color, (0, (3, 1.5)), label=f"{run_name}, {flat}")
        _plot(ax, run, losses[0], color, label=f"{run_name}, own")
    values = np.concatenate([*found, np.zeros(0)])
    if not values.size:
        ax.text(0.5, 0.5, "not measured at the steps", transform=ax.transAxes, ha="center", color=SOFT_INK)
        return
    if values.min() > 0 and values.max() > 20 * values.min():
        ax.set_yscale("log")
        _loss_ticks(ax, values)
    elif values.min() >= 0:
        ax.set_ylim(bottom=0)
    own = "the sample's own" if _unordered(surface) else "the step's own"
    _explain(ax, surface, ((own, "-"), (f"the {flat}'s below it", (0, (3, 1.5)))))


def _loss_ticks(ax: Axes, values: Floats) -> None:
    """Write losses, not powers."""
    low, high = float(values.min()), float(values.max())

    def place(loss: Any) -> Floats:
        return np.asarray(np.log(np.asarray(loss) / low) / np.log(high / low), dtype=np.float64)

    ticks = spread_ticks(low, high, place, linear=False)
    ax.yaxis.set_major_locator(FixedLocator(list(ticks)))
    ax.yaxis.set_major_formatter(FixedFormatter([number_text(tick) for tick in ticks]))
    ax.yaxis.set_minor_locator(NullLocator())


def _draw_shares(ax: Axes, surface: Surface, name: str) -> None:
    flat = "plane" if len(surface.directions) > 1 else "line"
    _start_panel(ax, surface, f"share of that distance off the {flat}")
    for run_name, run, color in _runs(surface):
        share = np.where(distances(surface, run) > 0, shares_off_plane(surface, run), np.nan)
        _plot(ax, run, share, color, label=run_name)
    ax.set_ylim(0, 1)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def _draw_variance(ax: Axes, surface: Surface, name: str) -> None:
    shares = explained(surface) or []
    kept = len(surface.directions)
    own, others = plane_runs(surface)
    _start_panel(ax, surface, "variance of each component" + (f", {', '.join(own)}" if others else ""))
    shown = np.array(shares[:MOST_BARS])
    ax.bar(np.arange(1, len(shown) + 1), shown, color=[BLUE if k < kept else "#b9c4cc" for k in range(len(shown))])
    ax.plot(np.arange(1, len(shown) + 1), np.cumsum(shown), color=SOFT_INK, lw=1.0, marker="o", ms=2.2, label="sum")
    if len(own) == 1 and not surface.trajectories[own[0]].unordered:
        walk = random_walk_shares(len(shares) + 1)[: len(shown)]
        ax.plot(
            np.arange(1, len(walk) + 1), walk, ls="none", marker="D", ms=3.6, mfc="white", mec=VERMILLION, mew=1.0,
            label="a random walk of as many steps",
        )  # fmt: skip
        ax.legend(loc="center right", fontsize=look().tick, handlelength=1.6, borderpad=0.2)
    ax.set(ylim=(0, 1.02), xlim=(0.3, len(shown) + 0.7), xlabel="principal component")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    inside = sum(shares[:kept])
    ax.annotate(
        f"{100 * inside:.1f} % in the picture,\n{100 * (1 - inside):.1f} % outside",
        (kept, inside), xytext=(10, -6), textcoords="offset points", fontsize=look().tick, va="top", color=SOFT_INK,
    )  # fmt: skip


def _draw_drops(ax: Axes, runs: Any, marks: Sequence[int]) -> None:
    for step in sorted({step for run in runs.values() for step in drops_of(run)}):
        ax.axvline(step, color=HAIRLINE, lw=0.5, zorder=0.5, gid=f"drop {step}")
    for step in sorted(set(marks)):
        ax.axvline(step, color=SOFT_INK, lw=0.7, ls=(0, (1, 1.5)), zorder=0.6, gid=f"mark {step}")


def _unordered(surface: Surface) -> bool:
    return all(run.unordered for run in surface.trajectories.values())


def _explain(ax: Axes, surface: Surface, styles: tuple[tuple[str, Any], ...]) -> None:
    handles = [Line2D([], [], color=SOFT_INK, ls=dashes, lw=1.1, label=label) for label, dashes in styles]
    if _unordered(surface):
        for handle, (_, dashes) in zip(handles, styles, strict=True):
            handle.set(linestyle="none", marker="o", markersize=3.0, mfc=SOFT_INK if dashes == "-" else "white")
    ax.legend(handles=handles, loc="best", fontsize=look().tick, handlelength=2.2, borderpad=0.2)


def _draw_head(figure: Figure, surface: Surface, title: str) -> None:
    """Write the title and, in the line below it, which colour is which run."""
    width, height = figure.get_size_inches()
    figure.text(
        EDGE[0] / width,
        1 - 0.08 / height,
        title,
        fontsize=look().title + 1,
        fontweight="bold",
        va="top",
        parse_math=False,
    )
    runs = _runs(surface)
    if len(runs) > 1:
        handles = [Line2D([], [], color=color, lw=1.6, label=name) for name, _, color in runs]
        legend = figure.legend(
            handles=handles, loc="upper right", bbox_to_anchor=(1 - 0.15 / width, 1 - 0.04 / height), ncols=len(runs),
            fontsize=look().tick, handlelength=1.6, borderpad=0.1, columnspacing=1.2,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)


register("steps", Renderer(draw_steps, lines=None))
