"""What was measured: frozen dataclasses of NumPy arrays. No torch, no open file.

Arrays over a grid have the shape ``(..., ny, nx)``; ``values["train/loss"][j, i]`` belongs to ``(x[i], y[j])``.
Names of values are ``"DATA/METRIC"``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landscape.surface.anchors import Anchors
from landscape.surface.grid import Axis, Floats, axis_levels, grid_shape

NOT_COMPUTED, COMPUTED, INTERPOLATED = 0, 1, 2
_OVER_THE_GRID = ("values", "stderr", "paired_stderr", "counts", "anchored", "tails")  # mappings of arrays, a name each


@dataclass(frozen=True, eq=False)
class Trajectory:
    """A run of an optimizer, projected onto the axes of a surface."""

    coordinates: Floats  # (n, axes): multiples of the directions, by least squares
    residual: Floats  # (n,): Euclidean distance of theta_i from the plane
    loss: Floats  # (n,): the true loss at theta_i, NaN where it is not known
    step: NDArray[np.int64]  # (n,)
    attributes: Mapping[str, Any] = field(default_factory=dict)  # explained variance, loss's name, ...

    @property
    def unordered(self) -> bool:
        """Whether its points are samples in no order, an ensemble's say, through which no path leads."""
        return self.attributes.get("unordered") is True


