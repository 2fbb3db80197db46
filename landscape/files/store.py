"""The surface file: one HDF5 file a surface, small, never torn. This text is its specification, version 1.

::

    user block   512 bytes: "landscape 1\\n", the SHA-256 of all that follows the block in hexadecimal, "\\n", zeros
    /            attributes: format "landscape"; version 1; software, created, command, title (text; title only where it
                 is not the file's stem); problem (JSON); complete (bool)
    /axes/0      (nx,) float64, increasing; attributes: label, source, kind, sha256 (text), recipe (JSON), length
    /axes/1      (ny,) the same for y; absent for a line; /axes/2 and more for volumes and repetitions
    /directions  attribute: cosines (k, k) float64, absent where not known
    /directions/0/0 ...      only where asked for: the tensors of each direction, in order; attribute: name (text)
    /data/NAME/count         (..., ny, nx) int64: samples used; element [j, i] belongs to (x[i], y[j]); may be absent
    /data/NAME/METRIC        (..., ny, nx) float64: the mean, NaN where not computed (or where it is NaN: see state)
    /data/NAME/METRIC_stderr, METRIC_paired_stderr      the same shape: standard error, and that of L - L(theta*)
    /origin      attribute: json: checkpoint, its SHA-256, values at theta*, fingerprints of the data
    /quality     attribute: json: precision and its error, engine, batch size, threads
    /anchors/NAME/           where points are estimated from anchors: used (..., ny, nx) int64, from how many, 0 for
                 means of the samples used; points (k,) int64, the anchors' numbers in the order of those arrays, -1 for
                 theta*; attribute: size, of all data; samples/METRIC (k, n), means/METRIC and log_means/METRIC (k,)
                 float64; sketches/METRIC (points of the grid, columns) float32, may be absent: of the errors of
                 estimates, for differences between files (`landscape.surface.derived.differences`); kept_points (m,)
                 int64 and kept/METRIC (m, n) float64 only while a run is under way: samples of points that go on
    /tails/NAME/             where a subset was measured: METRIC_effective (..., ny, nx) float64, how many samples carry
                 the mean, and METRIC_skewness (`landscape.surface.derived.intervals`)
    /state       (..., ny, nx) uint8: 0 not computed, 1 computed, 2 interpolated
    /trajectory/RUN/         coordinates (n, axes), residual (n,), loss (n,) float64, step (n,) int64; attribute: json

Text is UTF-8 of fixed length, a lone surrogate or a NUL in it written as a backslash escape. JSON is that of
`landscape.files.strict_json`. NAME and METRIC match ``[A-Za-z0-9_.-]+``; METRIC is not ``count`` and ends neither in
``_stderr`` nor in ``_paired``; RUN is any text, ``%``, ``/``, ``.`` and what UTF-8 or HDF5 cannot hold percent-encoded.
Datasets are contiguous: no filters, no chunks, no data in other files, so that a file cannot claim more than it holds.
The rest is HDF5 as of version 1.8.

What a reader does not know it ignores, and keeps when it rewrites the file: any group, dataset, link or attribute
not named above. Additions therefore go to names that are free here, not to datasets in ``/data/NAME``, which are all
taken for measurements; an addition that changes what is above gets a new version.

The hash is looked at before HDF5 sees a byte, since the library crashes, hangs or answers wrongly on damaged files. It
guards against damage, not against somebody who means harm. Files without a user block are the business of
`landscape.files.li2018`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from numpy.typing import NDArray

from landscape.errors import FormatError
from landscape.files.atomic import HDF5_SIGNATURE, check_place, looks_like, read_all, read_start, replace_file
from landscape.files.hdf5_layout import USER_BLOCK, VERSION, WRONG, build, parse, parse_directions
from landscape.surface.surface import Surface

_HEAD = re.compile(rb"landscape (\d{1,9})\n")
_HASH = re.compile(rb"landscape 1\n([0-9a-f]{64})\n")

Array = NDArray[Any]


def is_surface(path: str | Path) -> bool:
    """Return whether a file calls itself ours, of whatever version, whole or damaged.

    Raises
    ------
    FormatError
        There is no such file, or it cannot be read.
    """
    return _HEAD.match(read_start(path, USER_BLOCK)) is not None


def check_writable(path: str | Path, *, size: int = 0, overwrite: bool = False) -> None:
    """Find out at the start of a run whether its file can be written, also with ``size`` bytes.

    Raises
    ------
    StoreError
        The folder is missing or read-only, the disk too full, or the path is a folder or a device.
    FormatError
        Something is there that is not ours, and ``overwrite`` is not set.
    """
    check_place(path, size)
    if not overwrite:
        _existing(path)


def write_surface(
    path: str | Path,
    surface: Surface,
    *,
    directions: Sequence[Mapping[str, Array]] | None = None,
    keep: bool = True,
    overwrite: bool = False,
) -> str:
    """Write a surface; a reader sees either the file as it was or the whole new one.

    Parameters
    ----------
    path : str or Path
        Replaced where it is a file of ours.
    surface : Surface
        Its ``path`` and ``digest`` are not written, its ``title`` only where it is not a file's stem.
    directions : sequence of mapping of str to ndarray, optional
        The tensors of each direction, real numbers, in order; without it those of the file that is replaced stay as
        long as its axes have the same digests.
    keep : bool
        Keep what the file that is replaced holds beyond this version of the format.
    overwrite : bool
        Replace whatever is there. What cannot be read cannot be kept.

    Returns
    -------
    str
        SHA-256 of the file, in hexadecimal.

    Raises
    ------
    StoreError
        It cannot be written; what was there is kept.
    FormatError
        The path holds something that is not ours, of a newer version or damaged, and ``overwrite`` is not set.
    ValueError, TypeError
        A name or a value the format cannot hold, such as a setting of another kind than readers rely on.
    """
    previous = None
    try:
        previous = _existing(path, whole=keep)
    except FormatError:
        if not overwrite:
            raise
    stem = Path(path).stem
    title = "" if surface.title in (stem, Path(surface.path).stem) else surface.title
    try:
        image = build(surface, title, directions, previous)
    except FormatError as error:
        if not overwrite:
            raise FormatError(f"{path}: {error}; name another file, or ask for it to be overwritten") from error
        image = build(surface, title, directions)
    try:
        with _saying("as a file it would be refused"):
            parse(image, "", "", "")
    except FormatError as error:
        raise ValueError(f"this surface cannot be written to {path}; {error}") from error
    body = image[USER_BLOCK:]
    block = b"landscape %d\n%s\n" % (VERSION, hashlib.sha256(body).hexdigest().encode())
    data = block.ljust(USER_BLOCK, b"\0") + body
    replace_file(path, data)
    return hashlib.sha256(data).hexdigest()


def read_surface(path: str | Path) -> Surface:
    """Read a surface, one of ours or of the 2018 tool.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Surface
        All of it in memory; ``title`` is the file's stem unless the file says otherwise, ``digest`` the file's SHA-256.

    Raises
    ------
    FormatError
        There is no such file, it is not a surface, is damaged, or is of a newer version.
    """
    start = read_start(path)
    if start.startswith(HDF5_SIGNATURE):
        from landscape.files.li2018 import read_original  # starts a child process, which few need

        return read_original(path)
    if not _HEAD.match(start):
        _refuse(path, start)
    image = _checked(path)
    with _saying(f"{path} is not a surface as its format wants it"):
        return parse(image, str(path), Path(path).stem, hashlib.sha256(image).hexdigest())


def read_directions(path: str | Path) -> list[dict[str, Array]]:
    """Read the tensors of a surface's directions, by name, one mapping a direction.

    Returns
    -------
    list of dict of str to ndarray
        Empty where the file was written without them (``--save-directions`` puts them in).

    Raises
    ------
    FormatError
        As `read_surface`; a direction file of the 2018 tool is read by
        `landscape.files.li2018.read_original_directions`.
    """
    start = read_start(path)
    if not _HEAD.match(start):
        _refuse(path, start)
    image = _checked(path)
    with _saying(f"{path} does not hold directions as its format wants them"):
        return parse_directions(image)


def _existing(path: str | Path, *, whole: bool = False) -> bytes | None:
    """Return the file of ours that is there, after looking at all of it if ``whole``; None where there is nothing."""
    if not os.path.exists(path):
        return None
    start = read_start(path)
    if not _HEAD.match(start):
        raise FormatError(
            f"{path} exists and is no surface but {looks_like(start)}; it is left as it is: name another "
            "file, or ask for it to be overwritten"
        )
    _check_version(path, start)
    return _checked(path) if whole else None


def _checked(path: str | Path) -> bytes:
    """Return a file of ours, once its version and the hash in its user block have been found right."""
    image = read_all(path)
    _check_version(path, image)
    said = _HASH.match(image)
    if said is None or hashlib.sha256(memoryview(image)[USER_BLOCK:]).hexdigest().encode() != said[1]:
        raise FormatError(
            f"{path} is damaged: its content is not what its checksum says; take it from where it was copied from, "
            "or start again with --overwrite"
        )
    return image


def _check_version(path: str | Path, start: bytes) -> None:
    match = _HEAD.match(start)
    version = int(match[1]) if match else 0
    if version > VERSION:
        raise FormatError(
            f"{path} is of version {version} of the format, this landscape reads up to version {VERSION}; "
            "a newer one is needed"
        )
    if version < 1:
        raise FormatError(f"{path} is damaged: there is no version {version} of the format")


def _refuse(path: str | Path, start: bytes) -> NoReturn:
    if start[USER_BLOCK:].startswith(HDF5_SIGNATURE) and not start.startswith(b"landscape "):
        raise FormatError(f"{path} is HDF5 behind {USER_BLOCK} bytes that are not ours: another program's, or damaged")
    raise FormatError(f"{path} is not a surface: it is {looks_like(start)}")


@contextlib.contextmanager
def _saying(what: str) -> Iterator[None]:
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{what}: {error}") from error
    except WRONG as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise FormatError(f"{what}: {words}") from error
