"""HDF5 files behind a user block with their format's name and a checksum: looked at before HDF5 sees a byte.

::

    user block   512 bytes: "FORMAT VERSION\\n", the SHA-256 of all that follows in hexadecimal, "\\n", zeros
    /            attributes: format FORMAT; version; what else the format says of itself
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py

from landscape.errors import FormatError
from landscape.files.atomic import check_place, looks_like, read_all, read_start, replace_file
from landscape.files.hdf5_layout import USER_BLOCK, WRONG


def calls_itself(path: str | Path, format: str) -> bool:
    """Return whether a file calls itself one of a format; FormatError where it cannot be read."""
    return _head(format).match(read_start(path, USER_BLOCK)) is not None


def check_writable(path: str | Path, format: str, noun: str, *, overwrite: bool = False) -> None:
    """Find out before anything is measured whether a file of a format, which holds ``noun``, can be written.

    Raises
    ------
    StoreError
        The folder is missing or read-only, or the path is a folder or a device.
    FormatError
        Something else is there, and ``overwrite`` is not set.
    """
    check_place(path)
    if not overwrite and os.path.exists(path) and not calls_itself(path, format):
        raise FormatError(
            f"{path} exists and holds no {noun} but is {looks_like(read_start(path))}; it is left as it is: "
            "name another file, or ask for it to be overwritten"
        )


@contextmanager
def new_image(path: str | Path, format: str, version: int, about: Mapping[str, str]) -> Iterator[h5py.File]:
    """Give an HDF5 file in memory, whose attributes hold ``about``; at the end it is written whole or not at all.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    image = io.BytesIO()
    with h5py.File(image, "w", userblock_size=USER_BLOCK, libver=("v108", "v108")) as file:
        for name, text in {"format": format, **about}.items():
            file.attrs[name] = text
        file.attrs["version"] = version
        yield file
    body = image.getvalue()[USER_BLOCK:]
    block = f"{format} {version}\n{hashlib.sha256(body).hexdigest()}\n".encode()
    replace_file(path, block.ljust(USER_BLOCK, b"\0") + body)


@contextmanager
def opened_image(path: str | Path, format: str, version: int, noun: str) -> Iterator[h5py.File]:
    """Give the HDF5 file of a format, checked against its hash; what goes wrong with it becomes a FormatError.

    Raises
    ------
    FormatError
        There is no such file, it is none of this format, is damaged, or is of a newer version.
    """
    image = read_all(path)
    head = _head(format).match(image)
    if head is None:
        raise FormatError(f"{path} holds no {format.removeprefix('landscape ')}: it is {looks_like(image[:1024])}")
    if int(head[1]) != version:
        raise FormatError(f"{path} is of version {int(head[1])} of the format, this landscape reads version {version}")
    said = image[head.end() : head.end() + 65]
    if said != hashlib.sha256(memoryview(image)[USER_BLOCK:]).hexdigest().encode() + b"\n":
        raise FormatError(
            f"{path} is damaged: its content is not what its checksum says; take it from where it was copied from, "
            "or measure again"
        )
    try:
        with h5py.File(io.BytesIO(image), "r") as file:
            yield file
    except FormatError:
        raise
    except WRONG as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise FormatError(f"{path} does not hold {noun} as its format wants it: {words}") from error


def _head(format: str) -> re.Pattern[bytes]:
    return re.compile(re.escape(format.encode()) + rb" (\d{1,9})\n")
