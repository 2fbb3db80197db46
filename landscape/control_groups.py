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
    for line in _lines(groups):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, read = root, newer
        elif controller in controllers.split(","):
            folder, read = root / controller, older
        else:
            continue
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
    if limit == "max":
        return None
    return int(limit) - int((folder / "memory.current").read_text()) + _file_cache(folder, "inactive_file")


def _left_v1(folder: Path) -> float | None:
    limit = int((folder / "memory.limit_in_bytes").read_text())
    if limit >= 1 << 60:  # how the older kind says that there is none
        return None
    return limit - int((folder / "memory.usage_in_bytes").read_text()) + _file_cache(folder, "total_inactive_file")


def _file_cache(folder: Path, name: str) -> int:
    """Return what counts as used but is given back when it is needed."""
    with contextlib.suppress(OSError, ValueError):
        for line in (folder / "memory.stat").read_text().splitlines():
            key, _, number = line.partition(" ")
            if key == name:
                return int(number)
    return 0


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text().splitlines() if line.count(":") >= 2]
    except OSError:
        return []
