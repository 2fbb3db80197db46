"""Data sets by the name a user types: ``digits``, ``cifar10:ROOT``, ``npz:FILE`` or ``file.py:factory``.

Images of bytes become float32 N x C x H x W in [0, 1], then each channel is normalised where that is asked for; labels
become int64.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landscape.errors import ProblemError, UsageError
from landscape.problem.data.archives import Arrays, read_cifar10, read_digits, read_npz
from landscape.problem.data.datasets import Columns, Data, Normalize, as_data
from landscape.problem.references import failure, resolve

_MEAN_STD = "write MEAN/STD, one number a channel, as in 0.4914,0.4822,0.4465/0.2470,0.2435,0.2616"
_SPLITS = ("train", "test")
_FORMS = "write NAME=digits[:train|test], NAME=cifar10:FOLDER[:train|test], NAME=npz:FILE or NAME=file.py:factory"


def resolve_data(references: Sequence[str], *, normalize: Normalize | None = None) -> dict[str, Data]:
    """Return the data sets that ``NAME=REFERENCE`` texts name, in their order.

    Parameters
    ----------
    references : sequence of str
        A reference without a name is called "test" where it ends in ``:test``, else "train".
    normalize : (mean, std), optional
        One number a channel, or one for all; of the built-in sets alone.

    Raises
    ------
    UsageError
        A name is not possible or comes twice, or there is no reference.
    ProblemError
        A data set cannot be found, read or built.
    """
    found: dict[str, Data] = {}
    for text in references:
        name, reference = split_name(text)
        if name in found:
            raise UsageError(f"--data has two data sets called {name!r}; give each a name of its own")
        found[name] = open_data(reference, name, normalize=normalize)
    if not found:
        raise UsageError(f"there are no data to measure on; {_FORMS}")
    return found


def split_name(text: str) -> tuple[str, str]:
    """Split ``NAME=REFERENCE``; a reference alone is called "test" where it ends so, else "train"."""
    match = re.match(r"([^=:/\\]*)=(.*)", text, re.DOTALL)
    name, reference = match.groups() if match else ("test" if text.endswith(":test") else "train", text)
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or not reference:
        raise UsageError(f"--data {text!r} is not a data set; {_FORMS}; a name is of letters, digits, '_', '.' and '-'")
    return name, reference


def open_data(reference: str, name: str, *, normalize: Normalize | None = None) -> Data:
    """Return the data set that one reference stands for."""
    kind, _, rest = reference.partition(":")
    if kind == "digits":
        return _built_in(read_digits(_split(rest or "train", reference)), name, reference, 16, normalize)
    if kind == "cifar10" and not reference.endswith(".py"):
        root, colon, split = rest.rpartition(":")
        if not colon or split not in _SPLITS:
            root, split = rest, "train"
        if not root:
            raise UsageError(f"--data {name}={reference} does not say where CIFAR-10 lies; {_FORMS}")
        return _built_in(read_cifar10(root, split), name, reference, 255, normalize)
    if kind == "npz":
        x, y = read_npz(rest)
        if x.dtype == np.uint8:
            return _built_in((channels_first(x, rest), y), name, reference, 255, normalize)
        return _built_in((x, y), name, reference, None, normalize)
    if ":" not in reference:
        raise UsageError(f"--data {name}={reference} is not a data set; {_FORMS}")
    source = resolve(reference, what=f"data set {name!r}", call=False)
    gives_samples = hasattr(source, "__getitem__") or hasattr(source, "__iter__")
    if isinstance(source, type) or (callable(source) and not gives_samples):
        try:
            source = source()
        except (Exception, SystemExit) as error:
            raise ProblemError(f"data set {name!r}: {reference}() failed: {failure(error)}") from error
    if normalize is not None:
        raise UsageError(
            f"--normalize is for the built-in data sets; {name}={reference} makes its own samples, normalise them there"
        )
    return as_data(source, name, reference)


def digits(split: str = "train") -> tuple[Tensor, Tensor]:
    """Return the digits that ship with the package, as ``--data digits`` gives them to a network.

    Parameters
    ----------
    split : {"train", "test"}
        1,437 or 360 images.

    Returns
    -------
    x : Tensor of float32, shape (n, 1, 8, 8)
        Pixels divided by 16, from 0 to 1.
    y : Tensor of int64, shape (n,)

    Raises
    ------
    UsageError
        Another split.

    Examples
    --------
    >>> x, y = digits("test")
    >>> x.shape, float(x.max())
    (torch.Size([360, 1, 8, 8]), 1.0)
    """
    data = open_data(f"digits:{split}", split)
    x, y = data.fetch(range(data.size))
    return x, y


def parse_normalize(text: str) -> Normalize:
    """Turn ``"0.49,0.48,0.45/0.25,0.24,0.26"`` (means, then standard deviations) into numbers.

    Raises
    ------
    UsageError
        It is not of that form, or a deviation is not above 0.
    """
    try:
        mean, std = (tuple(float(each) for each in part.split(",")) for part in text.split("/"))
    except ValueError:
        raise UsageError(f"--normalize {text!r} is not a mean and a standard deviation; {_MEAN_STD}") from None
    if len(mean) != len(std) or not np.isfinite([*mean, *std]).all() or min(std) <= 0:
        raise UsageError(f"--normalize {text!r} needs as many deviations as means, each above 0; {_MEAN_STD}")
    return mean, std


def _split(text: str, reference: str) -> str:
    if text not in _SPLITS:
        raise UsageError(f"--data {reference!r}: there is no split {text!r}, only train and test")
    return text


def channels_first(x: NDArray[Any], path: str) -> NDArray[Any]:
    """Bring uint8 images to N x C x H x W, from that, N x H x W x C or N x H x W.

    Raises
    ------
    ProblemError
        They are no images, or it cannot be told where the channels are.
    """
    if x.ndim == 3:
        return x[:, None]
    if x.ndim != 4:
        raise ProblemError(
            f"npz: {path} has x of bytes and shape {x.shape}; bytes are images, N x H x W x C or N x H x W, "
            "save anything else as float32 or int64"
        )
    usual = (1, 3, 4)
    first, last = x.shape[1] in usual, x.shape[3] in usual
    if first == last:
        raise ProblemError(
            f"npz: {path} has x of shape {x.shape}, so that the channels may be dimension 1 or 3; "
            "save it as float32 N x C x H x W"
        )
    return x if first else np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def _built_in(arrays: Arrays, name: str, reference: str, maximum: int | None, normalize: Normalize | None) -> Data:
    x, y = arrays
    if normalize is not None:
        channels = x.shape[1] if x.ndim > 1 else 0
        if len(normalize[0]) not in (1, channels) or not (maximum or np.issubdtype(x.dtype, np.floating)):
            raise UsageError(
                f"--normalize has numbers for {len(normalize[0])} channels, {name}={reference} has {channels} of "
                f"{x.dtype}; {_MEAN_STD}"
            )
    change = None if maximum is None and normalize is None else _prepare_images(maximum, normalize)
    labels = y.astype(np.int64) if np.issubdtype(y.dtype, np.integer) else y
    data = Columns((_tensor(x, name), _tensor(labels, name)), name, reference, changes=(change, None))
    data.normalize = normalize
    return data


def _prepare_images(maximum: int | None, normalize: Normalize | None) -> Callable[[Tensor], Tensor]:
    """Return what turns images of 0 to ``maximum`` into float32 in [0, 1], then normalises each channel.

    Done to each batch that is read, so that images are kept as bytes.
    """

    def prepare(x: Tensor) -> Tensor:
        x = x if maximum is None else x.to(torch.float32) / maximum
        return x if normalize is None else (x - per_channel(normalize[0], x)) / per_channel(normalize[1], x)

    return prepare


def per_channel(values: tuple[float, ...], x: Tensor) -> Tensor:
    """Return one number for all channels, or one for each, in the shape that goes with (n, channels, ...)."""
    return torch.tensor(values, dtype=x.dtype).reshape(1, -1, *[1] * (x.ndim - 2))


def _tensor(array: NDArray[Any], name: str) -> Tensor:
    try:
        # Big-endian numbers and strided views are none of torch's.
        return torch.from_numpy(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False)))
    except TypeError:
        raise ProblemError(f"data set {name!r} holds {array.dtype}, of which torch makes no tensor") from None
