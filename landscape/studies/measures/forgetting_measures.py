"""What a study measures of tasks in sequence: what each costs those before it, and what the curvature says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from landscape.errors import UsageError
from landscape.files.atomic import replace_file
from landscape.studies.measures.measure_parts import (
    Numbers,
    chosen_data,
    described,
    ends_of_spectrum,
    one_network,
    read_table,
    stage,
    with_log10,
    write_curve,
)
from landscape.studies.measures.path_measures import flat_weights
from landscape.studies.study import Context, TrainedNetwork
from landscape.studies.training.task_sequences import TaskSequence


def forgetting(context: Context, *, data: str = "train", samples: int | None = None, most: int = 60) -> Numbers:
    r"""Measure what the tasks of a sequence cost each other, beside the bound of Mirzadeh et al. (2020, Section 3).

    For each task i and the next, with the greatest eigenvalue of the Hessian of task i at its own end,

    .. math:: L_i(\theta_{i+1}) - L_i(\theta_i) \lesssim \tfrac12 \lambda_{\max} |\theta_{i+1} - \theta_i|^2,

    which holds to second order at a minimum of task i.

    Returns
    -------
    dict
        Means over tasks: ``eigenvalue``, ``travel`` (distance), ``bound``, ``rise`` of the loss, each with its
        logarithm; ``bound_holds`` (share of pairs of tasks), ``forgotten`` (accuracy of the first task lost at the
        end).
    """
    from landscape.evaluation.evaluate import evaluate
    from landscape.problem.checkpoints.checkpoint import apply_checkpoint, load_checkpoint
    from landscape.problem.data.datasets import as_data

    network = one_network(context)
    tasks = _tasks_of(network)
    source = chosen_data(context, [data])[data]
    x, y = source.fetch(range(source.size))
    model = network.model()

    def at(task: int) -> nn.Module:
        apply_checkpoint(model, load_checkpoint(network.folder / f"task-{task}.pt"))
        return model.eval()

    rows = []
    for task in range(tasks.number - 1):
        own = {data: as_data((tasks.inputs(x, task), y), data)}
        curved = ends_of_spectrum(context, at(task), own, samples=samples, most=most).greatest_eigenvalue
        start = flat_weights({name: p.detach().clone() for name, p in model.named_parameters()})
        losses = []
        for end in (task, task + 1):
            found = evaluate(
                at(end),
                own,
                x=[0.0],
                samples=samples,
                sample_seed=context.seed,
                loss=network.recipe.loss,
                progress=False,
            )
            losses.append(float(np.asarray(found[f"{data}/loss"]).ravel()[0]))
        travel = float(np.linalg.norm(flat_weights({name: p.detach() for name, p in model.named_parameters()}) - start))
        rows.append([float(task), curved, travel, curved * travel**2 / 2, losses[1] - losses[0]])
        context.progress(task + 1, tasks.number - 1)
    table = np.array(rows)
    write_curve(context, "tasks", dict(zip(("task", "eigenvalue", "travel", "bound", "rise"), table.T, strict=True)))
    names = ("eigenvalue", "travel", "bound", "rise")
    numbers = with_log10(dict(zip(names, table[:, 1:].mean(0).tolist(), strict=True)), *names)
    accuracy = read_table(network.folder / "tasks.csv")
    first = accuracy["accuracy"][accuracy["task"] == 0]
    return numbers | {
        "bound_holds": float((table[:, 4] <= table[:, 3]).mean()),
        "forgotten": float(first[0] - first[-1]),
    }


def _tasks_of(network: TrainedNetwork) -> TaskSequence:
    """Return the tasks that a network was trained on in turn; UsageError where there are no two."""
    if not network.recipe.tasks:
        raise UsageError("nothing is forgotten where there is one task: give the recipe tasks")
    tasks = TaskSequence.of(network.recipe.tasks)
    if tasks.number < 2:
        raise UsageError("one task has no other to be forgotten for: give the recipe two tasks or more")
    return tasks


def triangle(
    context: Context,
    *,
    epsilon: float = 0.1,
    norm: str = "linf",
    steps: int = 10,
    samples: int | None = None,
    data: str = "test",
    clip: Sequence[float] = (0.0, 1.0),
) -> Numbers:
    """Measure what a sequence of tasks trades against each other: stability, plasticity, robustness.

    Parameters
    ----------
    epsilon, norm, steps, clip
        Of the attacks, see `landscape.robustness`.
    samples, data
        Under attack; the other two are of all of "test", which training measured.

    Returns
    -------
    dict
        ``plasticity``: accuracy on a task right after it was learnt, mean over tasks. ``stability``: 1 less what was
        lost at the end of a task's best accuracy since it was learnt, mean over all tasks but the last.
        ``robustness``: accuracy under attack on a task right after it was learnt, mean over tasks, so that what is
        forgotten does not count twice; ``robustness_lost``: that of the first task less that of the last.
        ``suspicious``: checks that speak against the attacks, of all tasks.
    """
    from landscape.inputs.robustness import robustness
    from landscape.problem.checkpoints.checkpoint import apply_checkpoint, load_checkpoint
    from landscape.problem.data.datasets import as_data

    network = one_network(context)
    tasks = _tasks_of(network)
    table = read_table(network.folder / "tasks.csv")
    accuracy = {(int(a), int(t)): v for a, t, v in zip(*(table[k] for k in ("after", "task", "accuracy")), strict=True)}
    last = tasks.number - 1
    learnt = np.array([accuracy[task, task] for task in range(tasks.number)])
    best = [max(accuracy[after, task] for after in range(task, tasks.number)) for task in range(last)]
    lost = [most - accuracy[last, task] for task, most in enumerate(best)]
    source = chosen_data(context, [data])[data]
    x, y = source.fetch(range(source.size))
    model = network.model()
    right, suspicious = [], 0
    for task in range(tasks.number):
        apply_checkpoint(model, load_checkpoint(network.folder / f"task-{task}.pt"))
        found = robustness(
            model.eval(),
            as_data((tasks.inputs(x, task), y), data),
            epsilons=(epsilon,),
            norm=norm,
            loss=network.recipe.loss,
            steps=steps,
            clip=(clip[0], clip[1]),
            samples=samples,
            sample_seed=context.seed,
            progress=False,
        )
        right.append(float(found.accuracy()[0]))
        suspicious += sum(check.suspicious for check in found.checks())
        context.progress(task + 1, tasks.number)
    write_curve(context, "robustness", {"task": np.arange(tasks.number), "accuracy_under_attack": right})
    return {
        "stability": float(1 - np.mean(lost)),
        "plasticity": float(learnt.mean()),
        "robustness": float(np.mean(right)),
        "robustness_lost": right[0] - right[-1],
        "suspicious": float(suspicious),
    }


def _copied(source: Path, target: Path) -> Path:
    replace_file(target, source.read_bytes())
    return target


def joint_plane(
    context: Context,
    *,
    points: int = 21,
    line_points: int = 21,
    margin: float = 0.3,
    samples: int | None = None,
    data: str = "train",
) -> Numbers:
    """Measure the losses of two tasks on the plane through the first, the second, and the jointly learnt network.

    The first network is that of after task 1, the second went on with task 2 alone, the third with both (Mirzadeh et
    al., "Linear Mode Connectivity in Multitask and Continual Learning", ICLR 2021, Section 3). Both losses are measured
    in one pass, on axes of length 1 at right angles, and on the straight lines from the first network to the others.

    Parameters
    ----------
    context : Context
        Two networks of one seed, ``per = "seed"``: of a recipe with tasks, and of the same with ``joint = true``.
    points, margin
        Of the plane, along each axis, and around the three networks.
    line_points : int
    samples, data

    Returns
    -------
    dict
        Of both variants: ``VARIANT/first_rise`` and ``VARIANT/second_rise``, by how much the loss of each task at its
        network is above that at task 1's network, ``VARIANT/highest``, the greatest rise of the first task's loss on
        the straight line there, and ``VARIANT/distance``; ``angle`` between both ways, in degrees.
    """
    from landscape.directions.construct import checkpoint_plane
    from landscape.directions.orthonormal import network_coordinates, orthonormal_plane
    from landscape.evaluation.evaluate import evaluate
    from landscape.problem.checkpoints.checkpoint import apply_checkpoint, load_checkpoint
    from landscape.problem.data.datasets import as_data
    from landscape.trajectory.principal_plane import square_around

    if len(context.networks) != 2:
        raise UsageError(
            'this plane is of two variants of a seed, in sequence and jointly: per = "seed"; got '
            f"{len(context.networks)}"
        )
    alone, jointly = context.networks
    tasks = _tasks_of(alone)
    if tasks.joint or not _tasks_of(jointly).joint:
        raise UsageError(
            f"{alone.variant} has to be trained in sequence and {jointly.variant} with tasks of joint = true; name the "
            "measurement's variants in this order"
        )
    source = chosen_data(context, [data])[data]
    x, y = source.fetch(range(source.size))
    both = {f"task{task + 1}": as_data((tasks.inputs(x, task), y), f"task{task + 1}") for task in (0, 1)}
    model = alone.model()
    # Copies under names that tell the networks apart: pictures call them by their files.
    start = _copied(alone.folder / "task-0.pt", context.folder / "first task.pt")
    ends = {
        alone.variant: _copied(alone.folder / "task-1.pt", context.folder / "second task.pt"),
        jointly.variant: _copied(jointly.folder / "task-1.pt", context.folder / "both tasks.pt"),
    }
    apply_checkpoint(model, load_checkpoint(start))
    model.eval()
    about = {**described(alone), "checkpoint": str(start)}
    how: dict[str, Any] = {"samples": samples, "sample_seed": context.seed, **about}
    plane = orthonormal_plane(model, list(ends.values()))
    at = network_coordinates(plane)
    names = ("x", "y")
    ranges: dict[str, Any] = {
        name: np.linspace(low, high, points)
        for name, (low, high) in zip(names, square_around(at, [1.0, 1.0], margin=margin), strict=True)
    }
    evaluate(model, both, plane, **ranges, path=context.folder / "joint.h5", progress=stage(context, 0, 3), **how)
    numbers: Numbers = {"angle": float(np.degrees(np.arctan2(at[1, 1], at[1, 0])))}
    curves: dict[str, Any] = {}
    for number, (variant, end) in enumerate(ends.items()):
        line = evaluate(
            model,
            both,
            checkpoint_plane(model, [end]),
            x=np.linspace(0, 1, line_points),
            progress=stage(context, number + 1, 3),
            **how,
        )
        first, second = (np.asarray(line[f"task{task}/loss"]) for task in (1, 2))
        curves |= {f"{variant}_task_1": first, f"{variant}_task_2": second}
        numbers |= {
            f"{variant}/first_rise": float(first[-1] - first[0]),
            f"{variant}/second_rise": float(second[-1] - second[0]),
            f"{variant}/highest": float(first.max() - first[0]),
            f"{variant}/distance": float(np.linalg.norm(at[number])),
        }
    write_curve(context, "lines", {"share_of_the_way": np.linspace(0, 1, line_points), **curves})
    return numbers
