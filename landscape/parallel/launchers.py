"""Who started this process, and as which of how many.

A launcher (``mpiexec``, ``srun``, ``flux run``) is known by the environment it gives its processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

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
