"""A job of one process: the calls that `landscape.parallel.mpi` answers for many."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from landscape.parallel.dispatcher import Dispatcher, Result, Work
from landscape.parallel.scheduler import Scheduler, Task, WorkItem
from landscape.parallel.shutdown import exit_now

Value = TypeVar("Value")

# What every message about MPI ends in.
INSTALL = (
    "pip install 'torch-landscape[mpi]' brings MPI and mpiexec, 'torch-landscape[mpi4py]' goes with a cluster's own MPI"
)


class Comm:
    """One process does the whole work itself. `landscape.parallel.mpi.MPIComm` has the same calls for many."""

    rank = 0
    size = 1
    local_rank = 0  # number among the processes on this host
    local_size = 1

    def __init__(self) -> None:
        self.host = socket.gethostname()

    def broadcast(self, value: Value) -> Value:
        """Return what rank 0 passed, on all ranks. A rank that waits sleeps."""
        return value

    def add(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of all ranks' arrays of one shape, on rank 0; elsewhere what was passed."""
        return values

    def gather_local(self, value: Value) -> list[Value]:
        """Return what each process on this host passed, on all of them."""
        return [value]

    def share_out(self, dispatcher: Dispatcher[Result] | None, work: Work[Result]) -> None:
        """Take items from the dispatcher, which only rank 0 has, and measure them until none is left anywhere.

        Raises
        ------
        ClusterError
            Another rank failed; the message says which and why.
        """
        assert dispatcher is not None
        work_at(dispatcher, self.rank, work)

    def each(self, number: int, measure: Callable[[int], Value], keep: Callable[[int, Value], None]) -> None:
        """Measure items 0 to ``number - 1`` somewhere; keep each result on rank 0, in whatever order they come."""

        def work(item: WorkItem) -> Iterator[Value]:
            return map(measure, item.points)

        def record(item: WorkItem, results: Sequence[Value]) -> list[Task]:
            for number, result in zip(item.points, results, strict=True):
                keep(number, result)
            return []

        tasks = [Task(k, (("", 0, 1),)) for k in range(number)]
        with self.together():
            scheduler = Scheduler(tasks, self.size, seconds_per_sample=1.0)
            self.share_out(Dispatcher(scheduler, record) if self.rank == 0 else None, work)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Let an error in here end the work of all ranks, which would else wait for this one for ever."""
        yield

    def command(self) -> None:
        """From now on any failure ends the whole job at once, with its message: this is a command, not a library."""

    def described(self, text: str) -> str:
        """Say which rank an error comes from, where there are several."""
        return text

    def abort(self, line: str, code: int) -> NoReturn:
        """End all processes of the job, with one line on stderr. Only for a command, never for a library call."""
        exit_now(line, code)


def work_at(dispatcher: Dispatcher[Result], rank: int, work: Work[Result]) -> None:
    """Measure items in the process that holds the dispatcher, until the last result of any rank is in."""
    while (item := dispatcher.wait_for(rank)) is not None:
        began = time.perf_counter()
        for point, result in zip(item.points, work(item), strict=True):
            dispatcher.keep(replace(item, points=(point,)), [result])
        dispatcher.finish(rank, item, time.perf_counter() - began)
