"""A lock file beside a surface file, so that two jobs never write one surface.

``net.h5.lock`` names host, process, start and a heartbeat; whoever finds it is refused with those names. While a job
holds it the file is also locked by the system (``flock``), which lets go when the process ends, however it ends, and
keeps what a stopped process holds: on one host, containers included, that decides alone. Other hosts may not see the
system's lock, nor does every file system have one: there a lock is stale when three heartbeats were missed. Ages are
differences of two times that the file system gave, so clocks of hosts need not agree.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landscape.errors import StoreError
from landscape.files.atomic import printable, reason
from landscape.files.inputs import require_no_input

HEARTBEAT = 10.0  # seconds
MISSED = 3
# Seconds in which another host that takes over the same lock must have done so.
SETTLE = 1.0

_held: set[int] = set()  # file descriptors; a forked child closes its copies, or it would hold the lock as well


class Lock:
    """Hold ``PATH.lock`` while the file at ``path`` is being written.

    Parameters
    ----------
    path : str or Path
        The file to be written; the lock lies beside it.
    heartbeat : float
        Seconds between signs of life.

    Raises
    ------
    StoreError
        On entering: another process holds the lock (it is named), or the lock cannot be written.

    Examples
    --------
    >>> with Lock("net.h5"):  # doctest: +SKIP
    ...     write_surface("net.h5", surface)
    """

    def __init__(self, path: str | Path, *, heartbeat: float = HEARTBEAT) -> None:
        self.path = Path(f"{os.path.realpath(path)}.lock")
        self._name = str(path)
        self._heartbeat = heartbeat
        self._token = ""
        self._descriptor = -1
        self._pid = 0
        self._lost = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lock:
        """Take the lock, from a dead process if need be; `StoreError` where somebody holds it."""
        token = secrets.token_hex(8)
        require_no_input(self.path)
        try:
            self._descriptor = self._claim(token)
        except OSError as error:
            raise StoreError(
                f"the lock {self.path} cannot be written: {reason(error, str(self.path))}; {self._name} is as it was"
            ) from error
        _held.add(self._descriptor)
        self._token, self._pid, self._lost = token, os.getpid(), ""
        self._stop.clear()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat of {self.path.name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.release()

    def check(self) -> None:
        """Raise `StoreError` when the lock is no longer ours: ask before each write.

        It may have been taken over while this process stood still on a host nobody could look into, or removed by hand.
        """
        if not self._lost and not self._is_ours():
            self._lost = "it is gone, or names another process"
        if self._lost:
            if not self.path.parent.is_dir():
                raise StoreError(
                    f"the folder {self.path.parent} is gone, and {self._name} with it; if it was moved, put it back, "
                    "and the same command goes on from the last write"
                )
            raise StoreError(f"the lock {self.path} was lost: {self._lost}; {self._name} is not written any more")

    def release(self) -> None:
        """Give the lock back; one that is not ours any more is left alone."""
        self._stop.set()
        if not self._token or self._pid != os.getpid():  # a fork of the holder holds nothing
            return
        if self._thread is not None:
            self._thread.join(timeout=1.0)
        with contextlib.suppress(OSError):
            if _read_note(self.path).get("token") == self._token:
                self.path.unlink()  # before the system's lock is let go: nobody else has taken the file yet
        self._token = ""
        _held.discard(self._descriptor)
        os.close(self._descriptor)

    def _claim(self, token: str) -> int:
        """Make the lock ours. A finished file, locked already, appears under its name: no other sees half of one."""
        aside = Path(f"{self.path}.{token}")
        started = datetime.now(UTC).isoformat(timespec="seconds")
        note = {**_this_host(), "pid": os.getpid(), "started": started, "heartbeat": self._heartbeat, "token": token}
        with contextlib.ExitStack() as stack:
            descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            stack.callback(os.close, descriptor)
            try:
                _lock(descriptor)
                os.write(descriptor, json.dumps(note).encode())
                while not (self._link(aside, token) or self._take_over(aside, token)):
                    pass  # it was given back in the meantime
            finally:
                aside.unlink(missing_ok=True)
            stack.pop_all()
            return descriptor

    def _link(self, aside: Path, token: str) -> bool:
        """Let the finished file appear under the lock's name, unless that is taken."""
        try:
            os.link(aside, self.path)
            return True
        except FileExistsError:
            # Over NFS a link can succeed, its answer be lost, and the repeated request fail.
            with contextlib.suppress(OSError):
                return os.path.samefile(aside, self.path)
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
        if self.path.exists():
            return False
        return self._replace(aside, token)  # a file system without links

    def _take_over(self, aside: Path, token: str) -> bool:
        """Take a lock from a holder that is gone; False where it is there no more."""
        try:
            descriptor = os.open(self.path, os.O_RDWR if os.access(self.path, os.W_OK) else os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            locked = _lock(descriptor)  # to be the only one here who replaces it
            if not _is_at(descriptor, self.path):
                return False
            note = _read_note(self.path)
            os.utime(aside)
            silent = os.stat(aside).st_mtime - os.fstat(descriptor).st_mtime
            decided = locked and _this_host().items() <= note.items()
            if locked is False or not (decided or silent > MISSED * _beat_of(note)):
                raise StoreError(_refusal(self.path, self._name, note, silent))
            if decided:
                os.replace(aside, self.path)
                return True
            return self._replace(aside, token)
        finally:
            os.close(descriptor)

    def _replace(self, aside: Path, token: str) -> bool:
        """Take the lock's name where another host may do so at this moment: of two, the last one has it."""
        os.replace(aside, self.path)
        time.sleep(SETTLE)
        note = _read_note(self.path)
        if note.get("token") != token:
            raise StoreError(_refusal(self.path, self._name, note, 0.0))
        return True

    def _beat(self) -> None:
        while not self._stop.wait(self._heartbeat):
            if not self._is_ours():
                self._lost = "it was removed or taken over"
                return
            with contextlib.suppress(OSError):
                os.utime(self.path)  # the file server's time, not this host's

    def _is_ours(self) -> bool:
        try:
            return _read_note(self.path).get("token") == self._token
        except OSError:
            return True  # a file server that does not answer has not given the lock to anybody else


def _close_copies() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_copies)


def _lock(descriptor: int) -> bool | None:
    """Take the system's lock on a file: False where another process has it, None where the file system has none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        return False if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None


def _is_at(descriptor: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


def _beat_of(note: dict[str, Any]) -> float:
    beat = note.get("heartbeat")
    return beat if isinstance(beat, int | float) and 0 < beat < 86400 else HEARTBEAT


def _this_host() -> dict[str, str]:
    boot = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    # The same host name does not make it the same host.
    return {"host": socket.gethostname(), "boot": boot}


def _refusal(path: Path, name: str, note: dict[str, Any], silent: float) -> str:
    if "pid" not in note:
        return f"{name} is locked by {path}, which names nobody; remove it if no job is writing {name}"
    who = f"process {printable(str(note['pid']))} on {printable(str(note.get('host')))}"
    since = printable(str(note.get("started", "an unknown time")))
    quiet = f", silent for {silent:.0f} s" if silent > MISSED * HEARTBEAT else ""
    return (
        f"{name} is being written by {who} (since {since}{quiet}); wait for it or end it, "
        "a lock whose process is gone is taken over"
    )


def _read_note(path: Path) -> dict[str, Any]:
    """Return what a lock says; nothing where it is gone, half written or damaged."""
    try:
        note = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}
