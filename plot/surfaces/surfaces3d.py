"""The 3D still: a lit surface among vector axes, over the contours of its floor.

The surface is one picture made by `shading` at whatever resolution the figure is written with; all lines and texts
around it are matplotlib's, projected by the same camera, so that a PDF stays small and its text sharp. The floor lies
below the surface and the eye above, so what is drawn on the floor is hidden by drawing the surface over it; what
stands higher is cut where the depth buffer hides it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import FigureBase
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from landscape.errors import PlotError
from landscape.surface.grid import Floats
from landscape.surface.surface import Surface

from ..figures import Given, Renderer, draw, opened, register, single_name
from ..paths.path_words import path_lines
from ..planes.heatmaps import draw_cells
from ..planes.marks import NETWORK, Sheet, axis_text, corner_lines, hole_cells, hole_colors
from ..planes.plane_figures import PlaneKind, draw_planes
from ..scale.convexity_ratio import ratio_of, ratio_scale, ratio_words
from ..scale.scale import OK, Scale, default_name
from ..scale.smoothing import snapped
from ..style.colorbars import draw_colorbar, draw_colorbar_beside
from ..style.layout import Plan
from ..style.style import HATCH, HATCH_GREY, INK, SOFT_INK, look, our_style, text_width
from ..style.wording import plain_text, short_name
from .camera import Camera
from .frame3d import TICK_LENGTH, Label, fit_frame
from .opening import opening_camera
from .panel3d import LIFT, Panel
from .scenes import Scene, SurfaceImage, make_scene, shared_box
from .shading import Light
from .tints import checked_tint
from .trajectories3d import draw_paths_on, legend_area, own_points

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.transforms import Bbox

# Of a label, on the surface: less is an edge that both share.
TOUCH = 0.02
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
    surface : Surface, str or Path
        A plane, or the name of its file. One that is not finished is drawn as its finest complete grid, and says so.
    name : str, optional
        The values, such as ``"test/loss"``; the training loss where there is one.
    ax : Axes or SubFigure, optional
        Where to draw: plain axes, which the surface with its labels then fills whatever size they get, or a part of a
        figure. Without it, a figure with title, colour bar and caption is made.
    scale : Scale, optional
        Shared with other pictures; by default what suits these values.
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
    marks : sequence of int
        Steps of the surface's runs to mark on their paths, beside those where the learning rate fell.
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
        head = (look().title * 1.8 / 72 / inches[1]) if title else 0.0
        ax = figure.add_axes((left, bottom, width, height - head), label=f"surface {len(figure.axes)}")
        if title:
            ax.set_title(title, fontsize=look().title, pad=look().title * 0.4, parse_math=False)
        panel = still.enter(ax)
    # The surface is the picture: whoever asks the figure for its axes finds it first.
    figure.sca(ax)
    return panel


@dataclass(eq=False)
class Still:
    """A surface that fills axes: matplotlib asks it for their place before it draws, and it is laid out anew where
    their size has changed, so that letters keep their size and nothing leaves the axes.
    """  # fmt: skip

    scene: Scene
    content: Floats  # (n, 3): what must be in the picture, in all panels of its figure alike
    camera: Camera
    light: Light
    marks: Sequence[int]
    steady: tuple[float, float] | None
    until: float
    panel: Panel | None = None
    place: Any = None  # where the axes themselves were told to be, by what had a say in it before
    drawn: list[Artist] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        surface: Surface,
        name: str | None = None,
        scale: Scale | None = None,
        *,
        camera: Camera | Sequence[float] | str | None = None,
        among: Sequence[tuple[Surface, str | None]] = (),
        interpolate: bool = True,
        light: Literal["scene", "camera"] = "scene",
        marks: Sequence[int] = (),
        steady: tuple[float, float] | None = None,
        until: float = 1.0,
        color: str | None = None,
    ) -> Still:
        """Choose what is drawn, and from where.

        Parameters
        ----------
        surface, name, scale, camera, interpolate, light, marks, color
            As for `surface`.
        among : sequence of (Surface, str)
            All surfaces of the figure with the names of their values: panels of one size then have one box, one
            camera and one framing, so that heights compare from panel to panel.
        steady : (float, float), optional
            Frame the scene for all azimuths from one to another, in degrees, so that nothing pulses in a film.
        until : float
            Which part of each run to draw, 0 to 1.
        """
        if light not in ("scene", "camera"):
            raise ValueError(f"light is fixed to the 'scene' or to the 'camera', not {light!r}")
        chosen = Camera.of(camera)
        sheet = Sheet.of(surface, name, scale)
        # Their heights fill the box as this one's do, on this scale or each on its own.
        others = [Sheet.of(each, other, scale) for each, other in among if each is not surface or other != name]
        box = shared_box([sheet, *others])
        scene, *beside = (make_scene(each, box, interpolate=interpolate, color=color) for each in (sheet, *others))
        content = np.concatenate([scene.content, own_points(scene), *(each.content for each in beside)])
        chosen = chosen or opening_camera([scene, *beside])
        turned = Light().turned(chosen.azimuth - Camera().azimuth) if light == "camera" else Light()
        return cls(scene, content, chosen, turned, marks, steady, until)

    @property
    def bar(self) -> Scale:
        """What its colours mean."""
        return self.scene.sheet.scale if self.scene.tint is None else self.scene.tint.scale

    def enter(self, ax: Axes) -> Panel:
        """Draw into axes, and stay in charge of what they hold."""
        ax.set_axis_off()
        self.place = ax.get_axes_locator()
        panel = self.fill(ax, self._size(ax, None))
        ax.set_axes_locator(self)
        return panel

    def __call__(self, ax: Any, renderer: Any) -> Bbox:
        """Return where the axes lie, as matplotlib asks before it draws or measures them."""
        size = self._size(ax, renderer)
        if self.panel is None or not np.allclose(size, self.panel.frame.view.size, rtol=0, atol=0.05):
            with contextlib.suppress(PlotError):  # too small for the labels: the last picture is shrunk
                self.fill(ax, size)
        return self._position(ax, renderer)

    def get_subplotspec(self) -> Any:
        """Return the axes' place in a grid of subplots: `tight_layout` asks what stands for the axes."""
        return self.panel.axes.get_subplotspec() if self.panel else None

    def _position(self, ax: Axes, renderer: Any) -> Bbox:
        place: Any = ax.get_position(original=True) if self.place is None else self.place(ax, renderer)
        found: Bbox = place
        return found

    def _size(self, ax: Axes, renderer: Any) -> tuple[float, float]:
        """Return the axes' width and height in points."""
        figure = ax.figure
        box = self._position(ax, renderer).transformed(figure.transSubfigure)
        return float(box.width / figure.dpi * 72), float(box.height / figure.dpi * 72)

    def fill(self, ax: Axes, size: tuple[float, float], foot: float = 0.0) -> Panel:
        """Draw everything for axes of a size in points; what was drawn for another size goes.

        ``foot`` is how much of the height is kept for the notes, where no corner is free for them.
        """
        scene = self.scene
        sheet = scene.sheet
        titles = (axis_text(sheet.surface.axes[0], 0), axis_text(sheet.surface.axes[1], 1), sheet.scale.label)
        with our_style():
            room = size[0], size[1] - foot
            frame = fit_frame(self.camera, scene.box, sheet.scale, titles, self.content, room, steady=self.steady)
            frame = replace(frame, view=frame.view.raised(foot))
            for artist in self.drawn:
                artist.remove()
            before = set(ax.get_children())
            ax.set(xlim=(0, size[0]), ylim=(0, size[1]), aspect="auto")
            panel = self.panel = Panel(ax, scene, frame)
            draw_ground(panel)
            image = SurfaceImage(scene, frame.view, self.light)
            image.set_zorder(3)
            ax.add_artist(image)
            draw_axes(panel)
            draw_checkpoint(panel)
            draw_paths_on(panel, marks=self.marks, until=self.until)
            lines = draw_notes(panel, anywhere=self.steady is not None or foot > 0)
        self.drawn = [each for each in ax.get_children() if each not in before]
        for artist in self.drawn:
            # All of it lies within the axes: how much room they need does not depend on it.
            artist.set_in_layout(False)
        if lines:
            with contextlib.suppress(PlotError):  # no room for both: the notes stand where they are least in the way
                return self.fill(ax, size, foot=1.3 * look().small * lines + 4)
            return self.fill(ax, size, foot=1e-9)
        return panel


