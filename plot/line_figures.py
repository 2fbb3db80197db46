"""Figures of lines: panels that share both axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from landscape.surface import Surface

from .captions import caption, origin_text
from .fields import metadata
from .layout import Layout, Plan, grid_of, lay_out
from .line_steps import line_step_notes
from .lines import draw_line, line_names, line_scale, standard_error
from .panels import titles_of
from .style import TICK_SIZE, new_figure, text_width
from .titles import draw_title, finish

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_lines(
    surfaces: Sequence[Surface],
    names: str | Sequence[str] | None,
    plan: Plan,
    notes: Sequence[str] = (),
) -> Figure:
    """Draw lines as panels of one figure, with further sentences in the caption; see `landscape.plot.draw`."""
    parts = [each.finished_part() for each in surfaces]
    sides = [line_names(each, names) for each in parts]
    independent = plan.independent and len(surfaces) > 1
    left = list(dict.fromkeys(each for side in sides for each in side[0] or side[1]))
    right = any(side[0] and side[1] for side in sides)
    if plan.scale is not None:
        scales = [plan.scale] * len(parts)
    elif independent:
        scales = [
            line_scale([part], side[0] or side[1], **plan.chosen, independent=True)
            for part, side in zip(parts, sides, strict=True)
        ]
    else:
        shared = [[each for each in left if each in part.values] for part in parts]
        if any(set(each) != set(left) for each in shared):
            # Not all files hold all values: the scale is that of what each of them shows.
            left = [each for each in left if all(each in part.values for part in parts)] or left
        scales = [line_scale(parts, left, **plan.chosen)] * len(parts)
    known = titles_of(surfaces, plan.titles)
    subtitles = ["" if each.origin.get("elsewhere") else origin_text(each) for each in surfaces]
    drawn = [each for side in sides for each in side[0] + side[1]]
    every = list(dict.fromkeys(drawn))
    notes = list(notes)
    if any(each.repeats > 1 for each in surfaces):
        notes.append("Line: median of the seeds; band: their middle half; thin lines: each seed")
    elif any(_has_band(part, every) for part in parts):
        notes.append("Bands: one standard error of the mean over samples")
    if len(surfaces) == 1 and left:
        notes += line_step_notes(surfaces[0], left[0])
    text = caption(surfaces, scales, left, notes=notes, titles=known)
    sets = [list(dict.fromkeys(each.rpartition("/")[0] for each in side[0] + side[1])) for side in sides]
    # Of the legend, which stands in the line of the titles, at the right end of the first row.
    rooms = [sum(0.5 + text_width(each, TICK_SIZE) for each in data) if len(data) > 1 else 0.0 for data in sets]
    last_of_row = grid_of(len(surfaces), plan.columns)[0] - 1
    layout = lay_out(
        len(surfaces),
        columns=plan.columns,
        aspect=0.72,
        titles=known,
        subtitles=subtitles,
        headline=plan.headline,
        caption=text if plan.caption else "",
        bars="none",
        edge=0.42 if right else 0.0,
        inner_left=0.5 if independent else 0.16,
        title_room=rooms[last_of_row],
    )
    figure = new_figure(*layout.size, shown=plan.shown)
    for number, (surface, own) in enumerate(zip(surfaces, scales, strict=True)):
        ax = figure.add_axes(layout.place(number), label=known[number] or f"line {number}")
        first, last = number % layout.columns == 0, _is_last(number, layout, len(surfaces))
        explained = len(sets[number]) > 1 and number == last_of_row
        beside = draw_line(ax, surface, names, own, legend=explained, lift=11.0 if any(subtitles) else 0.0)
        if not first and not independent:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
        if beside is not None and beside is not ax and not last:
            beside.set_ylabel("")
            beside.tick_params(labelright=False)
        draw_title(ax, known[number], subtitles[number], layout, any(subtitles), rooms[number] if explained else 0.0)
    fields = metadata(surfaces, scales, every, text=text)
    return finish(figure, layout, plan.headline, fields)


def _has_band(surface: Surface, names: Sequence[str]) -> bool:
    return any(each in surface.values and standard_error(surface, each) is not None for each in names)


def _is_last(number: int, layout: Layout, panels: int) -> bool:
    return number % layout.columns == layout.columns - 1 or number == panels - 1
