"""The 3D still: a lit surface among vector axes, over the contours of its floor.

The surface is one picture made by `shading` at whatever resolution the figure is written with; all lines and texts
around it are matplotlib's, projected by the same camera, so that a PDF stays small and its text sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.figure import FigureBase

from landscape.errors import PlotError
from landscape.surface.surface import Surface

from ..figures import Given, Renderer, draw, opened, register, single_name
from ..planes.heatmaps import draw_cells
from ..planes.marks import Sheet
from ..planes.plane_figures import PlaneKind, draw_planes
from ..scale.convexity_ratio import ratio_of, ratio_scale, ratio_words
from ..scale.scale import Scale, default_name
from ..style.colorbars import draw_colorbar, draw_colorbar_beside
from ..style.layout import TITLE_SPACING, Plan, fitting_titles, title_lines
from ..style.style import our_style
from .camera import Camera
from .opening import opening_camera, runs_on, share_seen
from .panel3d import Panel
from .scenes import Scene, make_scene, shared_box
from .still import Still
from .tints import checked_tint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Width of a colour bar with its texts, in inches.
BAR_ROOM = 0.95


def surface(
    surface: Given,
    name: str | None = None,
    ax: Axes | Figure | SubFigure | None = None,
    *,
    scale: Scale | None = None,
    camera: Camera | Sequence[float] | str | None = None,
    figure: Figure | SubFigure | None = None,
    colorbar: bool = True,
    interpolate: bool = True,
    light: Literal["scene", "camera"] = "scene",
    marks: Sequence[int] = (),
    color: str | None = None,
) -> Axes:
    """Draw a plane as a lit surface in three dimensions.

    Parameters
    ----------
    surface, name, scale, marks
        As of `landscape.plot.contour`.
    ax : Axes or SubFigure, optional
        Where to draw: plain axes, which the surface with its labels then fills whatever size they get, or a part of a
        figure. Without it, a figure with title, colour bar and caption is made.
    camera : Camera, (azimuth, elevation) or {"paper", "top", "side", "along"}, optional
        Where from; by default azimuth -52, elevation 34 degrees, or near there, where more of the surface's runs is
        seen.
    figure : Figure or SubFigure, optional
        As ``ax``, where that is a part of a figure.
    colorbar : bool
        Draw a colour bar to the right in ``figure``, or beside ``ax``.
    interpolate : bool
        Draw a smooth surface through the points of a grid of less than 75 x 75, and say so.
    light : {"scene", "camera"}
        Whether light stays where it is when the camera turns, or turns along.
    color : {"convexity"}, optional
        Colour each measured point's cell by the ratio of the Hessian's least to its greatest eigenvalue, as
        `landscape.plot.convexity` does; cells whose residuals leave it open are hatched. By default by the height.

    Returns
    -------
    Axes
        Of the surface, in points; ``axes.figure`` is the picture.

    Raises
    ------
    PlotError
        Not a plane, no such values, no four neighbouring points with finite values, or axes that cannot hold it
        or are too small for its labels; no eigenvalues to colour it by.
    UsageError
        There is no such camera, or nothing of this name to colour it by.
    """
    options: dict[str, Any] = {"camera": camera, "interpolate": interpolate, "light": light, "marks": marks}
    options["color"] = color
    place = ax if figure is None else figure
    if place is None:
        return draw(surface, kind="surface", name=name, scale=scale or "auto", shown=True, **options).axes[0]
    surface = opened(surface)
    if isinstance(place, FigureBase):
        whole = (0.0, 0.0, 1.0, 1.0)
        return draw_panel(place, whole, surface, name, scale, title=surface.title, colorbar=colorbar, **options).axes
    _require_plain(place)
    with our_style():
        still = Still.of(surface, name, scale, **options)
        if colorbar:
            # First, since it takes room from the axes.
            draw_colorbar_beside(place, still.bar, lines=True)
        still.enter(place)
    return place


def _require_plain(ax: Axes) -> None:
    """Refuse axes that cannot hold a picture in points."""
    if ax.name != "rectilinear":
        raise PlotError(
            f"the surface is drawn into plain axes, by a camera of its own, and these are {ax.name}; leave their "
            "projection out"
        )
    if any(len(group.get_siblings(ax)) > 1 for group in (ax.get_shared_x_axes(), ax.get_shared_y_axes())):
        raise PlotError("these axes share limits with others, and the surface's are in points; give it axes of its own")


def draw_panel(
    figure: Figure | SubFigure,
    rect: tuple[float, float, float, float],
    surface: Surface,
    name: str | None = None,
    scale: Scale | None = None,
    *,
    title: str = "",
    colorbar: bool = False,
    **options: Any,
) -> Panel:
    """Draw one surface into part of a figure.

    Parameters
    ----------
    figure : Figure or SubFigure
    rect : (left, bottom, width, height)
        Of the panel with its labels, title and colour bar, as shares of the figure.
    surface, name, scale
        As for `surface`.
    title : str
        Written above; nothing by default.
    colorbar : bool
        Draw one to the right, within ``rect``.
    **options
        As for `Still.of`.

    Returns
    -------
    Panel
        What draws further things into the picture, hidden where the surface hides them.
    """
    with our_style():
        still = Still.of(surface, name, scale, **options)
        left, bottom, width, height = rect
        inches = np.array([figure.bbox.width, figure.bbox.height]) / figure.dpi
        if colorbar:
            bar = BAR_ROOM / inches[0]
            width -= bar
            cax = figure.add_axes((left + width + 0.1 * bar, bottom + 0.2 * height, 0.15 * bar, 0.6 * height))
            draw_colorbar(cax.get_figure(root=True), still.bar, cax=cax, lines=True)  # type: ignore[arg-type]
        # A title is no wider than its panel: beside it is another one's.
        large, number = fitting_titles([title], width * inches[0] - 0.1, most=4)
        head = large * (1.8 + (number - 1) * TITLE_SPACING) / 72 / inches[1] if title else 0.0
        ax = figure.add_axes((left, bottom, width, height - head), label=f"surface {len(figure.axes)}")
        if title:
            lines = title_lines(title, width * inches[0] - 0.1, large, number)
            ax.set_title("\n".join(lines), fontsize=large, pad=large * 0.4, linespacing=TITLE_SPACING, parse_math=False)
        panel = still.enter(ax)
    # The surface is the picture: whoever asks the figure for its axes finds it first.
    figure.sca(ax)
    return panel


def _draw_place(figure: Figure, place: Any, sheet: Sheet, among: Any, **options: Any) -> Axes:
    """Draw one of a figure's panels."""
    return draw_panel(figure, place, sheet.whole, sheet.name, sheet.scale, among=among, **options).axes


