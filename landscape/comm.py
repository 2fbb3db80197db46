"""One process or many behind the same calls; who started this process, and as which of how many.

A launcher (``mpiexec``, ``srun``, ``flux run``) is known by the environment it gives its processes. Only under one is
mpi4py imported: without a launcher everything works where there is no MPI at all. With one, and MPI not to be had,
every process would believe itself alone and all would write the same file; that is refused.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar

from landscape.dispatch import Desk, Result, Work
from landscape.errors import ClusterError
from landscape.leaving import leave
from landscape.schedule import Piece, Scheduler, Task

Value = TypeVar("Value")

# Launcher, the variable that holds the process's number, and the one that holds how many there are. The first that is
# there counts. PMI_* are MPICH's, Intel's and Cray's; PMIX_RANK comes without a size. Inside a batch script of Slurm
# SLURM_NTASKS speaks of the job, SLURM_STEP_NUM_TASKS is there only in what srun started.
_LAUNCHERS = (
    ("Open MPI's mpiexec", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("mpiexec", "PMI_RANK", "PMI_SIZE"),
    ("mpiexec", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    ("flux run", "FLUX_TASK_RANK", "FLUX_JOB_SIZE"),
    ("jsrun", "JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE"),
    ("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ("a PMIx launcher", "PMIX_RANK", ""),
)
# Turns all of this off: for one process of somebody else's parallel job.
ALONE = "LANDSCAPE_ALONE"


@dataclass(frozen=True)
class Launch:
    """What the environment says about how this process was started."""

    launcher: str
    rank: int
    size: int | None  # None: not said


def find_launch(environment: Mapping[str, str] | None = None) -> Launch | None:
    """Return who started this process as one of several; None where it is one process by itself.

    Examples
    --------
    >>> find_launch({"PMI_RANK": "2", "PMI_SIZE": "8"})
    Launch(launcher='mpiexec', rank=2, size=8)
    >>> find_launch({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"})  # the batch script itself, not a step of it
    """
    env = os.environ if environment is None else environment
    if env.get(ALONE, "0") not in ("", "0"):
        return None
    for launcher, rank_name, size_name in _LAUNCHERS:
        rank = _number(env.get(rank_name))
        size = _number(env.get(size_name)) if size_name else None
        if rank is None or (size_name and size is None):
            continue
        return None if size == 1 else Launch(launcher, rank, size)
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


class Comm:
    """One process: every call does the whole work itself. `landscape.mpi.MPIComm` is the same for many."""

    rank = 0
    size = 1
    local_rank = 0  # number among the processes on this host
    local_size = 1

    def __init__(self) -> None:
        self.host = socket.gethostname()

    def broadcast(self, value: Value) -> Value:
        """Return what rank 0 passed, on all ranks. A rank that waits sleeps."""
        return value

    def gather_local(self, value: Value) -> list[Value]:
        """Return what each process on this host passed, on all of them."""
        return [value]

    def share_out(self, desk: Desk[Result] | None, work: Work[Result]) -> None:
        """Take pieces from the desk, which only rank 0 has, and measure them until none is left anywhere.

        Raises
        ------
        ClusterError
            Another rank failed; the message says which and why.
        """
        assert desk is not None
        work_at(desk, self.rank, work)

    def each(self, number: int, measure: Callable[[int], Value], keep: Callable[[int, Value], None]) -> None:
        """Measure items 0 to ``number - 1`` somewhere; keep each result on rank 0, in whatever order they come."""

        def work(piece: Piece) -> Iterator[Value]:
            return map(measure, piece.points)

        def record(piece: Piece, results: Sequence[Value]) -> list[Task]:
            for item, result in zip(piece.points, results, strict=True):
                keep(item, result)
            return []

        tasks = [Task(item, (("", 0, 1),)) for item in range(number)]
        with self.together():
            scheduler = Scheduler(tasks, self.size, seconds_per_sample=1.0)
            self.share_out(Desk(scheduler, record) if self.rank == 0 else None, work)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Let an error in here end the work of all ranks, which would else wait for this one for ever."""
        yield

    def command(self) -> None:
        """From now on any failure ends the whole job at once, with its message: this is a command, not a library."""

    def described(self, text: str) -> str:
        """Say which rank an error comes from, where there are several."""
        return text

    def leave(self, line: str, code: int) -> NoReturn:
        """End all processes of the job, with one line on stderr. Only for a command, never for a library call."""
        leave(line, code)


def work_at(desk: Desk[Result], rank: int, work: Work[Result]) -> None:
    """Measure pieces in the process that holds the desk, until the last result of any rank is in."""
    while (piece := desk.wait_for(rank)) is not None:
        began = time.perf_counter()
        for point, result in zip(piece.points, work(piece), strict=True):
            desk.keep(replace(piece, points=(point,)), [result])
        desk.finish(rank, piece, time.perf_counter() - began)


_current: Comm | None = None


def current_comm() -> Comm:
    """Return the processes this one was started with; under a launcher all of them have to call this.

    Raises
    ------
    ClusterError
        A launcher started several processes, but they cannot be connected.
    """
    global _current
    if _current is None:
        launch = find_launch()
        _current = Comm() if launch is None else _connect(launch)
    return _current


def connected() -> Comm | None:
    """Return what `current_comm` gave before, None if nobody has asked yet."""
    return _current


def _connect(launch: Launch) -> Comm:
    number = "several" if launch.size is None else str(launch.size)
    try:
        from landscape.mpi import MPIComm
    except (ImportError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ClusterError(
            f"{launch.launcher} started {number} processes, but this one cannot load MPI ({reason}), so each would "
            "take itself for the only one and all would write the same file; install mpi4py and an MPI library "
            f"(pip install 'torch-landscape[mpi]', or the cluster's own), or set {ALONE}=1 to run one process by itself"
        ) from error
    comm: Any = MPIComm()
    if launch.size is not None and comm.size != launch.size:
        raise ClusterError(
            f"{launch.launcher} started {number} processes, but MPI ({comm.library}) connects {comm.size}: the MPI "
            "library does not understand this launcher; use the mpiexec that belongs to it, or another --mpi of srun"
        )
    connection: Comm = comm
    return connection
