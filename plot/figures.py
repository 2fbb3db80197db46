"""Whole pictures: panels side by side on one scale, with titles, a colour bar and a caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from landscape.errors import PlotError, UsageError
from landscape.surface import Surface

from .layout import Plan
from .line_figures import draw_lines
from .path_words import require_marks
from .plane_figures import draw_planes
from .scale import Kind as ScaleKind
from .scale import Scale
from .strips import as_line, strip_note
from .style import our_style
from .wording import cleaned, one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = Literal["line", "contour", "heatmap", "surface", "steps"]
KINDS = get_args(Kind)


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
    kind : {"line", "contour", "heatmap", "surface", "steps"}, optional
        By default lines for lines and contours for planes. Steps are of the training runs on one surface, see
        `landscape.plot.steps`.
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
        ``camera``, ``light`` for surfaces; ``marks``, steps of training runs, for all of them and for steps.

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
    # Here and in `Sheet.of`, `draw_line` and `caption`, the other ways in; drawing itself trusts its words.
    given = [cleaned(each) for each in surfaces]
    surfaces = [as_line(each) for each in given]
    titles = None if titles is None else [one_line(each) for each in titles]
    headline = one_line(headline)
    sizes = {len(each.axes) - (each.axes[-1].kind == "repeat") for each in surfaces}
    if len(sizes) > 1 and 1 in sizes:
        raise PlotError("lines and planes do not fit into one figure; draw them one after the other")
    kind = kind or ("line" if sizes == {1} else "contour")
    if kind not in KINDS:
        raise UsageError(f"a picture is of the kind {', '.join(KINDS)}, not {kind!r}")
    if kind == "steps":
        # They need both coordinates of the runs.
        require_marks(given, options.get("marks", ()))
        return _draw_steps(given, name, titles, headline, caption, shown, options)
    if (kind == "line") != (sizes == {1}):
        thin = "plane one point wide: --kind line" if surfaces[0] is not given[0] else "line: --kind line"
        raise PlotError(
            f"a {kind} picture is of {'lines' if kind == 'line' else 'planes'}, "
            f"{surfaces[0].path or 'the surface'} is a {thin if 1 in sizes else 'plane: --kind contour'}"
        )
    plan = Plan(scale, dict(chosen or {}), independent, titles, columns, headline, caption, shown)
    with our_style():
        if kind == "line":
            if options:
                raise UsageError(f"a line has no option {', '.join(options)}")
            strips = list(dict.fromkeys(filter(None, map(strip_note, given))))
            return draw_lines(surfaces, name, plan, strips)
        require_marks(surfaces, options.get("marks", ()))
        if name is not None and not isinstance(name, str):
            if len(name) != 1:
                raise UsageError(f"a {kind} picture shows one kind of values at a time, not {', '.join(name)}")
            name = name[0]
        return draw_planes(surfaces, kind, name, plan, options)


def _draw_steps(
    surfaces: Sequence[Surface],
    name: str | Sequence[str] | None,
    titles: Sequence[str] | None,
    headline: str,
    caption: bool,
    shown: bool,
    options: dict[str, Any],
) -> Figure:
    """Draw the runs of one surface over their steps, which have no heights and so no scale."""
    from .step_panels import steps

    if len(surfaces) != 1:
        raise PlotError(f"steps are drawn of one surface at a time, {len(surfaces)} were given")
    marks = options.pop("marks", ())
    if options:
        raise UsageError(f"steps have no option {', '.join(options)}")
    names = [name] if name is None or isinstance(name, str) else list(name)
    if len(names) != 1:
        raise UsageError(f"steps show one kind of values at a time, not {', '.join(map(str, names))}")
    title = headline or (titles[0] if titles else None)
    return steps(surfaces[0], names[0], title=title, caption=caption, shown=shown, marks=marks)
