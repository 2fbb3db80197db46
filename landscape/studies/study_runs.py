"""Running a study: which tasks are left, each handed to a worker when what it needs is done, and what came of them.

A task that fails is reported and the others go on. One that another job is doing is asked for again until it is done.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import asdict
from pathlib import Path

from landscape.errors import StoreError, SurfaceMismatch, UsageError
from landscape.files.atomic import replace_file
from landscape.files.locks import Lock
from landscape.files.strict_json import from_json, to_json
from landscape.studies.report.study_results import StudyResult, collect
from landscape.studies.study import Study
from landscape.studies.study_files import find_study, read_study
from landscape.studies.tasks.costs import UsualSeconds
from landscape.studies.tasks.executors import Workers, open_workers
from landscape.studies.tasks.task_folders import Outcome, read_outcome, read_progress
from landscape.studies.tasks.task_work import Place, do_task
from landscape.studies.tasks.tasks import FOLDER, Task, chosen_tasks, is_named, plan_tasks

_log = logging.getLogger(__name__)

# Seconds between two looks at tasks that another job is doing, and at how far tasks are.
LOOK_EVERY = 0.5
# Seconds for which a job waits while another one writes the report.
REPORT_PATIENCE = 600.0
# Workers that may die under one task before it counts as failed.
MOST_DEATHS = 2
# What the folder of a study says about whose it is.
CARD = "study.json"

# Told (what, unit, done, in all, seconds left or NaN): of all tasks, and of each that runs.
Report = Callable[[str, str, int, int, float], None]


def study(
    what: Study | str | Path,
    output: str | Path,
    *,
    data: Sequence[str] = (),
    smoke: bool = False,
    only: Sequence[str] = (),
    again: bool = False,
    jobs: int = 0,
    executor: str | Executor = "",
    pages: bool = True,
    progress: Report | None = None,
    command: str = "",
) -> StudyResult | None:
    """Train the variants of a study, measure them, judge what was expected, write the report.

    What is done already is not done again; what was interrupted goes on.

    Parameters
    ----------
    what : Study, or str or Path
        A study, the name of one that ships, or a .toml file.
    output : path
        A folder, made where it is missing: ``index.html``, ``results.json``, ``results.csv``, pictures, and a folder
        for each task.
    data, smoke
        As for `landscape.studies.study_files.read_study`; only where ``what`` is a name or a file.
    only : sequence of str
        Do these tasks alone, and what they need: ``"plane/plain20"``. The report shows what is missing.
    again : bool
        Do the tasks of ``only`` (or all) again, whatever is there.
    jobs : int
        Tasks at a time; 0: one for each core.
    executor : str or Executor
        As for `landscape.studies.tasks.executors.open_workers`. With processes a script needs the usual
        ``if __name__ == "__main__":``.
    pages : bool
        Draw pictures and write ``index.html``, too, and not ``results.json`` and ``results.csv`` alone.
    progress : callable, optional
        Told (what, unit, done, in all, seconds left), of all tasks and of each that runs. The seconds follow from what
        tasks of the same kinds took; NaN where that is not known.
    command : str
        What makes this again, for the report.

    Returns
    -------
    StudyResult
        None in those processes of an MPI job that are workers.

    Raises
    ------
    UsageError
        The study is wrong in itself.
    SurfaceMismatch
        The folder holds another study.
    StoreError
        The folder cannot be written.

    Examples
    --------
    >>> result = landscape.study("shortcuts", "out/")              # doctest: +SKIP
    >>> [(each.name, each.verdict) for each in result.verdicts]    # doctest: +SKIP
    """
    from landscape.studies.report.report import write_report

    given = _given(what, data, smoke)
    folder = Path(output) / "smoke" if smoke else Path(output)
    with open_workers(executor, jobs) as workers:
        if workers is None:
            return None
        _make(folder)
        with _alone(folder):
            _claim(given, folder)
        tasks = plan_tasks(given)
        wanted = chosen_tasks(tasks, only)
        remade = frozenset(task.folder for task in wanted if again and is_named(task, only))
        outcomes = _Run(given, folder, workers, progress or _silent, remade).run(wanted)
        for task in tasks:
            outcomes.setdefault(task.folder, read_outcome(task, folder))
        result = collect(given, folder, tasks, outcomes, command=command, smoke=smoke)
    with _alone(folder):
        write_report(result, pages=pages)
    return result


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other job writes what all of them write, the report."""
    lock, began = Lock(folder / "report"), time.monotonic()
    while True:
        try:
            lock.__enter__()
            break
        except StoreError as error:
            if isinstance(error.__cause__, OSError) or time.monotonic() - began > REPORT_PATIENCE:
                raise
            time.sleep(LOOK_EVERY)
    try:
        yield
    finally:
        lock.release()


def _given(what: Study | str | Path, data: Sequence[str], smoke: bool) -> Study:
    if not isinstance(what, Study):
        path = what if isinstance(what, Path) else find_study(what)
        return read_study(path, data=data, smoke=smoke)
    if data or smoke:
        raise UsageError("data and smoke go with a study's name or file; a Study says itself what it is about")
    return what


def _make(folder: Path) -> None:
    try:
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder / FOLDER}: {error.strerror}; pass another with -o") from error
    if not os.access(folder, os.W_OK):
        raise StoreError(f"the folder {folder} cannot be written to; pass another with -o")


