"""Files of the 2018 tool (Li et al., tomgoldstein/loss-landscape): its surfaces and its directions.

What its files leave open, and how it is read here:

* Its scheduler numbers points ``k = iy * nx + ix`` but creates arrays of shape (nx, ny) and fills them in order, so
  ``z[iy, ix]`` is ``array.ravel().reshape(ny, nx)``. For nx = ny that is the array as stored; its own plots are right
  only then.
* A point is missing where its accuracy is -1. A loss may be -1 for other reasons, so it tells only where a file has no
  accuracies. Of an eigenvalue pair, points are missing where the larger is -1 and the smaller 1.
* Accuracies are in percent there and fractions here.

Such files carry no checksum: they are read in a child process (`landscape.files.sandbox`), and a damaged number in one
cannot be told from a good one.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import FormatError
from landscape.files.atomic import HDF5_SIGNATURE, looks_like, open_regular, printable, read_start
from landscape.files.sandbox import read_hdf5
from landscape.surface.grid import Axis, Floats
from landscape.surface.surface import COMPUTED, NOT_COMPUTED, Surface

SOFTWARE = "loss-landscape (2018)"
MISSING = -1.0

# The tool's name for values -> ours, how many of its units are one of ours, what stands where nothing was computed.
_NAMES = {
    "train_loss": ("train/loss", 1.0, MISSING),
    "train_acc": ("train/accuracy", 100.0, MISSING),
    "test_loss": ("test/loss", 1.0, MISSING),
    "test_acc": ("test/accuracy", 100.0, MISSING),
    "min_eig": ("train/min_eig", 1.0, 1.0),
    "max_eig": ("train/max_eig", 1.0, MISSING),
}
# Which of them tell together whether a point is missing: all that are there must hold their marks.
_GROUPS = (("train_loss", "train_acc"), ("test_loss", "test_acc"), ("min_eig", "max_eig"))
_COORDINATES = ("xcoordinates", "ycoordinates")
_GROUP_NAMES = ("xdirection", "ydirection")
_WANTED = ("dir_file", *_COORDINATES, *_NAMES, "explained_variance_ratio_", *(f"{name}/*" for name in _GROUP_NAMES))

# The end of a direction file's name, where the tool notes how the directions were made.
_DIRECTION_NAME = re.compile(
    r"_(?P<move>weights|states)(_xignore=(?P<ignore0>\w+?))?(_xnorm=(?P<norm0>\w+?))?"
    r"(_yignore=(?P<ignore1>\w+?))?(_ynorm=(?P<norm1>\w+?))?(_same_dir)?(_idx=\d+)?\.h5\Z"
)

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class OriginalDirections:
    """A direction file of the 2018 tool: bare arrays, in the order of parameters or of a state dict."""

    tensors: list[list[Array]]  # one list an axis, x first
    explained_variance_ratio: Floats | None  # (2,), of files made from principal components
    path: str
    digest: str  # SHA-256 of the file


def load_original(path: str | Path) -> Surface | OriginalDirections:
    """Read a file of the 2018 tool, whichever of the two kinds it is.

    Raises
    ------
    FormatError
        There is no such file, it is none of these, or it is damaged so that it shows.
    """
    start = read_start(path)
    if not start.startswith(HDF5_SIGNATURE):
        raise FormatError(f"{path} is not a file of the 2018 tool: it is {looks_like(start)}")
    with open_regular(path) as file:
        try:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise FormatError(f"{path} cannot be read: {error.strerror}") from error
        arrays, members = read_hdf5(path, file, _WANTED)
    if "xcoordinates" in arrays:
        return _surface(path, digest, arrays, members)
    if any(name in members for name in _GROUP_NAMES):
        return _directions(path, digest, arrays)
    if "proj_xcoord" in members:
        raise FormatError(f"{path} is a projected trajectory of the 2018 tool, not a surface; it is not read")
    listed = ", ".join(printable(name) for name in members[:8]) or "nothing"
    raise FormatError(f"{path} is an HDF5 file, but neither ours nor the 2018 tool's: it holds {listed}")


def read_original(path: str | Path) -> Surface:
    """Read a surface file of the 2018 tool.

    Returns
    -------
    Surface
        Values ``train/loss``, ``train/accuracy`` (a fraction), the same of ``test``, ``train/min_eig`` and
        ``train/max_eig``, as far as they are there; NaN where missing. Decreasing coordinates are turned around.

    Raises
    ------
    FormatError
        As `load_original`, or the file holds directions.
    """
    found = load_original(path)
    if isinstance(found, Surface):
        return found
    raise FormatError(f"{path} holds directions of the 2018 tool, not a surface; give it to evaluate --directions")


def read_original_directions(path: str | Path) -> list[list[Array]]:
    """Read a direction file of the 2018 tool.

    Returns
    -------
    list of list of ndarray
        One list an axis, x first; tensors in the order of the network's parameters or of its state dict.

    Raises
    ------
    FormatError
        As `load_original`, or the file holds a surface.
    """
    found = load_original(path)
    if isinstance(found, OriginalDirections):
        return found.tensors
    raise FormatError(f"{path} is a surface file of the 2018 tool and holds no directions; its dir_file names them")


@np.errstate(invalid="ignore")  # a damaged number may be a NaN of the kind that warns
def _surface(path: str | Path, digest: str, arrays: Mapping[str, Array], members: Sequence[str]) -> Surface:
    text = arrays.get("dir_file")
    direction_file = (
        "" if text is None or text.dtype != np.uint8 else text.tobytes().decode("utf-8", "backslashreplace")
    )
    coordinates = [np.asarray(arrays[name], np.float64) for name in _COORDINATES if name in arrays]
    turned: tuple[int, ...] = ()
    for number, values in enumerate(coordinates):
        if values.ndim == 1 and values.size > 1 and values[0] > values[-1]:
            coordinates[number] = values[::-1]
            turned += (len(coordinates) - 1 - number,)
    move, recipes = _recipes(direction_file, len(coordinates))
    try:
        axes = tuple(
            Axis(values, source="file", recipe=recipe) for values, recipe in zip(coordinates, recipes, strict=True)
        )
    except ValueError as error:
        raise FormatError(f"{path} is not a surface of the 2018 tool: {error}") from error
    shape = tuple(len(axis) for axis in axes)
    stored = {}
    for name in _NAMES:
        if name not in arrays:
            continue
        if arrays[name].shape not in (shape, shape[::-1]):
            raise FormatError(f"{path}: {name} has shape {arrays[name].shape}, its coordinates need {shape}")
        stored[name] = np.flip(np.asarray(arrays[name], np.float64).ravel().reshape(shape[::-1]), turned)
    measured, state = _values(stored, shape[::-1])
    origin: dict[str, Any] = {"directions": direction_file} if direction_file else {}
    at_origin = _values_at_origin(axes, measured, state)
    if at_origin:
        origin["values"] = at_origin
    ignored = [name for name in members if name not in (*_WANTED, *_GROUP_NAMES)]
    if ignored:
        origin["ignored"] = ignored
    # That tool always runs networks in eval mode with the statistics they were saved with.
    problem: dict[str, Any] = {"mode": "eval", "batch_norm": "frozen"}
    if move:
        problem["move"] = move
    problem["metrics"] = {}
    for name in measured:
        data, _, metric = name.partition("/")
        problem["metrics"].setdefault(data, []).append(metric)
    return Surface(
        axes,
        measured,
        state,
        problem=problem,
        origin=origin,
        title=Path(path).stem,
        path=str(path),
        digest=digest,
        software=SOFTWARE,
    )


def _recipes(direction_file: str, number: int) -> tuple[str, list[dict[str, Any]]]:
    """Say where the directions come from, with what the tool noted in the file's name."""
    noted = _DIRECTION_NAME.search(direction_file)
    move = noted["move"] if noted else ""
    recipes = []
    for axis in range(number):
        recipe: dict[str, Any] = {"source": "file", "path": direction_file, "axis": axis}
        for key in ("norm", "ignore"):
            if noted and noted[f"{key}{axis}"]:
                recipe[key] = noted[f"{key}{axis}"]
        if move:
            recipe["move"] = move
        recipes.append(recipe)
    return move, recipes


