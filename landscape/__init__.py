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

# Name -> module that defines it. `plot` is the subpackage itself, and so are `curvature` and `similarity`, which can be
# called.
_WHERE = {
    "Axis": "surface.grid",
    "Surface": "surface.surface",
    "Trajectory": "surface.surface",
    "read_surface": "files.store",
    "write_surface": "files.store",
    "load_checkpoint": "problem.checkpoints.checkpoint",
    "Plane": "directions.construct",
    "random_plane": "directions.construct",
    "checkpoint_plane": "directions.construct",
    "orthonormal_plane": "directions.orthonormal",
    "read_plane": "directions.direction_files",
    "digits": "problem.data.sources",
    "evaluate": "evaluation.evaluate",
    "hessian": "curvature.operators",
    "evaluate_runs": "trajectory.run_surface",
    "Recorder": "trajectory.recorder",
    "find_run": "trajectory.runs",
    "principal_plane": "trajectory.principal_plane",
    "project": "trajectory.principal_plane",
    "measure_run": "trajectory.record_losses",
    "measure_run_curvature": "trajectory.curvature_steps",
    "measure_run_walk": "trajectory.walk_steps",
    "predictions": "similarity.class_probabilities",
    "robustness": "inputs.robustness",
    "frequencies": "inputs.frequencies",
    "study": "studies.study_runs",
    "Study": "studies.study",
    "LandscapeError": "errors",
}

if TYPE_CHECKING:
    from landscape import plot as plot
    from landscape.curvature.analysis import measure_curvature as curvature  # noqa: F401
    from landscape.curvature.operators import hessian as hessian
    from landscape.directions.construct import Plane as Plane
    from landscape.directions.construct import checkpoint_plane as checkpoint_plane
    from landscape.directions.construct import random_plane as random_plane
    from landscape.directions.direction_files import read_plane as read_plane
    from landscape.directions.orthonormal import orthonormal_plane as orthonormal_plane
    from landscape.errors import LandscapeError as LandscapeError
    from landscape.evaluation.evaluate import evaluate as evaluate
    from landscape.files.store import read_surface as read_surface
    from landscape.files.store import write_surface as write_surface
    from landscape.inputs.frequencies import frequencies as frequencies
    from landscape.inputs.robustness import robustness as robustness
    from landscape.problem.checkpoints.checkpoint import load_checkpoint as load_checkpoint
    from landscape.problem.data.sources import digits as digits
    from landscape.similarity.class_probabilities import predictions as predictions
    from landscape.similarity.layer_similarity import measure_similarity as similarity  # noqa: F401
    from landscape.studies.study import Study as Study
    from landscape.studies.study_runs import study as study
    from landscape.surface.grid import Axis as Axis
    from landscape.surface.surface import Surface as Surface
    from landscape.surface.surface import Trajectory as Trajectory
    from landscape.trajectory.curvature_steps import measure_run_curvature as measure_run_curvature
    from landscape.trajectory.principal_plane import principal_plane as principal_plane
    from landscape.trajectory.principal_plane import project as project
    from landscape.trajectory.record_losses import measure_run as measure_run
    from landscape.trajectory.recorder import Recorder as Recorder
    from landscape.trajectory.run_surface import evaluate_runs as evaluate_runs
    from landscape.trajectory.runs import find_run as find_run
    from landscape.trajectory.walk_steps import measure_run_walk as measure_run_walk

_ROOMS = ("plot", "curvature", "similarity")

__all__ = ["__version__", *_ROOMS, *_WHERE]

# In a checkout the renderers lie in plot/ beside this folder, installed they are landscape/plot/ (see setup.py).
_here = os.path.dirname(os.path.abspath(__file__))
if not os.path.isdir(os.path.join(_here, "plot")) and os.path.isfile(os.path.join(_here, "..", "setup.py")):
    __path__.append(os.path.dirname(_here))


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"landscape.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'landscape' has no attribute {name!r}")
    return getattr(importlib.import_module(f"landscape.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
