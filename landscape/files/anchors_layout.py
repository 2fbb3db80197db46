"""What a file says of estimates, see `landscape.files.store`: their anchors, and how few samples carry a mean."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from landscape.errors import FormatError
from landscape.files.hdf5_parts import child, children, stored_array
from landscape.surface.anchors import Anchors
from landscape.surface.surface import Surface


def write_anchors(file: h5py.File, surface: Surface) -> None:
    """Write how many anchors each point is estimated from, and what was measured at them."""
    if not surface.anchored and not surface.anchors:
        return
    group = file.create_group("anchors", track_order=True)
    for name in {**surface.anchored, **surface.anchors}:
        member = group.create_group(name, track_order=True)
        if name in surface.anchored:
            member["used"] = np.asarray(surface.anchored[name], dtype=np.int64)
        if name not in surface.anchors:
            continue
        anchors = surface.anchors[name]
        member["points"] = np.asarray(anchors.points, dtype=np.int64)
        member.attrs["size"] = int(anchors.size)
        for part, arrays in (
            ("samples", anchors.samples),
            ("means", anchors.means),
            ("log_means", anchors.log_means),
        ):
            metrics = member.create_group(part, track_order=True)
            for metric, array in arrays.items():
                metrics[metric] = np.asarray(array, dtype=np.float64)
        if anchors.sketches:
            metrics = member.create_group("sketches", track_order=True)
            for metric, sketch in anchors.sketches.items():
                metrics[metric] = np.asarray(sketch, dtype=np.float32)
        if anchors.kept:
            member["kept_points"] = np.asarray(anchors.kept_points, dtype=np.int64)
            metrics = member.create_group("kept", track_order=True)
            for metric, array in anchors.kept.items():
                metrics[metric] = np.asarray(array, dtype=np.float64)


def read_anchors(file: h5py.File, shape: tuple[int, ...]) -> tuple[dict[str, NDArray[np.int64]], dict[str, Anchors]]:
    """Return from how many anchors points are estimates, and the anchors, by data set; empty where there are none.

    Raises
    ------
    FormatError, or what h5py raises
        A part is not as specified.
    """
    anchored: dict[str, NDArray[np.int64]] = {}
    anchors: dict[str, Anchors] = {}
    for _, group in children(file, h5py.Group, only="anchors") if "anchors" in file else ():
        for name, member in children(group, h5py.Group):
            if "used" in member:
                anchored[name] = stored_array(child(member, "used", h5py.Dataset), "i", 8, shape)
                if (anchored[name] < 0).any():
                    raise FormatError(f"its numbers of anchors of {name} are below 0")
            if "points" in member:
                anchors[name] = _anchors(member, math.prod(shape))
    return anchored, anchors


def write_tails(file: h5py.File, surface: Surface) -> None:
    """Write how few samples carry each mean, and their skewness."""
    for name, array in surface.tails.items():
        data, _, value = name.partition("/")
        file.require_group(f"tails/{data}")[value] = np.asarray(array, dtype=np.float64)


def read_tails(file: h5py.File, shape: tuple[int, ...]) -> dict[str, NDArray[np.float64]]:
    """Return the same, by name; empty where there are none."""
    return {
        f"{name}/{value}": stored_array(dataset, "f", 8, shape)
        for _, group in (children(file, h5py.Group, only="tails") if "tails" in file else ())
        for name, member in children(group, h5py.Group)
        for value, dataset in children(member, h5py.Dataset)
    }


def _anchors(member: h5py.Group, grid_points: int) -> Anchors:
    points = child(member, "points", h5py.Dataset)
    number = points.shape[0]
    size = member.attrs["size"]
    if not isinstance(size, int | np.integer) or not 0 < size <= 2**53:
        raise FormatError("its anchors do not say of how many samples")
    parts: dict[str, dict[str, Any]] = {"samples": {}, "means": {}, "log_means": {}}
    for part, arrays in parts.items():
        if part not in member and part == "log_means":
            continue
        for metric, dataset in children(child(member, part, h5py.Group), h5py.Dataset):
            columns = dataset.shape[1:] if part == "samples" else ()
            arrays[metric] = stored_array(dataset, "f", 8, (number, *columns))
    sketches = {
        metric: stored_array(dataset, "f", 4, (grid_points, *dataset.shape[1:]))
        for metric, dataset in (
            children(child(member, "sketches", h5py.Group), h5py.Dataset) if "sketches" in member else ()
        )
    }
    return Anchors(
        stored_array(points, "i", 8, (number,)),
        parts["samples"],
        parts["means"],
        int(size),
        parts["log_means"],
        sketches,
        *_kept(member, grid_points),
    )


def _kept(member: h5py.Group, grid_points: int) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    """Return of which points samples are kept, and these."""
    if "kept" not in member:
        return np.zeros(0, dtype=np.int64), {}
    stored = child(member, "kept_points", h5py.Dataset)
    points = stored_array(stored, "i", 8, stored.shape[:1])
    if len(np.unique(points)) < len(points) or (points < 0).any() or (points >= grid_points).any():
        raise FormatError("its anchors keep samples of points that are none of the grid's, or of one point twice")
    return points, {
        metric: stored_array(dataset, "f", 8, (len(points), *dataset.shape[1:]))
        for metric, dataset in children(child(member, "kept", h5py.Group), h5py.Dataset)
    }
