"""The file of a run: locked while the run lasts, read once, written as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from landscape.files.locks import Lock
from landscape.files.store import check_writable, read_surface, write_surface
from landscape.parallel.shutdown import at_shutdown
from landscape.surface.surface import Surface

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
        self.write_every = write_every
        self._overwrite = overwrite
        self._written = False
        self._lock: Lock | None = None
        self._held = ExitStack()

    def __enter__(self) -> OutputFile:
        if self.path is not None:
            with ExitStack() as stack:
                # First of all: to look whether the file can be written takes the name a running job writes to.
                self._lock = stack.enter_context(Lock(self.path))
                # It may be told to end while it still measures theta*.
                stack.enter_context(at_shutdown(self.close))
                check_writable(self.path, overwrite=self._overwrite)
                self._held = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._held.close()

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.release()

    def read(self) -> Surface | None:
        """Return the surface in the file, or None where there is none to go on with."""
        if self.path is None or self._overwrite or not self.path.exists():
            return None
        return read_surface(self.path)

    def write(self, surface: Surface, directions: Directions = None) -> None:
        """Write the file as a whole; a reader sees the one before or this one."""
        if self.path is None:
            return
        if self._lock is not None:
            self._lock.check()
        # What is there before the first write is replaced only when asked for, later it is our own.
        self.digest = write_surface(
            self.path, surface, directions=directions, overwrite=self._overwrite and not self._written
        )
        self._written = True
