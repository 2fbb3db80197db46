"""A lock file beside a surface file, so that two jobs never write one surface.

``net.h5.lock`` names host, process and a heartbeat; whoever finds it is refused with those names. It is stale, and
taken over, when its process is gone from this host, or when three heartbeats were missed and the process cannot be
looked at from here: another host, another container. A process that is there but stopped keeps its lock.

How two processes are kept from taking over one stale lock: a lock file appears by linking a finished file to its name,
which only one can do, and it is only ever replaced or removed by whoever holds a second lock, ``net.h5.lock.guard``,
and has looked at it once more under that. Ages are differences of two times that the file system gave, so clocks of
hosts need not agree.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from landscape.errors import StoreError
from landscape.files import printable, reason

HEARTBEAT = 10.0  # seconds
MISSED = 3
# A guard is held for a few file operations, so this long a wait (in seconds) means that something is wrong.
_GUARD_WAIT = 5.0
# A guard that a dead process left is taken over under a guard of its own; three dead in a row are no accident.
_GUARDS = 3


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
        self._pid = 0
        self._lost = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock, from a dead process if need be; `StoreError` where somebody holds it."""
        if self._token:
            raise StoreError(f"{self._name} is locked already, by this very object")
        self._token = _claim(self.path, self._name, self._heartbeat)
        self._pid, self._lost = os.getpid(), ""
        self._stop.clear()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat of {self.path.name}", daemon=True)
        self._thread.start()

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
        token, self._token = self._token, ""
        if not token or self._pid != os.getpid():  # a fork of the holder holds nothing
            return
        if self._thread is not None:
            self._thread.join(timeout=1.0)
        with contextlib.suppress(OSError, StoreError), _guard(self.path, self._name):
            _remove(self.path, token)

    def _beat(self) -> None:
        while not self._stop.wait(self._heartbeat):
            if not self._is_ours():
                self._lost = "it was removed or taken over"
                return
            with contextlib.suppress(OSError):
                os.utime(self.path)  # the file server's time, not this host's

    def _is_ours(self) -> bool:
        try:
            return bool(self._token) and _read_note(self.path).get("token") == self._token
        except FileNotFoundError:
            return False
        except OSError:
            return True  # a file server that does not answer has not given the lock to anybody else


def _claim(path: Path, name: str, heartbeat: float, guards: int = 0) -> str:
    """Make the lock file ours and return the token in it."""
    token = secrets.token_hex(8)
    aside = Path(f"{path}.{token}")
    note = {**_this_process(), "started": _now(), "heartbeat": heartbeat, "token": token}
    try:
        try:
            _write_new(aside, json.dumps(note))
            while not _link(aside, path):
                found = _look(path, aside)
                if found is None:
                    continue  # it was given back in the meantime
                if found["alive"]:
                    raise StoreError(_refusal(path, name, found))
                with _guard(path, name, guards):
                    if _is_stale(path, aside):
                        os.replace(aside, path)
                        break
            return token
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()
    except OSError as error:
        raise StoreError(
            f"the lock {path} cannot be written: {reason(error, str(path))}; {name} is as it was"
        ) from error


@contextlib.contextmanager
def _guard(path: Path, name: str, guards: int = 0) -> Iterator[None]:
    """Be the only one who replaces or removes the lock file."""
    if guards >= _GUARDS:
        raise StoreError(f"{path} and the files called like it were left by dead processes; remove them")
    guard = Path(f"{path}.guard")
    deadline = time.monotonic() + _GUARD_WAIT
    while True:
        try:
            token = _claim(guard, name, HEARTBEAT, guards + 1)
            break
        except StoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            _remove(guard, token)


def _remove(path: Path, token: str) -> None:
    if _read_note(path).get("token") == token:
        path.unlink()


def _look(path: Path, aside: Path) -> dict[str, Any] | None:
    """Return what the lock says, whether its holder is ``alive``, and its ``age`` in seconds; None where it is gone."""
    try:
        note = _read_note(path)
        os.utime(aside)
        age = os.stat(aside).st_mtime - os.stat(path).st_mtime
    except FileNotFoundError:
        return None
    alive = _is_alive(note)
    if alive is None:
        beat = note.get("heartbeat")
        alive = age < MISSED * (beat if isinstance(beat, int | float) and 0 < beat < 86400 else HEARTBEAT)
    return {**note, "alive": alive, "age": age}


def _is_stale(path: Path, aside: Path) -> bool:
    """Look once more, under the guard: others may have taken the lock over or given it back since."""
    found = _look(path, aside)
    if found is None or found["alive"]:
        return False
    # A guard is given back without a guard of its own. So its holder may have given it back, another have taken it,
    # and the holder have ended, all between our reading the note and our looking for its process. But what is
    # there after its process was found gone stays there: nobody replaces it while we hold the guard.
    with contextlib.suppress(FileNotFoundError):
        return _read_note(path).get("token") == found.get("token")
    return False


def _is_alive(note: dict[str, Any]) -> bool | None:
    """Return whether the process that wrote a lock still runs; None where that cannot be found out from here."""
    pid = note.get("pid")
    if not isinstance(pid, int) or pid <= 0 or os.name != "posix":
        return None
    here = _this_process()
    if any(note.get(key) != here[key] for key in ("host", "boot", "pid_namespace")):
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return None
    except OSError:
        pass  # it is there, and somebody else's
    state, start = _process(pid)
    if state and state in "ZX" and _threads(pid) < 2:
        return False  # ended, but nobody has asked for its exit code yet; the first thread may end before the others
    if start and note.get("process_start"):
        return bool(start == note["process_start"])  # a number is given to another process some day
    return None


def _process(pid: int) -> tuple[str, int]:
    """Return a process's state and start, in clock ticks since the host's; ("", 0) where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return "", 0


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def _this_process() -> dict[str, Any]:
    boot = pid_namespace = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with contextlib.suppress(OSError):
        pid_namespace = os.readlink("/proc/self/ns/pid")
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "pid": pid,
        "process_start": _process(pid)[1],
        # The same host name does not make it the same host, nor the same process numbers: containers.
        "boot": boot,
        "pid_namespace": pid_namespace,
    }


def _refusal(path: Path, name: str, note: dict[str, Any]) -> str:
    if "pid" not in note:
        return f"{name} is locked by {path}, which names nobody; remove it if no job is writing {name}"
    who = f"process {printable(str(note['pid']))} on {printable(str(note.get('host')))}"
    since = printable(str(note.get("started", "an unknown time")))
    silent = f", silent for {note['age']:.0f} s" if note["age"] > MISSED * HEARTBEAT else ""
    return (
        f"{name} is being written by {who} (since {since}{silent}); wait for it or end it, "
        "a lock whose process is gone is taken over"
    )


def _read_note(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        data = file.read(65536)
    try:
        note = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


def _write_new(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as file:
        file.write(text)


def _link(aside: Path, path: Path) -> bool:
    """Let a finished file appear under another name, unless that is taken."""
    try:
        os.link(aside, path)
        return True
    except FileExistsError:
        # Over NFS a link can succeed, its answer be lost, and the repeated request fail.
        with contextlib.suppress(OSError):
            return os.path.samefile(aside, path)
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
    try:
        # A file system without links. A note seen half-written names nobody, and counts as alive while it is young.
        _write_new(path, aside.read_text(encoding="utf-8"))
        return True
    except FileExistsError:
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
