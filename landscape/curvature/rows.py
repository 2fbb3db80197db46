"""Vectors as long as a network has weights, kept in memory or, where they do not fit, in a file without a name.

All that is done with them goes over a few columns of all rows at a time, with sums in float64: of vectors in float32
there is never a copy in float64, and of those in the file no more in memory than one such block. The file lies where
`tempfile` puts its own (``TMPDIR``), better on a disk: a tmpfs is memory. It is reserved whole before the first
number is written, so that a full disk is told at once, and it has no name: however the process ends, its room is free
again.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from landscape.errors import StoreError
from landscape.surface.grid import Floats

# Numbers of one block: 16 MiB in float64.
_BLOCK = 1 << 21
# More than this are read from a disk more slowly than products with a large network are made again.
_MOST_ON_DISK = 32


class Rows:
    """Vectors of n numbers, written and read by their number.

    Parameters
    ----------
    count : int
        How many there may be.
    like : Tensor, shape (n,)
        Of the type, and on the device, that they have.
    on_disk : bool
        In a file, and not in memory.

    Raises
    ------
    StoreError
        The file has no room, or it cannot be written or read.
    """

    def __init__(self, count: int, like: Tensor, *, on_disk: bool = False) -> None:
        self._count, self.size, self.dtype, self.device = count, len(like), like.dtype, like.device
        self._columns = min(self.size, max(1, _BLOCK // count))
        self._memory: Tensor | None = None
        self._file: Any = None
        if on_disk:
            self._file = _reserved(-(-self.size // self._columns) * self._columns * count * self.dtype.itemsize)
            self._stride = count
            weakref.finalize(self, self._file.close)
        else:
            self._memory = torch.empty((count, self.size), dtype=self.dtype, device=self.device)

    def __len__(self) -> int:
        """Return how many there may be."""
        return self._count

    @property
    def on_disk(self) -> bool:
        """Whether they are in a file."""
        return self._memory is None

    def __getitem__(self, row: int) -> Tensor:
        """Return a vector, shape (n,); those in memory are no copies."""
        row = range(self._count)[row]
        if self._memory is not None:
            return self._memory[row]
        found = torch.empty(self.size, dtype=self.dtype)
        for part in self._parts():
            self._transfer(self._file.readinto, part, row, found[part])
        return found.to(self.device)

    def __setitem__(self, row: int, vector: Tensor) -> None:
        """Put a vector of shape (n,), in whatever precision it has, in its place."""
        if self._memory is not None:
            self._memory[row] = vector
            return
        for part in self._parts():
            self._transfer(self._file.write, part, row, vector[part].to("cpu", self.dtype).contiguous())

    def __iter__(self) -> Iterator[Tensor]:
        """Yield them one by one."""
        return (self[row] for row in range(self._count))

    def first(self, count: int) -> Rows:
        """Return the first of them, which may let go of the others' memory; this one is of no more use."""
        if self._memory is not None:
            several = len(self._memory) > 2 * count
            self._memory = self._memory[:count].clone() if several else self._memory[:count]
        self._count = count
        return self

    def inner_products(self, vector: Tensor, count: int | None = None) -> Tensor:
        """Return what the first ``count`` have along a float64 vector of shape (n,): shape (count,), float64."""
        count = self._count if count is None else count
        total = torch.zeros(count, dtype=torch.float64, device=self.device)
        for part, block in self._blocks(count):
            total += block @ vector[part]
        return total

    def combined(self, factors: Tensor, *, squared: bool = False) -> Tensor:
        """Return their combination, or that of their squares, shape (n,), float64."""
        total = torch.empty(self.size, dtype=torch.float64, device=self.device)
        for part, block in self._blocks(len(factors)):
            total[part] = factors @ (block.square() if squared else block)
        return total

    def subtract(self, factors: Tensor, vector: Tensor) -> None:
        """Take a combination of the first of them from a float64 vector, in its place."""
        for part, block in self._blocks(len(factors)):
            vector[part] -= factors @ block

    def orthogonalise(self, vector: Tensor, count: int) -> Floats:
        """Take from a float64 vector, in its place, what it has along the first ``count``, orthonormal ones.

        Twice, for rounding; the second inner products are summed while the first are taken away.

        Returns
        -------
        ndarray, shape (count,)
            What it had.
        """
        along, again = self.inner_products(vector, count), torch.zeros(count, dtype=torch.float64, device=self.device)
        for part, block in self._blocks(count):
            vector[part] -= along @ block
            again += block @ vector[part]
        self.subtract(again, vector)
        found: Floats = (along + again).cpu().numpy()
        return found

    def mix(self, mixes: Floats) -> None:
        """Put combinations of the first rows, shape (old, new), in the place of the first."""
        old, new = mixes.shape
        mixed = torch.from_numpy(mixes.T.copy()).to(self.device)
        for part, block in self._blocks(old):
            made = (mixed @ block).to(self.dtype)
            if self._memory is not None:
                self._memory[:new, part] = made
            else:
                self._transfer(self._file.write, part, 0, made.cpu().contiguous())

    def _parts(self) -> Iterator[slice]:
        return (slice(k, min(k + self._columns, self.size)) for k in range(0, self.size, self._columns))

    def _blocks(self, count: int) -> Iterator[tuple[slice, Tensor]]:
        """Yield some columns of the first ``count``, float64."""
        room = None if self._memory is not None else torch.empty((count, self._columns), dtype=self.dtype)
        for part in self._parts():
            if self._memory is not None:
                yield part, self._memory[:count, part].double()
            elif room is not None:
                block = room.view(-1)[: count * (part.stop - part.start)].view(count, -1)
                self._transfer(self._file.readinto, part, 0, block)
                yield part, block.to(self.device, torch.float64)

    def _transfer(self, call: Any, part: slice, row: int, numbers: Tensor) -> None:
        """Read or write some columns of rows from one on, which lie behind each other in the file."""
        width = part.stop - part.start
        view = memoryview(numbers.numpy().reshape(-1).view(np.uint8).data)
        at = (part.start * self._stride + row * width) * self.dtype.itemsize
        done = 0
        while done < len(view):
            try:
                self._file.seek(at + done)
                moved = call(view[done:])
            except OSError as error:
                raise _no_room(self._stride * self.size * self.dtype.itemsize, error) from error
            if not moved:
                raise StoreError(f"the file of vectors in {tempfile.gettempdir()} is shorter than it was written")
            done += moved