def _values(stored: Mapping[str, Floats], shape: tuple[int, ...]) -> tuple[dict[str, Floats], NDArray[np.uint8]]:
    values: dict[str, Floats] = {}
    computed = np.zeros(shape, dtype=bool)
    for group in _GROUPS:
        present = [name for name in group if name in stored]
        if not present:
            continue
        # Accuracy decides alone where there is one; of eigenvalues both must be at their marks.
        deciding = [name for name in present if name.endswith("_acc")] or present
        missing = np.logical_and.reduce([stored[name] == _NAMES[name][2] for name in deciding])
        if group[0].startswith("test") and missing.all():
            continue  # the tool makes room for test values but never fills it
        computed |= ~missing
        for name in present:
            ours, units, _ = _NAMES[name]
            values[ours] = np.where(missing, np.nan, stored[name] / units)
    return values, np.where(computed, np.uint8(COMPUTED), np.uint8(NOT_COMPUTED))


def _values_at_origin(axes: Sequence[Axis], values: Mapping[str, Floats], state: NDArray[np.uint8]) -> dict[str, float]:
    places = [np.flatnonzero(axis.values == 0) for axis in reversed(axes)]
    if any(len(place) == 0 for place in places):
        return {}
    index = tuple(int(place[0]) for place in places)
    return {} if state[index] == NOT_COMPUTED else {name: float(array[index]) for name, array in values.items()}


