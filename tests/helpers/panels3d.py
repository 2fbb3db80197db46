"""How the tests of the 3D still draw one, and read positions back out of it."""

from __future__ import annotations

import io
from typing import Any

import matplotlib.image
import numpy as np
from landscape.plot.surfaces.camera import GAP
from landscape.plot.surfaces.panel3d import Panel
from landscape.plot.surfaces.surfaces3d import draw_panel
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from landscape.surface.grid import Floats
from landscape.surface.surface import Surface
from tests.helpers.plot_fixtures import valley

WHOLE = (0.0, 0.0, 1.0, 1.0)


def panel_of(given: Surface | None = None, size: tuple[float, float] = (5.0, 4.0), **options: Any) -> Panel:
    return draw_panel(Figure(figsize=size), WHOLE, valley() if given is None else given, **options)


def fine_valley() -> Surface:
    return valley(121, 97)


def floor_point(panel: Panel, flat: Floats) -> Floats:
    """Return x and y of points on the floor from where they are in the picture, by intersecting rays with the floor."""
    view, box = panel.frame.view, panel.scene.box
    across = (np.asarray(flat) - view.centre) / view.scale
    right, up, back = view.directions
    rays = across[:, :1] * right + across[:, 1:] * up - back
    points = view.eye + rays * ((-GAP - view.eye[2]) / rays[:, 2])[:, None]
    found = []
    for k, (low, high) in enumerate((box.x, box.y)):
        found.append((points[:, k] / box.half[k] + 1) / 2 * (high - low) + low)
    return np.stack(found, axis=-1)


def floor_lines(panel: Panel) -> dict[float, list[Floats]]:
    return {
        float(each.get_gid().removeprefix("level ")): each.get_segments()
        for each in panel.axes.collections
        if isinstance(each, LineCollection) and (each.get_gid() or "").startswith("level ")
    }


def texts_of(panel: Panel, gid: str | None = None) -> list[str]:
    return [each.get_text() for each in panel.axes.texts if gid is None or each.get_gid() == gid]


def pixels(figure: Figure, dpi: float = 100) -> Any:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    buffer.seek(0)
    return matplotlib.image.imread(buffer)
