"""The settings of a run, checked once at the door."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from landscape.errors import UsageError
from landscape.grid import Floats, parse_range
from landscape.losses import Loss
from landscape.surface import Trajectory

BATCH_NORMS = ("frozen", "recompute")
MODES = ("eval", "train")
PRECISIONS = ("float32", "bfloat16", "float16", "auto")

Range = str | Sequence[float] | Floats
Progress = Callable[[int, int], None]  # points done, points in all


@dataclass(frozen=True, kw_only=True)
class Settings:
    """See `landscape.evaluation.evaluate` for what each means."""

    x: Range = "-1:1:51"
    y: Range | None = None
    z: Range | None = None
    path: str | Path | None = None
    loss: str | Callable[..., Any] | Loss = "cross_entropy"
    metrics: Sequence[str | Callable[..., Any]] = ()
    samples: int | None = None
    standard_error: float | None = None
    tolerance: float | None = None
    sample_seed: int = 0
    batch_size: int | None = None
    batch_norm: str = "frozen"
    batch_norm_data: str | None = None
    mode: str = "eval"
    weight_decay: float = 0.0
    repeats: int = 1
    precision: str = "float32"
    precision_tolerance: float = 0.01
    compile: bool = False
    low_memory: bool = False
    device: str | torch.device | None = None
    overwrite: bool = False
    save_directions: bool = False
    write_every: float = 30.0
    progress: Progress | None = None
    checkpoint: str = ""
    description: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    trajectories: Mapping[str, Trajectory] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _one_of("batch_norm", self.batch_norm, BATCH_NORMS)
        _one_of("mode", self.mode, MODES)
        _one_of("precision", self.precision, PRECISIONS)
        if not self.precision_tolerance > 0:
            raise UsageError(f"precision_tolerance is {self.precision_tolerance}, it has to be above 0")
        for name in ("standard_error", "tolerance"):
            share = getattr(self, name)
            if share is not None and not 0 < share < math.inf:
                raise UsageError(f"{name} is {share}, it has to be above 0: 0.02 for 2 % of loss + eps")
        for name in ("samples", "batch_size"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UsageError(f"{name} is {number}, it has to be at least 1")
        if self.repeats < 1:
            raise UsageError(f"repeats is {self.repeats}, it has to be at least 1")
        if not self.weight_decay >= 0:
            raise UsageError(f"weight_decay is {self.weight_decay}, it has to be 0 or more")
        if not self.write_every > 0:
            raise UsageError(f"write_every is {self.write_every} seconds, it has to be above 0")
        if self.z is not None and self.y is None:
            raise UsageError("z without y: a volume has the axes x, y and z")

    def ranges(self) -> list[Floats]:
        """Return the coefficients along each axis, x first."""
        return [parse_range(each) for each in (self.x, self.y, self.z) if each is not None]


def _one_of(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is {value!r}, it has to be one of {', '.join(choices)}")
