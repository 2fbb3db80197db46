"""Parts of an HDF5 file that somebody else may have written: members on hard links, arrays whose bytes are there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from landscape.errors import FormatError
from landscape.files.atomic import printable


def stored_array(dataset: h5py.Dataset, kinds: str, itemsize: int | None, shape: tuple[int, ...]) -> Any:
    """Read a dataset of a known kind and shape whose bytes are in the file, in native byte order."""
    dtype = dataset.dtype
    if dtype.kind not in kinds or (itemsize is not None and dtype.itemsize != itemsize) or dataset.shape != shape:
        raise FormatError(f"{printable(dataset.name)} is {dtype} of shape {dataset.shape}, the grid needs {shape}")
    if dataset.is_virtual or dataset.external or dataset.chunks is not None:
        raise FormatError(f"{printable(dataset.name)} is not stored in one piece")
    # Both: what was never written has no storage, and the storage is itself just a claim.
    if min(dataset.id.get_storage_size(), dataset.file.id.get_filesize()) < dataset.nbytes:
        raise FormatError(f"{printable(dataset.name)} claims {dataset.nbytes} bytes that are not in the file")
    array = np.asarray(dataset[()])
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def child(group: h5py.Group, name: str, kind: type) -> Any:
    """Return a member of a kind that hangs on a hard link; raise FormatError where there is none."""
    for found, member in children(group, kind, only=name):
        if found == name:
            return member
    raise FormatError(f"it has no {kind.__name__.lower()} {group.name.rstrip('/')}/{name}")


def children(group: h5py.Group, kind: type, only: str | None = None) -> Iterator[tuple[str, Any]]:
    """Yield name and member of those of a kind that hang on a hard link.

    Other links may lead anywhere, to other files too, and are nothing this version defines. Not h5py's own ``items()``:
    it holds the library's lock from one member to the next, for ever where an error ends it in between, and whatever
    thread writes a file then waits as long.
    """
    for name in group if only is None else [only]:
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            member = group[name]
            if isinstance(member, kind):
                yield name, member
