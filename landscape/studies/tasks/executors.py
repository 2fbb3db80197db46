"""Who does the tasks: any `concurrent.futures.Executor`.

Processes of this machine by default, ``mpi4py.futures`` under a launcher, this process itself, or what a user's own
function returns (Dask's, submitit's). A worker gets its share of the machine's threads. Workers of ours end at once
when the process that started them does, however it ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from landscape.engine.control_groups import cpu_quota
from landscape.engine.devices import physical_cores, threads_for, usable_cpus
from landscape.errors import ClusterError, ProblemError, UsageError
from landscape.parallel.launchers import ALONE, Launch, find_launch
from landscape.parallel.serial import INSTALL
from landscape.problem.references import failure, resolve

KINDS = ("processes", "here", "mpi")


@dataclass
class Workers:
    """An executor, how many tasks it does at a time, and the threads that each of them may use."""

    executor: Executor
    number: int
    threads: int  # 0: as many as there are
    renew: Callable[[], Executor] | None = None  # gives another where a worker's death has ended this one
    what: str = "processes"


class SerialExecutor(Executor):
    """Does what is submitted at once, in this process."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call the function; return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextlib.contextmanager
def open_workers(kind: str | Executor = "", jobs: int = 0) -> Iterator[Workers | None]:
    """Give the workers; None in the processes of an MPI job that are workers themselves, once there is no more to do.

    Parameters
    ----------
    kind : str or Executor
        One of `KINDS`, ``file.py:name`` of a function that returns an executor, or an executor. By default ``mpi``
        where a launcher has started several processes, else ``processes``.
    jobs : int
        Tasks at a time; 0: one for each core, MPI worker, or all at once on an executor of the user's own.

    Raises
    ------
    UsageError
        There is no such kind, or a number below 0.
    ClusterError
        ``mpi`` without MPI.
    ProblemError
        The user's function failed, or returned something else.
    """
    if jobs < 0:
        raise UsageError(f"--jobs {jobs}: at least 1 task at a time was wanted")
    if isinstance(kind, Executor):
        yield Workers(kind, jobs or _asked_of(kind), 0, what="an executor of the caller's")
        return
    launch = find_launch()
    kind = kind or ("mpi" if launch else "processes")
    if kind == "mpi":
        with _mpi(launch, jobs) as workers:
            yield workers
    elif launch is not None:
        raise UsageError(f"{launch.launcher} started several processes; each would do the whole study with {kind!r}")
    elif kind == "here":
        yield Workers(SerialExecutor(), 1, 0, what="this process")
    elif kind == "processes":
        with _processes(jobs or cores()) as workers:
            yield workers
    elif ":" in kind:
        with _users(kind) as executor:
            yield Workers(executor, jobs or _asked_of(executor), 0, what=kind)
    else:
        raise UsageError(f"no executor is called {kind!r}; there are {', '.join(KINDS)}, and file.py:function")


def cores() -> int:
    """Return how many cores this process may use, by its affinity and its control group's limit."""
    return threads_for(0, [usable_cpus()], physical_cores(), cpu_quota())


def _asked_of(executor: Executor) -> int:
    """Return how many tasks an executor is given at a time: its own number of workers, or as many as there are."""
    number = getattr(executor, "_max_workers", None)
    return number if isinstance(number, int) and number > 0 else 1 << 20


@contextlib.contextmanager
def _users(reference: str) -> Iterator[Executor]:
    function = resolve(reference, what="executor")
    try:
        executor = function()
    except (Exception, SystemExit) as error:
        raise ProblemError(f"executor: {reference}() failed: {failure(error)}") from error
    if not hasattr(executor, "submit"):
        raise ProblemError(f"executor: {reference}() returned a {type(executor).__name__}, which has no 'submit'")
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(executor) if hasattr(executor, "__enter__") else executor


@contextlib.contextmanager
def _processes(number: int) -> Iterator[Workers]:
    # spawn: a fork of a process that has used torch's threads may hang.
    context = multiprocessing.get_context("spawn")
    # Workers wait at the other end: it closes when this process ends, even killed.
    reader, writer = context.Pipe(duplex=False)
    pools: list[ProcessPoolExecutor] = []

    def start() -> Executor:
        pool = ProcessPoolExecutor(number, mp_context=context, initializer=_start_worker, initargs=(reader,))
        pools.append(pool)
        return pool

    threads = max(1, cores() // number)
    try:
        yield Workers(start(), number, threads, start, f"{number} processes")
        pools[-1].shutdown(wait=True)
    finally:
        writer.close()
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        reader.close()


def _start_worker(alive: Any) -> None:
    """End this worker when the process that started it is gone; leave Ctrl-C to that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ[ALONE] = "1"  # what a task does is of one process

    def wait() -> None:
        with contextlib.suppress(EOFError, OSError):
            alive.recv()
        os._exit(1)

    threading.Thread(target=wait, name="is the study still there", daemon=True).start()


@contextlib.contextmanager
def _mpi(launch: Launch | None, jobs: int) -> Iterator[Workers | None]:
    try:
        from mpi4py import MPI
        from mpi4py.futures import MPICommExecutor
    except (ImportError, RuntimeError, OSError) as error:
        raise ClusterError(f"MPI cannot be loaded ({' '.join(str(error).split())[:300]}); {INSTALL}") from error
    world = MPI.COMM_WORLD
    if launch is not None and launch.size is not None and launch.size != world.size:
        raise ClusterError(
            f"{launch.launcher} started {launch.size} processes, but MPI connects {world.size}: use the mpiexec that "
            f"belongs to the MPI library ({INSTALL})"
        )
    os.environ[ALONE] = "1"  # what a task does is of one process
    here = world.Split_type(MPI.COMM_TYPE_SHARED)
    threads = max(1, cores() // max(1, here.size - (1 if world.rank == 0 else 0)))
    here.Free()
    with MPICommExecutor(world, root=0) as executor:
        if executor is None:
            yield None
            return
        workers = max(1, world.size - 1)
        # mpi4py derives from Executor where types are not checked.
        shared: Any = executor
        yield Workers(shared, min(jobs or workers, workers), threads, what=f"{workers} MPI workers")
