"""What a page is told about surfaces, as JSON; arrays go into a `Packer` and leave a number here.

`web/types.ts` describes the same records for the page's script.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.errors import PlotError
from landscape.surface.anchors import AT_ORIGIN
from landscape.surface.derived.unseen import left_to_chance
from landscape.surface.grid import Axis
from landscape.surface.other_networks import networks_on
from landscape.surface.surface import NOT_COMPUTED, Surface, Trajectory

from ..paths.path_words import explained
from ..scale.levels import number_text
from ..scale.scale import default_name
from ..style.captions import caption, panel_title
from ..style.direction_words import bare_label
from ..style.shortcuts import interpolation_words, lacking_samples
from ..style.wording import plain_text, short_name, without_folders
from .curvature_panel import convexity_rows, open_cells
from .packing import Array, Packer
from .trust import trust_rows

GREEK = ("α", "β", "γ")
# A standard error is shown to three digits: 12 bits of its mantissa are kept, which halves its room in the page.
_KEPT_BITS = np.uint32(0xFFFFF800)


def frames_of(surface: Surface) -> tuple[list[Surface], str]:
    """Return the planes a surface is made of, and what a slider over them counts (empty for a single plane).

    Where there are several, each one's title says which it is.

    Raises
    ------
    PlotError
        It is not made of planes, or a plane has no area.
    """
    what = surface.path or surface.title or "the surface"
    if surface.axes[-1].kind == "repeat":
        frames, label = _seeds(surface), "seed"
    elif len(surface.axes) == 3:
        frames, label = _slices(surface), GREEK[2]
    else:
        frames, label = [surface], ""
    for frame in frames:
        if len(frame.axes) != 2:
            number = len(frame.axes)
            raise PlotError(
                f"{what} has {number} ax{'i' if number == 1 else 'e'}s, and planes are shown; "
                "'landscape plot' draws lines"
            )
        if min(frame.shape) < 2:
            raise PlotError(f"{what} has {frame.shape[1]} x {frame.shape[0]} points; a plane needs at least 2 x 2")
    return frames, label if len(frames) > 1 else ""


def first_frame(surface: Surface) -> int:
    """Return which plane to show first: that of a volume in which the checkpoint lies."""
    if len(surface.directions) < 3 or surface.axes[2].kind == "repeat":
        return 0
    return int(np.argmin(np.abs(surface.axes[2].values)))


def holds_checkpoint(surface: Surface, number: int) -> bool:
    """Return whether the checkpoint can lie in this one of a surface's planes, at 0, 0."""
    return len(surface.directions) < 3 or float(surface.axes[2].values[number]) == 0


def networks_at(surface: Surface, number: int) -> list[tuple[str, float, float]]:
    """Return name, x and y of the other networks that lie in this one of a surface's planes."""
    if surface.origin.get("elsewhere"):
        return []
    found = networks_on(surface)
    if len(surface.directions) == 3:
        height = float(surface.axes[2].values[number])
        found = [(name, at) for name, at in found if at[2] == height]
    return [(name, at[0], at[1]) for name, at in found]


