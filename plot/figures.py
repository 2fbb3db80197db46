"""Whole pictures: panels side by side on one scale, with titles, a colour bar and a caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from landscape.errors import PlotError, UsageError
from landscape.surface import Surface

from .captions import caption as caption_of
from .captions import origin_text
from .colorbars import draw_colorbar
from .contours import draw_contours
from .fields import metadata, remember
from .heatmaps import draw_cells
from .ladders import number_text
from .layout import CAPTION_PAD, LEFT, Layout, grid_of, lay_out, shortened
from .lines import draw_line, line_names, line_scale
from .marks import Sheet, is_readable
from .panels import Panel, panels_of, titles_of
from .repeats import SPREAD, outcome, spread
from .scale import Kind as ScaleKind
from .scale import Scale, default_name
from .style import CAPTION_SIZE, SOFT_INK, TICK_SIZE, TITLE_SIZE, new_figure, our_style, text_width
from .trajectories import path_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("line", "contour", "heatmap", "surface")


def draw(
    surfaces: Surface | Sequence[Surface],
    *,
    kind: str | None = None,
    name: str | Sequence[str] | None = None,
    scale: Scale | ScaleKind = "auto",
    cap: float | Literal["auto"] | None = None,
    eps: float | None = None,
    colormap: str = "viridis",
    levels: Sequence[float] | None = None,
    independent: bool = False,
    columns: int | None = None,
    titles: Sequence[str] | None = None,
    headline: str = "",
    caption: bool = True,
    **options: Any,
) -> Figure:
    """Draw surfaces side by side, on one scale, with a caption that says where they come from.

    Parameters
    ----------
    surfaces : Surface or sequence of Surface
        Lines, or planes and volumes. A volume is drawn as slices; of several seeds every plane is drawn, and how far
        they differ. What is not finished is drawn as its finest complete grid, and says so.
    kind : {"line", "contour", "heatmap", "surface"}, optional
        By default lines for lines and contours for planes.
    name : str or sequence of str, optional
        The values, such as ``"test/loss"``: the training loss for planes, every loss and accuracy for lines.
    scale : Scale or {"auto", "log", "linear", "asinh"}
        Heights and colours; see `Scale.of` for this, ``cap``, ``eps``, ``colormap`` and ``levels``.
    independent : bool
        Give each panel a scale of its own; the figure then says so.
    columns : int, optional
        Panels a row.
    titles : sequence of str, optional
        One a surface.
    headline : str
        Above all panels.
    caption : bool
        Write the caption below. It is in the metadata of the saved file in any case.
    **options
        Of the renderer: ``hillshade``, ``labels``, ``equal`` for contours, ``equal`` for heat maps, ``interpolate``,
        ``camera``, ``light`` for surfaces.

    Returns
    -------
    Figure
        Not one of pyplot's; `landscape.plot.save` writes it.

    Raises
    ------
    PlotError
        Nothing to draw, or not in this way.
    UsageError
        An unknown kind of picture or scale.
    """
    chosen: dict[str, Any] = {"cap": cap, "eps": eps, "colormap": colormap, "levels": levels}
    if not isinstance(scale, Scale):
        chosen["kind"] = scale
    return draw_panels(
        [surfaces] if isinstance(surfaces, Surface) else list(surfaces),
        kind=kind,
        name=name,
        scale=scale if isinstance(scale, Scale) else None,
        chosen=chosen,
        independent=independent,
        columns=columns,
        titles=titles,
        headline=headline,
        caption=caption,
        **options,
    )


def draw_panels(
    surfaces: Sequence[Surface],
    *,
    kind: str | None = None,
    name: str | Sequence[str] | None = None,
    scale: Scale | None = None,
    chosen: dict[str, Any] | None = None,
    independent: bool = False,
    columns: int | None = None,
    titles: Sequence[str] | None = None,
    headline: str = "",
    caption: bool = True,
    shown: bool = False,
    **options: Any,
) -> Figure:
    """As `draw`, with a scale or its options; ``shown`` makes the figure one of pyplot's where somebody looks on."""
    if not surfaces:
        raise PlotError("there is nothing to draw: no surface was given")
    sizes = {len(each.axes) - (each.axes[-1].kind == "repeat") for each in surfaces}
    if len(sizes) > 1 and 1 in sizes:
        raise PlotError("lines and planes do not fit into one figure; draw them one after the other")
    kind = kind or ("line" if sizes == {1} else "contour")
    if kind not in KINDS:
        raise UsageError(f"a picture is of the kind {', '.join(KINDS)}, not {kind!r}")
    if (kind == "line") != (sizes == {1}):
        raise PlotError(
            f"a {kind} picture is of {'lines' if kind == 'line' else 'planes'}, "
            f"{surfaces[0].path or 'the surface'} is a {'line: --kind line' if 1 in sizes else 'plane: --kind contour'}"
        )
    chosen = dict(chosen or {})
    shape: dict[str, Any] = {"columns": columns, "headline": headline, "caption": caption, "shown": shown}
    with our_style():
        if kind == "line":
            if options:
                raise UsageError(f"a line has no option {', '.join(options)}")
            return _draw_lines(surfaces, name, scale, chosen, independent, titles, shape)
        if name is not None and not isinstance(name, str):
            if len(name) != 1:
                raise UsageError(f"a {kind} picture shows one kind of values at a time, not {', '.join(name)}")
            name = name[0]
        return _draw_planes(surfaces, kind, name, scale, chosen, independent, titles, shape, options)


