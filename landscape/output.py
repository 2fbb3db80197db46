"""The file of a run: locked while the run lasts, read once, written every so many seconds and at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from landscape.locks import Lock
from landscape.store import check_writable, read_surface, write_surface
from landscape.surface import Surface

Directions = Sequence[Mapping[str, Any]] | None


class OutputFile:
    """A surface's file during a run. Without a path, nothing is read or written.

    Parameters
    ----------
    path : path or None
    write_every : float
        Seconds between two writes.
    overwrite : bool
        Start again whatever the file holds.
    """

    def __init__(self, path: str | Path | None, write_every: float, overwrite: bool) -> None:
        self.path = None if path is None else Path(path)
        self.digest = ""
        self._write_every = write_every
        self._overwrite = overwrite
        self._written_at: float | None = None
        self._lock: Lock | None = None
        self._stack = ExitStack()

    def __enter__(self) -> OutputFile:
        if self.path is not None:
            check_writable(self.path, overwrite=self._overwrite)
            self._lock = self._stack.enter_context(Lock(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read(self) -> Surface | None:
        """Return the surface in the file, or None where there is none to go on with."""
        if self.path is None or self._overwrite or not self.path.exists():
            return None
        return read_surface(self.path)

    def write_if_due(self, surface: Callable[[], Surface], directions: Directions = None) -> None:
        """Write the first time, and when the last time is long enough ago."""
        if self._written_at is None or time.monotonic() - self._written_at >= self._write_every:
            self.write(surface, directions)

    def write(self, surface: Callable[[], Surface], directions: Directions = None) -> None:
        """Write the file as a whole; a reader sees the one before or this one."""
        if self.path is None:
            return
        if self._lock is not None:
            self._lock.check()
        # What is there before the first write is replaced only when asked for, later it is our own.
        fresh = self._overwrite and self._written_at is None
        self.digest = write_surface(self.path, surface(), directions=directions, overwrite=fresh, keep=not fresh)
        self._written_at = time.monotonic()
