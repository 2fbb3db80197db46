"""What lies in a task's folder: its files, and one that says it is done or why it failed.

``done.json`` is written last, whole or not at all, with the digest of every other file: a task is done when it is
there, of the task's key, and all files are there with their sizes. What a killed run left is gone on with or written
over. A measurement also names the weights it was made of, so that one of weights that have changed since is found out.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landscape import __version__
from landscape.errors import LandscapeError
from landscape.files.atomic import replace_file
from landscape.files.strict_json import from_json, to_json
from landscape.problem.references import failure
from landscape.studies.tasks.tasks import Task

DONE, FAILED, PROGRESS = "done.json", "failed.json", "progress.json"
_OURS = (DONE, FAILED, PROGRESS, "task.lock", "task.json")
WEIGHTS = "final.pt"


@dataclass(frozen=True)
class Outcome:
    """What became of a task."""

    state: str  # "done", "failed", "open" (not done yet), "busy" (another job is at it)
    values: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    files: tuple[str, ...] = ()  # names, below the task's folder
    error: str = ""  # one line
    details: str = ""  # the traceback
    about: Mapping[str, Any] = field(default_factory=dict)  # host, software, when


def read_outcome(task: Task, output: Path, *, since: float = -math.inf) -> Outcome:
    """Return what is known of a task; anything damaged or of other inputs counts as not done.

    Parameters
    ----------
    task : Task
    output : Path
        The study's folder.
    since : float
        Seconds since 1970: a failure that was met before counts as not done.
    """
    folder = output / task.folder
    done = _read(folder / DONE)
    if done.get("key") == task.key and _intact(done, folder) and _same_inputs(done, task, output):
        values = {str(name): float(value) for name, value in done["values"].items()}
        about = {name: done.get(name) for name in ("host", "software", "finished", "threads", "inputs")}
        return Outcome("done", values, float(done["seconds"]), tuple(done["files"]), about=about)
    failed = _read(folder / FAILED)
    if failed.get("key") == task.key and (folder / FAILED).stat().st_mtime >= since:
        return Outcome("failed", error=str(failed.get("error", "")), details=str(failed.get("details", "")))
    return Outcome("open")


def write_done(task: Task, output: Path, values: Mapping[str, float], seconds: float, threads: int) -> Outcome:
    """Say that a task is done, with the digests of its files."""
    folder = output / task.folder
    (folder / FAILED).unlink(missing_ok=True)
    (folder / PROGRESS).unlink(missing_ok=True)
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        # Another job that tries the task's lock just now has a file beside it, which is gone in a moment.
        passing = name.startswith("task.lock.") or name.endswith((".lock", ".writing"))
        if path.is_file() and name not in _OURS and not passing:
            files[name] = {"bytes": path.stat().st_size, "sha256": _digest(path)}
    about = {
        "key": task.key,
        "task": task.name,
        "values": dict(values),
        "seconds": seconds,
        "threads": threads,
        "files": files,
        "inputs": _inputs(task, output),
        "host": platform.node(),
        "software": f"landscape {__version__}, torch {_torch()}, Python {platform.python_version()}",
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    replace_file(folder / DONE, (to_json(about) + "\n").encode())
    return Outcome("done", values, seconds, tuple(files), about=about)


def write_failed(task: Task, output: Path, error: BaseException) -> Outcome:
    """Say why a task failed."""
    said = str(error) if isinstance(error, LandscapeError) else failure(error)
    text, details = " ".join(said.split()), "".join(traceback.format_exception(error))
    with suppress(LandscapeError):  # a disk that is full takes no more word of it
        about = {"key": task.key, "task": task.name, "error": text, "details": details}
        replace_file(output / task.folder / FAILED, (to_json(about) + "\n").encode())
    return Outcome("failed", error=text, details=details)


def forget(task: Task, output: Path) -> None:
    """Make a task one that is to be done again: its files are removed."""
    folder = output / task.folder
    (folder / DONE).unlink(missing_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path.name != "task.lock":
            path.unlink()


def read_progress(task: Task, output: Path) -> tuple[int, int]:
    """Return how far a task that runs somewhere is, and of how much; (0, 0) where it does not say."""
    told = _read(output / task.folder / PROGRESS)
    with suppress(KeyError, TypeError, ValueError):
        return int(told["done"]), int(told["total"])
    return 0, 0


def _read(path: Path) -> dict[str, Any]:
    """Return what a file says; nothing where there is none, or it is damaged."""
    try:
        found = from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _intact(done: Mapping[str, Any], folder: Path) -> bool:
    try:
        sizes = {name: int(each["bytes"]) for name, each in done["files"].items()}
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        return False


def _inputs(task: Task, output: Path) -> dict[str, str]:
    """Return the digest of the weights in each folder that a task needs."""
    found = {}
    for need in task.needs:
        files = _read(output / need / DONE).get("files", {})
        found[need] = str(files.get(WEIGHTS, {}).get("sha256", ""))
    return found


def _same_inputs(done: Mapping[str, Any], task: Task, output: Path) -> bool:
    return all(done.get("inputs", {}).get(need) == digest for need, digest in _inputs(task, output).items())


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _torch() -> str:
    import torch

    return str(torch.__version__)


def write_progress(folder: Path, done: int, total: int) -> None:
    """Let whoever watches know how far a task is; one that cannot be written is no failure."""
    with suppress(OSError):
        path = folder / PROGRESS
        aside = path.with_suffix(".aside")
        aside.write_text(f'{{"done": {int(done)}, "total": {int(total)}}}')
        os.replace(aside, path)
