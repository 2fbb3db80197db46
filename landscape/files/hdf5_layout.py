"""A surface as HDF5 and back, in memory; `landscape.files.store` specifies the layout and looks after the file around
it.

Values that a file claims are checked before anything of their size is allocated.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import FormatError
from landscape.files.anchors_layout import read_anchors, read_tails, write_anchors, write_tails
from landscape.files.atomic import printable
from landscape.files.content import check_content
from landscape.files.hdf5_parts import child, children, stored_array
from landscape.files.strict_json import from_json, to_json
from landscape.surface.grid import Axis, Floats, grid_shape
from landscape.surface.surface import INTERPOLATED, Surface, Trajectory

VERSION = 1
USER_BLOCK = 512

Array = NDArray[Any]

# What version 1 defines; all else in a file belongs to somebody else and is kept. Attributes follow an @.
_OURS = re.compile(
    r"@(format|version|software|created|command|title|problem|complete)"
    r"|axes|axes/[0-9]+(@(label|source|kind|sha256|recipe|length))?"
    r"|directions|directions@cosines|directions/[0-9]+(/.*)?"
    r"|data|data/[A-Za-z0-9_.-]+"
    r"|(anchors|tails)(/.*)?"
    r"|(origin|quality)(@json)?|state"
    r"|trajectory|trajectory/[^/]+(/(coordinates|residual|loss|step)|@json)?",
    re.DOTALL,
)
_NAME = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.-]+")
# How h5py and NumPy complain of a file whose content is not as specified.
WRONG = (KeyError, IndexError, ValueError, TypeError, AttributeError, OSError, RuntimeError, OverflowError)

_STDERR, _PAIRED = "_stderr", "_paired_stderr"


def build(
    surface: Surface,
    title: str,
    directions: Sequence[Mapping[str, Array]] | None = None,
    previous: bytes | None = None,
) -> bytes:
    """Return the HDF5 image of a surface, an empty user block in front, with what ``previous`` holds beyond it.

    Raises
    ------
    FormatError
        What ``previous`` holds cannot be copied.
    ValueError, TypeError
        A name or a value cannot be held.
    """
    image = io.BytesIO()
    # 1.8's format and no newer: attributes may pass 64 KiB, and any HDF5 in use can read it.
    with h5py.File(image, "w", userblock_size=USER_BLOCK, libver=("v108", "v108")) as file:
        _set_text(file, "format", "landscape")
        file.attrs["version"] = VERSION
        for name in ("software", "created", "command"):
            _set_text(file, name, getattr(surface, name))
        if title:
            _set_text(file, "title", title)
        _set_text(file, "problem", to_json(surface.problem))
        file.attrs["complete"] = surface.complete
        _write_axes(file, surface)
        file["state"] = np.asarray(surface.state, dtype=np.uint8)
        _write_data(file.create_group("data", track_order=True), surface)
        write_anchors(file, surface)
        write_tails(file, surface)
        for name in ("origin", "quality"):
            _set_text(file.create_group(name), "json", to_json(getattr(surface, name)))
        runs = file.create_group("trajectory", track_order=True)
        for name, run in surface.trajectories.items():
            _write_trajectory(runs, name, run)
        if directions is not None:
            _write_directions(file["directions"], directions)
        if previous is not None:
            _keep_from(previous, file, with_directions=directions is None)
    return image.getvalue()


def _write_axes(file: h5py.File, surface: Surface) -> None:
    axes = file.create_group("axes")
    for number, axis in enumerate(surface.axes):
        dataset = axes.create_dataset(str(number), data=axis.values)
        for name in ("label", "source", "kind", "sha256"):
            _set_text(dataset, name, getattr(axis, name))
        _set_text(dataset, "recipe", to_json(axis.recipe))
        dataset.attrs["length"] = float(axis.length)
    group = file.create_group("directions")
    if surface.cosines is not None:
        group.attrs["cosines"] = np.asarray(surface.cosines, dtype=np.float64)


def _write_data(data: h5py.Group, surface: Surface) -> None:
    parts = ((surface.values, ""), (surface.stderr, _STDERR), (surface.paired_stderr, _PAIRED))
    for members, suffix in parts:
        for name, array in members.items():
            group, metric = _split(data, name)
            group[metric + suffix] = np.asarray(array, dtype=np.float64)
    for name, count in surface.counts.items():
        _data_set(data, name)["count"] = np.asarray(count, dtype=np.int64)


def _split(data: h5py.Group, name: str) -> tuple[h5py.Group, str]:
    part, _, metric = name.partition("/")
    if not _NAME.fullmatch(metric) or metric == "count" or metric.endswith((_STDERR, "_paired")):
        raise ValueError(
            f"values must be called DATA/METRIC, of letters, digits, '_', '.' and '-', METRIC neither 'count' nor "
            f"ending in '_stderr' or '_paired'; got {name!r}"
        )
    return _data_set(data, part), metric


def _data_set(data: h5py.Group, name: str) -> h5py.Group:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a data set's name must be of letters, digits, '_', '.' and '-', got {name!r}")
    return data[name] if name in data else data.create_group(name, track_order=True)


def _write_trajectory(runs: h5py.Group, name: str, run: Trajectory) -> None:
    if not name:
        raise ValueError("a trajectory needs a name")
    group = runs.create_group(re.sub("[%/.\0\ud800-\udfff]", _percent_encoded, name))
    for part in ("coordinates", "residual", "loss"):
        group[part] = np.asarray(getattr(run, part), dtype=np.float64)
    group["step"] = np.asarray(run.step, dtype=np.int64)
    _set_text(group, "json", to_json(run.attributes))


def _percent_encoded(character: re.Match[str]) -> str:
    """Encode what the name of an HDF5 object may not hold, a dot among it: alone it means the group itself."""
    return "".join(f"%{byte:02X}" for byte in character[0].encode("utf-8", "surrogatepass"))


def _write_directions(group: h5py.Group, directions: Sequence[Mapping[str, Array]]) -> None:
    for number, tensors in enumerate(directions):
        member = group.create_group(str(number))
        for place, (name, tensor) in enumerate(tensors.items()):
            array = np.asarray(tensor)
            if array.dtype.kind not in "fiu":
                raise TypeError(f"a direction's tensors must be real numbers, {name!r} is {array.dtype}")
            _set_text(member.create_dataset(str(place), data=array), "name", name)


def _keep_from(previous: bytes, new: h5py.File, *, with_directions: bool) -> None:
    try:
        with h5py.File(io.BytesIO(previous), "r") as old:
            _keep(old, new, "")
            if with_directions and _digests(old) == _digests(new):
                _copy(old["directions"], new["directions"], [name for name in old["directions"] if _is_number(name)])
    except WRONG as error:
        raise FormatError(f"what it holds cannot be kept ({type(error).__name__}: {error})") from error


def _digests(file: h5py.File) -> list[str]:
    return [_text(axis, "sha256") for axis in _numbered(file["axes"], h5py.Dataset)]


def _keep(old: Any, new: Any, path: str) -> None:
    """Copy what is in ``old`` and not of this version of the format."""
    for name in old.attrs:
        if not _OURS.fullmatch(f"{path}@{name}"):
            new.attrs.create(name, old.attrs[name], dtype=old.attrs.get_id(name).dtype)
    if not (isinstance(old, h5py.Group) and isinstance(new, h5py.Group)):
        return
    for name in old:
        where = f"{path}/{name}".lstrip("/")
        if name in new:
            if isinstance(old.get(name, getlink=True), h5py.HardLink):
                _keep(old[name], new[name], where)
            continue
        measured = re.fullmatch(r"data/[^/]+", path) and old.get(name, getclass=True) is h5py.Dataset
        if not _OURS.fullmatch(where) and not measured:
            _copy(old, new, [name])


def _copy(old: h5py.Group, new: h5py.Group, names: Sequence[str]) -> None:
    for name in names:
        link = old.get(name, getlink=True)
        if isinstance(link, h5py.HardLink):
            old.copy(name, new, name=name)
        else:
            new[name] = link


def parse(image: bytes, path: str, stem: str, digest: str) -> Surface:
    """Return the surface in an HDF5 image; what is not known is ignored.

    Raises
    ------
    FormatError, or one of `WRONG`
        A part is missing or not as specified.
    """
    with h5py.File(io.BytesIO(image), "r") as file:
        axes = tuple(_axis(dataset) for dataset in _numbered(child(file, "axes", h5py.Group), h5py.Dataset))
        if not axes:
            raise FormatError("it has no axes")
        shape = grid_shape(axes)
        state = stored_array(child(file, "state", h5py.Dataset), "u", 1, shape)
        if state.size and state.max() > INTERPOLATED:
            raise FormatError("its state holds a number this version does not know")
        parts: dict[str, dict[str, Any]] = {"values": {}, "stderr": {}, "paired_stderr": {}, "counts": {}}
        for name, group in children(child(file, "data", h5py.Group), h5py.Group):
            if _NAME.fullmatch(name):
                _read_data(name, group, shape, parts)
        anchored, anchors = read_anchors(file, shape)
        tails = read_tails(file, shape)
        runs = children(child(file, "trajectory", h5py.Group), h5py.Group)
        surface = Surface(
            axes,
            state=state,
            cosines=_cosines(child(file, "directions", h5py.Group)),
            problem=_json(file, "problem"),
            origin=_json(child(file, "origin", h5py.Group), "json"),
            quality=_json(child(file, "quality", h5py.Group), "json"),
            trajectories={unquote(name, errors="surrogatepass"): _trajectory(group) for name, group in runs},
            title=_text(file, "title") or stem,
            path=path,
            digest=digest,
            software=_text(file, "software"),
            created=_text(file, "created"),
            command=_text(file, "command"),
            anchored=anchored,
            anchors=anchors,
            tails=tails,
            **parts,
        )
        check_content(surface)
        return surface


def parse_directions(image: bytes) -> list[dict[str, Array]]:
    """Return the tensors of each direction, by name; an empty list where they are not in the file. As `parse` else."""
    with h5py.File(io.BytesIO(image), "r") as file:
        directions = []
        for group in _numbered(child(file, "directions", h5py.Group), h5py.Group):
            tensors: dict[str, Array] = {}
            for dataset in _numbered(group, h5py.Dataset):
                name = _text(dataset, "name")
                if name in tensors:
                    raise FormatError(f"it holds the tensor {printable(name)} twice")
                tensors[name] = stored_array(dataset, "fiu", None, dataset.shape)
            directions.append(tensors)
        return directions


def _axis(dataset: h5py.Dataset) -> Axis:
    if len(dataset.shape) != 1:
        raise FormatError(f"its axis {dataset.name} has {len(dataset.shape)} dimensions")
    length = float(dataset.attrs["length"])
    text = {name: _text(dataset, name) for name in ("label", "source", "sha256", "kind")}
    return Axis(stored_array(dataset, "f", 8, dataset.shape), recipe=_json(dataset, "recipe"), length=length, **text)


def _read_data(name: str, group: h5py.Group, shape: tuple[int, ...], parts: dict[str, dict[str, Any]]) -> None:
    for member, dataset in children(group, h5py.Dataset):
        if member == "count":
            parts["counts"][name] = stored_array(dataset, "i", 8, shape)
        elif member.endswith(_PAIRED):
            parts["paired_stderr"][f"{name}/{member.removesuffix(_PAIRED)}"] = stored_array(dataset, "f", 8, shape)
        elif member.endswith(_STDERR):
            parts["stderr"][f"{name}/{member.removesuffix(_STDERR)}"] = stored_array(dataset, "f", 8, shape)
        else:
            parts["values"][f"{name}/{member}"] = stored_array(dataset, "f", 8, shape)


def _trajectory(group: h5py.Group) -> Trajectory:
    coordinates = child(group, "coordinates", h5py.Dataset)
    if len(coordinates.shape) != 2:
        raise FormatError(f"{printable(coordinates.name)} has {len(coordinates.shape)} dimensions, 2 were expected")
    length = coordinates.shape[:1]
    return Trajectory(
        stored_array(coordinates, "f", 8, coordinates.shape),
        residual=stored_array(child(group, "residual", h5py.Dataset), "f", 8, length),
        loss=stored_array(child(group, "loss", h5py.Dataset), "f", 8, length),
        step=stored_array(child(group, "step", h5py.Dataset), "i", 8, length),
        attributes=_json(group, "json"),
    )


def _cosines(group: h5py.Group) -> Floats | None:
    if "cosines" not in group.attrs:
        return None
    cosines = np.asarray(group.attrs["cosines"])
    if cosines.dtype.kind != "f" or cosines.ndim != 2 or cosines.shape[0] != cosines.shape[1]:
        raise FormatError(f"its cosines are not a square matrix but {cosines.dtype} of shape {cosines.shape}")
    return cosines.astype(np.float64)


def _numbered(group: h5py.Group, kind: type) -> list[Any]:
    """Return the members called 0, 1, 2, ... of a kind, in that order."""
    members = {int(name): member for name, member in children(group, kind) if _is_number(name)}
    if sorted(members) != list(range(len(members))):
        raise FormatError(f"the members of {printable(group.name)} are not numbered from 0 on")
    return [members[number] for number in range(len(members))]


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()


def _set_text(target: Any, name: str, text: str) -> None:
    # Fixed length: a text of variable length lies in a heap of its own, which grows and is harder to check.
    data = text.replace("\0", r"\x00").encode("utf-8", "backslashreplace")
    target.attrs.create(name, np.array(data, dtype=h5py.string_dtype("utf-8", max(1, len(data)))))


def _text(target: Any, name: str) -> str:
    value = target.attrs.get(name, b"")
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if not isinstance(value, str):
        raise FormatError(f"its attribute {name} is not text")
    return str(value)


def _json(target: Any, name: str) -> dict[str, Any]:
    value = from_json(_text(target, name) or "{}")
    if not isinstance(value, dict):
        raise FormatError(f"its attribute {name} is not a JSON mapping")
    return value