def draw_notes(panel: Panel, *, anywhere: bool = True) -> int:
    """Say in a free corner what the picture has to say of missing, capped and smoothed points.

    Where no corner is free nothing is drawn, unless it may be ``anywhere``; returned is how many lines need room.
    """
    scene = panel.scene
    lines = corner_lines(scene.sheet, to_scale=scene.box.to_scale, smoothed=scene.smoothed)
    lines += path_lines(scene.sheet.whole)
    if not lines:
        return 0
    size, taken = np.array(panel.frame.view.size), np.concatenate([panel.occupied(), legend_area(panel)])
    # The lower right first, where the other pictures have it.
    corners = ((1, 0), (0, 0), (1, 1), (0, 1))
    placed: dict[tuple[int, int], list[str]] = {corner: [] for corner in corners}

    def crowded(corner: tuple[int, int], texts: list[str]) -> int:
        reach = (
            np.array([max(text_width(each, look().small) for each in texts) * 72, len(texts) * 1.3 * look().small]) + 8
        )
        low = (size - reach) * corner
        return int(((taken >= low) & (taken <= low + reach)).all(axis=1).sum())

    best = min(corners, key=lambda corner: crowded(corner, lines))
    if crowded(best, lines):
        # No corner has room for all of them: each line for itself.
        for line in lines:
            placed[min(corners, key=lambda corner: crowded(corner, [*placed[corner], line]))].append(line)
    else:
        placed[best] = lines
    if not anywhere and any(texts and crowded(corner, texts) for corner, texts in placed.items()):
        return len(lines)
    for (right, up), texts in placed.items():
        x, y = (size - 4) * (right, up) + 2
        note = panel.axes.text(x, y, "\n".join(texts), fontsize=look().small, color=INK, linespacing=1.25, zorder=8)
        note.set(ha="right" if right else "left", va="top" if up else "bottom", parse_math=False, gid="notes")
    return 0


