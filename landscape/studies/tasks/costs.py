"""What the tasks that are left will take, from those that are done and from a few steps of training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module

from landscape.errors import LandscapeError
from landscape.parallel.progress import duration
from landscape.studies.study import Study
from landscape.studies.tasks.executors import cores
from landscape.studies.tasks.task_folders import Outcome
from landscape.studies.tasks.tasks import Task


class UsualSeconds:
    """What tasks that are done took, by their kind (training, or a measurement) and their variant."""

    def __init__(self, done: Iterable[tuple[Task, float]]) -> None:
        known: dict[tuple[str, str], list[float]] = {}
        for task, seconds in done:
            for variant in (task.variant, ""):
                known.setdefault((_kind(task), variant), []).append(seconds)
        self._known = {key: sum(each) / len(each) for key, each in known.items()}

    def of(self, task: Task) -> float | None:
        """Return the mean time of the same kind, of the same variant where there is one; None where none is done."""
        return self._known.get((_kind(task), task.variant), self._known.get((_kind(task), "")))

    def left(self, tasks: Sequence[Task], running: Mapping[str, float], workers: int) -> float:
        """Return about how many seconds the tasks that are left take; NaN where none is done.

        Parameters
        ----------
        tasks : sequence of Task
            Those of which no kind was done yet count as the mean of the kinds that were.
        running : mapping
            Folder of a task that runs -> seconds since it began.
        workers : int
        """
        kinds = [seconds for (_, variant), seconds in self._known.items() if not variant]
        if not kinds or not tasks:
            return math.nan
        other = sum(kinds) / len(kinds)
        each = [other if (known := self.of(task)) is None else known for task in tasks]
        rest = [max(0.0, seconds - running.get(task.folder, 0.0)) for task, seconds in zip(tasks, each, strict=True)]
        return max(sum(rest) / min(workers, len(tasks)), max(rest))


def _kind(task: Task) -> str:
    return task.name.partition("/")[0]


def estimate_costs(study: Study, tasks: Sequence[Task], outcomes: Mapping[str, Outcome], jobs: int = 0) -> list[str]:
    """Return lines that say how many tasks are left, and what time and memory they take.

    A measurement takes what the same one took of other networks, of the same variant where there is one; training what
    it took of other seeds, or what a few of its steps take now.
    """
    left = [task for task in tasks if outcomes[task.folder].state != "done"]
    lines = [f"{len(tasks)} tasks, {len(tasks) - len(left)} of them done"]
    if not left:
        return lines
    seconds, memory = 0.0, 0.0
    unknown: list[Task] = []
    steps: dict[str, dict[str, float]] = {}
    usual = UsualSeconds((task, outcomes[task.folder].seconds) for task in tasks if task not in left)
    for task in left:
        known = usual.of(task)
        if known is None and task.measurement is None and not task.networks[0].recipe.training:
            if task.variant not in steps:
                steps[task.variant] = _estimated(task)
            known = steps[task.variant].get("seconds")
            memory = max(memory, steps[task.variant].get("bytes", 0.0))
        if known is None:
            unknown.append(task)
        else:
            seconds += known
    if study.minutes:
        lines.append(f"the whole study took {study.minutes:g} minutes on two cores when it was made")
    workers = jobs or cores()
    figure = f"{duration(seconds)} of work, {duration(seconds / workers)} with {workers} tasks at a time"
    if unknown:
        kinds = ", ".join(dict.fromkeys(_kind(task) for task in unknown))
        lines.append(
            f"{len(unknown)} of the {len(left)} that are left are of kinds that were not timed yet ({kinds}) and are "
            "in no figure below; --smoke shows what they are like"
        )
        figure = f"the other {len(left) - len(unknown)} alone: {figure}"
    if len(unknown) < len(left):
        lines.append(f"about {figure}" if not unknown else figure)
    if memory:
        each = memory + _process_bytes()
        lines.append(f"about {each * workers / 2**30:.1f} GiB of memory for {workers} processes that train")
    return lines


def _process_bytes() -> float:
    """Return what a process takes by itself with all that is loaded: as much as this one did, at most."""
    import resource
    import sys

    most = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return most if sys.platform == "darwin" else most * 1024  # macOS counts bytes, others KiB


def _estimated(task: Task) -> dict[str, float]:
    try:
        found: dict[str, float] = import_module("landscape.studies.training.trainer").estimate(
            task.networks[0].recipe, task.data.open()
        )
    except (LandscapeError, ModuleNotFoundError):
        return {}
    return found