def _with_camera(sheets: Sequence[Sheet], *, camera: Any = None, **options: Any) -> dict[str, Any]:
    """Choose one camera for all panels of a figure."""
    chosen = Camera.of(camera)
    if chosen is None and any(each.whole.trajectories for each in sheets):
        chosen = opening_camera(_scenes(sheets, **options))
    return {"camera": chosen or Camera(), **options}


def _scenes(sheets: Sequence[Sheet], *, interpolate: bool = True, **others: Any) -> list[Scene]:
    return [make_scene(each, shared_box([each]), interpolate=interpolate) for each in sheets]


def _in_sight(sheets: Sequence[Sheet], *, camera: Camera, **options: Any) -> tuple[bool, bool]:
    """Return whether the floor is seen, and whether all of the runs on the surfaces is."""
    if camera.elevation == 90:  # straight from above nothing is before a surface, and all of it before the floor
        return False, True
    if not any(each.whole.trajectories for each in sheets):
        return True, True
    return True, share_seen(runs_on(_scenes(sheets, **options)), camera) == 1


def _draw_figure(
    surfaces: Sequence[Surface], names: Sequence[str] | None, plan: Plan, options: dict[str, Any]
) -> Figure:
    """Draw surfaces side by side, and say what their colours are where these are not the heights."""
    if checked_tint(options.get("color")) is None:
        return draw_planes(_KIND, surfaces, names, plan, options)
    name = single_name(names, "a surface picture") or default_name(surfaces[0])
    data = name.rpartition("/")[0]
    parts = [each.finished_part() for each in surfaces]
    notes = ["Colour: ratio of both ends of the Hessian's spectrum, of the tensors that random directions move"]
    for part in parts:
        words = [ratio_words(part, data)]
        if none := int(np.isnan(ratio_of(part, data)[0]).sum()):
            words.append(f"{none} grey, without a ratio")
        notes.append(", ".join(filter(None, words)))
    kind = replace(_KIND, colored=ratio_scale())
    return draw_planes(kind, surfaces, [name], replace(plan, notes=(*plan.notes, *filter(None, notes))), options)


_KIND = PlaneKind("surface", draw_cells, lined=True, solid=_draw_place, prepare=_with_camera, in_sight=_in_sight)
register("surface", Renderer(_draw_figure, lines=False))
