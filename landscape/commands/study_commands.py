"""The commands that do the tasks of a study one by one, to be submitted to a cluster.

A task is one line for a shell. A line or a plane is one surface, which many processes can measure: an MPI run leaves
it in the task's folder, and what comes after ``&&`` in the same line finds it there, as it finds what a killed run
left, and derives its numbers from it. Where a line does not leave the basin, that second part measures it again further
out, by one process.
"""

from __future__ import annotations

import inspect
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from landscape.errors import UsageError
from landscape.studies.measures import measures
from landscape.studies.tasks.tasks import Task

# Measures that are one surface each, and that surface's file.
_SURFACES = {"line": "line.h5", "plane": "plane.h5"}


def command_of(task: Task, folder: Path, study: str, ranks: int = 0) -> str:
    """Return the line for a shell that does one task.

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
    return " && ".join([*by_many, f"{study} --jobs 1 --no-pages --only {shlex.quote(task.name)}"])


def left_to_one(tasks: Sequence[Task], ranks: int) -> str:
    """Return which of these tasks one process measures in spite of ``ranks``; empty where no line or plane is."""
    surfaces = [task for task in tasks if task.measurement is not None and task.measurement.measure in _SURFACES]
    alone = sum(_arguments(task) is None for task in surfaces)
    if not ranks or not tasks or (surfaces and not alone):
        return ""
    if not surfaces:
        return f"--ranks {ranks} changes nothing: no task that is left is a line or plane of the built-in measures"
    return (
        f"--ranks {ranks}: {alone} of {len(surfaces)} lines and planes are left to one process: of the study's own "
        "choice of samples, with a convexity map, or of a data set that there is not"
    )


def _arguments(task: Task) -> dict[str, Any] | None:
    """Return what a task's surface is measured with; None where it is none that ``landscape evaluate`` measures."""
    asked = task.measurement
    if asked is None or asked.measure not in _SURFACES or len(task.networks) != 1 or task.data.samples:
        return None
    defaults = inspect.signature(getattr(measures, asked.measure)).parameters
    how = {name: each.default for name, each in defaults.items()} | dict(asked.arguments)
    # The task itself says what is wrong with a data set that there is not.
    if how.get("convexity") or not set(how["data"]) <= set(dict(task.data.references)):
        return None
    return how


def _evaluate(task: Task, folder: Path, ranks: int) -> list[str]:
    """Return what measures the task's surface by MPI; nothing where many processes cannot."""
    how, asked = _arguments(task), task.measurement
    if how is None or asked is None:
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
