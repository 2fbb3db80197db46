"""Surfaces as tables and arrays for other programs: CSV and NumPy's .npz, as bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.files.strict_json import plain_json
from landscape.surface.grid import point_coordinates
from landscape.surface.surface import NOT_COMPUTED, Surface

_LETTERS = "xyz"


def axis_names(surface: Surface) -> list[str]:
    """Return x, y, z for directions and ``repeat`` for the axis that numbers repetitions."""
    letters = iter(_LETTERS)
    return [next(letters, "w") if axis.kind == "direction" else "repeat" for axis in surface.axes]


def build_csv(surface: Surface) -> bytes:
    """Return one row a point: coordinates, state (0 missing, 1 computed, 2 interpolated), values, errors, counts.

    x changes fastest. Numbers have as many digits as they need to be read back exactly. A cell is empty where the
    point was not computed, and ``nan`` or ``inf`` where that is the result.
    """
    columns = dict(_columns(surface))
    points = np.arange(surface.state.size)
    coordinates = point_coordinates(surface.axes, points)
    missing = (surface.state == NOT_COMPUTED).ravel()
    cells = [column.ravel().tolist() for column in columns.values()]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*axis_names(surface), "state", *columns])
    for point, (place, state) in enumerate(zip(coordinates.tolist(), surface.state.ravel().tolist(), strict=True)):
        values = [""] * len(cells) if missing[point] else [repr(column[point]) for column in cells]
        writer.writerow([*map(repr, place), state, *values])
    return text.getvalue().encode()


def build_npz(surface: Surface) -> bytes:
    """Return arrays: ``x``, ``y``, ..., ``state``, each of the values by its name, and ``about``, JSON text.

    Names are as in the surface: ``train/loss``, ``train/loss_stderr``, ``train/count``; arrays over the grid have the
    shape (..., ny, nx), values[j, i] belongs to (x[i], y[j]). Reading them needs no pickles.
    """
    arrays: dict[str, NDArray[Any]] = {
        name: axis.values for name, axis in zip(axis_names(surface), surface.axes, strict=True)
    }
    arrays["state"] = surface.state
    arrays.update(_columns(surface))
    about = {
        name: getattr(surface, name)
        for name in ("title", "problem", "origin", "quality", "software", "created", "command")
    }
    said = ("label", "source", "recipe", "length", "sha256")
    about["axes"] = [{name: getattr(axis, name) for name in said} for axis in surface.axes]
    arrays["about"] = np.array(plain_json(about))
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)  # type: ignore[arg-type]
    return data.getvalue()


def _columns(surface: Surface) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, values in surface.values.items():
        yield name, values
        if name in surface.stderr:
            yield f"{name}_stderr", surface.stderr[name]
        if name in surface.paired_stderr:
            yield f"{name}_paired_stderr", surface.paired_stderr[name]
    for name, counts in surface.counts.items():
        yield f"{name}/count", counts
