"""Arrays out of files nobody here wrote: ``.npz`` archives and CIFAR-10's python batches.

No code that comes with a file is run, and no memory is taken on a file's word alone.

References
----------
.. [1] Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; the batches as distributed.
"""

from __future__ import annotations

import importlib.resources
import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import FormatError, ProblemError
from landscape.files.atomic import looks_like, open_regular, printable

DIGITS_IMAGES, DIGITS_TRAIN = 1797, 1437
CIFAR_FOLDER = "cifar-10-batches-py"
CIFAR_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))

Arrays = tuple[NDArray[Any], NDArray[Any]]  # x, y: one row a sample

# An array may inflate to this much, or to so many times its file. Images deflate to a half, labels to a tenth, masks
# to a fiftieth; what inflates a thousandfold is nothing but zeros.
_INFLATED, _RATIO = 1 << 28, 100
# Of a header of an array: a shape, a type, an order. NumPy's own limit is ten thousand characters.
_HEADER = 1 << 16
_CIFAR_BYTES = 1 << 28  # a batch is 31 MB


def read_digits(split: str) -> Arrays:
    """Return the shipped digits, "train" (1,437) or "test" (360): x uint8 N x 1 x 8 x 8 of 0 to 16, y int64."""
    resource = importlib.resources.files("landscape.data") / "digits.npz"
    with importlib.resources.as_file(resource) as path:
        x, y = read_npz(path)
    order = np.random.Generator(np.random.PCG64(0)).permutation(DIGITS_IMAGES)
    chosen = order[:DIGITS_TRAIN] if split == "train" else order[DIGITS_TRAIN:]
    return x[chosen][:, None], y[chosen].astype(np.int64)


def read_npz(path: str | Path) -> Arrays:
    """Return the arrays x and y of an ``.npz`` file.

    Raises
    ------
    ProblemError
        No such file, not an archive, x or y missing, of different lengths, no numbers, or far larger than the file they
        are in.
    """
    path = Path(os.path.expanduser(path))
    start, size = _look_at(path, "npz")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            missing = [name for name in ("x", "y") if f"{name}.npy" not in names]
            if missing:
                held = ", ".join(printable(name.removesuffix(".npy")) for name in sorted(names)[:10]) or "nothing"
                raise ProblemError(f"npz: {path} has no array {' and no array '.join(missing)}; it holds {held}")
            x, y = (_read_npy(archive, f"{name}.npy", path, size) for name in ("x", "y"))
    except zipfile.BadZipFile as error:
        kind = "a damaged or cut off NumPy archive" if start.startswith(b"PK") else looks_like(start)
        raise ProblemError(f"npz: {path} looks like {kind}, not an .npz archive ({error})") from error
    except ProblemError:
        raise
    except Exception as error:  # of zlib, of the parser of a header, of what reads numbers: all say it is damaged
        raise ProblemError(f"npz: {path} is a damaged .npz archive: {' '.join(str(error).split())}") from error
    if x.ndim < 1 or y.ndim < 1 or len(x) != len(y):
        raise ProblemError(f"npz: {path} has x of shape {x.shape} and y of {y.shape}; both need one row a sample")
    if len(x) == 0:
        raise ProblemError(f"npz: {path} holds no samples")
    if 0 in (x.size, y.size):
        raise ProblemError(f"npz: {path} has x of shape {x.shape} and y of {y.shape}: there are no numbers in a sample")
    if x.dtype.kind not in "uifc" or y.dtype.kind not in "buifc":
        raise ProblemError(
            f"npz: {path} has x of {x.dtype} and y of {y.dtype}; save x as float32, or as uint8 or int64, y as int64"
        )
    return x, y


