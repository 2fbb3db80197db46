"""HDF5 files nobody vouches for, read in a child process with limits on time and memory.

HDF5 trusts what a file says about itself: damaged ones were seen to crash the library and to hang it. Here that ends
a child process. What comes back are plain arrays over a pipe, of sizes that were agreed on, and never a pickle.

On Linux and macOS the child may neither write files nor open any; on Linux its memory is bounded too.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import FormatError
from landscape.files.atomic import printable

Array = NDArray[Any]

MEGABYTE = 1 << 20
# Parsing needs next to nothing beside the arrays; HDF5 and its chunk cache fit in this many times over.
MEMORY = 128 * MEGABYTE
MEMBERS = 100_000
# Seconds on the clock, for starting Python from a slow disk, and of computing, of which a small file needs 0.3; what
# large files need beyond that, at a pace in bytes a second.
CLOCK, CLOCK_PACE = 30.0, 10 * MEGABYTE
COMPUTING, COMPUTING_PACE = 5.0, 50 * MEGABYTE

_NUMBERS = re.compile(r"[<|][iuf][1248]")

_CHILD = Path(__file__).with_name("sandbox_child.py")


def read_hdf5(path: str | Path, file: BufferedReader, wanted: Sequence[str]) -> tuple[dict[str, Array], list[str]]:
    """Read named datasets of an HDF5 file.

    Parameters
    ----------
    path : str or Path
        What messages call it.
    file : binary file
        Open for reading, with a file descriptor.
    wanted : sequence of str
        Names of datasets at the root, or ``"group/*"`` for all that lie directly in a group.

    Returns
    -------
    arrays : dict of str to ndarray
        Those that are there, of real numbers in the file's precision; text as an array of uint8.
    members : list of str
        Names of the first members of the root, whatever they are, to say what the file is.

    Raises
    ------
    FormatError
        The file is damaged, holds something else under these names, or the child crashed, hung or wanted too much.
    """
    size = os.fstat(file.fileno()).st_size
    payload = 2 * size + 64 * MEGABYTE  # more than its size, for compressed files
    task = {
        "wanted": list(wanted),
        # Where this process finds them, which an isolated child may not.
        "folders": sorted({str(Path(str(package.__file__)).parent.parent) for package in (np, h5py)}),
        "payload": payload,
        "memory": payload + MEMORY,
        "seconds": round(COMPUTING + size / COMPUTING_PACE),
        "most": MEMBERS,
    }
    answer, code = _run(task, file, payload + 64 * MEGABYTE, CLOCK + size / CLOCK_PACE)
    if b"\n" not in answer:
        raise FormatError(f"{path} is damaged: reading it {_ending(code)}")
    return _unpack(path, answer)


def _run(task: dict[str, Any], file: BufferedReader, most: int, seconds: float) -> tuple[bytes, int]:
    file.seek(0)
    # No plugins: a damaged file may name any filter, and HDF5 would look for a library of it.
    environment = {**os.environ, "HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        # Isolated (-I): neither the folder it is started in nor PYTHONPATH can slip another h5py in.
        child = subprocess.Popen(
            [sys.executable, "-I", str(_CHILD), json.dumps(task)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    except OSError as error:
        raise FormatError(f"no process could be started to read a file safely: {error}") from error
    assert child.stdout is not None
    clock = threading.Timer(seconds, child.kill)
    clock.daemon = True
    clock.start()
    try:
        answer = child.stdout.read(most + 1)
        if len(answer) > most:
            child.kill()
            answer = b""
        return answer, child.wait()
    finally:
        clock.cancel()
        child.kill()
        child.stdout.close()
        child.wait()


def _unpack(path: str | Path, answer: bytes) -> tuple[dict[str, Array], list[str]]:
    """Cut the child's answer into arrays; the child may have been taken over, so nothing in it is believed."""
    arrays: dict[str, Array] = {}
    try:
        place = answer.index(b"\n") + 1
        header = json.loads(answer[:place])
        if "error" in header:
            raise FormatError(f"{path} {printable(str(header['error'])[:300])}")
        for name, code, lengths in header["arrays"]:
            if not _NUMBERS.fullmatch(code):
                raise ValueError(f"an array of {code}")
            dtype, shape = np.dtype(code), tuple(int(length) for length in lengths)
            count = math.prod(shape)
            end = place + count * dtype.itemsize
            if min(shape, default=0) < 0 or end > len(answer):
                raise ValueError("arrays longer than the data")
            # A copy can be written to, and is aligned.
            arrays[str(name)] = (
                np.frombuffer(answer, dtype, count, place).reshape(shape).astype(dtype.newbyteorder("="))
            )
            place = end
        return arrays, [str(name) for name in header["members"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError(f"{path} is damaged: reading it gave nonsense ({error})") from error


def _ending(code: int) -> str:
    if code == 0:
        return "gave nothing"
    if code < 0:
        return f"was stopped by signal {-code}: it crashed the HDF5 library, or took too much time or memory"
    return f"failed with exit code {code}"
