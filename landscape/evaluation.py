"""Measuring the loss around a checkpoint: the public function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import nn

from landscape.costs import Cost
from landscape.directions import Plane
from landscape.losses import Loss
from landscape.run import Run
from landscape.settings import Progress, Range, Settings
from landscape.surface import Surface, Trajectory


def evaluate(
    model: nn.Module,
    data: Any,
    plane: Plane | None = None,
    *,
    x: Range = "-1:1:51",
    y: Range | None = None,
    z: Range | None = None,
    path: str | Path | None = None,
    loss: str | Callable[..., Any] | Loss = "cross_entropy",
    metrics: Sequence[str | Callable[..., Any]] = (),
    samples: int | None = None,
    standard_error: float | None = None,
    tolerance: float | None = None,
    sample_seed: int = 0,
    batch_size: int | None = None,
    batch_norm: str = "frozen",
    batch_norm_data: str | None = None,
    mode: str = "eval",
    weight_decay: float = 0.0,
    repeats: int = 1,
    precision: str = "float32",
    precision_tolerance: float = 0.01,
    compile: bool = False,
    low_memory: bool = False,
    device: str | torch.device | None = None,
    overwrite: bool = False,
    save_directions: bool = False,
    write_every: float = 30.0,
    progress: Progress | None = None,
    checkpoint: str = "",
    description: Mapping[str, Any] | None = None,
    command: str = "",
    trajectories: Mapping[str, Trajectory] | None = None,
) -> Surface:
    r"""Measure loss and metrics on a grid around the weights a model holds.

    .. math:: L(a, b) = \frac1N \sum_i \ell(x_i;\, \theta^* + a\, d_x + b\, d_y)

    Parameters
    ----------
    model : Module
        At theta*. Its weights, buffers, modes and gradient flags are as before when this returns or raises.
    data : tuple of tensors, Dataset, DataLoader, iterable of batches, or a mapping of names to such
        The same samples, in the same order, at every point. One without a name is called "train".
    plane : Plane, optional
        Random filter-normalised directions with seed 0 unless given.
    x, y, z : str or sequence of float
        ``"MIN:MAX:NUM"`` or the coefficients; y makes a plane, z a volume.
    path : path, optional
        The HDF5 file to fill, or to complete where it is there already.
    loss : str or callable
        "cross_entropy", "mse", "file.py:function" or a function (model, batch), see `landscape.losses`.
    metrics : sequence of str or callable
        More functions (output, batch) -> one value a sample, beside a built-in loss.
    samples, sample_seed : int
        The first ``samples`` of a seeded permutation of each data set; all of them by default.
    standard_error : float, optional
        Fewer samples where fewer do: a point has enough when the standard error of its loss is below this share of
        loss + eps, eps being that of the picture's scale. Looked at after 256, 512, 1,024, ... samples.
    tolerance : float, optional
        Fewer points where fewer do: where the surface is smooth it is interpolated to within this share of loss + eps,
        and the error is measured at points held out (`landscape.refinement`).
    batch_size : int, optional
        256 unless the data's own loader says otherwise.
    batch_norm : {"frozen", "recompute"}
    batch_norm_data : str, optional
        On which data set statistics are recomputed: "train" where there is one, else the first.
    mode : {"eval", "train"}
        "train" turns dropout on, seeded for each point.
    weight_decay : float
        W above 0 adds the metric "weight_decay", W/2 |theta|^2.
    repeats : int
        So many planes, with the seeds that follow the plane's.
    precision : {"float32", "bfloat16", "float16", "auto"}
        Of the forward pass; "float32" stands for the network's own. "auto": the fastest whose error at the origin and
        the corners, against float32, is under ``precision_tolerance``, relative to loss + eps.
    precision_tolerance : float
    compile : bool
        Run the network through ``torch.compile``.
    low_memory : bool
        Draw random directions anew at each point instead of keeping them, and run the network without copies of its
        weights: the network and theta* are all that is in memory, and the values the same but for rounding.
    device : str or device, optional
        Where to compute: where the model is by default.
    overwrite : bool
        Start a file again that holds something else.
    save_directions : bool
        Keep the directions' tensors in the file.
    write_every : float
        Seconds between two writes of the file.
    progress : callable, optional
        Called with points done and points in all.
    checkpoint, description, command
        What the file says about where the model came from.
    trajectories : mapping of str to Trajectory, optional
        Runs that were projected onto this plane (`landscape.trajectory.project`), to be kept in the file.

    Returns
    -------
    Surface

    Raises
    ------
    EvaluationError
        The loss failed at a point, or gives something else when measured again.
    SurfaceMismatch
        The file holds another surface.
    StoreError, FormatError
        The file cannot be written or read.
    """
    settings = Settings(
        x=x,
        y=y,
        z=z,
        path=path,
        loss=loss,
        metrics=metrics,
        samples=samples,
        standard_error=standard_error,
        tolerance=tolerance,
        sample_seed=sample_seed,
        batch_size=batch_size,
        batch_norm=batch_norm,
        batch_norm_data=batch_norm_data,
        mode=mode,
        weight_decay=weight_decay,
        repeats=repeats,
        precision=precision,
        precision_tolerance=precision_tolerance,
        compile=compile,
        low_memory=low_memory,
        device=device,
        overwrite=overwrite,
        save_directions=save_directions,
        write_every=write_every,
        progress=progress,
        checkpoint=checkpoint,
        description=description or {},
        command=command,
        trajectories=trajectories or {},
    )
    with ExitStack() as stack:
        return Run(stack, model, data, plane, settings).execute()


def estimate_cost(model: nn.Module, data: Any, plane: Plane | None = None, **settings: Any) -> Cost:
    """Return what `evaluate` with the same arguments would take; nothing is written."""
    with ExitStack() as stack:
        return Run(stack, model, data, plane, Settings(**settings)).cost()