@dataclass(frozen=True)
class Room:
    """Where vectors go: so many of n float64 numbers have room in memory."""

    held: int
    like: Tensor  # (): of the network's type, on its device
    size: int  # n

    def rows(self, least: int, most: int) -> Rows:
        """Return room for at least so many vectors, and at most: float64, or the network's type, or on disk."""
        count, dtype, on_disk = self.plan(least, most)
        return Rows(count, self.like.to(dtype).expand(self.size), on_disk=on_disk)

    def plan(self, least: int, most: int) -> tuple[int, torch.dtype, bool]:
        """Return how many vectors there will be, of which type, and whether on disk."""
        most = max(least, most)
        wide, narrow = self.held, self.held * 8 // self.like.dtype.itemsize
        if wide >= least:
            return min(most, wide), torch.float64, False
        if narrow >= least:
            return min(most, narrow), self.like.dtype, False
        return min(most, max(least, _MOST_ON_DISK)), self.like.dtype, True


def _reserved(total: int) -> Any:
    """Return a file without a name, of so many bytes that are its own."""
    try:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - open as long as its rows are there
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, total)
            else:
                file.truncate(total)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise _no_room(total, error) from error
    return file


def _no_room(total: int, error: OSError) -> StoreError:
    return StoreError(
        f"vectors of {total / 2**30:,.1f} GiB, which do not fit into memory, cannot be put into "
        f"{tempfile.gettempdir()} ({error.strerror or error}): make room there or set TMPDIR to a folder "
        "on a disk (a tmpfs is memory), allow more --memory, or ask for fewer --eigenvalues or --steps"
    )
