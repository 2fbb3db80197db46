"""The file of curvature along a training run: a report a step and data set, in HDF5. Its specification, version 1.

::

    user block   512 bytes, as of `landscape.files.reports.checked_image`: "landscape curvature run 1\\n", a SHA-256
    /            attributes: format "landscape curvature run"; version 1; software, created, command (text)
    /run/NAME    a data set; attribute: json: name, unit, steps, learning_rates, complete
    /run/NAME/K  the report of step K, counted from 0; as /curvature/NAME of `landscape.files.reports.curvature_file`

Everything else is as of that format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import h5py

from landscape.errors import FormatError
from landscape.files.hdf5_parts import child, children
from landscape.files.reports.checked_image import calls_itself, check_writable, new_image, opened_image
from landscape.files.reports.curvature_file import VERSION, read_report, write_report
from landscape.files.strict_json import from_json, to_json
from landscape.surface.reports.curvature import CurvatureRun

_FORMAT = "landscape curvature run"


def is_curvature_run(path: str | Path) -> bool:
    """Return whether a file calls itself one of curvature along a run; FormatError where it cannot be read."""
    return calls_itself(path, _FORMAT)


def check_run_writable(path: str | Path, *, overwrite: bool = False) -> None:
    """Find out before anything is measured whether a run can be written; see `checked_image.check_writable`."""
    check_writable(path, _FORMAT, "curvature along a run", overwrite=overwrite)


def write_curvature_run(path: str | Path, runs: Mapping[str, CurvatureRun], about: Mapping[str, str]) -> None:
    """Write a run, by data set; a reader sees either the file as it was or the whole new one.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    with new_image(path, _FORMAT, VERSION, about) as file:
        group = file.create_group("run", track_order=True)
        for name, run in runs.items():
            place = group.create_group(name)
            said = {field: getattr(run, field) for field in ("name", "unit", "complete")}
            numbers = {"steps": list(run.steps), "learning_rates": list(run.learning_rates)}
            place.attrs["json"] = to_json({**said, **numbers})
            for number, report in enumerate(run.reports):
                write_report(place.create_group(str(number)), report)


def read_curvature_run(path: str | Path) -> dict[str, CurvatureRun]:
    """Read a run, by data set.

    Raises
    ------
    FormatError
        There is no such file, it is none of curvature along a run, is damaged, or is of a newer version.
    """
    with opened_image(path, _FORMAT, VERSION, "curvature") as file:
        groups = children(child(file, "run", h5py.Group), h5py.Group)
        return {name: _read(group, str(path)) for name, group in groups}


def _read(group: h5py.Group, path: str) -> CurvatureRun:
    said = from_json(group.attrs["json"])
    steps, rates = said["steps"], said["learning_rates"]
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in steps):
        raise FormatError(f"steps in {group.name} are not whole numbers")
    if not all(isinstance(each, float) and (math.isnan(each) or each >= 0) for each in rates) or len(rates) != len(
        steps
    ):
        raise FormatError(f"learning rates in {group.name} are not a number for each step")
    if not all(isinstance(said[name], str) for name in ("name", "unit")) or not isinstance(said["complete"], bool):
        raise FormatError(f"{group.name} has a name, a unit or a state of another kind than the format's")
    reports = [read_report(child(group, str(number), h5py.Group), path) for number in range(len(steps))]
    return CurvatureRun(said["name"], said["unit"], tuple(steps), tuple(rates), tuple(reports), said["complete"], path)
