"""Doing one task, in whatever process it is given to: take its lock, train or measure, say that it is done.

The lock is that of `landscape.files.locks`, held by the process that does the work: it is gone when that process is,
and of two jobs on one folder one does the task and the other finds it done.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from numbers import Real
from pathlib import Path
from typing import Any

from landscape.errors import ProblemError, StoreError, suggestion
from landscape.files.locks import Lock
from landscape.files.strict_json import from_json
from landscape.problem.references import resolve
from landscape.studies.study import Context
from landscape.studies.tasks.task_folders import Outcome, forget, read_outcome, write_done, write_failed, write_progress
from landscape.studies.tasks.tasks import Task, in_folder, split_number

# Seconds between two words on how far a task is.
TELL_EVERY = 1.0


@dataclass(frozen=True)
class Place:
    """Where a task is done: threads it may use, and its number among the tasks done at a time."""

    threads: int = 0  # 0: as many as there are
    slot: int = 0


def do_task(
    task: Task, output: Path, variants: tuple[str, ...], place: Place, again: bool = False, since: float = math.inf
) -> Outcome:
    """Do a task unless it is done; raises nothing but what ends a process.

    Parameters
    ----------
    task : Task
    output : Path
        The study's folder.
    variants : tuple of str
        Names that a measurement's numbers may belong to.
    place : Place
    again : bool
        Do it whatever is there.
    since : float
        Seconds since 1970: a failure that another job met after this is not met again.

    Returns
    -------
    Outcome
        ``busy`` where another process is at it.
    """
    folder = output / task.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(folder / "task")
        lock.__enter__()
    except (OSError, StoreError) as error:
        held = isinstance(error, StoreError) and not isinstance(error.__cause__, OSError)
        return Outcome("busy", error=str(error)) if held else write_failed(task, output, error)
    try:
        known = read_outcome(task, output, since=since)  # another job may have done it while this one waited
        if known.state != "open" and not again:
            return known
        if again:
            forget(task, output)
        return _worked(task, output, variants, place)
    finally:
        lock.release()


def _worked(task: Task, output: Path, variants: tuple[str, ...], place: Place) -> Outcome:
    began = time.perf_counter()
    try:
        with _threads(place):
            values = _values(in_folder(task, output), output / task.folder, output)
        for name in values:
            split_number(name, variants, task)
        return write_done(task, output, values, time.perf_counter() - began, place.threads)
    except (Exception, SystemExit) as error:
        return write_failed(task, output, error)


def _values(task: Task, folder: Path, output: Path) -> dict[str, float]:
    data = task.data.open()
    progress = _Teller(folder)
    if task.measurement is None:
        network = task.networks[0]
        train = _function(network.recipe.training, "training function", "landscape.studies.training.trainer", "train")
        return _numbers(train(network.recipe, network.seed, data, folder, progress), "training")
    scored = tuple(
        replace(network, scores=_scores(output / need)) for network, need in zip(task.networks, task.needs, strict=True)
    )
    context = Context(scored, data, dict(task.measurement.arguments), folder, task.direction_seed, progress)
    measure = find_measure(task.measurement.measure)
    return _numbers(measure(context), task.measurement.measure)


def _scores(folder: Path) -> dict[str, float]:
    try:
        return {str(k): float(v) for k, v in from_json((folder / "done.json").read_text())["values"].items()}
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(f"{folder} is gone or damaged; start the study again, and the network is trained") from error


def find_measure(name: str) -> Callable[[Context], Mapping[str, Any]]:
    """Return a measurement by its name, or by reference.

    Raises
    ------
    ProblemError
        There is none.
    """
    if ":" in name:
        found: Callable[[Context], Mapping[str, Any]] = resolve(name, what="measurement")
        return found
    known = import_module("landscape.studies.measures.measures").MEASURES
    if name not in known:
        raise ProblemError(f"there is no measurement {name!r}; {suggestion(name, known)} Your own is file.py:function")
    found = known[name]
    return found


def _function(reference: str, what: str, module: str, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = resolve(reference, what=what) if reference else getattr(import_module(module), name)
    return found


def _numbers(returned: Any, what: str) -> dict[str, float]:
    if not isinstance(returned, Mapping):
        raise ProblemError(f"{what} returned a {type(returned).__name__}; a dict of numbers by name was wanted")
    found = {}
    for name, value in returned.items():
        if (hasattr(value, "item") and getattr(value, "size", None) in (1, ())) or hasattr(value, "detach"):
            value = value.item()
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, Real):
            raise ProblemError(f"{what} returned {value!r} for {name!r}; a number was wanted")
        found[name] = float(value)
    return found


class _Teller:
    """Writes how far a task is, now and then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told = -math.inf

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told >= TELL_EVERY:
            self._told = now
            write_progress(self._folder, done, total)


class _threads:
    """Give torch so many threads, and a GPU of this worker's, while inside."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __enter__(self) -> None:
        import torch

        self._before = torch.get_num_threads()
        if self._place.threads:
            torch.set_num_threads(self._place.threads)
        if torch.cuda.is_available() and torch.cuda.device_count() > 1:
            torch.cuda.set_device(self._place.slot % torch.cuda.device_count())

    def __exit__(self, *failure: object) -> None:
        import torch

        torch.set_num_threads(self._before)
