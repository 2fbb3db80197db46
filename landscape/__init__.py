"""Loss landscapes of trained PyTorch networks: from a checkpoint to an honest picture.

>>> import landscape
>>> plane = landscape.random_plane(model, seed=0)                                            # doctest: +SKIP
>>> surface = landscape.evaluate(model, data, plane, x="-1:1:51", y="-1:1:51", path="net.h5")  # doctest: +SKIP
>>> landscape.plot.contour(surface)                                                          # doctest: +SKIP

Importing this loads neither torch nor matplotlib nor MPI: public names are looked up when first used (PEP 562).
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Name -> module that defines it. `plot` is the subpackage itself.
_WHERE = {
    "Axis": "grid",
    "Surface": "surface",
    "Trajectory": "surface",
    "read_surface": "store",
    "write_surface": "store",
    "load_checkpoint": "checkpoint",
    "Plane": "directions",
    "random_plane": "directions",
    "checkpoint_plane": "directions",
    "read_plane": "directions",
    "evaluate": "evaluation",
    "evaluate_runs": "run_surface",
    "Recorder": "recorder",
    "find_run": "runs",
    "principal_plane": "trajectory",
    "project": "trajectory",
    "measure_run": "record_losses",
    "LandscapeError": "errors",
}

if TYPE_CHECKING:
    from landscape import plot as plot
    from landscape.checkpoint import load_checkpoint as load_checkpoint
    from landscape.directions import Plane as Plane
    from landscape.directions import checkpoint_plane as checkpoint_plane
    from landscape.directions import random_plane as random_plane
    from landscape.directions import read_plane as read_plane
    from landscape.errors import LandscapeError as LandscapeError
    from landscape.evaluation import evaluate as evaluate
    from landscape.grid import Axis as Axis
    from landscape.record_losses import measure_run as measure_run
    from landscape.recorder import Recorder as Recorder
    from landscape.run_surface import evaluate_runs as evaluate_runs
    from landscape.runs import find_run as find_run
    from landscape.store import read_surface as read_surface
    from landscape.store import write_surface as write_surface
    from landscape.surface import Surface as Surface
    from landscape.surface import Trajectory as Trajectory
    from landscape.trajectory import principal_plane as principal_plane
    from landscape.trajectory import project as project

__all__ = ["__version__", "plot", *_WHERE]

# In a checkout the renderers lie in plot/ beside this folder, installed they are landscape/plot/ (see setup.py).
_here = os.path.dirname(os.path.abspath(__file__))
if not os.path.isdir(os.path.join(_here, "plot")) and os.path.isfile(os.path.join(_here, "..", "setup.py")):
    __path__.append(os.path.dirname(_here))


def __getattr__(name: str) -> Any:
    if name == "plot":
        return importlib.import_module("landscape.plot")
    if name not in _WHERE:
        raise AttributeError(f"module 'landscape' has no attribute {name!r}")
    return getattr(importlib.import_module(f"landscape.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