def _read_npy(archive: zipfile.ZipFile, name: str, path: Path, size: int) -> NDArray[Any]:
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed in a way that NumPy does not use")
    if info.file_size > max(_INFLATED, _RATIO * size):
        raise ProblemError(f"npz: {path} of {size:,} bytes claims {info.file_size:,} bytes for {name}; save it anew")
    with archive.open(info) as stream:
        shape, dtype = _read_header(stream)
    if dtype.hasobject:
        raise ProblemError(f"npz: {path}: {name} holds Python objects, which are not read; save numbers")
    expected = dtype.itemsize
    for side in shape:
        expected *= side
    # Before a byte of it is allocated the header and the archive have to tell the same story.
    if min(shape, default=0) < 0 or expected > info.file_size:
        raise ValueError(f"{name} says it has the shape {shape}, which its {info.file_size:,} bytes do not fill")
    with archive.open(info) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    width = 2 if version == (1, 0) else 4
    length = stream.read(width)
    if int.from_bytes(length, "little") > _HEADER:
        raise ValueError("the header of an array is too long")
    header = io.BytesIO(length + stream.read(int.from_bytes(length, "little")))
    read = np.lib.format.read_array_header_1_0 if width == 2 else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(header)
    return shape, dtype


def _look_at(path: Path, what: str) -> tuple[bytes, int]:
    try:
        with open_regular(path) as file:
            return file.read(1024), file.seek(0, 2)
    except (FormatError, OSError) as error:
        raise ProblemError(f"{what}: {error}") from error


def read_cifar10(root: str | Path, split: str) -> Arrays:
    """Return CIFAR-10 from its python batches [1]_: x uint8 N x 3 x 32 x 32, y int64.

    Parameters
    ----------
    root : path
        The folder ``cifar-10-batches-py`` or the one it lies in.
    split : "train" or "test"

    Raises
    ------
    ProblemError
        A batch is missing, holds anything but arrays, or has another shape.
    """
    folder = Path(os.path.expanduser(root))
    folder = folder / CIFAR_FOLDER if (folder / CIFAR_FOLDER).is_dir() else folder
    names = CIFAR_TRAIN if split == "train" else ("test_batch",)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ProblemError(
            f"cifar10: there is no {folder / missing[0]}; give the folder {CIFAR_FOLDER} that the archive "
            "cifar-10-python.tar.gz unpacks to, or the one it lies in"
        )
    batches = [_read_cifar_batch(folder / name) for name in names]
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


class _Pickled:
    """Stands in for an array or its type while a pickle is read: it keeps what it is given and computes nothing."""

    state: Any = None

    def __init__(self, *given: Any) -> None:
        self.given = given

    def __setstate__(self, state: Any) -> None:
        self.state = state


# The pure Python one: its table of remembered objects is a dict, where C's is an array that a few bytes can make take
# all memory.
class _ArrayUnpickler(pickle._Unpickler):
    """Reads dicts, lists, texts and arrays. A pickle can name any function; this one calls none."""

    def find_class(self, module: str, name: str) -> Any:
        arrays = name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray")
        if arrays or (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return _Pickled
        if (module, name) == ("_codecs", "encode"):
            return _bytes_of_text
        raise pickle.UnpicklingError(f"it asks for {printable(module)}.{printable(name)}, which is not data")


def _bytes_of_text(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it asks for the encoding {printable(encoding)}")
    return text.encode("latin1")


def _read_cifar_batch(path: Path) -> Arrays:
    _, size = _look_at(path, "cifar10")
    try:
        if size > _CIFAR_BYTES:
            raise ValueError(f"it has {size:,} bytes")
        with open_regular(path) as file:
            # Written by Python 2, whose texts come back as bytes.
            batch = _ArrayUnpickler(file, encoding="bytes").load()
        batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
        labels = np.asarray(batch["labels"], dtype=np.int64)
        _, shape, kind, fortran, data = batch["data"].state
        if kind.given[0] not in ("u1", b"u1"):
            raise ValueError(f"its images are of type {kind.given[0]!r}, not bytes")
        data = data.encode("latin1") if isinstance(data, str) else data
        images = np.frombuffer(data, dtype=np.uint8).reshape(shape, order="F" if fortran else "C")
    except Exception as error:
        raise ProblemError(
            f"cifar10: {path} is not one of CIFAR-10's python batches: {' '.join(str(error).split())[:200]}"
        ) from error
    if images.ndim != 2 or images.shape[1] != 3072 or labels.shape != images.shape[:1]:
        raise ProblemError(
            f"cifar10: {path} has images of shape {images.shape} and labels of {labels.shape}, not N x 3072 and N"
        )
    return images.reshape(-1, 3, 32, 32), labels
