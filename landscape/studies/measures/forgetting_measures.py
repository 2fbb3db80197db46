"""What a study measures of tasks in sequence: what each costs those before it, and what the curvature says of it."""

from __future__ import annotations

import numpy as np
from torch import nn

from landscape.errors import UsageError
from landscape.studies.measures.measure_parts import (
    Numbers,
    chosen_data,
    one_network,
    read_table,
    with_log10,
    write_curve,
)
from landscape.studies.measures.path_measures import flat_weights
from landscape.studies.study import Context
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
    from landscape.curvature.analysis import measure_curvature
    from landscape.evaluation.evaluate import evaluate
    from landscape.problem.checkpoint import apply_checkpoint, load_checkpoint
    from landscape.problem.datasets import as_data

    network = one_network(context)
    if not network.recipe.tasks:
        raise UsageError("nothing is forgotten where there is one task: give the recipe tasks")
    tasks = TaskSequence.of(network.recipe.tasks)
    if tasks.number < 2:
        raise UsageError("one task has no other to be forgotten for: give the recipe two tasks or more")
    source = chosen_data(context, [data])[data]
    x, y = source.fetch(range(source.size))
    model = network.model()

    def at(task: int) -> nn.Module:
        apply_checkpoint(model, load_checkpoint(network.folder / f"task-{task}.pt"))
        return model.eval()

    rows = []
    for task in range(tasks.number - 1):
        own = {data: as_data((tasks.inputs(x, task), y), data)}
        report = measure_curvature(
            at(task),
            own,
            loss=network.recipe.loss,
            samples=samples,
            sample_seed=context.seed,
            eigenvalues=1,
            most=most,
            probes=2,
            steps=1,
            gauss_newton=False,
            progress=False,
        )
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
        curved = report.raw.greatest_eigenvalue
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
