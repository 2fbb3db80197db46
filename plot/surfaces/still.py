"""A lit surface that fills the axes it is given, whatever becomes of their size."""

from __future__ import annotations

import contextlib
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
from .camera import Camera
from .frame3d import fit_frame
from .opening import opening_camera
from .panel3d import Panel
from .scenes import Scene, SurfaceImage, make_scene, shared_box
from .shading import Light
from .surroundings import draw_axes, draw_checkpoint, draw_ground, draw_notes, room_in
from .trajectories3d import draw_paths_on, own_points

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox


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

        ``foot`` is how much of the height is kept for legend and notes, where no corner is free for them.
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
            space, film = room_in(panel), self.steady is not None
            last = film or foot > 0
            needed = draw_paths_on(panel, space, marks=self.marks, until=self.until, foot=foot, fixed=film)
            needed += draw_notes(panel, space, foot=foot, anywhere=last, fixed=film)
        self.drawn = [each for each in ax.get_children() if each not in before]
        for artist in self.drawn:
            # All of it lies within the axes: how much room they need does not depend on it.
            artist.set_in_layout(False)
        if needed and not last:
            with contextlib.suppress(PlotError):  # no room for all: they stand where they are least in the way
                return self.fill(ax, size, foot=needed)
            return self.fill(ax, size, foot=1e-9)
        return panel