def _draw_lines(
    surfaces: Sequence[Surface],
    names: str | Sequence[str] | None,
    scale: Scale | None,
    chosen: dict[str, Any],
    independent: bool,
    titles: Sequence[str] | None,
    shape: dict[str, Any],
) -> Figure:
    parts = [each.finished_part() for each in surfaces]
    sides = [line_names(each, names) for each in parts]
    independent = independent and len(surfaces) > 1
    left = list(dict.fromkeys(each for side in sides for each in side[0] or side[1]))
    right = any(side[0] and side[1] for side in sides)
    if scale is not None:
        scales = [scale] * len(parts)
    elif independent:
        scales = [
            line_scale([part], side[0] or side[1], **chosen, independent=True)
            for part, side in zip(parts, sides, strict=True)
        ]
    else:
        shared = [[each for each in left if each in part.values] for part in parts]
        if any(set(each) != set(left) for each in shared):
            # Not all files hold all values: the scale is that of what each of them shows.
            left = [each for each in left if all(each in part.values for part in parts)] or left
        scales = [line_scale(parts, left, **chosen)] * len(parts)
    known = titles_of(surfaces, titles)
    subtitles = [origin_text(each) for each in surfaces]
    drawn = [each for side in sides for each in side[0] + side[1]]
    every = list(dict.fromkeys(drawn))
    notes = []
    if any(each.repeats > 1 for each in surfaces):
        notes.append("Line: median of the seeds; band: their middle half; thin lines: each seed")
    elif any(_has_band(part, every) for part in parts):
        notes.append("Bands: one standard error of the mean over samples")
    text = caption_of(surfaces, scales, left, notes=notes, titles=known)
    layout = lay_out(
        len(surfaces),
        columns=shape["columns"],
        aspect=0.72,
        titles=known,
        subtitles=subtitles,
        headline=shape["headline"],
        caption=text if shape["caption"] else "",
        bars="none",
        edge=0.42 if right else 0.0,
        inner_left=0.5 if independent else 0.16,
    )
    figure = new_figure(*layout.size, shown=shape["shown"])
    for number, (surface, own) in enumerate(zip(surfaces, scales, strict=True)):
        ax = figure.add_axes(layout.place(number), label=known[number] or f"line {number}")
        first, last = number % layout.columns == 0, _is_last(number, layout, len(surfaces))
        data = {each.rpartition("/")[0] for each in sides[number][0] + sides[number][1]}
        # In the line of the titles, at the right end of the first row.
        explained = len(data) > 1 and number == min(layout.columns, len(surfaces)) - 1
        beside = draw_line(ax, surface, names, own, legend=explained, lift=11.0 if any(subtitles) else 0.0)
        if not first and not independent:
            ax.set_ylabel("")
            ax.tick_params(labelleft=False)
        if beside is not None and beside is not ax and not last:
            beside.set_ylabel("")
            beside.tick_params(labelright=False)
        room = sum(0.5 + text_width(each, TICK_SIZE) for each in data) if explained else 0.0
        _draw_title(ax, known[number], subtitles[number], layout, any(subtitles), room)
    fields = metadata(surfaces, scales, every, text=text)
    return _finish(figure, layout, shape, fields)


def _has_band(surface: Surface, names: Sequence[str]) -> bool:
    from .lines import standard_error

    return any(each in surface.values and standard_error(surface, each) is not None for each in names)


def _is_last(number: int, layout: Layout, panels: int) -> bool:
    return number % layout.columns == layout.columns - 1 or number == panels - 1


