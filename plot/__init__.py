"""Renderers of surfaces: lines, contours, heat maps, 3D stills. They see a Surface, never torch.

>>> import landscape
>>> surface = landscape.read_surface("net.h5")                       # doctest: +SKIP
>>> landscape.plot.contour(surface)                                  # doctest: +SKIP
>>> landscape.plot.save([surface, other], "both.pdf", kind="surface")  # doctest: +SKIP

Importing this loads no matplotlib: public names are looked up when first used (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Name -> module that defines it.
_WHERE = {
    "Camera": "camera",
    "Scale": "scale",
    "caption": "captions",
    "contour": "contours",
    "draw": "figures",
    "heatmap": "heatmaps",
    "line": "lines",
    "save": "saving",
    "steps": "step_panels",
    "surface": "surfaces3d",
}

if TYPE_CHECKING:
    from .camera import Camera as Camera
    from .captions import caption as caption
    from .contours import contour as contour
    from .figures import draw as draw
    from .heatmaps import heatmap as heatmap
    from .lines import line as line
    from .saving import save as save
    from .scale import Scale as Scale
    from .step_panels import steps as steps
    from .surfaces3d import surface as surface

__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'landscape.plot' has no attribute {name!r}")
    return getattr(importlib.import_module(f"landscape.plot.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
