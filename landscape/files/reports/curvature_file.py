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

The fields are those of `landscape.surface.reports.curvature.Curvature` and `Spectrum`. As of a surface file
(`landscape.files.store`), text is UTF-8, JSON that of `landscape.files.strict_json`, the hash is looked at before HDF5
sees a byte, and what a reader does not know it ignores.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from landscape.errors import FormatError
from landscape.files.hdf5_parts import child, children, stored_array
from landscape.files.reports.checked_image import calls_itself, check_writable, new_image, opened_image
from landscape.files.strict_json import from_json, to_json
from landscape.surface.grid import LARGEST
from landscape.surface.reports.curvature import Curvature, FilterCurvature, LayerCurvature, SliceCurvature
from landscape.surface.reports.matrix_spectrum import Spectrum

VERSION = 1
_FORMAT = "landscape curvature"
_MATRICES = ("raw", "normalised")
_PAIRS, _PROBES, _STEPS = (
    ("eigenvalues", "residuals", "samples_stderr"),
    ("traces", "squares", "forms"),
    ("nodes", "weights"),
)
_NAME = re.compile(r"(?!\.+\Z)[A-Za-z0-9_.-]+")


def is_curvature(path: str | Path) -> bool:
    """Return whether a file calls itself one of curvature; FormatError where it cannot be read."""
    return calls_itself(path, _FORMAT)


def check_curvature_writable(path: str | Path, *, overwrite: bool = False) -> None:
    """Find out before anything is measured whether reports can be written; see `checked_image.check_writable`."""
    check_writable(path, _FORMAT, "curvature", overwrite=overwrite)


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
    with new_image(path, _FORMAT, VERSION, about) as file:
        group = file.create_group("curvature", track_order=True)
        for name, report in reports.items():
            write_report(group.create_group(name), report)


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
    with opened_image(path, _FORMAT, VERSION, "curvature") as file:
        return {
            name: read_report(group, str(path))
            for name, group in children(child(file, "curvature", h5py.Group), h5py.Group)
        }


def read_report(group: h5py.Group, path: str) -> Curvature:
    """Read one report from its group; inside `checked_image.opened_image`, which says what is wrong with it."""
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