def draw_ground(panel: Panel) -> None:
    """Draw what lies behind the surface: the walls' height lines, and the floor with grid, holes and contours."""
    from contourpy import contour_generator

    ax, scene, frame = panel.axes, panel.scene, panel.frame
    box, scale = scene.box, scene.sheet.scale
    outline = panel.flat(np.concatenate([frame.corners, frame.corners[:1]]))
    ax.add_collection(PolyCollection([outline], facecolors="#fafafa", zorder=1))
    grid = [panel.floor([x, x], box.y) for x in frame.x_ticks] + [panel.floor(box.x, [y, y]) for y in frame.y_ticks]
    ax.add_collection(LineCollection(grid, colors="#dedede", linewidths=0.5, zorder=1.1))
    ax.add_collection(
        LineCollection([panel.flat(line) for line in frame.walls], colors="#e4e4e4", linewidths=0.5, zorder=1)
    )
    ax.plot(*outline.T, color=SOFT_INK, lw=0.7, zorder=1.3, solid_joinstyle="round", gid="floor")
    _draw_holes(panel)

    masked = np.ma.masked_invalid(snapped(scene.heights, scale.forward(list(scale.levels))))
    lines = contour_generator(scene.x, scene.y, masked, corner_mask=False)
    if scene.ceiling is not None:
        _draw_capped(panel, lines.filled(scene.ceiling, np.inf))
    # A plateau has no contours, only rounding.
    flat = np.nanmax(scene.heights) - np.nanmin(scene.heights) < 1e-9 * (box.z[1] - box.z[0])
    for level in scale.levels if not flat else ():
        found = [panel.floor(*np.asarray(line).T) for line in lines.lines(float(scale.forward(level)))]
        if found and (scale.cap is None or level < scale.cap):
            # Where colours mean something else, heights have none.
            color = scale.colors(level) if scene.tint is None else SOFT_INK
            ax.add_collection(LineCollection(found, colors=[color], linewidths=1.0, zorder=1.5, gid=f"level {level:g}"))


