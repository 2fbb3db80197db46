"""Whole pictures: panels side by side on one scale, with titles, a colour bar and a caption.

What kinds of pictures there are is not known here: a kind registers with `register`, in the module of its public
function, and `landscape.plot` says which module that is. So a new kind is a file of its own and its name there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from landscape.errors import PlotError, UsageError
from landscape.surface.surface import Surface

from . import KINDS
from .scale.scale import Kind as ScaleKind
from .scale.scale import Scale
from .style.layout import Plan
from .style.paper import page_size
from .style.strips import as_line
from .style.style import Look, our_style
from .style.wording import cleaned, one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What every picture is drawn of: a surface, or the name of its file.
Given = Surface | str | Path


@dataclass(frozen=True)
class Renderer:
    """What draws one kind of picture."""

    # Called with the surfaces, the names of their values, what was asked of the figure, and the kind's own options.
    draw: Callable[[Sequence[Surface], Sequence[str] | None, Plan, dict[str, Any]], Figure]
    lines: bool | None  # whether its surfaces are lines, or else planes; None for either


_RENDERERS: dict[str, Renderer] = {}


def register(kind: str, renderer: Renderer) -> None:
    """Make a kind of picture known; called by the module that draws it."""
    _RENDERERS[kind] = renderer


def renderer_of(kind: str) -> Renderer:
    """Return what draws a kind of picture; raise UsageError where there is no such kind."""
    if kind not in KINDS:
        raise UsageError(f"a picture is of the kind {', '.join(KINDS)}, not {kind!r}")
    if kind not in _RENDERERS:
        # A kind bears the name of its public function, and looking that up imports its module.
        getattr(importlib.import_module(__package__ or "landscape.plot"), kind)
    return _RENDERERS[kind]


def opened(given: Given) -> Surface:
    """Return a surface, read from its file where the name of one is given."""
    if isinstance(given, Surface):
        return given
    from landscape.files.store import read_surface

    return read_surface(given)


def opened_all(given: Given | Sequence[Given]) -> list[Surface]:
    """Return surfaces as a list, those read that are given as names of files."""
    return [opened(each) for each in ([given] if isinstance(given, Surface | str | Path) else given)]


def draw(
    surfaces: Given | Sequence[Given],
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
    subtitle: bool = True,
    size: str | float | Sequence[float] | None = None,
    font: str | None = None,
    shown: bool = False,
    **options: Any,
) -> Figure:
    """Draw surfaces side by side, on one scale, with a caption that says where they come from.

    Parameters
    ----------
    surfaces : Surface, str, Path, or sequence of these
        Lines, or planes and volumes, or names of their files. A volume is drawn as slices; of several seeds every plane
        is drawn, and how far they differ. What is not finished is drawn as its finest complete grid, and says so.
    kind : str, optional
        One of `landscape.plot.KINDS`.
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
    subtitle : bool
        Write the values at the checkpoint below the titles.
    size : str, float or (float, float), optional
        Of the figure in inches, ``(5.5, 3)``, ``"5.5x3"`` or a width alone, or the width of a venue's text:
        ``"neurips"``, see `landscape.plot.style.paper`. Letters and lines follow it. By default as large as the panels
        need.
    font : str, optional
        A family of fonts; by default the one of your rcParams where they name one, or else DejaVu Sans.
    shown : bool
        Make it one of pyplot's figures where somebody looks on; nobody's by default.
    **options
        Of the renderer: ``hillshade``, ``labels``, ``equal``, ``interpolate`` for contours, ``equal`` for heat maps,
        ``interpolate``, ``camera``, ``light``, ``color`` for surfaces; ``marks``, steps of training runs, for all of
        them and for steps.

    Returns
    -------
    Figure
        `landscape.plot.save` writes it.

    Raises
    ------
    PlotError
        Nothing to draw, or not in this way.
    UsageError
        An unknown kind of picture or scale.
    """
    chosen: dict[str, Any] = {"kind": scale, "cap": cap, "eps": eps, "colormap": colormap, "levels": levels}
    given = opened_all(surfaces)
    if not given:
        raise PlotError("there is nothing to draw: no surface was given")
    # Here and in `Sheet.of`, `draw_line` and `caption`, the other ways in; drawing itself trusts its words.
    given = [cleaned(each) for each in given]
    lines = [as_line(each) for each in given]
    sizes = {len(each.axes) - (each.axes[-1].kind == "repeat") for each in lines}
    if len(sizes) > 1 and 1 in sizes:
        raise PlotError("lines and planes do not fit into one figure; draw them one after the other")
    kind = kind or ("line" if sizes == {1} else "contour")
    renderer = renderer_of(kind)
    if renderer.lines not in (None, sizes == {1}):
        thin = "plane one point wide: --kind line" if lines[0] is not given[0] else "line: --kind line"
        raise PlotError(
            f"a {kind} picture is of {'lines' if renderer.lines else 'planes'}, "
            f"{given[0].path or 'the surface'} is a {thin if 1 in sizes else 'plane: --kind contour'}"
        )
    plan = Plan(
        scale if isinstance(scale, Scale) else None,
        chosen,
        independent,
        None if titles is None else [one_line(each) for each in titles],
        columns,
        one_line(headline),
        caption,
        shown,
        subtitle=subtitle,
        size=page_size(size),
    )
    names = [name] if isinstance(name, str) else None if name is None else list(name)
    with our_style(Look.of_settings(font, plan.size[0] if plan.size else None)):
        return renderer.draw(given, names, plan, options)


def single_name(names: Sequence[str] | None, kind: str) -> str | None:
    """Return the one kind of values that a picture shows; raise UsageError for several."""
    if names is not None and len(names) != 1:
        raise UsageError(f"{kind} shows one kind of values at a time, not {', '.join(names)}")
    return None if names is None else names[0]
