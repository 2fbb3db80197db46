"""Figures of planes: one panel a surface, a seed or a slice, on one scale with one colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.surface import Surface

from .captions import caption
from .colorbars import draw_colorbar
from .contours import draw_contours
from .fields import metadata
from .heatmaps import draw_cells
from .ladders import number_text
from .layout import LEFT, Plan, grid_of, lay_out
from .marks import Sheet, is_readable
from .panels import Panel, panels_of, titles_of
from .path_words import path_notes, tick_words
from .repeats import SPREAD, outcome, spread
from .scale import Scale, default_name
from .style import new_figure
from .titles import draw_title, finish

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_planes(
    surfaces: Sequence[Surface],
    kind: str,
    name: str | None,
    plan: Plan,
    options: dict[str, Any],
) -> Figure:
    """Draw planes, volumes and their seeds as panels of one figure; see `landscape.plot.draw`."""
    name = name or default_name(surfaces[0])
    panels, notes = panels_of([each.finished_part() if each.repeats > 1 else each for each in surfaces], plan.titles)
    parts = [each.surface.finished_part() for each in panels]
    independent = plan.independent and len(panels) > 1
    if plan.scale is not None:
        scales = [plan.scale] * len(panels)
    elif independent:
        scales = [Scale.of(part, name, **plan.chosen, independent=True) for part in parts]
    else:
        scales = [Scale.of(parts, name, **plan.chosen)] * len(panels)
    sheets = [Sheet.of(each.surface, name, own) for each, own in zip(panels, scales, strict=True)]
    notes += _mark_notes(sheets, kind)
    if len(surfaces) == 1:
        notes += path_notes(surfaces[0], name, marks=options.get("marks", ()))
    elif any(each.trajectories for each in surfaces):
        notes.append("Paths: recorded steps of training runs, from circle to star, projected onto each plane")
        runs = [run for each in surfaces for run in each.trajectories.values()]
        if words := tick_words(runs, options.get("marks", ()), "step"):
            notes[-1] += f"; ticks across: {words}"
    if len(surfaces) == 1 and surfaces[0].repeats > 1 and len(surfaces[0].directions) == 2:
        picture, own = spread(surfaces[0].finished_part(), name, scales[0])
        notes.append(outcome(picture, scales[0]))
        panels.append(Panel(picture, picture.title))
        sheets.append(Sheet.of(picture, SPREAD, own))
    # Slices and seeds share one scale unless they are independent, and then there is none to name for all of them.
    of_each = scales if len(scales) == len(surfaces) else scales[0]
    text = caption(surfaces, of_each, name, notes=notes, titles=titles_of(surfaces, plan.titles))
    aspect = _aspect(sheets) if kind != "surface" else 0.80
    alike = len({(s.x[0], s.x[-1], s.y[0], s.y[-1], s.surface.axes[1].label) for s in sheets}) == 1
    columns, rows = grid_of(len(panels), plan.columns)
    if sheets[-1].name == SPREAD and not independent:
        # The last row is the spread's, whose colours mean something else: it has a colour bar of its own.
        columns, rows = grid_of(len(panels), min(columns, max(2, len(panels) - 1)) if columns > 1 else 1)
        rows -= 1
    layout = lay_out(
        len(panels),
        columns=columns,
        aspect=aspect,
        titles=[each.title for each in panels],
        subtitles=[each.subtitle for each in panels],
        headline=plan.headline,
        caption=text if plan.caption else "",
        bars="own" if independent else "shared",
        inner_left=0.16 if alike else LEFT,
        wide=kind == "surface",
    )
    figure = new_figure(*layout.size, shown=plan.shown)
    smoothed = 1
    for number, (panel, sheet) in enumerate(zip(panels, sheets, strict=True)):
        place = layout.place(number)
        subtitled = any(each.subtitle for each in panels)
        if kind == "surface" and sheet.name != SPREAD:
            from .surfaces3d import draw_panel

            among = [(each.surface, name) for each, one in zip(panels, sheets, strict=True) if one.name != SPREAD]
            drawn = draw_panel(
                figure, place, panel.surface, name, sheet.scale, among=[] if independent else among, **options
            )
            smoothed = max(smoothed, drawn.scene.smoothed)
            draw_title(drawn.axes, panel.title, panel.subtitle, layout, subtitled)
        else:
            if kind == "surface":
                place = layout.inset(place)
            ax = figure.add_axes(place, label=panel.title or f"plane {number}")
            if kind == "contour":
                draw_contours(ax, sheet, **options)
            else:
                draw_cells(ax, sheet, **(options if kind == "heatmap" else {}))
            if alike and number % layout.columns and kind != "surface":
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
            draw_title(ax, panel.title, panel.subtitle, layout, subtitled)
        if independent or sheet.name == SPREAD:
            bar = layout.bar_place(number)
            if kind == "surface" and sheet.name == SPREAD:
                bar = (bar[0], place[1], bar[2], place[3])
            cax = figure.add_axes(bar, label="colorbar")
            label = sheet.scale.label if sheet.name == SPREAD else None
            lined = kind == "contour" or (kind == "surface" and sheet.name != SPREAD)
            draw_colorbar(figure, sheet.scale, cax=cax, lines=lined, label=label)
    if not independent:
        cax = figure.add_axes(layout.bar_place(rows=rows), label="colorbar")
        draw_colorbar(figure, scales[0], cax=cax, lines=kind != "heatmap")
    fields = metadata(surfaces, of_each, name, text=text)
    if smoothed > 1:
        fields["Interpolation"] = f"surface smoothed x{smoothed} between the measured points"
    return finish(figure, layout, plan.headline, fields)


def _aspect(sheets: Sequence[Sheet]) -> float:
    found = []
    for sheet in sheets:
        extent = (sheet.x[0], sheet.x[-1], sheet.y[0], sheet.y[-1])
        found.append((extent[3] - extent[2]) / (extent[1] - extent[0]) if is_readable(extent) else 0.75)
    return max(found)


def _mark_notes(sheets: Sequence[Sheet], kind: str) -> list[str]:
    """Say what the star and the ring are."""
    inside = [each for each in sheets if each.has_checkpoint]
    texts = []
    if inside:
        several = len({str(each.whole.origin.get("checkpoint")) for each in inside}) > 1
        texts.append(f"star{'s' * (len(inside) > 1)}: the checkpoint{'s' * several}")
    lowest = [each.lowest for each in sheets]
    apart = [each for each in lowest if each is not None and (each[0] or each[1])]
    if kind != "surface" and apart:
        word = "highest" if sheets[0].best_is_high else "lowest"
        if len(sheets) == 1:
            x, y, value = apart[0]
            number = number_text(100 * value if sheets[0].scale.percent else value, 3)
            percent = " %" if sheets[0].scale.percent else ""
            place = f"({number_text(x, 2)}, {number_text(y, 2)})"
            texts.append(f"ring: the {word} point, {number}{percent} at {place}")
        else:
            texts.append(f"rings: the {word} points")
    elif kind != "surface" and inside and len(sheets) == 1 and lowest[0] is not None:
        texts[0] += f", the {'highest' if sheets[0].best_is_high else 'lowest'} point measured"
    if len(sheets) == 1 and sheets[0].constant:
        same = number_text(float(np.nanmedian(sheets[0].values)) * (100 if sheets[0].scale.percent else 1), 3)
        texts.append(f"every value drawn is {same}{' %' if sheets[0].scale.percent else ''}")
    notes = ["; ".join(texts)[:1].upper() + "; ".join(texts)[1:]] if texts else []
    if kind == "surface":
        notes.append("Light and shade change the lightness of colours; the contours on the floor do not")
    return notes