@dataclass(frozen=True, eq=False, repr=False)
class Surface:
    """Measurements on a grid around one checkpoint. Plain NumPy: no open file, no torch.

    Examples
    --------
    >>> x = Axis(np.array([0.0, 1.0]))
    >>> line = Surface((x,), {"train/loss": np.array([0.5, 2.0])}, np.array([1, 1], np.uint8))
    >>> line["train/loss"].max()
    np.float64(2.0)
    """

    axes: tuple[Axis, ...]  # axes[0] is x
    values: Mapping[str, Floats]  # "train/loss" -> (..., ny, nx), NaN where not computed; accuracy in [0, 1]
    state: NDArray[np.uint8]  # (..., ny, nx): 0 not computed, 1 computed, 2 interpolated
    stderr: Mapping[str, Floats] = field(default_factory=dict)  # s / sqrt(n) of the same names, where known
    paired_stderr: Mapping[str, Floats] = field(default_factory=dict)  # of the difference to theta*
    counts: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)  # "train" -> samples used a point
    # "train" -> from how many anchors a point's values are estimates for all data; 0: means of the samples used
    anchored: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    # "train/loss_effective" -> how many samples carry a mean, "train/loss_skewness": of the samples, or of residuals
    tails: Mapping[str, Floats] = field(default_factory=dict)
    anchors: Mapping[str, Anchors] = field(default_factory=dict)  # "train" -> what was measured at them
    cosines: Floats | None = None  # (directions, directions): cosines between the axes' directions
    problem: Mapping[str, Any] = field(default_factory=dict)  # JSON: what was measured, every setting of it
    origin: Mapping[str, Any] = field(default_factory=dict)  # JSON: the checkpoint, its digest, values at theta*
    quality: Mapping[str, Any] = field(default_factory=dict)  # JSON: precision, errors, engine, batch size
    trajectories: Mapping[str, Trajectory] = field(default_factory=dict)
    title: str = ""  # what a picture calls it: the file's stem unless something better is known
    path: str = ""  # where it was read from or written to
    digest: str = ""  # SHA-256 of the file it was read from
    software: str = ""
    created: str = ""  # ISO 8601, UTC
    command: str = ""

    def __post_init__(self) -> None:
        shape = grid_shape(self.axes)
        for group in _OVER_THE_GRID:
            for name, array in getattr(self, group).items():
                if array.shape != shape:
                    raise ValueError(f"{group}[{name!r}] has shape {array.shape}, the grid has {shape}")
        if self.state.shape != shape:
            raise ValueError(f"state has shape {self.state.shape}, the grid has {shape}")

    def __repr__(self) -> str:
        """Return one line: what it is, where along, and the values there are."""
        what = self.path or self.title
        size = " x ".join(str(len(axis)) for axis in self.axes)
        done = "" if self.complete else f", {(self.state != NOT_COMPUTED).mean():.0%} computed"
        whose = f"{what!r}, " if what else ""
        return f"<Surface {whose}{size} points{done}, of {', '.join(self.values) or 'nothing'}>"

    def __getitem__(self, name: str) -> Floats:
        """Return the values called ``"DATA/METRIC"``."""
        try:
            return self.values[name]
        except KeyError:
            raise KeyError(f"no values called {name!r}; there are {', '.join(self.values) or 'none'}") from None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of every array, ``(..., ny, nx)``."""
        return grid_shape(self.axes)

    @property
    def complete(self) -> bool:
        """Whether no point is missing."""
        return bool((self.state != NOT_COMPUTED).all())

    @property
    def directions(self) -> tuple[Axis, ...]:
        """The axes that are directions in weight space: one for a line, two for a plane, three for a volume."""
        return tuple(axis for axis in self.axes if axis.kind == "direction")

    @property
    def repeats(self) -> int:
        """How many seeded repetitions there are; 1 where there is no such axis. It is always the last axis."""
        return len(self.axes[-1]) if self.axes[-1].kind == "repeat" else 1

    def repeat(self, number: int) -> Surface:
        """Return one of the repetitions as a surface of its own."""
        if self.axes[-1].kind != "repeat":
            if number != 0:
                raise IndexError("this surface has no repetitions")
            return self
        recorded = self.axes[-1].recipe.get("repeats") or [[{}] * (len(self.axes) - 1)] * self.repeats
        axes = tuple(
            dataclasses.replace(axis, **dict(change))
            for axis, change in zip(self.axes[:-1], recorded[number], strict=True)
        )
        cosines = self.axes[-1].recipe.get("cosines")
        return dataclasses.replace(
            self.part_at(number, axes),
            cosines=None if cosines is None else np.asarray(cosines[number], dtype=np.float64),
        )

    def select(self, *kept: NDArray[np.intp]) -> Surface:
        """Return the surface on some indices of each axis, x first."""
        axes = (dataclasses.replace(axis, values=axis.values[keep]) for axis, keep in zip(self.axes, kept, strict=True))
        return self.part_at(np.ix_(*reversed(kept)), tuple(axes))

    def part_at(self, index: Any, axes: tuple[Axis, ...]) -> Surface:
        """Return what all arrays hold at an index (of ``state``, say), over the axes that are left of it."""
        parts: dict[str, Any] = {
            group: {name: array[index] for name, array in getattr(self, group).items()} for group in _OVER_THE_GRID
        }
        return dataclasses.replace(self, axes=axes, state=self.state[index], **parts)

    def finished_part(self) -> Surface:
        """Return the finest grid of the visiting order of which no point is missing.

        A run visits coarse grids first, so a file half done holds a whole, coarser surface: this one. Where not
        even the corners are finished, the surface itself comes back.
        """
        if self.complete:
            return self
        levels = [
            np.zeros(len(axis), dtype=np.intp) if axis.kind == "repeat" else axis_levels(len(axis))
            for axis in self.axes
        ]
        best = self
        for level in range(max(int(each.max()) for each in levels) + 1):
            part = self.select(*(np.flatnonzero(each <= level) for each in levels))
            if not part.complete:
                break
            best = part
        return best

    def _repr_html_(self) -> str:
        """Show a small table and a picture in a notebook."""
        from landscape.plot.notebook import surface_html  # drawing is needed only when somebody looks

        html: str = surface_html(self)
        return html


def sampling_factor(surface: Surface, name: str) -> NDArray[np.float64]:
    """Return ``sqrt(1 - n/N)`` for n samples of N drawn without repetition, 1 where N is not known; shape of the grid.

    What is stored is ``s / sqrt(n)``; of all N samples nothing is left to chance.
    """
    data = name.partition("/")[0]
    size = surface.problem.get("data", {}).get(data)
    size = size.get("size") if isinstance(size, Mapping) else None
    if data not in surface.counts or not isinstance(size, int) or size < 1:
        return np.ones(surface.shape)
    return np.sqrt(np.clip(1.0 - surface.counts[data] / size, 0.0, 1.0))