def surface_record(
    surface: Surface,
    packer: Packer,
    *,
    centred: bool = True,
    networks: Sequence[tuple[str, float, float]] = (),
    extra: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Return what the page is told about one plane.

    A plane of which points are missing is carried as its finest complete grid, where there is one; the table of
    trust counts the points of the whole.

    Parameters
    ----------
    surface : Surface
    packer : Packer
        Takes the arrays.
    centred : bool
        Whether the checkpoint lies at 0, 0; it does not in most slices of a volume.
    networks : sequence of (str, float, float)
        Other networks that lie on the plane: name, x and y.
    extra : sequence of (str, str)
        Further rows of the table of trust.
    """
    part = surface.finished_part()
    if min(part.shape) < 2:
        part = surface
    name = default_name(part)
    trust = [*trust_rows(surface, name), *convexity_rows(part), *extra]
    missing = int((surface.state == NOT_COMPUTED).sum())
    if part is not surface:
        trust.insert(
            0, ("unfinished", f"{missing} of {surface.state.size} points to come; drawn is the complete, coarser grid")
        )
    origin = part.origin.get("values")
    origin = origin if centred and isinstance(origin, Mapping) else {}
    return {
        "title": plain_text(panel_title(surface) or "surface"),
        "caption": without_folders(caption(surface, None, name)),
        "file": plain_text(Path(surface.path).name),
        "axes": [_axis_record(axis, k, part, packer) for k, axis in enumerate(part.axes)],
        "values": {plain_text(key): packer.add(np.asarray(array, np.float64)) for key, array in part.values.items()},
        "stderr": _errors(part, packer, paired=False),
        "paired": _errors(part, packer, paired=True),
        "counts": {plain_text(key): packer.add(np.asarray(array, np.int64)) for key, array in part.counts.items()},
        "anchored": {plain_text(key): packer.add(array) for key, array in _estimated(part).items()},
        "state": packer.add(np.asarray(part.state, np.uint8)),
        "open": {plain_text(key): packer.add(array) for key, array in open_cells(part).items()},
        "unfinished": _to_come(surface, part, missing),
        "interpolation": {plain_text(key): interpolation_words(surface, [key]).strip(" ()") for key in part.values},
        "centred": centred,
        "origin": {plain_text(key): float(value) for key, value in origin.items() if _is_finite(value)},
        "samples": {plain_text(key): number for key, number in _samples_at_origin(part).items()},
        "trust": [[plain_text(label), without_folders(text)] for label, text in trust],
        "checkpoint": plain_text(Path(str(part.origin.get("checkpoint") or "")).name) if networks and centred else "",
        "networks": [
            {"name": plain_text(each), "short": short_name(plain_text(each)), "x": x, "y": y} for each, x, y in networks
        ],
        "curvature": [],
        "paths": [_path_record(run, path, packer) for run, path in part.trajectories.items()],
    }


def _errors(surface: Surface, packer: Packer, *, paired: bool) -> dict[str, int]:
    """Return the errors that samples leave: none where all were used."""
    found = {}
    for key in surface.paired_stderr if paired else surface.stderr:
        if key in surface.values and (left := left_to_chance(surface, key, paired=paired)) is not None:
            found[key] = packer.add(to_three_digits(left))
    return found


def _estimated(surface: Surface) -> dict[str, NDArray[np.int64]]:
    """Return from how many anchors each point of a loss or metric is an estimate, 0 where it is none; (ny, nx) each."""
    return {
        f"{data}/{metric}": np.asarray(surface.anchored[data], np.int64)
        for data, anchors in surface.anchors.items()
        if data in surface.anchored
        for metric in anchors.means
    }


def _to_come(surface: Surface, part: Surface, missing: int) -> str:
    if part is not surface:
        return f"{missing} of {surface.state.size} points to come"
    lacking = lacking_samples(surface)
    return f"{lacking} of {surface.state.size} points lack samples" if lacking else ""


def _samples_at_origin(surface: Surface) -> dict[str, int]:
    """Return over how many samples of each data set the checkpoint was measured, where points are compared by that.

    Not where values are estimates for all data, as is the checkpoint's own.
    """
    known = surface.problem.get("data")
    whole = {data for data, anchors in surface.anchors.items() if (anchors.points == AT_ORIGIN).any()}
    entries = {data: known[data] for data in surface.counts if isinstance(known, Mapping) and data in known}
    entries = {data: entry for data, entry in entries.items() if data not in whole}
    numbers = {data: entry.get("samples") for data, entry in entries.items() if isinstance(entry, Mapping)}
    return {data: number for data, number in numbers.items() if isinstance(number, int)}


def _axis_record(axis: Axis, number: int, surface: Surface, packer: Packer) -> dict[str, Any]:
    shares = explained(surface)
    label = plain_text(bare_label(axis))
    text = label if axis.source == "pca" and label else f"{GREEK[number]}  {label}".strip()
    if axis.source == "pca" and shares and len(shares) > number and "%" not in label:
        text = f"PC {number + 1} ({100 * shares[number]:.1f} % of variance)"
    return {
        "label": label or GREEK[number],
        "name": f"PC {number + 1}" if axis.source == "pca" else GREEK[number],
        "text": text,
        "source": plain_text(axis.source),
        "values": packer.add(axis.values),
    }


def _path_record(run: str, path: Trajectory, packer: Packer) -> dict[str, Any]:
    far = path.residual[np.isfinite(path.residual)]
    note = f"up to {number_text(float(far.max()), 3)} away from the plane" if far.size and far.max() > 0 else ""
    fallen = set(np.atleast_1d(np.asarray(path.attributes.get("lr_drops", []))).tolist())
    own, below = (_by_name(path.attributes.get(key), len(path.step), packer) for key in ("values", "plane_values"))
    return {
        "name": plain_text(run),
        "unit": plain_text(path.attributes.get("unit", "step")),
        "coordinates": packer.add(np.ascontiguousarray(path.coordinates[:, :2], np.float64)),
        "loss": packer.add(np.asarray(path.loss, np.float64)),
        "step": packer.add(np.asarray(path.step, np.int64)),
        "lossName": plain_text(path.attributes.get("loss_name", "")),
        "own": own,
        "below": below,
        "drops": [k for k, step in enumerate(path.step.tolist()) if step in fallen],
        "note": note,
        "unordered": path.unordered,
    }


def _by_name(values: object, number: int, packer: Packer) -> dict[str, int]:
    """Pack the arrays of a mapping that have as many values as the path has points; other entries are left out."""
    if not isinstance(values, Mapping):
        return {}
    arrays = {plain_text(name): np.asarray(array, dtype=np.float64) for name, array in values.items()}
    return {name: packer.add(array) for name, array in arrays.items() if array.shape == (number,)}


def _seeds(surface: Surface) -> list[Surface]:
    """Return the planes of a surface in several random planes, each named by its seed where that is known."""
    frames = []
    for number in range(surface.repeats):
        plane = surface.repeat(number)
        seeds = dict.fromkeys(axis.recipe.get("seed") for axis in plane.directions)
        known = ", ".join(str(seed) for seed in seeds if seed is not None)
        frames.append(dataclasses.replace(plane, title=_titled(surface, f"seed {known or number + 1}")))
    return frames


def _titled(surface: Surface, which: str) -> str:
    return ", ".join(part for part in (panel_title(surface), which) if part)


def _slices(surface: Surface) -> list[Surface]:
    """Cut a volume into planes along its third axis."""
    third = surface.axes[2]
    return [
        dataclasses.replace(
            surface.part_at(k, surface.axes[:2]),
            trajectories={},
            title=_titled(surface, f"{GREEK[2]} = {number_text(float(place))}"),
        )
        for k, place in enumerate(third.values)
    ]


def to_three_digits(array: Array) -> Array:
    """Return an array in float32, cut to three digits: errors need no more, and take less room so."""
    single = np.ascontiguousarray(array, dtype="<f4")
    return (single.view(np.uint32) & _KEPT_BITS).view(np.float32)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def same_grid(frames: Sequence[Surface]) -> bool:
    """Whether all planes stand on one grid."""
    first = frames[0]
    return all(
        frame.shape == first.shape
        and all(np.array_equal(a.values, b.values) for a, b in zip(frame.axes, first.axes, strict=True))
        for frame in frames
    )
