"""Figures of planes: one panel a surface, a seed or a slice, on one scale with one colour bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from landscape.errors import UsageError
from landscape.surface.surface import Surface

from ..figures import single_name
from ..paths.path_words import require_marks, runs_notes
from ..scale.levels import number_text
from ..scale.repeats import SPREAD, outcome, spread
from ..scale.scale import Scale, default_name
from ..style.captions import caption
from ..style.colorbars import draw_colorbar
from ..style.fields import metadata
from ..style.layout import LEFT, Plan, grid_of, lay_out
from ..style.panels import THROUGH, Panel, panels_of, titles_of, without_runs_through
from ..style.style import new_figure
from ..style.titles import draw_title, finish
from .clip_border import clip_notes, draw_clip_border
from .marks import Sheet, is_readable, round_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class PlaneKind:
    """How one kind of picture draws a plane into its place of a figure."""

    name: str
    flat: Callable[..., Any]  # (axes, sheet, **options); of a solid kind what draws the spread of seeds
    lined: bool  # whether there are iso-lines, which its colour bar then shows
    solid: Callable[..., Axes] | None = None  # (figure, place, sheet, among, **options), for what is not flat
    prepare: Callable[..., dict[str, Any]] | None = None  # (sheets, **options): options that suit all panels together
    in_sight: Callable[..., tuple[bool, bool]] | None = None  # (sheets, **options): is the floor; are the runs whole
    colored: Scale | None = None  # what its colours mean, where they are not the values drawn


def draw_planes(
    kind: PlaneKind, surfaces: Sequence[Surface], names: Sequence[str] | None, plan: Plan, options: dict[str, Any]
) -> Figure:
    """Draw planes, volumes and their seeds as panels of one figure; see `landscape.plot.draw`."""
    surfaces, left_out = without_runs_through(surfaces)
    if options.get("marks") and left_out and not any(each.trajectories for each in surfaces):
        raise UsageError(f"marks are on the paths of training runs, and {THROUGH}")
    require_marks(surfaces, options.get("marks", ()))
    name = single_name(names, f"a {kind.name} picture") or default_name(surfaces[0])
    panels, notes = panels_of([each.finished_part() if each.repeats > 1 else each for each in surfaces], plan.titles)
    parts = [each.surface.finished_part() for each in panels]
    independent = plan.independent and len(panels) > 1
    scales = plan.scales(Scale.of, parts, [[name]] * len(parts), [name])
    sheets = [Sheet.of(each.surface, name, own) for each, own in zip(panels, scales, strict=True)]
    among = [] if independent else [(each.whole, name) for each in sheets]
    options = kind.prepare(sheets, **options) if kind.prepare else options
    notes += [*plan.notes, *left_out]
    floor, whole = kind.in_sight(sheets, **options) if kind.in_sight else (True, True)
    notes += _mark_notes(sheets, kind.solid is not None, floor=floor and kind.colored is None)
    notes += clip_notes(sheets, drawn=kind.solid is None)
    notes += runs_notes(surfaces, name, marks=options.get("marks", ()), hidden=not whole)
    if len(surfaces) == 1 and surfaces[0].repeats > 1 and len(surfaces[0].directions) == 2:
        picture, own = spread(surfaces[0].finished_part(), name, scales[0])
        notes.append(outcome(picture, scales[0]))
        panels.append(Panel(picture, picture.title))
        sheets.append(Sheet.of(picture, SPREAD, own))
    # Slices and seeds share one scale unless they are independent, and then there is none to name for all of them.
    of_each = scales if len(scales) == len(surfaces) else scales[0]
    text = caption(surfaces, of_each, name, notes=notes, titles=titles_of(surfaces, plan.titles))
    alike = len({(s.x[0], s.x[-1], s.y[0], s.y[-1], s.surface.axes[1].label) for s in sheets}) == 1
    columns, beneath = plan.columns, 0
    if sheets[-1].name == SPREAD and not independent:
        # The last row is the spread's, whose colours mean something else: it has a colour bar of its own.
        columns, beneath = grid_of(len(panels), columns)[0], 1
        columns = min(columns, max(2, len(panels) - 1)) if columns > 1 else 1
    subtitles = [each.subtitle if plan.subtitle else "" for each in panels]
    layout = lay_out(
        len(panels),
        plan=plan,
        columns=columns,
        aspect=0.80 if kind.solid else max(map(_aspect, sheets)),
        titles=[each.title for each in panels],
        subtitles=subtitles,
        caption=text if plan.caption else "",
        bars="own" if independent else "shared",
        inner_left=0.16 if alike else LEFT,
        wide=kind.solid is not None,
        elastic=kind.solid is not None,
        tick_width=max(round_ticks(each.y[0], each.y[-1])[1] for each in sheets),
    )
    figure = new_figure(*layout.size, shown=plan.shown)
    for number, (panel, sheet) in enumerate(zip(panels, sheets, strict=True)):
        place, bar = layout.place(number), layout.bar_place(number)
        measured = sheet.name != SPREAD
        if kind.solid and measured:
            ax = kind.solid(figure, place, sheet, among, **options)
        else:
            if kind.solid:
                place = layout.inset(place)
                bar = (bar[0], place[1], bar[2], place[3])
            ax = figure.add_axes(place, label=panel.title or f"plane {number}")
            kind.flat(ax, sheet, **({} if kind.solid else options))
            if not kind.solid:
                draw_clip_border(ax, sheet)
            if alike and number % layout.columns and not kind.solid:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
        draw_title(ax, panel.title, subtitles[number], layout)
        if independent or not measured:
            cax = figure.add_axes(bar, label="colorbar")
            lined = kind.lined and (measured or not kind.solid)
            shown = kind.colored if kind.colored and measured else sheet.scale
            draw_colorbar(figure, shown, cax=cax, lines=lined, label=None if measured else sheet.scale.label)
    if not independent:
        cax = figure.add_axes(layout.bar_place(rows=layout.rows - beneath), label="colorbar")
        draw_colorbar(figure, kind.colored or scales[0], cax=cax, lines=kind.lined)
    fields = metadata(surfaces, of_each, name, text=text)
    smoothed = max(sheet.smooth[3] for sheet in sheets) if kind.lined and options.get("interpolate", True) else 1
    if smoothed > 1:
        fields["Interpolation"] = f"smoothed x{smoothed} between the measured points"
    return finish(figure, layout, plan.headline, fields)


def _aspect(sheet: Sheet) -> float:
    extent = (sheet.x[0], sheet.x[-1], sheet.y[0], sheet.y[-1])
    return float((extent[3] - extent[2]) / (extent[1] - extent[0])) if is_readable(extent) else 0.75


def _mark_notes(sheets: Sequence[Sheet], solid: bool, *, floor: bool = True) -> list[str]:
    """Say what the star and the ring are, and the light of what is solid, whose ``floor`` has its colours, too."""
    inside = [each for each in sheets if each.has_checkpoint]
    texts = []
    if inside:
        several = len({str(each.whole.origin.get("checkpoint")) for each in inside}) > 1
        moved = "the input as it is" if inside[0].whole.directions[0].source == "input" else "the checkpoint"
        texts.append(f"star{'s' * (len(inside) > 1)}: {moved}{'s' * several}")
    if names := list(dict.fromkeys(name for each in sheets for _, _, name in each.networks)):
        texts.append(f"diamond{'s' * (len(names) > 1)}: {', '.join(names)}")
    best = [each.best for each in sheets]
    apart = [each for each in best if each is not None and (each[0] or each[1])]
    if not solid and apart:
        word = "highest" if sheets[0].best_is_high else "lowest"
        if len(sheets) == 1:
            x, y, value = apart[0]
            number = number_text(100 * value if sheets[0].scale.percent else value, 3)
            percent = " %" if sheets[0].scale.percent else ""
            place = f"({number_text(x, 2)}, {number_text(y, 2)})"
            texts.append(f"ring: the {word} point, {number}{percent} at {place}")
        else:
            texts.append(f"rings: the {word} points")
    elif not solid and inside and len(sheets) == 1 and best[0] is not None:
        texts[0] += f", the {'highest' if sheets[0].best_is_high else 'lowest'} point measured"
    if len(sheets) == 1 and sheets[0].constant:
        same = number_text(float(np.nanmedian(sheets[0].values)) * (100 if sheets[0].scale.percent else 1), 3)
        texts.append(f"every value drawn is {same}{' %' if sheets[0].scale.percent else ''}")
    notes = ["; ".join(texts)[:1].upper() + "; ".join(texts)[1:]] if texts else []
    if solid:
        own = "; the contours on the floor do not" if floor else ""
        notes.append(f"Light and shade change the lightness of colours{own}")
    return notes
