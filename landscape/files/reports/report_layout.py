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
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import FormatError
from landscape.files.hdf5_parts import child, children, stored_array
from landscape.files.reports.checked_image import calls_itself, check_writable, new_image, opened_image
from landscape.files.strict_json import from_json, to_json

Array = NDArray[Any]
Result = TypeVar("Result")

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
# JSON beyond an attribute's 64 kB goes into datasets of its own: HDF5 holds no larger attribute in old formats.
_JSON = "json"


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


@dataclass(frozen=True)
class Layout(Generic[Result]):
    """One kind of such files: how a result becomes plain values and arrays, and how it is made of them again."""

    kind: str  # such as "landscape similarity", the first words of the file
    version: int
    parsed: Callable[[dict[str, Any], dict[str, Array], str], Result]  # of plain values, arrays and the file's name
    split: Callable[[Result], tuple[dict[str, Any], dict[str, Array]]] = split_fields

    @property
    def noun(self) -> str:
        """What it holds, in messages."""
        return self.kind.removeprefix("landscape ")

    def recognises(self, path: str | Path) -> bool:
        """Return whether a file calls itself one of this kind; FormatError where it cannot be read."""
        return calls_itself(path, self.kind)

    def check_writable(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Find out before anything is measured whether the file can be written; see `checked_image.check_writable`."""
        check_writable(path, self.kind, self.noun, overwrite=overwrite)

    def write(self, path: str | Path, found: Result) -> None:
        """Write a result; a reader sees either the file as it was or the whole new one.

        Raises
        ------
        StoreError
            It cannot be written; the last good file is kept.
        """
        self.write_parts(path, *self.split(found))

    def write_parts(self, path: str | Path, plain: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """Write plain values, and arrays by name; errors as of `write`."""
        with new_image(path, self.kind, self.version, {}) as file:
            file[_JSON] = np.frombuffer(to_json(dict(plain)).encode(), dtype=np.uint8)
            group = file.create_group("arrays")
            for name, array in arrays.items():
                if not _NAME.fullmatch(name):
                    raise ValueError(f"{name!r} is no name of an array")
                group[name] = array

    def read_parts(self, path: str | Path) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return what a file holds: plain values, and arrays by name; errors as of `read`."""
        with opened_image(path, self.kind, self.version, self.noun) as file:
            plain = from_json(bytes(_array(child(file, _JSON, h5py.Dataset))).decode())
            group = child(file, "arrays", h5py.Group)
            arrays = {name: _array(dataset) for name, dataset in children(group, h5py.Dataset)}
        if not isinstance(plain, dict):
            raise FormatError(f"{path} does not hold {self.noun} as its format wants it: its JSON is no mapping")
        return plain, arrays

    def read(self, path: str | Path) -> Result:
        """Read a result.

        Raises
        ------
        FormatError
            There is no such file, it is none of this kind, is damaged, or is of a newer version.
        """
        plain, arrays = self.read_parts(path)
        try:
            return self.parsed(plain, arrays, str(path))
        except (FormatError, KeyError, TypeError, ValueError, AttributeError) as error:
            kind = "" if isinstance(error, FormatError) else f"{type(error).__name__}: "
            words = " ".join(f"{kind}{error}".split())[:200]
            raise FormatError(f"{path} does not hold {self.noun} as its format wants it: {words}") from error


def _array(dataset: h5py.Dataset) -> Array:
    found: Array = stored_array(dataset, "fiub", None, dataset.shape)
    return found


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