def _claim(given: Study, folder: Path) -> None:
    """Make the folder this study's; refuse one of another study, or of other data."""
    card = {"name": given.name, "data": dict(given.data), "format": "landscape study 1"}
    try:
        known = from_json((folder / CARD).read_text()) if (folder / CARD).exists() else card
    except OSError as error:
        raise StoreError(f"{folder / CARD} cannot be read: {error.strerror}") from error
    except ValueError:
        known = {}
    if not isinstance(known, Mapping) or any(known.get(key) != value for key, value in card.items()):
        name = known.get("name") if isinstance(known, Mapping) else None
        raise SurfaceMismatch(
            f"{folder} holds the study {name!r} on {known.get('data')!r}, not {given.name!r} on {card['data']!r}; "
            "pass another folder with -o"
        )
    replace_file(folder / CARD, (to_json(card | {"study": asdict(given)}) + "\n").encode())


def _silent(what: str, unit: str, done: int, total: int, left: float) -> None:
    """Say nothing."""


class _Run:
    """Hands tasks to workers until none is left."""

    def __init__(self, given: Study, folder: Path, workers: Workers, report: Report, again: frozenset[str]) -> None:
        self._study = given
        self._folder = folder
        self._workers = workers
        self._report = report
        self._again = set(again)
        self._names = tuple(each.name for each in given.variants)
        self._began = time.time()
        self._running: dict[Future[Outcome], tuple[Task, int]] = {}
        self._submitted: dict[str, float] = {}
        self._deaths: dict[str, int] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._not_before: dict[str, float] = {}  # of tasks that another job is doing

    def run(self, tasks: Sequence[Task]) -> dict[str, Outcome]:
        """Do the tasks; return what became of each, by its folder."""
        for task in tasks:
            if task.folder in self._again or any(need not in self._outcomes for need in task.needs):
                continue
            known = read_outcome(task, self._folder)
            if known.state == "done":
                self._outcomes[task.folder] = known
        self._tell(tasks)
        left = [task for task in tasks if task.folder not in self._outcomes]
        try:
            while left or self._running:
                left = self._hand_out(left)
                left += self._take_in()
                self._tell(tasks)
        finally:
            for future in self._running:
                future.cancel()
        return self._outcomes

    def _hand_out(self, left: list[Task]) -> list[Task]:
        """Give free workers what can be done; return what cannot be done yet."""
        later = []
        for task in left:
            failed = [need for need in task.needs if (known := self._outcomes.get(need)) and known.state == "failed"]
            waiting = [need for need in task.needs if need not in self._outcomes]
            if failed:
                self._outcomes[task.folder] = Outcome("open", error=f"it needs {', '.join(failed)}, which failed")
            elif waiting or not self._is_free_for(task) or not self._is_time(task):
                later.append(task)
            else:
                self._submit(task)
        return later

    def _is_free_for(self, task: Task) -> bool:
        """Whether a worker is free; what ran when one died is done alone, so that it is known whose fault it was."""
        running = [each.folder for each, _ in self._running.values()]
        alone = not self._deaths.keys().isdisjoint([task.folder, *running])
        return not running or (len(running) < self._workers.number and not alone)

    def _is_time(self, task: Task) -> bool:
        return time.monotonic() >= self._not_before.get(task.folder, 0.0)

    def _submit(self, task: Task) -> None:
        taken = {slot for _, slot in self._running.values()}
        slot = next(number for number in range(len(taken) + 1) if number not in taken)
        place = Place(self._workers.threads, slot)
        again = task.folder in self._again
        try:
            future = self._workers.executor.submit(do_task, task, self._folder, self._names, place, again, self._began)
        except BrokenExecutor:
            self._renew()
            future = self._workers.executor.submit(do_task, task, self._folder, self._names, place, again, self._began)
        self._running[future] = task, slot
        self._submitted[task.folder] = time.monotonic()

    def _take_in(self) -> list[Task]:
        """Wait for something to happen; return the tasks that have to be asked for again."""
        if not self._running:
            time.sleep(LOOK_EVERY)
            return []
        done, _ = wait(self._running, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED)
        back = []
        for future in [each for each in self._running if each in done]:  # a set has no order
            task, _ = self._running.pop(future)
            try:
                outcome = future.result()
            except BrokenExecutor as error:
                outcome = self._died(task, error)
            if outcome.state == "busy":
                _log.info("%s: %s", task.name, outcome.error)
                self._not_before[task.folder] = time.monotonic() + LOOK_EVERY
                back.append(task)
            else:
                self._again.discard(task.folder)
                self._outcomes[task.folder] = outcome
                if outcome.state == "failed":
                    _log.warning("%s failed: %s", task.name, outcome.error)
        return back

    def _died(self, task: Task, error: BaseException) -> Outcome:
        """A worker is gone, and all that was with it: try each once more, then call it failed."""
        if self._workers.renew is None:
            return Outcome("failed", error=f"the executor broke down: {error}")
        self._deaths[task.folder] = self._deaths.get(task.folder, 0) + 1
        if self._deaths[task.folder] < MOST_DEATHS:
            return Outcome("busy", error="its worker process ended; it is tried once more")
        return Outcome("failed", error="its worker process was ended twice, by the system perhaps for want of memory")

    def _renew(self) -> None:
        assert self._workers.renew is not None
        self._workers.executor = self._workers.renew()

    def _tell(self, tasks: Sequence[Task]) -> None:
        known = [(task, self._outcomes[task.folder]) for task in tasks if task.folder in self._outcomes]
        usual = UsualSeconds((task, outcome.seconds) for task, outcome in known if outcome.state == "done")
        since = {task.folder: time.monotonic() - self._submitted[task.folder] for task, _ in self._running.values()}
        left = usual.left([task for task in tasks if task.folder not in self._outcomes], since, self._workers.number)
        self._report(self._study.shown, "tasks", len(known), len(tasks), left)
        for task, _ in self._running.values():
            done, of = read_progress(task, self._folder)
            if 0 < done < of:
                self._report(task.name, "steps", done, of, math.nan)
