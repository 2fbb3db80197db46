"""The curvature file: reports of data sets at one checkpoint, in HDF5. This text is its specification, version 1.

::

    user block   512 bytes: "landscape curvature 1\\n", the SHA-256 of all that follows in hexadecimal, "\\n", zeros
    /            attributes: format "landscape curvature"; version 1; software, created, command (text)
    /curvature/NAME        a data set's report; attribute: json: all that is no array, with layers as a list
    /curvature/NAME/raw, /curvature/NAME/normalised
                           float64 datasets: eigenvalues, residuals, samples_stderr (pairs,); traces, squares, forms
                           (probes,); nodes, weights (probes, steps); attribute: json: the rest of a spectrum
    /curvature/NAME/filters
                           float64 datasets (filters of all layers,): trace, trace_stderr, normalised_trace,
                           normalised_trace_stderr; a layer says how many are its own. May be absent

The fields are those of `landscape.surface.curvature.Curvature` and `Spectrum`. As of a surface file
(`landscape.files.store`), text is UTF-8, JSON that of `landscape.files.strict_json`, the hash is looked at before HDF5
sees a byte, and what a reader does not know it ignores.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from landscape.errors import FormatError
from landscape.files.atomic import check_place, looks_like, read_all, read_start, replace_file
from landscape.files.hdf5_layout import USER_BLOCK, WRONG
from landscape.files.hdf5_parts import child, children, stored_array
from landscape.files.strict_json import from_json, to_json
from landscape.surface.curvature import Curvature, FilterCurvature, LayerCurvature, SliceCurvature, Spectrum
from landscape.surface.grid import LARGEST

VERSION = 1
_HEAD = re.compile(rb"landscape curvature (\d{1,9})\n")
_MATRICES = ("raw", "normalised")
_PAIRS, _PROBES, _STEPS = (
    ("eigenvalues", "residuals", "samples_stderr"),
    ("traces", "squares", "forms"),
    ("nodes", "weights"),
)
_NAME = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.-]+")


def is_curvature(path: str | Path) -> bool:
    """Return whether a file calls itself one of curvature; FormatError where it cannot be read."""
    return _HEAD.match(read_start(path, USER_BLOCK)) is not None


def check_curvature_writable(path: str | Path, *, overwrite: bool = False) -> None:
    """Find out before anything is measured whether reports can be written.

    Raises
    ------
    StoreError
        The folder is missing or read-only, or the path is a folder or a device.
    FormatError
        Something is there that is no file of curvature, and ``overwrite`` is not set.
    """
    check_place(path)
    if not overwrite and os.path.exists(path) and not is_curvature(path):
        raise FormatError(
            f"{path} exists and holds no curvature but is {looks_like(read_start(path))}; it is left as it is: name "
            "another file, or ask for it to be overwritten"
        )


def write_curvature(path: str | Path, reports: Mapping[str, Curvature], about: Mapping[str, str]) -> None:
    """Write reports; a reader sees either the file as it was or the whole new one.

    Parameters
    ----------
    path : str or Path
    reports : mapping of str to Curvature
        By data set.
    about : mapping of str to str
        software, created, command.

    Raises
    ------
    StoreError
        It cannot be written.
    ValueError
        A data set's name is not of letters, digits, "_", "." and "-".
    """
    bad = next((name for name in reports if not _NAME.fullmatch(name)), None)
    if bad is not None:
        raise ValueError(f"a data set's name is of letters, digits, '_', '.' and '-'; got {bad!r}")
    with new_image("landscape curvature", path, about) as file:
        group = file.create_group("curvature", track_order=True)
        for name, report in reports.items():
            write_report(group.create_group(name), report)


@contextmanager
def new_image(format: str, path: str | Path, about: Mapping[str, str]) -> Iterator[h5py.File]:
    """Give an HDF5 file in memory; it is written at the end, with its user block, as a whole or not at all."""
    image = io.BytesIO()
    with h5py.File(image, "w", userblock_size=USER_BLOCK, libver=("v108", "v108")) as file:
        for name, text in {"format": format, **about}.items():
            file.attrs[name] = text
        file.attrs["version"] = VERSION
        yield file
    body = image.getvalue()[USER_BLOCK:]
    block = b"%s %d\n%s\n" % (format.encode(), VERSION, hashlib.sha256(body).hexdigest().encode())
    replace_file(path, block.ljust(USER_BLOCK, b"\0") + body)


def write_report(group: h5py.Group, report: Curvature) -> None:
    """Write one report into an empty group."""
    plain = {
        field.name: getattr(report, field.name)
        for field in dataclasses.fields(report)
        if field.name not in (*_MATRICES, "layers", "filters", "slice", "path")
    }
    if report.slice is not None:
        plain["slice"] = dataclasses.asdict(report.slice)
    group.attrs["json"] = to_json({**plain, "layers": [dataclasses.asdict(layer) for layer in report.layers]})
    for matrix in _MATRICES:
        spectrum = getattr(report, matrix)
        place = group.create_group(matrix)
        rest = {}
        for field in dataclasses.fields(spectrum):
            value = getattr(spectrum, field.name)
            if isinstance(value, np.ndarray):
                place[field.name] = np.asarray(value, dtype=np.float64)
            else:
                rest[field.name] = value
        place.attrs["json"] = to_json(rest)
    if report.filters is not None:
        place = group.create_group("filters")
        for name, values in vars(report.filters).items():
            place[name] = np.asarray(values, dtype=np.float64)


def read_curvature(path: str | Path) -> dict[str, Curvature]:
    """Read the reports of a file, by data set.

    Raises
    ------
    FormatError
        There is no such file, it is none of curvature, is damaged, or is of a newer version.
    """
    with opened_image("landscape curvature", path) as file:
        return {
            name: read_report(group, str(path))
            for name, group in children(child(file, "curvature", h5py.Group), h5py.Group)
        }


@contextmanager
def opened_image(format: str, path: str | Path) -> Iterator[h5py.File]:
    """Give the HDF5 file of a format, checked against its hash; what goes wrong with it becomes a FormatError."""
    image = read_all(path)
    head = re.match(rb"%s (\d{1,9})\n" % format.encode(), image)
    if head is None:
        raise FormatError(f"{path} holds no {format.removeprefix('landscape ')}: it is {looks_like(image[:1024])}")
    if int(head[1]) != VERSION:
        raise FormatError(f"{path} is of version {int(head[1])} of the format, this landscape reads version {VERSION}")
    said = re.match(rb"[^\n]+\n([0-9a-f]{64})\n", image)
    if said is None or hashlib.sha256(memoryview(image)[USER_BLOCK:]).hexdigest().encode() != said[1]:
        raise FormatError(
            f"{path} is damaged: its content is not what its checksum says; take it from where it was copied from, "
            "or measure again"
        )
    try:
        with h5py.File(io.BytesIO(image), "r") as file:
            yield file
    except FormatError:
        raise
    except WRONG as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise FormatError(f"{path} does not hold curvature as its format wants it: {words}") from error


def read_report(group: h5py.Group, path: str) -> Curvature:
    """Read one report from its group; inside `opened_image`, which says what is wrong with it."""
    plain = from_json(group.attrs["json"])
    known = {field.name for field in dataclasses.fields(Curvature)}
    layers = tuple(LayerCurvature(**_only(LayerCurvature, each)) for each in plain.pop("layers"))
    drawn = _slice(plain.pop("slice", None))
    spectra: dict[str, Any] = {matrix: _spectrum(child(group, matrix, h5py.Group)) for matrix in _MATRICES}
    filters = _filters(group, sum(layer.filters for layer in layers)) if "filters" in group else None
    kept = {name: value for name, value in plain.items() if name in known and name not in (*_MATRICES, "path")}
    _require_kinds(Curvature, kept)
    return Curvature(**kept, **spectra, layers=layers, filters=filters, slice=drawn, path=path)


def _filters(group: h5py.Group, number: int) -> FilterCurvature:
    place = child(group, "filters", h5py.Group)
    arrays = [_numbers(place, field.name, 1) for field in dataclasses.fields(FilterCurvature)]
    if any(len(each) != number for each in arrays):
        raise FormatError(f"{place.name} is not of the {number} filters that its layers have")
    return FilterCurvature(*arrays)


def _slice(found: Any) -> SliceCurvature | None:
    if found is None:
        return None
    matrices = ("hessian", "samples_stderr", "fitted", "fitted_error")
    labels, rank = tuple(found["labels"]), tuple(found["rank"])
    arrays = {name: np.asarray(found[name], dtype=np.float64) for name in matrices}
    if any(each.shape != (len(labels), len(labels)) for each in arrays.values()) or len(rank) != len(labels):
        raise FormatError(f"the slice has {len(labels)} axes, and matrices of another size")
    if not all(isinstance(each, str) for each in labels) or not all(isinstance(each, float) for each in rank):
        raise FormatError("the slice has labels that are no text, or shares that are no numbers")
    return SliceCurvature(labels, **arrays, rank=rank)


def _spectrum(group: h5py.Group) -> Spectrum:
    arrays: dict[str, Any] = {name: _numbers(group, name, 1) for name in (*_PAIRS, *_PROBES)}
    arrays |= {name: _numbers(group, name, 2) for name in _STEPS}
    for names in (_PAIRS, _PROBES, _STEPS):
        if len({arrays[name].shape for name in names}) > 1:
            raise FormatError(f"{', '.join(names)} in {group.name} are not of one shape")
    if len(arrays["nodes"]) != len(arrays["traces"]):
        raise FormatError(f"there are not as many quadratures as probes in {group.name}")
    if np.isnan(arrays["eigenvalues"]).any() or np.isnan(arrays["traces"]).any():
        raise FormatError(f"eigenvalues or traces in {group.name} are no numbers")
    if (np.isnan(arrays["nodes"]) != np.isnan(arrays["weights"])).any():
        raise FormatError(f"the quadratures in {group.name} have nodes without weights, or weights without nodes")
    if (arrays["weights"] < 0).any() or (np.nansum(arrays["weights"], axis=1) > 1 + 1e-6).any():
        raise FormatError(f"the quadratures in {group.name} have weights that are no shares")
    rest = _only(Spectrum, from_json(group.attrs["json"]))
    if min(rest["size"], rest["greatest"], rest["products"]) < 0:
        raise FormatError(f"a count in {group.name} is negative")
    if rest["greatest"] > len(arrays["eigenvalues"]):
        raise FormatError(f"greatest in {group.name} is {rest['greatest']}, there are fewer eigenvalues")
    if not math.isfinite(rest["tolerance"]):
        raise FormatError(f"tolerance in {group.name} is {rest['tolerance']!r}")
    return Spectrum(**arrays, **rest)


def _numbers(group: h5py.Group, name: str, dimensions: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    dataset = child(group, name, h5py.Dataset)
    if dataset.ndim != dimensions:
        raise FormatError(f"{name} in {group.name} is of {dataset.ndim} dimensions, not {dimensions}")
    found: np.ndarray[Any, np.dtype[np.float64]] = stored_array(dataset, "f", 8, dataset.shape)
    # Beyond, sums of squares are not finite.
    if (np.abs(found) > LARGEST).any():
        raise FormatError(f"{name} in {group.name} goes beyond {LARGEST:g}")
    return found


def _only(kind: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(kind)]
    kept = {name: value for name, value in found.items() if name in names}
    _require_kinds(kind, kept)
    return kept


def _require_kinds(kind: Any, found: Mapping[str, Any]) -> None:
    """Raise FormatError where a plain field of a dataclass holds something else than its annotation says."""
    kinds = {"int": (int,), "float": (int, float), "str": (str,), "Mapping[str, Any]": (dict,)}
    for field in dataclasses.fields(kind):
        if field.name not in found or field.type not in kinds:
            continue
        value = found[field.name]
        if not isinstance(value, kinds[field.type]) or isinstance(value, bool):
            raise FormatError(f"{field.name} is {value!r}, no {field.type}"[:200])
        if isinstance(value, (int, float)) and abs(value) > LARGEST:
            raise FormatError(f"{field.name} goes beyond {LARGEST:g}")
