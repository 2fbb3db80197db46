"""Arrays as text that a page can carry: every bit kept, in as little room as zlib can make of it.

Losses of neighbouring points agree in their leading bits. So each array over a grid is written as differences of
the bit patterns along every axis (integers, modulo 2^64, hence without loss), the sign moved to the lowest bit and
the bytes sorted by significance: the leading bytes are then nearly all zero. Arrays of few distinct values, such as
accuracies, are written as a table of those values and numbers into it. NaN and inf are bit patterns like any other.

The script of the page holds the same decoder (``web/packing.js``); a test compares both.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES: dict[str, np.dtype[Any]] = {name: np.dtype(f"<{name}") for name in ("f8", "f4", "i8", "u1")}
_UNSIGNED: dict[int, Any] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}

Array = NDArray[Any]


@dataclass
class Packer:
    """Collects arrays; each gets a number, and its place in the one stream of bytes.

    Examples
    --------
    >>> packer = Packer()
    >>> number = packer.add(np.array([[0.5, np.nan], [2.0, 1e300]]))
    >>> unpack(packer.index, packer.text())[number]
    array([[5.e-001,     nan],
           [2.e+000, 1.e+300]])
    """

    index: list[dict[str, Any]] = field(default_factory=list)  # JSON: type, shape, size in bytes, table if any
    _parts: list[bytes] = field(default_factory=list)

    def add(self, array: Array) -> int:
        """Take an array of float64, float32, int64 or uint8; return its number."""
        name = next((name for name, dtype in TYPES.items() if dtype == array.dtype.newbyteorder("<")), "")
        if not name:
            raise TypeError(f"a page carries {', '.join(TYPES)}, not {array.dtype}")
        plain = np.ascontiguousarray(array, dtype=TYPES[name])
        bits = plain.view(_UNSIGNED[plain.dtype.itemsize])
        entry: dict[str, Any] = {"type": name, "shape": list(array.shape)}
        # A table pays where most values repeat, and 65536 entries are what two bytes can number.
        table, numbers = np.unique(bits, return_inverse=True)
        if bits.dtype.itemsize > 1 and len(table) <= min(65536, bits.size // 4):
            entry["table"] = len(table)
            data = table.astype(table.dtype.newbyteorder("<")).tobytes()
            data += _spread(numbers.reshape(bits.shape).astype(np.uint8 if len(table) <= 256 else np.uint16))
        else:
            data = _spread(bits)
        entry["bytes"] = len(data)
        self._parts.append(data)
        self.index.append(entry)
        return len(self.index) - 1

    def text(self) -> str:
        """Return all of it: zlib, then base64."""
        return base64.b64encode(zlib.compress(b"".join(self._parts), 6)).decode("ascii")


def unpack(index: Sequence[Mapping[str, Any]], text: str) -> list[Array]:
    """Return the arrays that `Packer` wrote, bit for bit."""
    stream = zlib.decompress(base64.b64decode(text))
    arrays = []
    start = 0
    for entry in index:
        data = stream[start : start + entry["bytes"]]
        start += entry["bytes"]
        dtype, shape = TYPES[entry["type"]], tuple(entry["shape"])
        entries = entry.get("table", 0)
        if entries:
            split = entries * dtype.itemsize
            numbers = _gather(data[split:], 1 if entries <= 256 else 2, shape)
            bits = np.frombuffer(data[:split], dtype=f"<u{dtype.itemsize}")[numbers]
        else:
            bits = _gather(data, dtype.itemsize, shape)
        arrays.append(np.ascontiguousarray(bits).view(dtype).reshape(shape))
    return arrays


def _spread(bits: Array) -> bytes:
    """Write unsigned integers as differences along every axis, most significant bytes of all first."""
    size = bits.dtype.itemsize
    for axis in range(bits.ndim):
        bits = np.diff(bits, axis=axis, prepend=bits.dtype.type(0))
    top = bits.dtype.type(8 * size - 1)
    # Zigzag: -1 becomes 1, not 0xffff..., so that a small difference has leading zeros whatever its sign.
    bits = (bits << bits.dtype.type(1)) ^ (np.zeros_like(bits) - (bits >> top))
    return np.ascontiguousarray(bits, dtype=f">u{size}").view(np.uint8).reshape(-1, size).T.tobytes()


def _gather(data: bytes, size: int, shape: tuple[int, ...]) -> Array:
    planes = np.frombuffer(data, dtype=np.uint8).reshape(size, -1)
    bits = np.ascontiguousarray(planes.T).view(f">u{size}").astype(f"<u{size}").reshape(shape)
    one = bits.dtype.type(1)
    bits = (bits >> one) ^ (np.zeros_like(bits) - (bits & one))
    for axis in range(bits.ndim):
        bits = np.cumsum(bits, axis=axis, dtype=bits.dtype)
    return bits
