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

# Kinds of pictures: each bears the name of its public function.
KINDS = ("line", "contour", "heatmap", "surface", "steps", "convexity", "regions")

# Name -> module that defines it.
_WHERE = {
    "Camera": "surfaces.camera",
    "Scale": "scale.scale",
    "caption": "style.captions",
    "contour": "planes.contours",
    "convexity": "spectra.convexity",
    "draw": "figures",
    "frequencies": "lines.frequency_curves",
    "heatmap": "planes.heatmaps",
    "layer_bars": "spectra.spectrum",
    "line": "lines.line_figures",
    "predictions": "representations.population_figures",
    "regions": "planes.regions",
    "robustness": "lines.robustness_curves",
    "save": "saving",
    "similarity": "representations.similarity_maps",
    "spectrum": "spectra.spectrum",
    "steps": "paths.step_panels",
    "surface": "surfaces.surfaces3d",
    "walk": "lines.walk_curves",
}

if TYPE_CHECKING:
    from .figures import draw as draw
    from .lines.frequency_curves import frequencies as frequencies
    from .lines.line_figures import line as line
    from .lines.robustness_curves import robustness as robustness
    from .lines.walk_curves import walk as walk
    from .paths.step_panels import steps as steps
    from .planes.contours import contour as contour
    from .planes.heatmaps import heatmap as heatmap
    from .planes.regions import regions as regions
    from .representations.population_figures import predictions as predictions
    from .representations.similarity_maps import similarity as similarity
    from .saving import save as save
    from .scale.scale import Scale as Scale
    from .spectra.convexity import convexity as convexity
    from .spectra.spectrum import layer_bars as layer_bars
    from .spectra.spectrum import spectrum as spectrum
    from .style.captions import caption as caption
    from .surfaces.camera import Camera as Camera
    from .surfaces.surfaces3d import surface as surface

__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'landscape.plot' has no attribute {name!r}")
    return getattr(importlib.import_module(f"landscape.plot.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
