"""What a container, a batch system or a service manager lets this process have: Linux control groups.

A limit of any group above counts as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
GROUPS = Path("/proc/self/cgroup")

Reader = Callable[[Path], float | None]  # from a group's folder; None: no limit there


def cpu_quota(root: str | Path = ROOT, groups: str | Path = GROUPS) -> float | None:
    """Return how many processors' time the control group of this process gets, None where there is no limit."""
    return min(_limits("cpu", _quota_v2, _quota_v1, Path(root), Path(groups)), default=None)


def memory_left(root: str | Path = ROOT, groups: str | Path = GROUPS) -> int | None:
    """Return how many bytes the control group of this process may still take, None where there is no limit."""
    found = min(_limits("memory", _left_v2, _left_v1, Path(root), Path(groups)), default=None)
    return None if found is None else max(int(found), 0)


def _limits(controller: str, newer: Reader, older: Reader, root: Path, groups: Path) -> Iterator[float]:
    for line in groups.read_text().splitlines() if groups.is_file() else ():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        folder, read = (root / controller, older) if controllers else (root, newer)
        inside = Path(path.lstrip("/"))
        for each in (inside, *inside.parents):
            with contextlib.suppress(OSError, ValueError):
                limit = read(folder / each)
                if limit is not None:
                    yield limit


def _quota_v2(folder: Path) -> float | None:
    quota, period = (folder / "cpu.max").read_text().split()
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    quota = int((folder / "cpu.cfs_quota_us").read_text())
    return None if quota <= 0 else quota / int((folder / "cpu.cfs_period_us").read_text())


def _left_v2(folder: Path) -> float | None:
    limit = (folder / "memory.max").read_text().strip()
    return None if limit == "max" else int(limit) - _used(folder, "memory.current", "inactive_file")


def _left_v1(folder: Path) -> float | None:
    limit = int((folder / "memory.limit_in_bytes").read_text())
    # From 2 ** 60 on the older kind says that there is none.
    return None if limit >= 1 << 60 else limit - _used(folder, "memory.usage_in_bytes", "total_inactive_file")


def _used(folder: Path, usage: str, cache: str) -> int:
    """Return what is used, without what the kernel keeps of files that were read, which is given back when needed."""
    used = int((folder / usage).read_text())
    with contextlib.suppress(OSError, ValueError):
        fields = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        used -= int(fields.get(cache, 0))
    return used