def _draw_holes(panel: Panel) -> None:
    """Paint the floor's cells that touch a point without a value, in the colours of the 2D pictures."""
    sheet = panel.scene.sheet
    cells = hole_cells(sheet.codes)
    quads, codes = [], []
    for j, row in enumerate(cells):
        # Neighbours with one code are one piece: no seams, and a small file.
        starts = np.flatnonzero(np.diff(row.astype(int), prepend=-1))
        for start, end in zip(starts, [*starts[1:], len(row)], strict=True):
            if row[start] != OK:
                x, y = sheet.x[[start, end, end, start]], sheet.y[[j, j, j + 1, j + 1]]
                quads.append(panel.floor(x, y))
                codes.append(row[start])
    if quads:
        colors = hole_colors(np.array(codes, dtype=np.uint8))
        panel.axes.add_collection(
            PolyCollection(quads, facecolors=colors, edgecolors=colors, linewidths=0.5, zorder=1.2, gid="holes")
        )


def _draw_capped(panel: Panel, filled: Any) -> None:
    """Hatch the floor where the surface is cut away."""
    polygons, offsets = filled
    for points, starts in zip(polygons, offsets, strict=True):
        flat = panel.floor(*np.asarray(points).T)
        codes = np.full(len(flat), Path.LINETO)
        codes[starts[:-1]] = Path.MOVETO
        codes[starts[1:] - 1] = Path.CLOSEPOLY
        patch = PathPatch(Path(flat, codes), facecolor="none", edgecolor=HATCH_GREY, hatch=HATCH, lw=0, zorder=1.2)
        patch.set_gid("above the cap")
        panel.axes.add_patch(patch)


def draw_axes(panel: Panel) -> None:
    """Draw the height axis where nothing hides it, and the ticks and labels that do not lie on the surface."""
    ax = panel.axes
    for part in panel.cut(panel.frame.height_axis):
        ax.plot(*part.T, color=SOFT_INK, lw=0.7, zorder=4, gid="height axis")
    for label, shift, covered in placed_labels(panel):
        spot = panel.flat(label.anchor)
        if label.tick:
            ax.plot(*np.stack([spot, spot + label.direction * TICK_LENGTH]).T, color=SOFT_INK, lw=0.7, zorder=4)
        x, y = spot + label.direction * label.offset + shift
        text = ax.text(x, y, label.text, fontsize=label.size, color=INK, ha="center", va="center", zorder=5)
        text.set(rotation=label.rotation, rotation_mode="anchor", parse_math=False)
        if covered:
            # Only over the surface: with a halo, letters become outlines in a PDF.
            text.set_path_effects([withStroke(linewidth=2.0, foreground="white", alpha=0.85)])


def placed_labels(panel: Panel) -> list[tuple[Label, Floats, float]]:
    """Return the labels to draw, by how much each is moved along its axis, and how much of it lies on the surface.

    A title moves along its axis to where the surface is not. A number on the surface would be read as one of its own:
    it is left out as long as two of its axis are left, and so is one that touches another axis's in any case.
    """
    found: list[tuple[Label, Floats, float]] = []
    for axis in (2, 0, 1):
        labels = [label for label in panel.frame.labels if label.axis == axis]
        ticks = [label for label in labels if label.tick]
        costs = [panel.covered(label) + any(_touch(panel, label, other) for other, *_ in found) for label in ticks]
        order = np.argsort(costs, kind="stable")
        kept = [k for n, k in enumerate(order) if costs[k] < (1 if n < 2 else TOUCH)]
        found += [(ticks[k], np.zeros(2), costs[k]) for k in kept]
        for title in (label for label in labels if not label.tick):
            shifts = [each for each in _along(panel, ticks, title.size) if panel.holds(title, each)] or [np.zeros(2)]
            shares = np.array([panel.covered(title, each) for each in shifts])
            best = int(np.argmax(shares < TOUCH)) if shares.min() < TOUCH else int(np.argmin(shares))
            found.append((title, shifts[best], float(shares[best])))
    return found


