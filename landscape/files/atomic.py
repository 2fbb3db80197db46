"""Files as bytes: what one looks like, and replacing one so that it is never half written.

Formats build on this (`landscape.files.store`, `landscape.files.li2018`, exports); nothing here knows any of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from landscape.errors import FormatError, StoreError
from landscape.files.inputs import require_no_input

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

# Reports that begin with "landscape KIND VERSION" are of KIND, but for those whose contents have another name.
_OURS = re.compile(rb"landscape (?:([a-z][a-z ]{0,30}) )?\d{1,9}\n")
_CONTENTS = {"walk": "walks along the gradient", "curvature run": "curvature along a run"}
_STARTS = (
    (HDF5_SIGNATURE, "an HDF5 file"),
    (b"version https://git-lfs", "a pointer of Git LFS: the file itself was not fetched ('git lfs pull' does)"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
    (b"MATLAB ", "a MATLAB file"),
    (b"CDF", "a NetCDF file"),
)


def printable(text: str) -> str:
    """Escape what a terminal must not be sent: control characters, bidirectional overrides, lone surrogates.

    Examples
    --------
    >>> printable("loss\\x1b[2J")
    'loss\\\\x1b[2J'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def open_regular(path: str | Path) -> BufferedReader:
    """Open a file for reading; a pipe or a device, which could block for ever, is refused.

    Raises
    ------
    FormatError
        There is no such file, it cannot be read, or it is a folder or a device.
    """
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise FormatError(f"{path} is a folder, a file was wanted")
        if not stat.S_ISREG(mode):
            raise FormatError(f"{path} is a device or a pipe, a file was wanted")
        return open(path, "rb")
    except FileNotFoundError:
        raise FormatError(f"there is no file {path}") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise FormatError(f"{path} cannot be read: {reason(error)}") from error


def read_start(path: str | Path, size: int = 1024) -> bytes:
    """Return the first bytes of a file, all of it where it is shorter; errors as of `open_regular`."""
    with open_regular(path) as file:
        return _read(file, path, size)


def read_all(path: str | Path) -> bytes:
    """Return a whole file; errors as of `open_regular`."""
    with open_regular(path) as file:
        return _read(file, path, -1)


def _read(file: BufferedReader, path: str | Path, size: int) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {reason(error)}") from error


def looks_like(start: bytes) -> str:
    """Say in words what a file is, from its first kilobyte: ``"an HTML page"``, ``"empty"``, ...

    Examples
    --------
    >>> looks_like(b"<!DOCTYPE html><html>")
    'an HTML page'
    """
    if not start:
        return "empty"
    if ours := _OURS.match(start):
        kind = (ours[1] or b"").decode("ascii")
        reports = f"a file of {_CONTENTS.get(kind, kind)}, which 'landscape info' and 'landscape plot' read"
        return reports if kind else "a surface"
    for sign, name in _STARTS:
        if start.startswith(sign):
            return name
    if start.startswith(b"PK\x03\x04"):
        member = start[30 : 30 + int.from_bytes(start[26:28], "little")]
        if member.endswith(b".npy"):
            return "a NumPy archive (.npz)"
        torch = member.endswith((b"data.pkl", b"/byteorder", b"/version", b".format_version"))
        return "a PyTorch checkpoint" if torch else "a zip archive"
    if start[0] == 0x80 and len(start) > 1 and start[1] in (2, 3, 4, 5):
        return "a Python pickle, as old PyTorch checkpoints are"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 2**32:
        return "a safetensors file"
    if start[257:262] == b"ustar":
        return "a tar archive"
    if not start.strip(b"\0"):
        return "nothing but zero bytes, as a write that was cut off leaves"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return "an HTML page"
    if text.startswith(b"<?xml"):
        return "an XML file"
    # The last character may be cut in two, by at most three bytes.
    printing = start.decode("utf-8", "ignore")
    if len(printing.encode()) >= len(start) - 3 and all(c.isprintable() or c in "\r\n\t\f" for c in printing):
        return "a JSON file" if text.startswith(b"{") else "a text file"
    return "binary data of an unknown kind"


def replace_file(path: str | Path, data: bytes) -> None:
    """Put ``data`` in the place of a file: whoever opens it sees all of the old one or all of the new.

    The bytes go to one fixed name beside it, ``NAME.writing``, so that killed runs cannot pile up leftovers; that
    file is synced to disk, renamed, and the folder is synced. A symbolic link is followed, and access rights stay.

    Raises
    ------
    StoreError
        It cannot be written; the file is as it was.
    UsageError
        It is an input of the command that runs (`landscape.files.inputs`).
    """
    target = _target(path)
    _spare_inputs(target)
    kept = f"the last good {path} is kept" if os.path.exists(target) else "nothing was written"
    with _beside(path, target, kept) as file:
        if os.path.exists(target):
            with contextlib.suppress(OSError):
                os.chmod(file.fileno(), stat.S_IMODE(os.stat(target).st_mode))
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        if not _is_at(file, f"{target}.writing"):
            raise StoreError(f"another process is writing {path}; {kept}")
        os.replace(f"{target}.writing", target)
    sync_folder(target)


def check_place(path: str | Path, size: int = 0) -> None:
    """Find out at the start of a run whether a file can be written, by writing ``size`` bytes beside it.

    Raises
    ------
    StoreError
        The folder is missing or read-only, the disk is full, or the path is a folder or a device.
    """
    target = _target(path)
    _spare_inputs(target)
    with _beside(path, target, "nothing was started") as file:
        for start in range(0, size, 1 << 20):
            file.write(bytes(min(1 << 20, size - start)))
        file.flush()
        os.fsync(file.fileno())


def _target(path: str | Path) -> str:
    try:
        target = os.path.realpath(path)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path!r} is not the name of a file: {error}") from error
    if os.path.exists(target) and not os.path.isfile(target):
        raise StoreError(f"{path} is a folder or a device; name a file")
    return target


def _spare_inputs(target: str) -> None:
    require_no_input(target)
    require_no_input(f"{target}.writing")


@contextlib.contextmanager
def _beside(path: str | Path, target: str, otherwise: str) -> Iterator[BinaryIO]:
    """Open the file beside the target; it does not stay unless it was renamed."""
    name = f"{target}.writing"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # left by a run that was killed
        # Exclusive, so that a link somebody put there is not followed.
        with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            try:
                yield file
            finally:
                if _is_at(file, name):  # and not another process's
                    os.unlink(name)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be written: {reason(error, target)}; {otherwise}") from error


def _is_at(file: BinaryIO, path: str) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    return False


def sync_folder(path: str | Path) -> None:
    """Bring the name of a file to the disk, where the file system can."""
    # Not every file system can sync a folder; the file is whole either way, only the rename may come later.
    with contextlib.suppress(OSError):
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def reason(error: OSError | ValueError, path: str | None = None) -> str:
    """Say in plain words why the system refused to read or write a file."""
    code = getattr(error, "errno", None)
    if code in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return "the disk is full or the quota is used up; free some space or write elsewhere"
    if code == errno.ENOENT and path is not None:
        return f"there is no folder {os.path.dirname(path)}; make it first"
    if code == errno.ENOTDIR and path is not None:
        return f"{os.path.dirname(path)} is not a folder"
    if code in (errno.EACCES, errno.EPERM):
        return "no permission"
    if code == errno.EROFS:
        return "the file system is read-only"
    if code == errno.EEXIST:  # it was not there a moment ago
        return "another process is writing it at this moment"
    return getattr(error, "strerror", None) or str(error)
