"""The settings of a run, checked once at the door."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from landscape.arguments import require_numbers
from landscape.errors import UsageError
from landscape.parallel.progress import Progress
from landscape.problem.losses.losses import Loss
from landscape.surface.derived.stated_error import share_out
from landscape.surface.grid import Floats, parse_range
from landscape.surface.surface import Trajectory

BATCH_NORMS = ("frozen", "recompute")
MODES = ("eval", "train")
NOISES = ("common", "fresh")
ANCHORS = ("auto", "none")
PRECISIONS = ("float32", "bfloat16", "float16", "auto")

Range = str | Sequence[float] | Floats


@dataclass(frozen=True, kw_only=True)
class Settings:
    """See `landscape.evaluation.evaluate.evaluate` for what each means."""

    x: Range = "-1:1:51"
    y: Range | None = None
    z: Range | None = None
    path: str | Path | None = None
    loss: str | Callable[..., Any] | Loss = "cross_entropy"
    metrics: Sequence[str | Callable[..., Any]] = ()
    samples: int | None = None
    anchors: int | str = "auto"
    standard_error: float | None = None
    tolerance: float | None = None
    error: float | None = None
    sample_seed: int = 0
    batch_size: int | None = None
    batch_norm: str = "frozen"
    batch_norm_data: str | None = None
    mode: str = "eval"
    noise: str | None = None
    weight_decay: float = 0.0
    repeats: int = 1
    precision: str = ""  # not named: "float32", and with error the fastest that it allows
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
    quantities: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_numbers(self)
        if not self.precision:
            object.__setattr__(self, "precision", "float32" if self.error is None else "")
        offered = {"batch_norm": BATCH_NORMS, "mode": MODES, "noise": NOISES, "precision": PRECISIONS}
        for name, choices in offered.items():
            value = getattr(self, name)
            if value not in choices and (name, value) not in (("noise", None), ("precision", "")):
                raise UsageError(f"{name} is {value!r}, it has to be one of {', '.join(choices)}")
        named = isinstance(self.anchors, str)
        if self.anchors not in ANCHORS if named else self.anchors < 1:  # type: ignore[operator]
            raise UsageError(f"anchors is {self.anchors}, it has to be auto, none or a number of points from 1 on")
        for name in ("error", "standard_error", "tolerance"):
            share = getattr(self, name)
            if share is not None and not 0 < share < math.inf:
                raise UsageError(f"{name} is {share}, it has to be above 0: 0.02 for 2 % of loss + eps")
        if self.error is not None:
            self._share_out(self.error)
        for name in ("samples", "batch_size", "repeats"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise UsageError(f"{name} is {number}, it has to be at least 1")
            if number is not None and number > 2**53:  # beyond it JSON holds no whole number exactly
                raise UsageError(f"{name} is {number}, it may be no larger than 2^53")
        if not self.weight_decay >= 0:
            raise UsageError(f"weight_decay is {self.weight_decay}, it has to be 0 or more")
        for name, unit in (("precision_tolerance", ""), ("write_every", " seconds")):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}{unit}, it has to be above 0")
        if self.z is not None and self.y is None:
            raise UsageError("z without y: a volume has the axes x, y and z")

    def _share_out(self, error: float) -> None:
        """Set standard error, tolerance and precision so that the whole holds."""
        shares = share_out(error)
        for name in ("standard_error", "tolerance"):
            if getattr(self, name) not in (None, getattr(shares, name)):  # the same: settings made of settings
                raise UsageError(f"error sets {name} itself; leave one of them out")
        object.__setattr__(self, "standard_error", shares.standard_error)
        object.__setattr__(self, "tolerance", shares.tolerance)
        if self.precision in ("", "auto"):
            object.__setattr__(self, "precision", "auto")
            object.__setattr__(self, "precision_tolerance", shares.precision_tolerance)

    def ranges(self) -> list[Floats]:
        """Return the coefficients along each axis, x first."""
        return [parse_range(each) for each in (self.x, self.y, self.z) if each is not None]
