"""What the content of a surface's file may say: the settings that others read by name, and arrays that fit together.

A file whose checksum is right may still have been made by another program, or by somebody who means harm. Whoever
reads a surface relies on what is checked here; keys that are not named here may hold anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from landscape.errors import FormatError
from landscape.surface.grid import LARGEST, Axis
from landscape.surface.surface import COMPUTED, Surface, Trajectory

Check = Callable[[Any], bool]

# The largest whole number of which all smaller ones are floats too; no count comes near.
_MOST = 2**53


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _count(value: Any) -> bool:
    return _whole(value) and value >= 0


def _positive(value: Any) -> bool:
    return _whole(value) and value > 0


def _number(value: Any) -> bool:
    """Take any number a float can hold; a result may be infinite or NaN."""
    return isinstance(value, float) or _whole(value)


def _length(value: Any) -> bool:
    return _number(value) and (math.isnan(value) or 0 <= value <= LARGEST)


def _maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check, length: int | None = None) -> Check:
    return lambda value: (
        isinstance(value, list) and (length is None or len(value) == length) and all(check(each) for each in value)
    )


def _mapping_of(check: Check) -> Check:
    return lambda value: isinstance(value, Mapping) and all(check(each) for each in value.values())


def _with(keys: Mapping[str, Check], only: bool = False) -> Check:
    """Take a mapping in which these keys, where they are there, hold what they should."""
    return lambda value: (
        isinstance(value, Mapping)
        and all(check(value[key]) for key, check in keys.items() if key in value)
        and (not only or set(value) <= set(keys))
    )


_PROBLEM: dict[str, Check] = {
    "model": _with({}),
    "data": _mapping_of(_with({"size": _positive, "samples": _count})),
    "metrics": _mapping_of(_list_of(_text)),
    "quantities": _mapping_of(_with({})),
    "samples": _maybe(_count),
    "sample_seed": _maybe(_whole),
    "weight_decay": _maybe(_number),
    **dict.fromkeys(("move", "include", "exclude", "batch_norm", "batch_norm_data", "mode"), _maybe(_text)),
}
_ORIGIN: dict[str, Check] = {
    "checkpoint": _maybe(_text),
    "sha256": _maybe(_text),
    "values": _mapping_of(_number),
    "fingerprints": _mapping_of(_text),
    "fingerprint_samples": _mapping_of(_count),
}
_QUALITY: dict[str, Check] = {
    "precision": _maybe(_text),
    "precision_error": _maybe(_number),
    "batch_size": _maybe(_positive),
    "threads": _maybe(_positive),
    "ranks": _maybe(_positive),
    "interpolation": _maybe(_with({})),
    "interpolation_error": _maybe(_number),
    "standard_error": _maybe(_with({"target": _maybe(_number), "eps": _mapping_of(_number)})),
    "unfinished": _maybe(_count),
    "error": _maybe(_number),
    "anchors": _maybe(_with({"points": _list_of(_count), "rounds": _count, "settled": _flag})),
}
_NETWORK: dict[str, Check] = {
    "at": _list_of(lambda value: _number(value) and abs(value) <= LARGEST),
    "differs": _maybe(_list_of(_text)),
    **dict.fromkeys(("path", "key", "sha256"), _maybe(_text)),
}
_RECIPE: dict[str, Check] = {
    "source": _text,
    "runs": _list_of(_with({"name": _text, "folder": _text, "unit": _text, "steps": _list_of(_whole)})),
    "differs": _maybe(_list_of(_text)),
    "networks": _list_of(_with(_NETWORK)),
    "seed": _maybe(_whole),
    "axis": _count,
    "components": _positive,
    "seeds": _list_of(_whole),
    **dict.fromkeys(("path", "key", "sha256", "norm", "ignore", "move", "include", "exclude"), _maybe(_text)),
}
_REPEATED: dict[str, Check] = {
    "recipe": _with(_RECIPE),
    "length": _length,
    "label": _text,
    "source": _text,
    "sha256": _text,
}


def check_content(surface: Surface) -> None:
    """Find out whether a surface that was read holds what its format wants, in kinds and in sizes.

    Raises
    ------
    FormatError
        Says what is wrong, without the name of the file.
    """
    for where, keys in (("problem", _PROBLEM), ("origin", _ORIGIN), ("quality", _QUALITY)):
        _require(getattr(surface, where), keys, where)
    for number, axis in enumerate(surface.axes):
        _require(axis.recipe, _RECIPE, f"axis {number}")
        if not _length(axis.length):
            raise FormatError(f"axis {number} has a length of {axis.length:g}")
        if axis.kind not in ("direction", "repeat"):
            raise FormatError(f"axis {number} is of an unknown kind")
        if np.abs(axis.values).max() > LARGEST or np.diff(axis.values).min(initial=1.0) < 1 / LARGEST:
            raise FormatError(f"axis {number} goes beyond {LARGEST:g}, or has points less than {1 / LARGEST:g} apart")
    directions = len(surface.directions)
    if not directions or any(axis.kind == "repeat" for axis in surface.axes[:-1]):
        raise FormatError("its axes are not directions with, at most, one of repetitions behind them")
    if len(surface.axes) > directions:
        _check_repetitions(surface.axes[-1], directions)
    if surface.cosines is not None and surface.cosines.shape != (directions, directions):
        raise FormatError(f"its cosines are of {surface.cosines.shape[0]} directions, its axes are {directions}")
    for name, counts in surface.counts.items():
        if (counts < (surface.state == COMPUTED)).any() or (counts > _MOST).any():
            raise FormatError(f"its counts of {name} are no numbers of samples")
    for run in surface.trajectories.values():
        _check_run(run, directions)


def _require(found: Mapping[str, Any], keys: Mapping[str, Check], where: str) -> None:
    for key, check in keys.items():
        if key in found and not check(found[key]):
            raise FormatError(f"its {where} says something impossible of {key}")


def _check_repetitions(axis: Axis, directions: int) -> None:
    number = len(axis)
    matrix = _maybe(_list_of(_list_of(_number, directions), directions))
    wanted = {
        "repeats": _list_of(_list_of(_with(_REPEATED, only=True), directions), number),
        "cosines": _maybe(_list_of(matrix, number)),
        "seeds": _list_of(_whole, number),
    }
    _require(axis.recipe, wanted, "repetitions")


def _check_run(run: Trajectory, directions: int) -> None:
    steps, columns = run.coordinates.shape
    if not 0 < columns <= directions:
        raise FormatError(f"a run has {columns} coordinates on {directions} axes")
    if not (np.abs(run.coordinates) <= LARGEST).all() or not ((run.residual >= 0) & (run.residual <= LARGEST)).all():
        raise FormatError("a run has coordinates or distances that are no numbers")
    if (np.abs(run.step) > _MOST).any():
        raise FormatError("a run has steps that are no numbers of steps")
    values = _mapping_of(_list_of(_maybe(_number), steps))
    keys: dict[str, Check] = {
        **dict.fromkeys(("name", "folder", "unit", "loss_name"), _text),
        "lr_drops": _list_of(_whole),
        "explained_variance": _list_of(lambda share: _number(share) and 0 <= share <= 1 + 1e-9),
        "values": values,
        "plane_values": values,
        "samples": _mapping_of(_count),
        "steps": _list_of(_whole),
        "total_variance": _number,
        "unordered": _flag,
    }
    _require(run.attributes, keys, "run")