def _touch(panel: Panel, one: Label, other: Label) -> bool:
    """Whether two numbers touch."""
    spots = [panel.flat(label.anchor) + label.direction * label.offset for label in (one, other)]
    return other.tick and bool((np.abs(spots[0] - spots[1]) < np.add(one.half, other.half)).all())


def _along(panel: Panel, ticks: Sequence[Label], step: float) -> list[Floats]:
    """Return by how much a title may be moved along its axis, the least first."""
    ends = panel.flat([ticks[0].anchor, ticks[-1].anchor]) if ticks else np.zeros((2, 2))
    way = ends[1] - ends[0]
    most = int(np.hypot(*way) / 2 / step)
    return [np.zeros(2), *(sign * n * step * way / np.hypot(*way) for n in range(1, most + 1) for sign in (1, -1))]


def draw_checkpoint(panel: Panel) -> None:
    """Mark the checkpoint with stars on the floor and, where it can be seen, on the surface, and a plumb line.

    So are other networks with diamonds; each has its name where there are several.
    """
    sheet = panel.scene.sheet
    star: dict[str, Any] = {"marker": "*", "ms": 7.0, "mfc": "white", "mec": "black", "mew": 0.6, "ls": "none"}
    own = plain_text(PurePath(str(sheet.surface.origin.get("checkpoint") or "")).name) if sheet.networks else ""
    marks = [(0.0, 0.0, own, {**star, "label": "checkpoint"})] if sheet.has_checkpoint else []
    for x, y, name, style in [*marks, *((*each, NETWORK) for each in sheet.networks)]:
        foot, loss = panel.floor(x, y), panel.drape([x], [y])[2][0]
        panel.axes.plot(*foot, zorder=2, **style | {"label": f"{style['label']}, on the floor"})
        seen = foot
        if np.isfinite(loss):
            point = panel.place(x, y, loss)
            spot = panel.flat(point)
            panel.axes.plot(*np.stack([foot, spot]).T, ":", color=SOFT_INK, lw=0.7, zorder=1.9)
            if (panel.scene.lid is None or point[2] <= panel.scene.lid) and panel.raster.visible(point + LIFT):
                panel.axes.plot(*spot, zorder=6, **style)
                seen = spot
        if name:
            _write_name(panel, name, seen)


def _write_name(panel: Panel, name: str, at: Floats) -> None:
    """Write a network's name beside its mark, towards the middle of the picture."""
    left = at[0] > panel.frame.view.size[0] / 2
    text = panel.axes.text(at[0] + (-6 if left else 6), at[1] + 5, short_name(name), fontsize=look().small, color=INK)
    text.set(ha="right" if left else "left", va="bottom", zorder=7, parse_math=False, gid="network")
    text.set_path_effects([withStroke(linewidth=2.2, foreground="white", alpha=0.9)])


def _draw_place(figure: Figure, place: Any, sheet: Sheet, among: Any, **options: Any) -> Axes:
    """Draw one of a figure's panels."""
    return draw_panel(figure, place, sheet.whole, sheet.name, sheet.scale, among=among, **options).axes


def _with_camera(sheets: Sequence[Sheet], *, camera: Any = None, **options: Any) -> dict[str, Any]:
    """Choose one camera for all panels of a figure."""
    chosen = Camera.of(camera)
    if chosen is None and any(each.whole.trajectories for each in sheets):
        smooth = options.get("interpolate", True)
        chosen = opening_camera([make_scene(each, shared_box([each]), interpolate=smooth) for each in sheets])
    return {"camera": chosen or Camera(), **options}


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


_KIND = PlaneKind("surface", draw_cells, lined=True, solid=_draw_place, prepare=_with_camera)
register("surface", Renderer(_draw_figure, lines=False))
