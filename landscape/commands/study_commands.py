"""The commands that do the tasks of a study one by one, to be submitted to a cluster.

A line or a plane is one surface, which many processes can measure: it has a command of its own under an MPI launcher,
which leaves the surface in the task's folder. The task's command then finds it there, as it finds what a killed run
left, and derives its numbers from it.
"""

from __future__ import annotations

import inspect
import json
import shlex
from pathlib import Path

from landscape.errors import UsageError
from landscape.studies.measures import measures
from landscape.studies.tasks.tasks import Task

# Measures that are one surface each, and that surface's file.
_SURFACES = {"line": "line.h5", "plane": "plane.h5"}


def commands_of(task: Task, folder: Path, study: str, ranks: int = 0) -> list[str]:
    """Return the shell's commands that do one task.

    Parameters
    ----------
    task : Task
    folder : path
        The study's.
    study : str
        The study's own command.
    ranks : int
        MPI processes that measure a line or a plane; 0: the task's own process measures it.

    Raises
    ------
    UsageError
        ``ranks`` below 0.
    """
    if ranks < 0:
        raise UsageError(f"{ranks} MPI processes measure nothing: give --ranks 1 or more")
    by_many = _evaluate(task, folder, ranks) if ranks else []
    return [*by_many, f"{study} --jobs 1 --no-pages --only {shlex.quote(task.name)}"]


def _evaluate(task: Task, folder: Path, ranks: int) -> list[str]:
    """Return what measures the task's surface by MPI; nothing where it is no surface, or one of a part of the data."""
    asked = task.measurement
    if asked is None or asked.measure not in _SURFACES or len(task.networks) != 1 or task.data.samples:
        return []
    defaults = inspect.signature(getattr(measures, asked.measure)).parameters
    how = {name: each.default for name, each in defaults.items()} | dict(asked.arguments)
    if how.get("convexity"):
        return []
    (network,) = task.networks
    references = dict(task.data.references)
    words = ["mpiexec", "-n", str(ranks), "landscape", "evaluate", str(folder / network.checkpoint)]
    words += ["--model", network.recipe.network, "--model-args", json.dumps(dict(network.recipe.arguments))]
    words += [word for name in how["data"] for word in ("--data", f"{name}={references[name]}")]
    words += ["--normalize", task.data.normalize] if task.data.normalize else []
    words += ["--loss", network.recipe.loss, f"--x={how['x']}"]
    words += [f"--y={how['y']}"] if "y" in how else ["--repeats", str(how["repeats"]), "--norm", how["norm"]]
    words += ["--samples", str(how["samples"])] if how["samples"] is not None else []
    words += ["--seed", str(task.direction_seed), "--sample-seed", str(task.direction_seed)]
    there = folder / task.folder
    words += ["-o", str(there / _SURFACES[asked.measure])]
    return [f"mkdir -p {shlex.quote(str(there))}", shlex.join(words)]
