"""Measure the loss around a checkpoint: the public function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import nn

from landscape.curvature.directions import DirectionSettings, named_plane
from landscape.directions.construct import Plane
from landscape.errors import UsageError
from landscape.evaluation.runner import Cost, Run
from landscape.evaluation.settings import Range, Settings
from landscape.parallel.progress import Progress, progress_of
from landscape.problem.losses.losses import Loss
from landscape.surface.surface import Surface, Trajectory


def evaluate(
    model: nn.Module,
    data: Any,
    plane: Plane | None = None,
    *,
    directions: str | None = None,
    x: Range = "-1:1:51",
    y: Range | None = None,
    z: Range | None = None,
    path: str | Path | None = None,
    loss: str | Callable[..., Any] | Loss = "cross_entropy",
    metrics: Sequence[str | Callable[..., Any]] = (),
    samples: int | None = None,
    anchors: int | str = "auto",
    standard_error: float | None = None,
    tolerance: float | None = None,
    error: float | None = None,
    sample_seed: int = 0,
    batch_size: int | None = None,
    batch_norm: str = "frozen",
    batch_norm_data: str | None = None,
    mode: str = "eval",
    noise: str | None = None,
    weight_decay: float = 0.0,
    repeats: int = 1,
    precision: str | None = None,
    precision_tolerance: float = 0.01,
    compile: bool = False,
    low_memory: bool = False,
    device: str | torch.device | None = None,
    overwrite: bool = False,
    save_directions: bool = False,
    write_every: float = 30.0,
    progress: Progress | bool | None = None,
    checkpoint: str = "",
    description: Mapping[str, Any] | None = None,
    command: str = "",
    trajectories: Mapping[str, Trajectory] | None = None,
    quantities: Mapping[str, Mapping[str, Any]] | None = None,
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
    directions : str, optional
        A plane by name, a source for each axis: "hessian", "hessian:0,-1", "sharpest", "gradient", "gradient,random"
        (`landscape.curvature.directions`), or other checkpoints. Measured with this loss, ``samples`` and
        ``sample_seed``; the file keeps them.
    x, y, z : str or sequence of float
        ``"MIN:MAX:NUM"`` or the coefficients; y makes a plane, z a volume.
    path : path, optional
        The HDF5 file to fill, or to complete where it is there already.
    loss : str or callable
        "cross_entropy", "mse", "file.py:function" or a function (model, batch), see `landscape.problem.losses.losses`.
    metrics : sequence of str or callable
        More functions (output, batch) -> one value a sample, beside a built-in loss.
    samples, sample_seed : int
        The first ``samples`` of a seeded permutation of each data set; all of them by default.
    anchors : int, "auto" or "none"
        At so many points, theta* the first of them, all data are measured; at the others ``samples``, from which the
        values for all data are estimated by how each sample's loss follows its loss at the anchors
        (`landscape.evaluation.anchors.regression`). "auto": as many as lower the error more than their images would as
        further samples, where ``samples`` leaves so much out and the grid is so large that they pay.
    standard_error : float, optional
        Fewer samples where fewer do: a point has enough when the standard error of its loss is below this share of
        loss + eps, eps being that of the picture's scale. Looked at after 256, 512, 1,024, ... samples.
    tolerance : float, optional
        Fewer points where fewer do: where the surface is smooth it is interpolated to within this share of loss + eps,
        and the error is measured at points held out (`landscape.evaluation.adaptive`).
    error : float, optional
        One budget instead: precision, samples, anchors and interpolation are chosen so that what is stated of a loss in
        all is, at 95 % of points, below this share of loss + eps (`landscape.surface.derived.stated_error`).
    batch_size : int, optional
        256 unless the data's own loader says otherwise.
    batch_norm : {"frozen", "recompute"}
    batch_norm_data : str, optional
        On which data set statistics are recomputed: "train" where there is one, else the first.
    mode : {"eval", "train"}
        "train" turns dropout on.
    noise : {"common", "fresh"}, optional
        Of networks and losses that draw random numbers, by the generators of torch, NumPy and Python: the same numbers
        at every point, so that differences between points are none of them, or others at each, so that a picture shows
        how much they are. By default "fresh" in mode "train"; in mode "eval" what draws is refused.
    weight_decay : float
        W above 0 adds the metric "weight_decay", W/2 |theta|^2.
    repeats : int
        So many planes, with the seeds that follow the plane's.
    precision : {"float32", "bfloat16", "float16", "auto"}, optional
        Of the forward pass; "float32", the default, stands for the network's own. "auto": the fastest whose error at
        the origin and the corners, against float32, is under ``precision_tolerance``, relative to loss + eps. With
        ``error`` that is the default, and its tolerance what the error leaves to it.
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
    progress : callable or bool, optional
        Called with points done and points in all. By default a bar where somebody watches, a terminal or a notebook;
        True writes lines elsewhere, too, and False nothing anywhere.
    checkpoint, description, command
        What the file says about where the model came from.
    trajectories : mapping of str to Trajectory, optional
        Runs that were projected onto this plane (`landscape.trajectory.principal_plane.project`), to be kept in the
        file.
    quantities : mapping of str to mapping, optional
        What else to measure at each point: names of registered quantities (`landscape.evaluation.quantities`), with
        their options.

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
    # Before anything else is assigned: what was passed, under its own names, for those that have a default there.
    given = {name: value for name, value in locals().items() if value is not None}
    settings = {name: given[name] for name in given if name not in ("model", "data", "plane", "directions", "progress")}
    if directions is not None:
        if plane is not None:
            raise UsageError("both a plane and directions were given; give one of them")
        how = DirectionSettings(loss=loss, samples=samples, sample_seed=sample_seed, batch_size=batch_size)
        plane = named_plane(model, data, directions, 1 + (y is not None) + (z is not None), how, path=path)
    with ExitStack() as stack:
        settings["progress"] = stack.enter_context(progress_of(progress, "evaluating"))
        return Run(stack, model, data, plane, Settings(**settings)).execute()


def estimate_cost(model: nn.Module, data: Any, plane: Plane | None = None, **settings: Any) -> Cost:
    """Return what `evaluate` with the same arguments would take; nothing is written."""
    with ExitStack() as stack:
        return Run(stack, model, data, plane, Settings(**settings)).cost()
