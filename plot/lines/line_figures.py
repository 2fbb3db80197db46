"""Pictures of lines: one in axes of the caller's, or a figure of panels that share both axes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from landscape.errors import PlotError, UsageError
from landscape.surface.surface import Surface

from ..figures import Given, Renderer, draw, opened_all, register
from ..scale.scale import Scale
from ..style.captions import caption, origin_text
from ..style.fields import metadata
from ..style.layout import Layout, Plan, lay_out
from ..style.panels import titles_of
from ..style.strips import as_line, strip_note
from ..style.style import Look, look, new_figure, our_style, text_width, wrapped
from ..style.titles import draw_title, finish
from .barriers import barrier_notes
from .line_steps import line_step_notes
from .lines import draw_line, line_names, line_scale, standard_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def line(
    surfaces: Given | Sequence[Given],
    names: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    *,
    scale: Scale | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the loss along a line (left axis, blue) and the accuracy (right axis, vermillion).

    Parameters
    ----------
    surfaces : Surface, str, Path, or sequence of these
        Lines, or names of their files; several become panels that share their axes. Of several seeds the median is
        drawn over the band of their middle half, and each seed as a thin line.
    names : str or sequence of str, optional
        The values; every loss and every accuracy there is. Those that end in "accuracy" go to the right axis.
    ax : Axes, optional
        Where to draw one surface. Without it, a figure with title and caption is made.
    scale : Scale, optional
        Of the left axis, shared with other pictures.
    legend : bool
        Say which data set is solid and which is dashed, where there are several.

    Returns
    -------
    Axes
        The left one (of the first panel).

    Raises
    ------
    PlotError
        Not a line, no such values, or none that is finite.

    Notes
    -----
    Bands around single lines are one standard error of the mean over samples, with the factor sqrt(1 - n/N) for n
    of N samples; over a whole data set there is no such error and no band. Towards another checkpoint the barrier is
    shaded: what lies above the straight line between both ends.
    """
    if ax is None:
        return draw(surfaces, kind="line", name=names, scale=scale or "auto", shown=True).axes[0]
    given = opened_all(surfaces)
    if len(given) != 1:
        raise PlotError("one axes holds one surface; leave ax out to draw several side by side")
    with our_style(Look.of_axes(ax)):
        draw_line(ax, given[0], names, scale, legend=legend)
    return ax


def draw_lines(given: Sequence[Surface], names: Sequence[str] | None, plan: Plan, options: dict[str, Any]) -> Figure:
    """Draw lines as panels of one figure; see `landscape.plot.draw`."""
    if options:
        raise UsageError(f"a line has no option {', '.join(options)}")
    notes = list(dict.fromkeys(filter(None, map(strip_note, given))))
    surfaces = [as_line(each) for each in given]
    parts = [each.finished_part() for each in surfaces]
    sides = [line_names(each, names) for each in parts]
    independent = plan.independent and len(surfaces) > 1
    left = list(dict.fromkeys(each for side in sides for each in side[0] or side[1]))
    right = any(side[0] and side[1] for side in sides)
    if not independent:
        bare = [each for each, side in zip(parts, sides, strict=True) if not side[0]]
        if 0 < len(bare) < len(parts):
            held = [name for name in parts[0].values if all(name in part.values for part in parts)]
            shared = f"what all of them hold, as --name {held[0]}, or " if held else ""
            raise PlotError(
                f"{bare[0].path or bare[0].title or 'a line'} has no loss, and others beside it have: draw {shared}"
                "each on a scale of its own, --independent"
            )
        # Not all files hold all values: the scale is that of what each of them shows.
        left = [each for each in left if all(each in part.values for part in parts)] or left
    scales = plan.scales(line_scale, parts, [side[0] or side[1] for side in sides], left)
    known = titles_of(surfaces, plan.titles)
    subtitles = [origin_text(each) if plan.subtitle and not each.origin.get("elsewhere") else "" for each in surfaces]
    drawn = [each for side in sides for each in side[0] + side[1]]
    every = list(dict.fromkeys(drawn))
    if any(each.repeats > 1 for each in surfaces):
        notes.append("Line: median of the seeds; band: their middle half; thin lines: each seed")
    elif any(standard_error(part, name) is not None for part in parts for name in every if name in part.values):
        notes.append("Bands: one standard error of the mean over samples")
    if len(surfaces) == 1 and left:
        notes += barrier_notes(parts[0], sides[0][0]) + line_step_notes(surfaces[0], left[0])
    text = caption(surfaces, scales, left, notes=notes, titles=known)
    sets = [list(dict.fromkeys(each.rpartition("/")[0] for each in side[0] + side[1])) for side in sides]
    # Of the legend, which stands in the line of the titles, at the right end of the first row.
    rooms = [sum(0.5 + text_width(each, look().tick) for each in data) if len(data) > 1 else 0.0 for data in sets]
    place = partial(
        lay_out,
        len(surfaces),
        plan=plan,
        columns=plan.columns,
        aspect=0.72,
        titles=known,
        subtitles=subtitles,
        caption=text if plan.caption else "",
        bars="none",
        edge=0.42 if right else 0.0,
        inner_left=0.5 if independent else 0.16,
        elastic=True,
    )
    layout = place(title_room=max(rooms))
    if any(_cut(title, layout, max(rooms)) for title in known):
        # Beside the legend there is no room for a title: it gets a line of its own.
        layout, rooms = place(legend_rows=1), [0.0] * len(rooms)
    figure = new_figure(*layout.size, shown=plan.shown)
    for number, (surface, own) in enumerate(zip(surfaces, scales, strict=True)):
        ax = figure.add_axes(layout.place(number), label=known[number] or f"line {number}")
        first = number % layout.columns == 0
        last = number % layout.columns == layout.columns - 1 or number == len(surfaces) - 1
        explained = len(sets[number]) > 1 and number == min(layout.columns, len(surfaces)) - 1
        beside = draw_line(
            ax, surface, names, own, legend=explained, above=0.0 if layout.legend_rows else layout.subtitle_height
        )
        if not first and not independent:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
        if beside is not None and beside is not ax and not last:
            beside.set_ylabel("")
            beside.tick_params(labelright=False)
        draw_title(ax, known[number], subtitles[number], layout, rooms[number] if explained else 0.0)
    fields = metadata(surfaces, scales, every, text=text)
    return finish(figure, layout, plan.headline, fields)


def _cut(title: str, layout: Layout, room: float) -> bool:
    """Return whether a word of a title is longer than the line that is left beside a legend, or the title than two."""
    width, size = layout.title_beside(room), layout.title_size
    words = max((text_width(word, size, "bold") for word in title.split()), default=0.0)
    return bool(room) and (words > width or len(wrapped(title, width, size, "bold")) > 2)


register("line", Renderer(draw_lines, lines=True))
