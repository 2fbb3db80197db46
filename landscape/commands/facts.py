"""What a file holds, as plain values: `landscape info` prints them as tables or as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from landscape.exports import axis_names
from landscape.grid import Axis, Floats
from landscape.paths import barrier
from landscape.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface, sampling_factor


def surface_facts(surface: Surface) -> dict[str, Any]:
    """Return what `landscape info` says of a surface; numbers that do not exist are None."""
    names = axis_names(surface)
    whole = surface.finished_part()
    return {
        "path": surface.path,
        "kind": "surface",
        "sha256": surface.digest,
        "title": surface.title,
        "shape": list(surface.shape),
        "complete": surface.complete,
        "points": {
            "computed": int((surface.state == COMPUTED).sum()),
            "interpolated": int((surface.state == INTERPOLATED).sum()),
            "missing": int((surface.state == NOT_COMPUTED).sum()),
        },
        # The finest grid of the visiting order without a hole; None where not even the corners are there.
        "finished_part": list(whole.shape) if whole.complete else None,
        "axes": [_axis_facts(name, axis) for name, axis in zip(names, surface.axes, strict=True)],
        "cosines": None if surface.cosines is None else [[_number(c) for c in row] for row in surface.cosines],
        "samples": {name: _samples_facts(surface, name) for name in surface.counts},
        "values": {name: _values_facts(surface, name, names) for name in surface.values},
        "problem": dict(surface.problem),
        "origin": dict(surface.origin),
        "quality": dict(surface.quality),
        "trajectories": {
            name: {
                "points": len(run.step),
                "greatest_distance": _number(_extreme(run.residual, np.max)),
                **run.attributes,
            }
            for name, run in surface.trajectories.items()
        },
        "software": surface.software,
        "created": surface.created,
        "command": surface.command,
    }


def _axis_facts(name: str, axis: Axis) -> dict[str, Any]:
    return {
        "name": name,
        "first": float(axis.values[0]),
        "last": float(axis.values[-1]),
        "points": len(axis),
        "kind": axis.kind,
        "label": axis.label,
        "source": axis.source,
        "length": _number(axis.length),
        "sha256": axis.sha256,
        "recipe": dict(axis.recipe),
    }


def _samples_facts(surface: Surface, name: str) -> dict[str, int | None]:
    used = surface.counts[name][surface.state == COMPUTED]
    entry = surface.problem.get("data", {}).get(name)
    size = entry.get("size") if isinstance(entry, Mapping) else None
    return {
        "least": int(used.min()) if used.size else None,
        "most": int(used.max()) if used.size else None,
        "size": size if isinstance(size, int) else None,
    }


def _values_facts(surface: Surface, name: str, names: list[str]) -> dict[str, Any]:
    values = surface.values[name]
    there = surface.state != NOT_COMPUTED
    finite = there & np.isfinite(values)
    facts: dict[str, Any] = {
        "at_origin": _at_origin(surface, name),
        "not_finite": int((there & ~np.isfinite(values)).sum()),
        "min": None,
        "max": None,
    }
    finite &= surface.state == COMPUTED  # an extreme is a place where somebody measured
    if finite.any():
        for key, find in (("min", np.argmin), ("max", np.argmax)):
            flat = np.flatnonzero(finite)
            index = np.unravel_index(flat[find(values.ravel()[flat])], surface.shape)
            place = [float(axis.values[i]) for axis, i in zip(surface.axes, reversed(index), strict=True)]
            facts[key] = {"value": float(values[index]), **dict(zip(names, place, strict=True))}
    if (found_barrier := barrier(surface, name) if name.endswith("/loss") else None) is not None:
        facts["barrier"] = dict(zip(("height", "x"), found_barrier, strict=True))
    for key, errors in (("stderr", surface.stderr), ("paired_stderr", surface.paired_stderr)):
        if name in errors:
            shown = errors[name] * sampling_factor(surface, name)
            facts[key] = {
                "median": _number(_extreme(shown[there], np.median)),
                "max": _number(_extreme(shown[there], np.max)),
            }
    return facts


def _at_origin(surface: Surface, name: str) -> float | None:
    stored = surface.origin.get("values")
    if isinstance(stored, Mapping) and isinstance(stored.get(name), int | float):
        return _number(stored[name])
    places = [np.flatnonzero(axis.values == 0) for axis in reversed(surface.axes)]
    if surface.repeats > 1 or any(place.size == 0 for place in places):
        return None
    return _number(surface.values[name][tuple(int(place[0]) for place in places)])


def _extreme(values: Floats, find: Any) -> float:
    finite = values[np.isfinite(values)]
    return float(find(finite)) if finite.size else math.nan


def _number(value: Any) -> float | None:
    value = float(value)
    return value if math.isfinite(value) else None


def tensors_facts(tensors: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return name, shape, type, count and bytes of named tensors, of torch or NumPy."""
    return [
        {
            "name": name,
            "shape": list(tensor.shape),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "count": math.prod(tensor.shape),
            "bytes": math.prod(tensor.shape) * tensor.dtype.itemsize,
        }
        for name, tensor in tensors.items()
    ]
