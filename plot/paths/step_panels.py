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
from landscape.surface.derived.projected_runs import distances, shares_off_plane, span_name
from landscape.surface.derived.variance_shares import plane_runs, random_walk_shares
from landscape.surface.grid import Floats
from landscape.surface.surface import Surface, Trajectory

from ..figures import Given, Renderer, opened, register, single_name
from ..scale.levels import number_text, spread_ticks
from ..scale.scale import default_name, values_label
from ..style.captions import caption as caption_of
from ..style.captions import panel_title
from ..style.fields import metadata, remember
from ..style.layout import Plan
from ..style.legends import MOST_GROWTHS, grow, has_room, legend_size, place_legend, place_remark
from ..style.paper import page_size
from ..style.placement import Box, Room, to_points
from ..style.style import BLUE, HAIRLINE, SOFT_INK, VERMILLION, Look, look, new_figure, our_style, text_width
from ..style.titles import write_caption
from .path_words import explained, losses_of, records_of, require_marks, tick_words
from .step_layout import HEAD_LINE, HEAD_PAD, LEFT, RIGHT, StepLayout, lay_out_steps, legend_columns
from .trajectories import COLORS, drops_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
    size: str | float | Sequence[float] | None = None,
    font: str | None = None,
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
    size : str, float or (float, float), optional
        Of the figure in inches, or a venue, as in `landscape.plot.draw`. Panels stand in two columns, or in one where
        the figure is a column of a paper.
    font : str, optional
        A family of fonts.

    Raises
    ------
    PlotError
        There is no run on the surface.
    UsageError
        A figure of this size has no room for the panels.
    """
    given = page_size(size)
    chosen = None if given is None and font is None else Look.of_settings(font, given[0] if given else None)
    with our_style(chosen):
        return _draw(opened(surface), name, title, given, caption=caption, shown=shown, marks=marks)


def _draw(
    surface: Surface,
    name: str | None,
    title: str | None,
    size: tuple[float, float | None] | None,
    *,
    caption: bool,
    shown: bool,
    marks: Sequence[int],
) -> Figure:
    runs = surface.trajectories
    if not runs:
        raise PlotError(
            f"{surface.path or 'the surface'} has no training run on it; landscape trajectory makes one with runs"
        )
    name = name or (default_name(surface) if surface.values else "train/loss")
    shares = explained(surface)
    panels: list[Any] = [_draw_distances, _draw_losses, _draw_shares, *([_draw_variance] if shares else [])]
    text = caption_of(surface, None, name, notes=_notes(surface, name, shares, marks)) if surface.values else ""
    titles = _titles(surface, name)[: len(panels)]
    names = [each for each, *_ in _runs(surface)] if len(runs) > 1 else []
    entries = [text_width(each, look().tick) + 3.2 * look().tick / 72 for each in names]
    layout = lay_out_steps(
        titles,
        panel_title(surface) if title is None else title,
        text if caption else "",
        size=size,
        narrowest=legend_size([label for label, _ in (*_whole(surface), *_own(surface))])[0] / 72,
        legend=entries,
    )
    figure = new_figure(*layout.size, shown=shown)
    for number, draw in enumerate(panels):
        ax = figure.add_axes(layout.place(number), label=draw.__name__.removeprefix("_draw_"))
        _start_panel(ax, surface, "\n".join(layout.titles[number]))
        draw(ax, surface, name)
        _draw_drops(ax, runs, marks) if draw is not _draw_variance else None
    _draw_head(figure, surface, layout, entries)
    write_caption(figure, layout.caption)
    remember(figure, metadata(surface, None, name, text=text) if surface.values else {})
    return figure


def draw_steps(surfaces: Sequence[Surface], names: Sequence[str] | None, plan: Plan, options: dict[str, Any]) -> Figure:
    """Draw the runs of one surface over their steps, which have no heights and so no scale; see `steps`."""
    # They need both coordinates of the runs.
    marks = options.pop("marks", ())
    require_marks(surfaces, marks)
    if len(surfaces) != 1:
        raise PlotError(f"steps are drawn of one surface at a time, {len(surfaces)} were given")
    if options:
        raise UsageError(f"steps have no option {', '.join(options)}")
    title = plan.headline or (plan.titles[0] if plan.titles else None)
    name = single_name(names, "a picture of steps")
    return _draw(surfaces[0], name, title, plan.size, caption=plan.caption, shown=plan.shown, marks=marks)


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


def _titles(surface: Surface, name: str) -> list[str]:
    own, others = plane_runs(surface)
    return [
        "distance from the checkpoint",
        values_label(name),
        f"share of that distance off the {span_name(surface)}",
        "variance of each component" + (f", {', '.join(own)}" if others else ""),
    ]


def _start_panel(ax: Axes, surface: Surface, title: str) -> None:
    ax.set_title(title, loc="left", fontsize=look().title - 0.5, pad=5 * look().factor, parse_math=False)
    ax.set_xlabel(_unit(surface), parse_math=False)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#e6e6e6", lw=0.5)
    ax.set_axisbelow(True)
    ends = np.concatenate([run.step[[0, -1]] for run in surface.trajectories.values()])
    room = 0.05 * max(int(np.ptp(ends)), 1)
    ax.set_xlim(ends.min() - room, ends.max() + room)
    across, down = _inches(ax)
    widest = text_width(str(int(np.abs(ends).max())), look().tick)
    most = int(np.clip(across / (1.6 * widest), 1, 6)), int(np.clip(down * 72 / (2.0 * look().tick), 2, 6))
    ax.xaxis.set_major_locator(MaxNLocator(most[0], integer=True, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(most[1], steps=[1, 2, 5, 10]))


def _inches(ax: Axes) -> Floats:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return np.asarray(ax.get_window_extent().size, dtype=np.float64) / figure.dpi


def _plot(ax: Axes, run: Trajectory, values: Floats, color: str, dashes: Any = "-", label: str = "") -> None:
    few = len(run.step) <= 30 or run.unordered
    # Of samples in no order only the two kinds of values are told apart.
    own = dashes == "-" if run.unordered else True
    style: dict[str, Any] = {"ls": "none" if run.unordered else dashes, "mfc": color if own else "white"}
    wide: dict[str, Any] = {"lw": 1.3 * look().factor, "ms": (2.2 if own else 3.2) * look().factor}
    ax.plot(run.step, values, color=color, marker="o" if few else "", label=label, **wide, **style)


def _draw_distances(ax: Axes, surface: Surface, name: str) -> None:
    for run_name, run, color in _runs(surface):
        _plot(ax, run, distances(surface, run), color, label=f"{run_name}, distance")
        _plot(ax, run, run.residual, color, (0, (3, 1.5)), label=f"{run_name}, off the {span_name(surface)}")
    ax.set_ylim(bottom=0)
    _explain(ax, surface, _whole(surface))


def _draw_losses(ax: Axes, surface: Surface, name: str) -> None:
    found = []
    for run_name, run, color in _runs(surface):
        losses = losses_of(surface, run, name)
        if losses is None:
            continue
        found += [each[np.isfinite(each)] for each in losses]
        _plot(ax, run, losses[1], color, (0, (3, 1.5)), label=f"{run_name}, {span_name(surface)}")
        _plot(ax, run, losses[0], color, label=f"{run_name}, own")
    values = np.concatenate([*found, np.zeros(0)])
    if not values.size:
        ax.text(0.5, 0.5, "not measured at the steps", transform=ax.transAxes, ha="center", color=SOFT_INK)
        return
    if values.min() > 0 and values.max() > 20 * values.min():
        ax.set_yscale("log")
    elif values.min() >= 0:
        ax.set_ylim(bottom=0)
    _explain(ax, surface, _own(surface))
    if ax.get_yscale() == "log":  # a legend may have raised the limit
        _loss_ticks(ax)


def _loss_ticks(ax: Axes) -> None:
    """Write losses, not powers, and no nearer to each other than letters are high."""
    bottom, top = ax.get_ylim()

    def place(loss: Any) -> Floats:
        return np.asarray(np.log(np.asarray(loss) / bottom) / np.log(top / bottom), dtype=np.float64)

    gap = max(0.07, 1.5 * look().tick / 72 / float(_inches(ax)[1]))
    ticks = spread_ticks(bottom, top, place, linear=False, gap=gap)
    ax.yaxis.set_major_locator(FixedLocator(list(ticks)))
    ax.yaxis.set_major_formatter(FixedFormatter([number_text(tick) for tick in ticks]))
    ax.yaxis.set_minor_locator(NullLocator())


def _draw_shares(ax: Axes, surface: Surface, name: str) -> None:
    for run_name, run, color in _runs(surface):
        share = np.where(distances(surface, run) > 0, shares_off_plane(surface, run), np.nan)
        _plot(ax, run, share, color, label=run_name)
    ax.set_ylim(0, 1)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def _draw_variance(ax: Axes, surface: Surface, name: str) -> None:
    shares = explained(surface) or []
    kept = len(surface.directions)
    own, _ = plane_runs(surface)
    shown = np.array(shares[:MOST_BARS])
    ax.bar(np.arange(1, len(shown) + 1), shown, color=[BLUE if k < kept else "#b9c4cc" for k in range(len(shown))])
    thin: dict[str, Any] = {"lw": look().factor, "ms": 2.2 * look().factor}
    ax.plot(np.arange(1, len(shown) + 1), np.cumsum(shown), color=SOFT_INK, marker="o", label="sum", **thin)
    if len(own) == 1 and not surface.trajectories[own[0]].unordered:
        walk = random_walk_shares(len(shares) + 1)[: len(shown)]
        hollow: dict[str, Any] = {"ls": "none", "marker": "D", "ms": 3.6 * look().factor, "mfc": "white"}
        words = "a random walk\nof as many steps"
        ax.plot(np.arange(1, len(walk) + 1), walk, label=words, mec=VERMILLION, **hollow)
    ax.set(ylim=(0, 1.02), xlim=(0.3, len(shown) + 0.7), xlabel="principal component")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))

    def room_of(ax: Axes) -> Room:
        room = Room.of(ax)
        for k, share in enumerate(shown):
            low, high = to_points(ax).transform([(k + 0.6, 0.0), (k + 1.4, share)])
            room.take(Box((low + high) / 2, (float(high[0] - low[0]) / 2, float(high[1] - low[1]) / 2)))
        return room

    inside = sum(shares[:kept])
    text = f"{100 * inside:.1f} % in the picture,\n{100 * (1 - inside):.1f} % outside"
    walks = [line for line in ax.lines if line.get_marker() == "D"]
    for left in range(MOST_GROWTHS, -1, -1):
        if walks:
            place_legend(ax, [*(line for line in ax.lines if line.get_label() == "sum"), *walks], room_of)
        if has_room(text, room_of(ax)) or not left:
            break
        if (legend := ax.get_legend()) is not None:
            legend.remove()
        grow(ax)
    high = _inches(ax)[1] * 72 / ax.get_ylim()[1]
    step = next((each for each in (0.25, 0.5) if each * high > 1.6 * look().tick), 1.0)
    ax.yaxis.set_major_locator(FixedLocator(list(np.arange(0.0, 1.01, step))))
    # Beside the bars that it speaks of.
    near = to_points(ax).transform((kept, inside)) + np.array([10.0, -6.0]) * look().factor
    place_remark(ax, text, near, room_of(ax), "explained")


def _draw_drops(ax: Axes, runs: Any, marks: Sequence[int]) -> None:
    for step in sorted({step for run in runs.values() for step in drops_of(run)}):
        ax.axvline(step, color=HAIRLINE, lw=0.5, zorder=0.5, gid=f"drop {step}")
    for step in sorted(set(marks)):
        ax.axvline(step, color=SOFT_INK, lw=0.7, ls=(0, (1, 1.5)), zorder=0.6, gid=f"mark {step}")


def _unordered(surface: Surface) -> bool:
    return all(run.unordered for run in surface.trajectories.values())


def _whole(surface: Surface) -> tuple[tuple[str, Any], ...]:
    return ("whole", "-"), (f"off the {span_name(surface)}", (0, (3, 1.5)))


def _own(surface: Surface) -> tuple[tuple[str, Any], ...]:
    own = {"steps": "step", "samples": "sample"}.get(records_of(surface.trajectories.values()), "record")
    return (f"the {own}'s own", "-"), (f"the {span_name(surface)}'s below it", (0, (3, 1.5)))


def _explain(ax: Axes, surface: Surface, styles: tuple[tuple[str, Any], ...]) -> None:
    """Say which line is which, where no line runs; there is made room above them where there is none."""
    factor = look().factor
    handles = [Line2D([], [], color=SOFT_INK, ls=dashes, lw=1.1 * factor, label=label) for label, dashes in styles]
    if _unordered(surface):
        for handle, (_, dashes) in zip(handles, styles, strict=True):
            white = "white" if dashes != "-" else SOFT_INK
            handle.set(linestyle="none", marker="o", markersize=3.0 * factor, markerfacecolor=white)
    place_legend(ax, handles)


def _draw_head(figure: Figure, surface: Surface, layout: StepLayout, entries: Sequence[float]) -> None:
    """Write the title and, in its line or below it, which colour is which run."""
    width, height = layout.size
    left, size = LEFT * layout.factor, look().title + 1
    style: dict[str, Any] = {"fontsize": size, "fontweight": "bold", "va": "top", "linespacing": 1.2}
    figure.text(left / width, 1 - 0.08 / height, "\n".join(layout.title), parse_math=False, gid="title", **style)
    if not entries:
        return
    beside = len(layout.title) * HEAD_LINE * layout.factor + HEAD_PAD > layout.head - 0.01
    room = width - (LEFT + RIGHT) * layout.factor
    handles = [Line2D([], [], color=color, lw=1.6 * layout.factor, label=name) for name, _, color in _runs(surface)]
    corner: dict[str, Any] = {"loc": "upper right", "bbox_to_anchor": (1 - 0.15 / width, 1 - 0.04 / height)}
    if not beside:
        down = 0.06 + len(layout.title) * HEAD_LINE * layout.factor
        corner = {"loc": "upper left", "bbox_to_anchor": (left / width, 1 - down / height)}
    legend = figure.legend(
        handles=handles, ncols=len(handles) if beside else legend_columns(entries, room), fontsize=look().tick,
        handlelength=1.6, borderpad=0.1, columnspacing=1.2, labelspacing=0.3, frameon=False, **corner,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


register("steps", Renderer(draw_steps, lines=None))
