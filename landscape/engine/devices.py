"""Which device and how many threads a process computes with, so that processes on one host do not fight.

References
----------
.. [1] Linux, "Control Group v2", cpu.max; ``man 2 sched_getaffinity``.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

Cpus = frozenset[int]


def local_device(name: str, local_rank: int, devices: int) -> str:
    """Return the device that a process of a host takes: its number there, modulo the host's devices.

    Parameters
    ----------
    name : str
        What was asked for; one with a number, as in "cuda:1", is taken as it is.
    local_rank : int
        Number of the process among those on its host.
    devices : int
        Devices of that kind the process can see: one where the launcher shows each process its own.

    Examples
    --------
    >>> [local_device("cuda", rank, 4) for rank in range(6)]
    ['cuda:0', 'cuda:1', 'cuda:2', 'cuda:3', 'cuda:0', 'cuda:1']
    >>> local_device("cuda:1", 3, 4)
    'cuda:1'
    """
    if name not in ("cuda", "xpu") or devices < 1:
        return name
    return f"{name}:{local_rank % devices}"


def usable_cpus() -> Cpus:
    """Return the processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def why_unusable(name: str) -> str:
    """Return why torch cannot compute on a device here, as it says itself; nothing where it can.

    It knows the names of devices that it was not built for, each of which fails in its own way.
    """
    import torch

    try:
        # Of a name it has given up it warns before it fails.
        with warnings.catch_warnings(action="ignore"):
            torch.ones(1, device=name).sum().item()
    except Exception as error:
        said = " ".join(str(error).split())
        return f"{type(error).__name__}: {re.split(r'[.,;:] ', said)[0][:120]}"
    return ""


def physical_cores(root: str | Path = "/sys/devices/system/cpu") -> dict[int, int]:
    """Return for each processor the first one on the same core; empty where the system does not tell.

    Two hyperthreads share the units that multiply, so a thread for each would only make them wait for each other.
    """
    cores = {}
    for folder in Path(root).glob("cpu[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            siblings = (folder / "topology" / "thread_siblings_list").read_text()
            cores[int(folder.name[3:])] = int(re.split("[-,]", siblings)[0])  # as in 0-3,8: the first is the smallest
    return cores


def threads_for(rank: int, affinities: Sequence[Cpus], cores: Mapping[int, int], quota: float | None) -> int:
    """Return how many threads a process gets when the processes of a host share its cores evenly.

    Parameters
    ----------
    rank : int
        Number of the process on its host.
    affinities : sequence of frozenset of int
        For each process of the host, the processors it may use: disjoint where the launcher binds, else all the same.
    cores : mapping
        From `physical_cores`.
    quota : float or None
        From `landscape.engine.control_groups.cpu_quota`; all processes of the host are taken to share it.

    Returns
    -------
    int
        At least 1.
    """
    users: dict[int, int] = {}
    for affinity in affinities:
        for core in {cores.get(cpu, cpu) for cpu in affinity}:
            users[core] = users.get(core, 0) + 1
    share = sum(1 / users[core] for core in {cores.get(cpu, cpu) for cpu in affinities[rank]})
    if quota is not None:
        share = min(share, quota / len(affinities))
    return max(math.floor(share + 1e-9), 1)
