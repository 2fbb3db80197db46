"""A lit surface that fills the axes it is given, whatever becomes of their size."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from landscape.errors import PlotError
from landscape.surface.grid import Floats
from landscape.surface.surface import Surface

from ..planes.marks import Sheet, axis_text
from ..scale.scale import Scale
from ..style.style import our_style
from .axis_texts import drawn_room, fitted_panel, placed_labels
from .camera import Camera
from .opening import opening_camera
from .panel3d import Panel
from .scenes import Scene, SurfaceImage, make_scene, shared_box
from .shading import Light
from .side_texts import Strip, draw_legend, draw_notes
from .surroundings import draw_axes, draw_checkpoint, draw_ground, draw_names
from .trajectories3d import draw_paths_on, own_points

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

log = logging.getLogger(__name__)
# By how much larger a picture is tried that is to have room for a legend.
LARGER = (1.2, 1.4, 1.7, 2.0, 2.5)


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
    strip: float = 0.0  # kept free below everything for a film's legend and notes, in points
    panel: Panel | None = None
    place: Any = None  # where the axes themselves were told to be, by what had a say in it before
    drawn: list[Artist] = field(default_factory=list)
    refused: tuple[float, float] | None = None  # the last size in points that was too small
    warned: bool = False

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
        known = [each for each in (self.panel and self.panel.frame.view.size, self.refused) if each]
        if not any(np.allclose(size, each, rtol=0, atol=0.05) for each in known):
            try:
                self.fill(ax, size)
                self.refused = None
            except PlotError:  # too small for the labels: the last picture is shrunk
                self.refused = size
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

    def fill(self, ax: Axes, size: tuple[float, float]) -> Panel:
        """Draw everything for axes of a size in points; what was drawn for another size goes, once there is room.

        Legend and notes stand beside the surface; where no place is free for them, a strip below is kept for them, and
        where that leaves the surface too little, the legend says less.
        """
        fixed = self.steady is not None
        planned = self.strip if fixed else 0.0
        standing = self.drawn
        refusal = PlotError(f"a picture of {size[0]:.0f} x {size[1]:.0f} points has no room for notes on a surface")
        with our_style():
            for words in (2, 1, 0):
                height = planned
                # Twice more: what is fitted above a strip may leave less of its sides free.
                for _ in range(3):
                    try:
                        panel = self._fitted(ax, size, height)
                    except PlotError as error:
                        refusal = refusal if words else error
                        break
                    take_away(ax, standing)
                    standing = []
                    strip = Strip(height, fixed)
                    drawn = self._draw(panel, strip, words)
                    if not strip.needed:
                        self.panel, self.drawn, self.strip = panel, drawn, height
                        self._warn(words, size)
                        return panel
                    take_away(ax, drawn)
                    height += strip.needed
        if not standing:
            # A picture without its notes would pass off missing points as measured: the last whole one comes back.
            self._put_back(ax)
        raise refusal

    def _fitted(self, ax: Axes, size: tuple[float, float], foot: float) -> Panel:
        sheet = self.scene.sheet
        titles = (axis_text(sheet.surface.axes[0], 0), axis_text(sheet.surface.axes[1], 1), sheet.scale.label)
        return fitted_panel(ax, self.scene, self.camera, titles, self.content, size, steady=self.steady, foot=foot)

    def _put_back(self, ax: Axes) -> None:
        if self.panel is not None:
            width, height = self.panel.frame.view.size
            ax.set(xlim=(0, width), ylim=(0, height))
            put_back(ax, self.drawn)

    def _draw(self, panel: Panel, strip: Strip, words: int) -> list[Artist]:
        """Draw everything above a strip, and return it; the strip says by how much it has to be higher.

        ``words`` is how much a legend says: 0 nothing, 1 which run is which, 2 all.
        """
        ax, size = panel.axes, panel.frame.view.size
        before = set(ax.get_children())
        ax.set(xlim=(0, size[0]), ylim=(0, size[1]), aspect="auto")
        draw_ground(panel)
        image = SurfaceImage(self.scene, panel.frame.view, self.light)
        image.set_zorder(3)
        ax.add_artist(image)
        named = draw_checkpoint(panel)
        entries = draw_paths_on(panel, marks=self.marks, until=self.until, steady=self.steady is not None)
        room = drawn_room(panel)
        draw_axes(panel, placed_labels(panel, room))
        draw_names(panel, room, named)
        if words == 1:
            entries = [(handle, text.partition(":")[0], drawn) for handle, text, drawn in entries if drawn is not None]
        if entries and words:
            draw_legend(panel, room, entries, strip)
        draw_notes(panel, room, strip)
        drawn = [each for each in ax.get_children() if each not in before]
        for artist in drawn:
            # All of it lies within the axes: how much room they need does not depend on it.
            artist.set_in_layout(False)
        return drawn

    def _warn(self, words: int, size: tuple[float, float]) -> None:
        """Say once that nothing tells several runs apart."""
        runs = self.scene.sheet.whole.trajectories
        if words or len(runs) < 2 or self.warned:
            return
        self.warned = True
        larger = next((each for each in LARGER if self._tells_apart((size[0] * each, size[1] * each))), None)
        wanted = "a larger one" if larger is None else f"one {larger:g} times as wide and as high"
        log.warning(
            "a surface of %.1f x %.1f in has no room for a legend: nothing says which of %d runs is which; %s has",
            size[0] / 72, size[1] / 72, len(runs), wanted,
        )  # fmt: skip

    def _tells_apart(self, size: tuple[float, float]) -> bool:
        """Return whether a legend finds its place in a picture of a size in points."""
        from matplotlib.figure import Figure

        inches = size[0] / 72, size[1] / 72
        ax = Figure(figsize=inches).add_axes((0, 0, 1, 1))
        trial = replace(self, panel=None, drawn=[], warned=True)
        try:
            trial.fill(ax, size)
        except PlotError:
            return False
        return ax.get_legend() is not None


def take_away(ax: Axes, artists: Sequence[Artist]) -> None:
    """Take artists out of axes, so that they can be put back."""
    for artist in artists:
        if artist is ax.get_legend():
            # Removed, a legend would not know its axes again.
            ax.legend_ = None
        else:
            artist.remove()


def put_back(ax: Axes, artists: Sequence[Artist]) -> None:
    """Put artists back into axes that they were taken out of."""
    from matplotlib.legend import Legend

    for artist in artists:
        if isinstance(artist, Legend):
            ax.legend_ = artist
        else:
            ax.add_artist(artist)
