"""What a file holds, as plain values: `landscape info` prints them as tables or as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.files.exports import axis_names
from landscape.surface.derived.intervals import carried_by_few, effective_samples, half_widths
from landscape.surface.derived.loss_barrier import barrier
from landscape.surface.derived.stated_error import stated_error, stated_words
from landscape.surface.derived.unseen import all_alike, left_to_chance, reach, unlike_share_of
from landscape.surface.grid import Axis, Floats
from landscape.surface.surface import COMPUTED, INTERPOLATED, NOT_COMPUTED, Surface, sampling_factor
from landscape.surface.unmeasured import not_measured_yet


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
        "anchors": {name: _anchors_facts(surface, name) for name in surface.anchored},
        "values": {name: _values_facts(surface, name, names) for name in surface.values},
        "problem": dict(surface.problem),
        "origin": dict(surface.origin),
        "quality": dict(surface.quality),
        "trajectories": {
            name: {
                "points": len(run.step),
                "greatest_distance": _found(run.residual, np.max),
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


def _samples_facts(surface: Surface, name: str) -> dict[str, Any]:
    used = surface.counts[name][surface.state == COMPUTED]
    entry = surface.problem.get("data", {}).get(name)
    size = entry.get("size") if isinstance(entry, Mapping) else None
    return {
        "least": int(used.min()) if used.size else None,
        "most": int(used.max()) if used.size else None,
        "size": size if isinstance(size, int) else None,
        **({"unit": "batch"} if isinstance(entry, Mapping) and entry.get("unit") == "batch" else {}),
    }


def _anchors_facts(surface: Surface, name: str) -> dict[str, Any]:
    """Return where all data were measured, and from how many such points the others are estimates."""
    anchors = surface.anchors.get(name)
    counts = surface.counts.get(name)
    size = None if anchors is None else anchors.size
    measured = surface.state == COMPUTED
    exact = measured & (counts >= size) if counts is not None and size is not None else np.zeros_like(measured)
    used = surface.anchored[name][measured & ~exact]
    return {
        "number": 0 if anchors is None else len(anchors.points),
        "all_samples": size,
        "points_measured_in_full": int(exact.sum()),
        "points_estimated": int((used > 0).sum()),
        "points_of_plain_means": int((used == 0).sum()),
        "fewest_anchors_of_an_estimate": int(used[used > 0].min()) if (used > 0).any() else None,
    }


def _values_facts(surface: Surface, name: str, names: list[str]) -> dict[str, Any]:
    values = surface.values[name]
    there = surface.state != NOT_COMPUTED
    finite = there & np.isfinite(values)
    to_come = not_measured_yet(surface, name) & ~finite
    facts: dict[str, Any] = {
        "at_origin": _at_origin(surface, name),
        "not_finite": int((there & ~np.isfinite(values) & ~to_come).sum()),
        "not_measured_yet": int(to_come.sum()),
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
    for key, paired in (("stderr", False), ("paired_stderr", True)):
        if (shown := left_to_chance(surface, name, paired=paired)) is not None:
            facts[key] = {
                "median": _found(shown[there], np.median),
                "max": _found(shown[there], np.max),
            }
            alike = all_alike(surface, name, paired=paired) & there
            if alike.any():
                facts[key] |= {
                    "all_alike": int(alike.sum()),
                    "unlike_at_most": _most_unlike(surface, name, alike),
                    "unlike_by": _number(reach(surface, name)[alike].max()),
                }
    if name.endswith("/loss") and (stated := stated_error(surface, name)) is not None and stated.total != 0:
        facts["stated_error"] = {
            "total": _number(stated.total),
            "samples": _number(stated.samples),
            "interpolation": _number(stated.interpolation),
            "precision": _number(stated.precision),
            "asked": stated.asked,
            "words": stated_words(stated),
        }
    if (widths := half_widths(surface, name)) is not None and (sampling_factor(surface, name)[there] > 0).any():
        carrying = effective_samples(surface, name)
        facts["interval"] = {
            "median_half_width": _found(widths[there], np.median),
            "greatest_half_width": _found(widths[there], np.max),
            "carried_by": None if carrying is None else _found(carrying[there], np.median),
            "carried_by_at_least": None if carrying is None else _found(carrying[there], np.min),
            "unreliable": int((carried_by_few(surface, name) & there).sum()),
        }
    return facts


def _most_unlike(surface: Surface, name: str, alike: NDArray[np.bool_]) -> float | None:
    """Return which share of the data may be unlike samples that are all alike, at most."""
    return _found(unlike_share_of(surface, name)[alike], np.max)


def _at_origin(surface: Surface, name: str) -> float | None:
    stored = surface.origin.get("values")
    if isinstance(stored, Mapping) and isinstance(stored.get(name), int | float):
        return _number(stored[name])
    places = [np.flatnonzero(axis.values == 0) for axis in reversed(surface.axes)]
    if surface.repeats > 1 or any(place.size == 0 for place in places):
        return None
    return _number(surface.values[name][tuple(int(place[0]) for place in places)])


def _found(values: Floats, find: Any) -> float | None:
    finite = values[np.isfinite(values)]
    return float(find(finite)) if finite.size else None


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
