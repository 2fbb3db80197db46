"""Arrays out of files nobody here wrote: ``.npz`` archives and CIFAR-10's python batches, without running their code.

References
----------
.. [1] Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; the batches as distributed.
"""

from __future__ import annotations

import codecs
import importlib.resources
import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import ProblemError

DIGITS_IMAGES, DIGITS_TRAIN = 1797, 1437
CIFAR_FOLDER = "cifar-10-batches-py"
CIFAR_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))

Arrays = tuple[NDArray[Any], NDArray[Any]]  # x, y: one row a sample
Change = Callable[[Tensor], Tensor]


def read_digits(split: str) -> Arrays:
    """Return the shipped digits: x uint8 N x 1 x 8 x 8 of 0 to 16, y int64, for ``split`` "train" or "test"."""
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
        No such file, not an archive, x or y missing, of different lengths, or of Python objects.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ProblemError(f"npz: {path} {'is a folder' if path.is_dir() else 'does not exist'}")
    try:
        with zipfile.ZipFile(path) as archive:
            names = {info.filename for info in archive.infolist()}
            missing = [name for name in ("x", "y") if f"{name}.npy" not in names]
            if missing:
                held = ", ".join(sorted(name.removesuffix(".npy") for name in names)) or "nothing"
                raise ProblemError(f"npz: {path} has no array {' and no array '.join(missing)}; it holds {held}")
            x, y = (_read_npy(archive, f"{name}.npy", path) for name in ("x", "y"))
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, OSError, RuntimeError) as error:
        raise ProblemError(f"npz: {path} cannot be read as an .npz archive: {error}") from error
    if x.ndim < 1 or y.ndim < 1 or len(x) != len(y):
        raise ProblemError(f"npz: {path} has x of shape {x.shape} and y of {y.shape}; both need one row a sample")
    if len(x) == 0:
        raise ProblemError(f"npz: {path} holds no samples")
    return x, y


def _read_npy(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray[Any]:
    info = archive.getinfo(name)
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = reader(stream)
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize if shape else dtype.itemsize
        # The header and the archive have to tell the same story before a byte of it is allocated; and what inflates
        # by more than deflate ever does for real data is a bomb.
        if dtype.hasobject:
            raise ProblemError(f"npz: {path}: {name} holds Python objects, which are not read; save numbers")
        if size > info.file_size or info.file_size > 1100 * max(info.compress_size, 1):
            raise ProblemError(f"npz: {path}: {name} says it is {size:,} bytes, the archive has {info.file_size:,}")
    with archive.open(info) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


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
    folder = Path(root).expanduser()
    folder = folder / CIFAR_FOLDER if (folder / CIFAR_FOLDER).is_dir() else folder
    names = CIFAR_TRAIN if split == "train" else ("test_batch",)
    images, labels = [], []
    for name in names:
        path = folder / name
        if not path.is_file():
            raise ProblemError(f"cifar10: there is no {path}; give the folder {CIFAR_FOLDER}, or the one it lies in")
        batch = _read_cifar_batch(path)
        images.append(batch[0])
        labels.append(batch[1])
    return np.concatenate(images), np.concatenate(labels)


class _ArrayUnpickler(pickle.Unpickler):
    """Builds arrays, dicts and texts and nothing else: a pickle can name any function, these it may call."""

    def find_class(self, module: str, name: str) -> Any:
        known: dict[tuple[str, str], Any] = {
            ("_codecs", "encode"): codecs.encode,
            ("numpy", "dtype"): np.dtype,
            ("numpy", "ndarray"): np.ndarray,
        }
        if name == "_reconstruct" and module.endswith("multiarray"):
            return np.zeros(0).__reduce__()[0]
        if (module, name) in known:
            return known[module, name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _read_cifar_batch(path: Path) -> Arrays:
    try:
        # The files were written by Python 2, whose texts come back as bytes.
        batch = _ArrayUnpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        x = np.asarray(batch.get(b"data", batch.get("data")))
        y = np.asarray(batch.get(b"labels", batch.get("labels")), dtype=np.int64)
    except Exception as error:
        raise ProblemError(f"cifar10: {path} is not one of CIFAR-10's python batches: {error}") from error
    if x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != 3072 or y.shape != x.shape[:1]:
        raise ProblemError(f"cifar10: {path} has images of shape {x.shape} and labels of {y.shape}, not N x 3072 and N")
    return x.reshape(-1, 3, 32, 32), y


def images_first(x: NDArray[Any], path: str) -> NDArray[Any]:
    """Bring uint8 images to N x C x H x W, from that, N x H x W x C or N x H x W.

    Raises
    ------
    ProblemError
        It cannot be told where the channels are.
    """
    if x.ndim == 3:
        return x[:, None]
    if x.ndim != 4:
        raise ProblemError(
            f"npz: {path} has x uint8 of shape {x.shape}; uint8 is for images of three or four dimensions, "
            "save anything else as float32 or int64"
        )
    usual = (1, 3, 4)
    first, last = x.shape[1] in usual, x.shape[3] in usual
    if first == last:
        raise ProblemError(
            f"npz: {path} has x of shape {x.shape}, where the channels may be dimension 1 or 3; "
            "save it as float32 N x C x H x W"
        )
    return x if first else np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def scale_images(maximum: int | None, normalize: tuple[tuple[float, ...], tuple[float, ...]] | None = None) -> Change:
    """Return what turns images of 0 to ``maximum`` into float32 in [0, 1], then normalises each channel."""

    def change(x: Tensor) -> Tensor:
        x = x if maximum is None else x.to(torch.float32) / maximum
        return x if normalize is None else (x - _channels(normalize[0], x)) / _channels(normalize[1], x)

    return change


def _channels(values: tuple[float, ...], x: Tensor) -> Tensor:
    return torch.tensor(values, dtype=x.dtype).reshape(1, -1, *[1] * (x.ndim - 2))
