"""The processes of this job, one or many behind the same calls.

mpi4py is imported only where a launcher has started several: without one everything works where there is no MPI at
all. With one, and MPI not to be had, every process would believe itself alone and all would write the same file; that
is refused.
"""

from __future__ import annotations

from landscape.errors import ClusterError
from landscape.parallel.launchers import ALONE, Launch, find_launch
from landscape.parallel.serial import INSTALL, Comm

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
        from landscape.parallel.mpi import MPIComm
    except (ImportError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ClusterError(
            f"{launch.launcher} started {number} processes, but this one cannot load MPI ({reason}), so each would "
            f"take itself for the only one and all would write the same file; {INSTALL}, or set {ALONE}=1 to run one "
            "process by itself"
        ) from error
    comm = MPIComm()
    if launch.size is not None and comm.size != launch.size:
        raise ClusterError(
            f"{launch.launcher} started {number} processes, but MPI ({comm.library}) connects {comm.size}: the MPI "
            f"library does not understand this launcher; use the mpiexec that belongs to it, or another --mpi of srun "
            f"({INSTALL})"
        )
    return comm
