"""Run as a script, never imported: reads arrays out of an HDF5 file on standard input, under limits.

`landscape.files.sandbox` starts it. It imports nothing of landscape, so that starting it costs NumPy and h5py and no
more, and writes one line of JSON to standard output, ``{"arrays": [[name, dtype, shape], ...], "members": [...]}`` or
``{"error": ...}``, then the arrays' bytes, one after the other. Text comes as an array of bytes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

MEGABYTE = 1 << 20
TEXT = 1 << 16  # longer than any path


class Refused(Exception):
    """The file is not one we take; the message completes "FILE ..."."""


def limit(memory: int, seconds: int) -> None:
    """Bound memory, computing time and open files of this process, as far as the system knows such bounds."""
    import resource

    used = 0
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    bounds = {"CPU": seconds, "CORE": 0, "FSIZE": 0, "NOFILE": 3}
    if used:  # where it is not known, libraries alone could pass the bound
        bounds["AS"] = used + memory
    for name, bound in bounds.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (bound, bound))


def members(group: Any, most: int) -> list[str]:
    """Return the names in a group, in HDF5's order, and refuse a group of more than ``most``."""
    names = list(itertools.islice(group, most + 1))
    if len(names) > most:
        raise Refused(f"holds more than {most} members in one group")
    return [name for name in names if isinstance(name, str)]


def wanted_datasets(file: Any, wanted: list[str], most: int) -> Iterator[tuple[str, Any]]:
    """Yield the datasets whose name is asked for; ``"group/*"`` asks for all directly in a group."""
    import h5py

    def child(group: Any, name: str, kind: type) -> Any:
        # Soft and external links may lead anywhere; the files we want have none.
        if isinstance(group.get(name, getlink=True), h5py.HardLink):
            found = group[name]
            return found if isinstance(found, kind) else None
        return None

    for pattern in wanted:
        name, _, rest = pattern.partition("/")
        if not rest:
            dataset = child(file, name, h5py.Dataset)
            if dataset is not None:
                yield name, dataset
            continue
        group = child(file, name, h5py.Group)
        for member in [] if group is None else members(group, most):
            dataset = child(group, member, h5py.Dataset)
            if dataset is not None:
                yield f"{name}/{member}", dataset


def check(name: str, dataset: Any) -> int:
    """Return how many bytes a dataset needs once its bytes are known to be in the file; its shape is only a claim."""
    if dataset.is_virtual or dataset.external:
        raise Refused(f"keeps {name!r} in another file")
    if dataset.dtype.kind in "OS":
        import h5py

        kind = h5py.check_string_dtype(dataset.dtype)
        if kind is None or dataset.shape != () or (kind.length or 0) > TEXT:
            raise Refused(f"holds something other than a short text in {name!r}")
        return 0
    if dataset.dtype.kind not in "iuf" or dataset.dtype.itemsize > 8 or dataset.shape is None:
        raise Refused(f"holds something other than real numbers in {name!r}")
    size = int(dataset.dtype.itemsize)
    for length in dataset.shape:
        size *= int(length)
    stored = min(dataset.id.get_storage_size(), dataset.file.id.get_filesize())
    # A compressed dataset is at most 1032 times as long as its bytes (deflate's bound).
    if size > stored * (1 if dataset.chunks is None else 1032):
        raise Refused(f"has no data for {name!r}: {size} bytes are claimed, {stored} are there")
    return size


def read(dataset: Any) -> Any:
    """Return a dataset as a contiguous little-endian array, text as bytes."""
    import numpy as np

    value = dataset[()]
    if isinstance(value, str | bytes):
        data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        return np.frombuffer(data[:TEXT], dtype=np.uint8)
    array = np.asarray(value)
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)).reshape(array.shape)


def main() -> None:
    """Do what the JSON in the first argument asks for; `landscape.files.sandbox` writes it."""
    task = json.loads(sys.argv[1])
    sys.path += task["folders"]
    with contextlib.suppress(ImportError):
        # An h5py built for MPI would start MPI a second time inside somebody's job.
        import mpi4py

        mpi4py.rc.initialize = False
    import h5py

    limit(task["memory"], task["seconds"])
    reply(h5py, task)
    sys.stdout.flush()
    os._exit(0)  # no library gets to clean up after a file that may have confused it


def reply(h5py: Any, task: dict[str, Any]) -> None:
    """Read standard input, write standard output."""
    out = sys.stdout.buffer
    header: dict[str, Any] = {}
    arrays = []
    try:
        with open(0, "rb", closefd=False) as source:
            file = h5py.File(source, "r")
            names = members(file, task["most"])
            total = 0
            for name, dataset in wanted_datasets(file, task["wanted"], task["most"]):
                total += check(name, dataset)
                if total > task["payload"]:
                    raise Refused(f"holds more than {task['payload'] // MEGABYTE} MB of numbers")
                arrays.append((name, read(dataset)))
        header["members"] = [name[:100] for name in names[:20]]
        header["arrays"] = [[name, array.dtype.str, array.shape] for name, array in arrays]
    except Refused as error:
        header = {"error": str(error)}
    except MemoryError:
        header = {"error": "is damaged, or needs more memory than its size explains"}
    except Exception as error:  # whatever a damaged file makes h5py raise
        header = {"error": f"cannot be read by HDF5: {' '.join(str(error).split())[:200]}"}
    out.write(json.dumps(header).encode() + b"\n")
    if "error" not in header:
        for _, array in arrays:
            out.write(array.data if array.size else b"")
    out.flush()


if __name__ == "__main__":
    main()
