"""Rank 0 hands out work items here and takes results, from whatever thread.

Rank 0's own work takes its items here directly; for the other ranks a thread does it (`landscape.parallel.mpi`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from landscape.parallel.scheduler import Scheduler, Task, WorkItem

Result = TypeVar("Result")  # of one point
Work = Callable[[WorkItem], Iterable[Result]]  # measures an item: a result a point, each as soon as it is known


class Dispatcher(Generic[Result]):
    """A scheduler that threads may share.

    Parameters
    ----------
    scheduler : Scheduler
    record : callable
        ``record(item, results)`` keeps what was measured, a result a point, and returns the tasks that follow from it;
        never called by two threads at once.
    """

    def __init__(self, scheduler: Scheduler, record: Callable[[WorkItem, Sequence[Result]], Iterable[Task]]) -> None:
        self._scheduler = scheduler
        self._record = record
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._news = True

    @property
    def finished(self) -> bool:
        """Whether every result is in."""
        with self._changed:
            return self._scheduler.finished

    def news(self) -> bool:
        """Return whether something was finished since this was last asked: who got no item may get one now."""
        with self._changed:
            news, self._news = self._news, False
            return news

    def take(self, rank: int) -> WorkItem | None:
        """Return the next item for a rank, None where there is none for it at present."""
        with self._changed:
            return None if self._error is not None else self._scheduler.take(rank)

    def wait_for(self, rank: int) -> WorkItem | None:
        """Return the next item for a rank of this process, asleep until there is one; None when all is finished.

        Raises
        ------
        BaseException
            What `fail` was given.
        """
        with self._changed:
            while True:
                if self._error is not None:
                    raise self._error
                item = self._scheduler.take(rank)
                if item is not None:
                    return item
                if self._scheduler.finished:
                    return None
                # With a limit: on some platforms Ctrl-C does not reach a thread that waits without one.
                self._changed.wait(1.0)

    def keep(self, item: WorkItem, results: Sequence[Result]) -> None:
        """Record what was measured: all of an item, or the points of it that are done."""
        with self._changed:
            self._scheduler.add(self._record(item, results))

    def finish(self, rank: int, item: WorkItem, seconds: float) -> None:
        """Note that a rank is done with an item, whose results were kept."""
        with self._changed:
            self._scheduler.finish(rank, item, seconds)
            self._news = True
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """End the work: who waits for an item of this process gets the error, the first one of several."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()
