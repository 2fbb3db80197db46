"""Gram matrices of one batch that do not fit into memory, in a file that outlives the process.

What a batch takes is a forward pass of every network. Where a run is killed between two networks, those that are done
are found again: each one's rows reach the disk before it is noted as done. The file is of no use to anyone else, and
goes once its batch is counted::

    512 bytes    "landscape grams 1", the SHA-256 that says whose it is, rows and length of a row, newlines, zeros
    rows x int64 the first sample of a layer that is not finite; -1 for one that is
    rows x uint8 1 where a row is done; then zeros up to a multiple of 4096 bytes
    rows x size  float64, as `landscape.similarity.hsic.packed` gives them
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from landscape.errors import StoreError

_HEAD, _PAGE = 512, 4096


class GramFile:
    """The vectors of all layers of all networks on one batch.

    Parameters
    ----------
    path : str, optional
        Where it is kept; a temporary file that goes with the process where there is none.
    identity : str
        Of networks, samples and settings: a file of others begins anew.
    rows, size : int
        Layers of all networks, and numbers of one vector.

    Raises
    ------
    StoreError
        There is no room for it, or it cannot be written.
    """

    def __init__(self, path: str | None, identity: str, rows: int, size: int) -> None:
        self.path = path
        head = f"landscape grams 1\n{identity}\n{rows} {size}\n".encode().ljust(_HEAD, b"\0")
        start = -(-(_HEAD + 9 * rows) // _PAGE) * _PAGE
        total = start + 8 * rows * size
        try:
            self._file = _opened(path)
        except OSError as error:
            raise _no_room(total, path, error) from error
        try:
            known = self._file.read(_HEAD) == head and os.fstat(self._file.fileno()).st_size == total
            if not known:
                self._file.truncate(0)
                self._file.truncate(total)
                if hasattr(os, "posix_fallocate"):
                    # Now, and not where a page of it is first written: that would end the process without a word.
                    os.posix_fallocate(self._file.fileno(), 0, total)
        except OSError as error:
            self._file.close()
            raise _no_room(total, path, error) from error
        self.vectors = np.memmap(self._file, np.float64, "r+", start, (rows, size))
        self._failures = np.memmap(self._file, np.int64, "r+", _HEAD, (rows,))
        self._done = np.memmap(self._file, np.uint8, "r+", _HEAD + 8 * rows, (rows,))
        if not known:
            self._failures[:] = -1
            self._flush(self._failures, self._done)
            self._file.seek(0)
            self._file.write(head)
            self._file.flush()

    def has(self, rows: slice) -> bool:
        """Return whether rows are done."""
        return bool(self._done[rows].all())

    def failed(self, row: int, sample: int) -> None:
        """Note that a layer is left out: the first sample that is not finite, or `grams.UNEVEN`."""
        self.vectors[row] = np.nan
        self._failures[row] = sample

    def finish(self, rows: slice) -> None:
        """Note that rows are done, once they are on the disk."""
        if self.path is not None:
            self._flush(self.vectors, self._failures)
        self._done[rows] = 1
        if self.path is not None:
            self._flush(self._done)

    def failures(self) -> dict[int, int]:
        """Return why rows are left out, as `failed` was told."""
        return {int(row): int(self._failures[row]) for row in np.flatnonzero(self._failures != -1)}

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()

    @staticmethod
    def _flush(*parts: NDArray[Any]) -> None:
        for part in parts:
            assert isinstance(part, np.memmap)
            part.flush()


def _opened(path: str | None) -> BinaryIO:
    if path is None:
        return cast(BinaryIO, tempfile.TemporaryFile())
    # A link that somebody put there is not followed.
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600), "r+b")


def _no_room(total: int, path: str | None, error: OSError) -> StoreError:
    return StoreError(
        f"Gram matrices of {total / 2**30:,.1f} GiB, which do not fit into memory, cannot be put into "
        f"{path or tempfile.gettempdir()} ({error.strerror or error}): make room there, or choose fewer layers"
    )


def identity_of(parts: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def remove_gram_files(prefix: str) -> None:
    """Remove the files that runs with a prefix have left."""
    for path in glob.glob(f"{glob.escape(prefix)}.*"):
        if os.path.isfile(path) and not os.path.islink(path):
            os.unlink(path)
