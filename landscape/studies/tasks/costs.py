"""What the tasks that are left will take, from those that are done and from a few steps of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from landscape.errors import LandscapeError
from landscape.parallel.progress import duration
from landscape.studies.study import Study
from landscape.studies.tasks.executors import cores
from landscape.studies.tasks.task_folders import Outcome
from landscape.studies.tasks.tasks import Task


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
    for task in left:
        known = _like(task, tasks, outcomes)
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
        kinds = ", ".join(dict.fromkeys(task.name.partition("/")[0] for task in unknown))
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


def _like(task: Task, tasks: Sequence[Task], outcomes: Mapping[str, Outcome]) -> float | None:
    """Return the mean time of tasks of the same kind that are done, of the same variant first."""
    kind = task.name.partition("/")[0]
    done = [each for each in tasks if each.name.partition("/")[0] == kind and outcomes[each.folder].state == "done"]
    chosen = [each for each in done if each.variant == task.variant] or done
    return sum(outcomes[each.folder].seconds for each in chosen) / len(chosen) if chosen else None


def _estimated(task: Task) -> dict[str, float]:
    try:
        found: dict[str, float] = import_module("landscape.studies.training.trainer").estimate(
            task.networks[0].recipe, task.data.open()
        )
    except (LandscapeError, ModuleNotFoundError):
        return {}
    return found
