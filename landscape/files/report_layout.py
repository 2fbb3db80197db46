"""The layout that files of reports share: plain values as JSON, arrays beside them, in HDF5 behind a checksum.

::

    user block   512 bytes: "KIND VERSION\\n", the SHA-256 of all that follows in hexadecimal, "\\n", zeros
    /            attributes: format KIND; version; json: a mapping, all that is no array
    /arrays/NAME datasets, each in one piece

As of a surface file (`landscape.files.store`), JSON is that of `landscape.files.strict_json`, the hash is looked at
before HDF5 sees a byte, and what a reader does not know it ignores.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import FormatError
from landscape.files.atomic import check_place, looks_like, read_all, read_start, replace_file
from landscape.files.hdf5_layout import USER_BLOCK, WRONG
from landscape.files.hdf5_parts import child, children, stored_array
from landscape.files.strict_json import from_json, to_json

Array = NDArray[Any]
Result = TypeVar("Result")

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
# JSON beyond an attribute's 64 kB goes into datasets of its own: HDF5 holds no larger attribute in old formats.
_JSON = "json"


@dataclass(frozen=True)
class Layout:
    """One kind of such files."""

    kind: str  # such as "landscape similarity", the first words of the file
    version: int
    noun: str  # what it holds, in messages

    def recognises(self, path: str | Path) -> bool:
        """Return whether a file calls itself one of this kind; FormatError where it cannot be read."""
        return self._head().match(read_start(path, USER_BLOCK)) is not None

    def check_writable(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Find out before anything is measured whether the file can be written.

        Raises
        ------
        StoreError
            The folder is missing or read-only, or the path is a folder or a device.
        FormatError
            Something else is there, and ``overwrite`` is not set.
        """
        check_place(path)
        if not overwrite and os.path.exists(path) and not self.recognises(path):
            raise FormatError(
                f"{path} exists and holds no {self.noun} but is {looks_like(read_start(path))}; it is left as it is: "
                "name another file, or ask for it to be overwritten"
            )

    def write(self, path: str | Path, plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """Write a file; a reader sees either the file as it was or the whole new one.

        Raises
        ------
        StoreError
            It cannot be written.
        """
        image = io.BytesIO()
        with h5py.File(image, "w", userblock_size=USER_BLOCK, libver=("v108", "v108")) as file:
            file.attrs["format"], file.attrs["version"] = self.kind, self.version
            file[_JSON] = np.frombuffer(to_json(dict(plain)).encode(), dtype=np.uint8)
            group = file.create_group("arrays")
            for name, array in arrays.items():
                if not _NAME.fullmatch(name):
                    raise ValueError(f"{name!r} is no name of an array")
                group[name] = array
        body = image.getvalue()[USER_BLOCK:]
        block = f"{self.kind} {self.version}\n{hashlib.sha256(body).hexdigest()}\n".encode()
        replace_file(path, block.ljust(USER_BLOCK, b"\0") + body)

    def read(self, path: str | Path) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return what a file holds: plain values, and arrays by name.

        Raises
        ------
        FormatError
            There is no such file, it is none of this kind, is damaged, or is of a newer version.
        """
        image = read_all(path)
        head = self._head().match(image)
        if head is None:
            raise FormatError(f"{path} holds no {self.noun}: it is {looks_like(image[:1024])}")
        if int(head[1]) != self.version:
            raise FormatError(
                f"{path} is of version {int(head[1])} of the format, this landscape reads version {self.version}"
            )
        said = image[head.end() : head.end() + 65]
        if said != hashlib.sha256(memoryview(image)[USER_BLOCK:]).hexdigest().encode() + b"\n":
            raise FormatError(
                f"{path} is damaged: its content is not what its checksum says; take it from where it was copied "
                "from, or measure again"
            )
        try:
            with h5py.File(io.BytesIO(image), "r") as file:
                plain = from_json(bytes(_array(child(file, _JSON, h5py.Dataset))).decode())
                group = child(file, "arrays", h5py.Group)
                arrays = {name: _array(dataset) for name, dataset in children(group, h5py.Dataset)}
        except FormatError:
            raise
        except WRONG as error:
            words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise FormatError(f"{path} does not hold {self.noun} as its format wants it: {words}") from error
        if not isinstance(plain, dict):
            raise FormatError(f"{path} does not hold {self.noun} as its format wants it: its JSON is no mapping")
        return plain, arrays

    def parse(self, path: str | Path, parsed: Callable[[dict[str, Any], dict[str, Array], str], Result]) -> Result:
        """Return what a function makes of a file's plain values, arrays and name.

        Raises
        ------
        FormatError
            As `read`; or the function raised one, or an error of the kinds that content which does not fit leads to.
        """
        plain, arrays = self.read(path)
        try:
            return parsed(plain, arrays, str(path))
        except (FormatError, KeyError, TypeError, ValueError, AttributeError) as error:
            words = " ".join(f"{'' if isinstance(error, FormatError) else type(error).__name__} {error}".split())[:200]
            raise FormatError(f"{path} does not hold {self.noun} as its format wants it: {words}") from error

    def _head(self) -> re.Pattern[bytes]:
        return re.compile(re.escape(self.kind.encode()) + rb" (\d{1,9})\n")


def _array(dataset: h5py.Dataset) -> Array:
    found: Array = stored_array(dataset, "fiub", None, dataset.shape)
    return found


def split_fields(found: Any) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return a dataclass's fields but ``path``: plain values, and arrays, of which truths are uint8."""
    plain: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        if isinstance(value, np.ndarray):
            arrays[field.name] = value.astype(np.uint8) if value.dtype == np.bool_ else value
        elif field.name != "path":
            plain[field.name] = value
    return plain, arrays


def about_fields(plain: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Return texts, and the mappings problem, settings and origin; FormatError where they are none."""
    mappings = ("problem", "settings", "origin")
    if not all(isinstance(plain.get(name, ""), str) for name in texts):
        raise FormatError(f"what it says of {', '.join(texts)} is no text")
    if not all(isinstance(plain.get(name, {}), dict) for name in mappings):
        raise FormatError("what it says of problem, settings or origin is no mapping")
    return {**{name: plain.get(name, "") for name in texts}, **{name: plain.get(name, {}) for name in mappings}}


def required(arrays: Mapping[str, Array], name: str, dtype: Any, shape: tuple[int, ...]) -> Array:
    """Return an array of a kind and a shape; raise FormatError where there is none. -1 stands for any size."""
    found = arrays.get(name)
    fits = found is not None and found.dtype == np.dtype(dtype) and found.ndim == len(shape)
    if found is None or not fits or any(want not in (-1, have) for want, have in zip(shape, found.shape, strict=True)):
        got = "missing" if found is None else f"{found.dtype} of shape {found.shape}"
        raise FormatError(f"its {name} is {got}, {np.dtype(dtype)} of shape {shape} is needed")
    return found