def _draw_planes(
    surfaces: Sequence[Surface],
    kind: str,
    name: str | None,
    scale: Scale | None,
    chosen: dict[str, Any],
    independent: bool,
    titles: Sequence[str] | None,
    shape: dict[str, Any],
    options: dict[str, Any],
) -> Figure:
    name = name or default_name(surfaces[0])
    panels, notes = panels_of([each.finished_part() if each.repeats > 1 else each for each in surfaces], titles)
    parts = [each.surface.finished_part() for each in panels]
    independent = independent and len(panels) > 1
    if scale is not None:
        scales = [scale] * len(panels)
    elif independent:
        scales = [Scale.of(part, name, **chosen, independent=True) for part in parts]
    else:
        scales = [Scale.of(parts, name, **chosen)] * len(panels)
    sheets = [Sheet.of(each.surface, name, own) for each, own in zip(panels, scales, strict=True)]
    notes += _mark_notes(sheets, kind)
    if len(surfaces) == 1:
        notes += path_notes(surfaces[0], name)
    elif any(each.trajectories for each in surfaces):
        notes.append("Paths: recorded steps of training runs, from circle to star, projected onto each plane")
    if len(surfaces) == 1 and surfaces[0].repeats > 1 and len(surfaces[0].directions) == 2:
        picture, own = spread(surfaces[0].finished_part(), name, scales[0])
        notes.append(outcome(picture, scales[0]))
        panels.append(Panel(picture, picture.title))
        sheets.append(Sheet.of(picture, SPREAD, own))
    # Slices and seeds share one scale unless they are independent, and then there is none to name for all of them.
    of_each = scales if len(scales) == len(surfaces) else scales[0]
    text = caption_of(surfaces, of_each, name, notes=notes, titles=titles_of(surfaces, titles))
    aspect = _aspect(sheets) if kind != "surface" else 0.80
    alike = len({(s.x[0], s.x[-1], s.y[0], s.y[-1], s.surface.axes[1].label) for s in sheets}) == 1
    columns, rows = grid_of(len(panels), shape["columns"])
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
        headline=shape["headline"],
        caption=text if shape["caption"] else "",
        bars="own" if independent else "shared",
        inner_left=0.16 if alike else LEFT,
        wide=kind == "surface",
    )
    figure = new_figure(*layout.size, shown=shape["shown"])
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
            _draw_title(drawn.axes, panel.title, panel.subtitle, layout, subtitled)
        else:
            ax = figure.add_axes(place, label=panel.title or f"plane {number}")
            if kind == "contour":
                draw_contours(ax, sheet, **options)
            else:
                draw_cells(ax, sheet, **(options if kind == "heatmap" else {}))
            if alike and number % layout.columns:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
            _draw_title(ax, panel.title, panel.subtitle, layout, subtitled)
        if independent or sheet.name == SPREAD:
            cax = figure.add_axes(layout.bar_place(number), label="colorbar")
            label = sheet.scale.label if sheet.name == SPREAD else None
            draw_colorbar(figure, sheet.scale, cax=cax, lines=kind != "heatmap", label=label)
    if not independent:
        cax = figure.add_axes(layout.bar_place(rows=rows), label="colorbar")
        draw_colorbar(figure, scales[0], cax=cax, lines=kind != "heatmap")
    fields = metadata(surfaces, of_each, name, text=text)
    if smoothed > 1:
        fields["Interpolation"] = f"geometry smoothed x{smoothed}, colours and values as measured"
    return _finish(figure, layout, shape, fields)


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
        texts.append("star: the checkpoint" if len(inside) == 1 else "stars: the checkpoints")
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
    elif kind != "surface" and inside and len(sheets) == 1:
        texts[0] += f", the {'highest' if sheets[0].best_is_high else 'lowest'} point measured"
    notes = ["; ".join(texts)[:1].upper() + "; ".join(texts)[1:]] if texts else []
    if kind == "surface":
        notes.append("Light and shade change the lightness of colours; the contours on the floor do not")
    return notes


def _draw_title(ax: Axes, title: str, subtitle: str, layout: Layout, subtitled: bool, room: float = 0.0) -> None:
    """Write title and subtitle above a panel, cut to its width."""
    width = layout.panel[0]
    style: dict[str, Any] = {
        "xy": (0.0, 1.0),
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "ha": "left",
        "va": "baseline",
        "parse_math": False,
        "annotation_clip": False,
    }
    if title:
        text = shortened(title, width - room)
        ax.annotate(
            text, xytext=(0, 16.0 if subtitled else 5.0), fontsize=TITLE_SIZE, fontweight="bold", gid="title", **style
        )
    if subtitle:
        text = shortened(subtitle, width, TICK_SIZE, "normal")
        ax.annotate(text, xytext=(0, 5.0), fontsize=TICK_SIZE, color=SOFT_INK, gid="subtitle", **style)


def _finish(figure: Figure, layout: Layout, shape: dict[str, Any], fields: dict[str, str]) -> Figure:
    width, height = layout.size
    if shape["headline"]:
        figure.text(
            CAPTION_PAD / width,
            1 - 0.1 / height,
            shape["headline"],
            fontsize=TITLE_SIZE + 1.5,
            fontweight="bold",
            ha="left",
            va="top",
            parse_math=False,
            gid="headline",
        )
    if layout.caption:
        figure.text(
            CAPTION_PAD / width,
            CAPTION_PAD / height,
            "\n".join(layout.caption),
            fontsize=CAPTION_SIZE,
            color=SOFT_INK,
            ha="left",
            va="bottom",
            linespacing=1.25,
            parse_math=False,
            gid="caption",
        )
    remember(figure, fields)
    return figure
