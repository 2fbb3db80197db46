r"""The plane in which a run moves and turns at one of its steps: along its velocity, and its acceleration across that.

Principal components show most of a whole path; what the walls of the valley are at one step, they need not show. Here
the axes are those of the path's motion there, from three neighbouring records at times :math:`t_{k-1}, t_k, t_{k+1}`,
which may be unequally far apart. With :math:`h_1 = t_k - t_{k-1}`, :math:`h_2 = t_{k+1} - t_k` and the slopes

.. math:: s_1 = (\theta_k - \theta_{k-1}) / h_1, \qquad s_2 = (\theta_{k+1} - \theta_k) / h_2

velocity and acceleration are those of the parabola through the three,

.. math:: v = \frac{h_1 s_2 + h_2 s_1}{h_1 + h_2}, \qquad a = \frac{2 (s_2 - s_1)}{h_1 + h_2},

exact where the path is one. The axes are the tangent :math:`v / |v|` and the normal, what of a is at right angles to
it, both of length 1: the plane that touches the path best [1]_, with coordinates that are Euclidean distances.

References
----------
.. [1] do Carmo, "Differential Geometry of Curves and Surfaces", 1976, Section 1-5: the osculating plane.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from landscape.directions.construct import Direction, Plane
from landscape.errors import CheckpointError, DirectionError, UsageError
from landscape.problem.params import Tree, moved_tensors
from landscape.trajectory.principal_plane import MARGIN, describe_run, square_around
from landscape.trajectory.runs import Record, TrainingRun

LOCAL = "local"
# What is left of an acceleration across the motion that is rounding alone, as a share of all of it.
_STRAIGHT = 1e-5


def record_at(run: TrainingRun, step: int) -> Record:
    """Return the record of a step that has another before it and behind it.

    Raises
    ------
    UsageError
        The step was not recorded, or is the first or the last; or the run has no order.
    """
    if run.unordered:
        raise UsageError(f"{run.name} is of samples in no order, which have no velocity; leave out --unordered")
    steps = [record.step for record in run.records]
    if step not in steps:
        near = min(steps, key=lambda each: abs(each - step))
        raise UsageError(
            f"{run.name} has no record of {run.unit} {step}; the nearest is {near}, of {len(steps)} records"
        )
    if step in (steps[0], steps[-1]):
        inside = f"from {steps[1]} to {steps[-2]}" if len(steps) > 2 else "none, there are only two"
        raise UsageError(
            f"{run.unit} {step} is at an end of {run.name}: velocity and acceleration take a record before and behind; "
            f"those inside are {inside}"
        )
    return run.records[steps.index(step)]


def local_plane(
    model: nn.Module,
    run: TrainingRun,
    step: int,
    *,
    move: str = "weights",
    include: str | None = None,
    exclude: str | None = None,
) -> Plane:
    """Return the plane of a run's velocity and acceleration at one of its steps.

    Parameters
    ----------
    model : Module
        With the weights of that step (`landscape.trajectory.record_losses.put_record`), which is where coordinates are
        0; it is not changed.
    run : TrainingRun
    step : int
        As the run counts; recorded, and neither the first nor the last.
    move, include, exclude
        See `landscape.problem.params.moved_tensors`. Motion is of what moves alone.

    Returns
    -------
    Plane
        Of two orthogonal directions of length 1. Their recipes hold ``speed`` (length of v), ``along`` and ``across``
        (both parts of a), per unit and per unit squared of what the run counts, ``radius`` of the path's curvature, and
        where the neighbours are, ``neighbours``.

    Raises
    ------
    UsageError
        The step has no record before and behind it, or the network holds other weights.
    CheckpointError
        A record is of another network, or its weights are not finite.
    DirectionError
        The run stands still there, or runs straight on.
    """
    record = record_at(run, step)
    place = run.records.index(record)
    three = run.records[place - 1 : place + 2]
    chosen = moved_tensors(model, move=move, include=include, exclude=exclude)
    before, here, behind = (each.fitted(model, list(chosen)) for each in three)
    for name, own in chosen.items():
        if not torch.equal(_wide(own), _wide(here[name])):
            raise UsageError(
                f"the network holds other weights than {run.unit} {step} of {run.name} ({name}); load that record "
                "first, since coordinates are about it"
            )
    one, two = float(three[1].step - three[0].step), float(three[2].step - three[1].step)
    velocity: dict[str, Tensor] = {}
    acceleration: dict[str, Tensor] = {}
    for name in chosen:
        a, b, c = (_wide(tree[name]) for tree in (before, here, behind))
        first, second = (b - a) / one, (c - b) / two
        velocity[name] = (one * second + two * first) / (one + two)
        acceleration[name] = 2 * (second - first) / (one + two)
        if not bool(torch.isfinite(acceleration[name]).all()):
            raise CheckpointError(f"{name} is not finite in {', '.join(str(each.path) for each in three)}")
    speed, whole = (_product(tree, tree) ** 0.5 for tree in (velocity, acceleration))
    if not speed > 0:
        raise DirectionError(f"{run.name} stands still at {run.unit} {step}; choose another step")
    tangent = _scaled(velocity, 1 / speed)
    along, normal = 0.0, acceleration
    for _ in range(2):  # the second time takes away what rounding left of the first
        part = _product(normal, tangent)
        along += part
        normal = {name: tensor - part * tangent[name] for name, tensor in normal.items()}
    across = _product(normal, normal) ** 0.5
    if across <= _STRAIGHT * max(whole, speed / (one + two)):
        raise DirectionError(
            f"{run.name} runs straight on at {run.unit} {step}, so that no plane is that of its turning; choose "
            "another step, or the line along its principal component"
        )
    normal = _scaled(normal, 1 / across)
    # The records before and behind lie on the plane exactly, as three points do.
    neighbours = [[t * speed + t**2 / 2 * along, t**2 / 2 * across] for t in (-one, two)]
    shared: dict[str, Any] = {
        "source": LOCAL,
        "step": step,
        "unit": run.unit,
        "run": describe_run(run),
        "records": [str(each.path) for each in three],
        "speed": speed,
        "along": along,
        "across": across,
        "radius": speed**2 / across,
        "neighbours": neighbours,
        "move": move,
        "include": include,
        "exclude": exclude,
    }
    words = (
        ("velocity", f"velocity at {run.unit} {step}: {speed:.3g} a {run.unit}"),
        ("acceleration", f"acceleration across it: {across:.3g} a {run.unit}²"),
    )
    directions = [
        Direction.of(
            {name: tensor.to(chosen[name].dtype) for name, tensor in tree.items()},
            {**shared, "axis": axis, "kind": kind},
            label,
        )
        for axis, (tree, (kind, label)) in enumerate(zip((tangent, normal), words, strict=True))
    ]
    return Plane.of(directions, move, include, exclude)


def local_ranges(plane: Plane, *, margin: float = MARGIN) -> list[tuple[float, float]]:
    """Return the range of each axis of a local plane: a square about the step, twice as far as its neighbours.

    Parameters
    ----------
    plane : Plane
        As `local_plane` returns it.
    margin : float
        Added on each side, as a share.
    """
    reach = 2 * float(np.abs(np.array(plane.directions[0].recipe["neighbours"])).max())
    corners = np.array([[-reach, -reach], [reach, reach]])
    return square_around(corners, [1.0] * len(plane), margin=margin)


def _wide(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().to(torch.complex128 if tensor.is_complex() else torch.float64)


def _product(one: Tree, other: Tree) -> float:
    """Return the inner product of trees of float64, as float64."""
    return sum(float((tensor.conj() * other[name]).real.sum()) for name, tensor in one.items())


def _scaled(tree: Tree, factor: float) -> dict[str, Tensor]:
    return {name: factor * tensor for name, tensor in tree.items()}
