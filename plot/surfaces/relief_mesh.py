"""A plane as triangles in three dimensions, with all that was measured at its points: what mesh files are made of.

x and y are the axes' own values, one unit as long as the other. Heights are the scale's, so that the loss looks as
in the pictures: 0 at the lowest value, `RELIEF` times the wider side at the highest. Nothing is smoothed: the points
are those of the grid, and a cell that touches a point without a value, or above a cap, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landscape.errors import PlotError
from landscape.surface.grid import Floats
from landscape.surface.surface import Surface

from ..paths.path_words import losses_of
from ..planes.marks import Sheet
from ..scale.scale import Scale
from ..style.fields import metadata
from ..style.wording import without_folders
from .heightfield import build_mesh, heights_at

RELIEF = 0.55

Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Relief:
    """Triangles and lines, with fields."""

    points: Floats  # (n, 3)
    normals: Floats  # (n, 3)
    colors: NDArray[np.uint8]  # (n, 3), as in the pictures
    triangles: Ints  # (m, 3), anticlockwise seen from above
    grid: Ints  # (n,): number of each point in the grid, j * nx + i
    fields: Mapping[str, Floats]  # by name, (n,)
    lines: Mapping[str, Line]  # by run
    about: Mapping[str, str]  # where it comes from
    shape: tuple[int, int]  # (ny, nx)
    x: Floats  # (nx,)
    y: Floats  # (ny,)
    heights: Floats  # (ny, nx), NaN in holes


@dataclass(frozen=True, eq=False)
class Line:
    """A run laid onto the surface: pieces between holes, each a range of its points."""

    points: Floats  # (n, 3)
    step: Floats  # (n,), between two records in proportion
    own: Floats  # (n,): the run's own value at a record, NaN between records and where it is not known
    pieces: tuple[tuple[int, int], ...]  # first point and the one behind the last


def relief_of(surface: Surface, name: str | None = None, scale: Scale | None = None) -> Relief:
    """Turn a plane into triangles.

    Parameters
    ----------
    surface : Surface
        A plane; of an unfinished one the finest complete grid is taken.
    name : str, optional
        The values that give heights and colours; the training loss where there is one.
    scale : Scale, optional

    Raises
    ------
    PlotError
        Not a plane, no such values, or no four neighbouring points with finite values.
    """
    sheet = Sheet.of(surface, name, scale)
    part, scale = sheet.surface, sheet.scale
    bottom, top = scale.forward([scale.low, scale.high])
    wide = max(sheet.x[-1] - sheet.x[0], sheet.y[-1] - sheet.y[0])
    unit = RELIEF * wide / (top - bottom)
    heights = (scale.forward(sheet.values) - bottom) * unit
    if scale.cap is not None:
        heights = np.where(sheet.values > scale.cap, np.nan, heights)
    mesh = build_mesh(sheet.x, sheet.y, heights)
    if not mesh.triangles.size:
        raise PlotError(
            f"{surface.path or 'the surface'} has no four neighbouring points with finite values; a mesh needs some"
        )
    used = np.unique(mesh.triangles)
    number = np.zeros(heights.size, dtype=np.intp)
    number[used] = np.arange(len(used))
    fields: dict[str, Floats] = {key: array.ravel()[used] for key, array in part.values.items()}
    fields.update({f"{key}_stderr": array.ravel()[used] for key, array in part.stderr.items()})
    fields["state"] = part.state.ravel()[used].astype(np.float64)
    colors = np.rint(255 * scale.colors(sheet.values)[..., :3]).astype(np.uint8)
    return Relief(
        points=mesh.vertices[used],
        normals=mesh.normals[used],
        colors=colors.reshape(-1, 3)[used],
        triangles=number[mesh.triangles],
        grid=used.astype(np.intp),
        fields=fields,
        lines=_lines(sheet, heights, scale),
        about={key: without_folders(text) for key, text in metadata(part, scale, sheet.name).items()},
        shape=(heights.shape[0], heights.shape[1]),
        x=sheet.x,
        y=sheet.y,
        heights=heights,
    )


def _lines(sheet: Sheet, heights: Floats, scale: Scale) -> dict[str, Line]:
    """Lay the runs onto the triangles; points beside the grid and over holes are left out, and samples in no order."""
    found = {}
    cell = np.array([np.diff(sheet.x).min(), np.diff(sheet.y).min()])
    for run, path in sheet.whole.trajectories.items():
        if path.coordinates.shape[1] < 2 or len(path.step) < 2 or path.unordered:
            continue
        spots = path.coordinates[:, :2]
        pieces = np.ceil(np.abs(np.diff(spots, axis=0) / cell).max(axis=1)).clip(1, 1000).astype(np.intp)
        starts = np.concatenate([[0], np.cumsum(pieces)])
        at = np.interp(np.arange(starts[-1] + 1), starts, np.arange(len(spots)))
        x, y, step = (np.interp(at, np.arange(len(spots)), column) for column in (*spots.T, path.step.astype(float)))
        z = heights_at(sheet.x, sheet.y, heights, x, y)
        losses = losses_of(sheet.whole, path, sheet.name)
        own = np.full(len(x), np.nan)
        if losses is not None:
            own[starts] = losses[0]
        inside = np.isfinite(z)
        cuts = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
        before = np.concatenate([[0], np.cumsum(inside)])
        found[run] = Line(
            np.stack([x, y, z], axis=-1)[inside],
            step[inside],
            own[inside],
            tuple((int(before[a]), int(before[b])) for a, b in zip(cuts[::2], cuts[1::2], strict=True) if b - a > 1),
        )
    return found


def plain_name(name: str) -> str:
    """Return a name of letters, digits and underscores, for formats that know no others."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "value"