def _directions(path: str | Path, digest: str, arrays: Mapping[str, Array]) -> OriginalDirections:
    axes = []
    for group in _GROUP_NAMES:
        members = {name.removeprefix(f"{group}/"): array for name, array in arrays.items() if name.startswith(group)}
        # As integers: as text, '10' comes before '2'.
        if not all(name.isascii() and name.isdecimal() for name in members) or (
            sorted(map(int, members)) != list(range(len(members)))
        ):
            raise FormatError(f"{path}: the tensors of {group} are not numbered from 0 on")
        if members:
            axes.append([members[str(number)] for number in range(len(members))])
        elif group == _GROUP_NAMES[0]:
            raise FormatError(f"{path}: there are no tensors in {group}")
    ratio = arrays.get("explained_variance_ratio_")
    if ratio is not None:
        ratio = np.asarray(ratio, np.float64).ravel()
    return OriginalDirections(axes, ratio, str(path), digest)


def left_out(surface: Surface) -> list[str]:
    """Return the names of values that the 2018 tool's format has no place for."""
    return [name for name in surface.values if name not in {ours for ours, _, _ in _NAMES.values()}]


def build_original(surface: Surface) -> bytes:
    """Return a surface as a file of the 2018 tool, in its exact layout.

    Points that were not computed get its marks (-1, of ``min_eig`` 1); interpolated ones it cannot tell from others. A
    loss that is NaN or infinite is written as it is: the tool takes the point as done and draws a hole, as we do.
    Where nx and ny differ the file is as the tool would write it, but its own plots of such files fail.

    Raises
    ------
    FormatError
        Not a line or a plane, or none of the tool's values is in it.
    """
    if len(surface.axes) not in (1, 2) or len(surface.directions) != len(surface.axes):
        raise FormatError(
            f"the 2018 tool's format holds lines and planes; this surface has the shape {surface.shape}"
            + (", its last axis numbers repetitions" if surface.repeats > 1 else "")
        )
    known = {name: entry for name, entry in _NAMES.items() if entry[0] in surface.values}
    if not known:
        raise FormatError(
            f"the 2018 tool's format holds {', '.join(ours for ours, _, _ in _NAMES.values())}; "
            f"this surface has {', '.join(surface.values) or 'no values'}"
        )
    image = io.BytesIO()
    with h5py.File(image, "w") as file:
        name = str(surface.origin.get("directions") or surface.path).replace("\0", "")
        file["dir_file"] = name.encode(
            "utf-8", "backslashreplace"
        ).decode()  # a name need not be UTF-8, HDF5's text has to
        for name, axis in zip(_COORDINATES, surface.axes, strict=False):
            file[name] = axis.values
        shape = tuple(len(axis) for axis in surface.axes)
        for name, (ours, units, mark) in known.items():
            values = np.where(surface.state == NOT_COMPUTED, mark, surface.values[ours] * units)
            file[name] = values.ravel().reshape(shape)
    return image.getvalue()
