"""Measure the curvature of the loss at a checkpoint: eigenvalues, traces, density, each with its error.

Of the Hessian over all parameters, and in the units of a picture, where a filter's length is 1 (see
docs/curvature.md). The report is printed and stored; `landscape plot` draws its spectrum.

    landscape curvature net.pt --model nets.py:resnet20 --data train=digits --samples 1000 -o net.curvature.h5
    landscape plot net.curvature.h5 -o spectrum.pdf
    landscape curvature run/*.pt --model nets.py:resnet20 --data train=digits --samples 200 -o run.curvature.h5
    mpiexec -n 8 landscape curvature net.pt --model nets.py:resnet20 --data train=digits -o net.curvature.h5

Processes share the batches of each product out; there are eight at least, unless there are fewer samples.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape.commands.options import (
    add_problem_options,
    default_output,
    describe_model_options,
    load_problem,
    pick_device,
)
from landscape.commands.reports.report_options import add_device_option, add_output_options, made
from landscape.commands.words import say

if TYPE_CHECKING:
    from torch import nn

    from landscape.curvature.analysis import Settings
    from landscape.directions.construct import Plane
    from landscape.surface.surface import Surface


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "checkpoints",
        nargs="+",
        metavar="CHECKPOINT",
        help="the trained weights: .pt, .pth, .ckpt, .safetensors; several, a folder or a pattern: along a "
        "training run, step by step",
    )
    add_problem_options(parser)
    group = parser.add_argument_group("measuring")
    group.add_argument(
        "--samples", type=int, metavar="N", help="of each data set, the first N of a seeded permutation (default: all)"
    )
    group.add_argument("--sample-seed", type=int, default=0, metavar="S", help="of that permutation")
    group.add_argument(
        "--batch-size", type=int, metavar="N", help="samples in one pass (default: 256, or fewer so that there are 8)"
    )
    add_device_option(group)
    group.add_argument("--include", metavar="REGEX", help="only parameters whose names have this")
    group.add_argument("--exclude", metavar="REGEX", help="no parameters whose names have this")
    group.add_argument(
        "--ignore", default="none", choices=("none", "biasbn"), help="biasbn: only what random directions move"
    )
    group = parser.add_argument_group("numbers")
    group.add_argument("--eigenvalues", type=int, default=5, metavar="K", help="the K greatest and the K least")
    group.add_argument(
        "--eigenvalue-tolerance", type=float, default=0.01, metavar="E", help="residual of each, relative to its size"
    )
    group.add_argument(
        "--products", type=int, default=100, metavar="P", help="products for the eigenvalues of one matrix, at most"
    )
    group.add_argument("--probes", type=int, default=8, metavar="N", help="random vectors for traces and density")
    group.add_argument("--steps", type=int, default=10, metavar="M", help="products for each probe")
    group.add_argument("--seed", type=int, default=0, metavar="S", help="of the random vectors")
    group.add_argument(
        "--surface",
        metavar="FILE",
        help="a line or plane through this checkpoint, to compare with all directions",
    )
    group.add_argument(
        "--memory",
        type=float,
        metavar="GIB",
        help="for graphs and vectors that are kept (default: 0.4 of what is free); less takes more products",
    )
    group.add_argument("--no-gauss-newton", action="store_true", help="leave out the Gauss-Newton matrix")
    output = add_output_options(parser, ".curvature.h5")
    output.add_argument(
        "--dry-run", action="store_true", help="say what it would cost in products, time and memory, and stop"
    )


def run(options: argparse.Namespace) -> int:
    """Measure each data set; print and store what was found."""
    from landscape.curvature.analysis import Settings
    from landscape.errors import UsageError

    if options.metric:
        raise UsageError("--metric says nothing here: what is measured is the curvature of the loss")
    names = {"eigenvalues": "eigenvalues", "tolerance": "eigenvalue_tolerance", "most": "products"}
    names |= {name: name for name in ("probes", "steps", "seed")}
    settings = Settings(**{name: getattr(options, option) for name, option in names.items()})
    return _along_a_run(options, settings) if _several(options) else _at_one_network(options, settings)


def _several(options: argparse.Namespace) -> bool:
    """Return whether checkpoints of a run are named; a folder or a pattern that is one network is taken for that."""
    from landscape.parallel.comm import current_comm
    from landscape.trajectory.runs import checkpoints_at, network_folder

    (first, *others) = options.checkpoints
    if others or not (Path(first).is_dir() or "*" in first):
        return bool(others)
    # Rank 0's: a training may write meanwhile.
    found = current_comm().broadcast(checkpoints_at(first) if current_comm().rank == 0 else [])
    options.checkpoints = [first] if len(found) > 1 else [str(network_folder(found[0]))]
    return len(found) > 1


def _measuring(options: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    from landscape.parallel.comm import current_comm
    from landscape.problem.losses.losses import resolve_loss

    names = ("samples", "sample_seed", "batch_size", "include", "exclude", "ignore")
    return {
        "loss": resolve_loss(options.loss, options.metric),
        **{name: getattr(options, name) for name in names},
        "settings": settings,
        "gauss_newton": not options.no_gauss_newton,
        "memory": None if options.memory is None else options.memory * 2**30,
        "comm": current_comm(),
    }


def _at_one_network(options: argparse.Namespace, settings: Settings) -> int:
    from landscape.commands.printed import show
    from landscape.commands.reports.curvature_tables import curvature_facts, print_curvature
    from landscape.curvature.analysis import measure_curvature
    from landscape.files.reports.curvature_file import check_curvature_writable, write_curvature
    from landscape.parallel.comm import current_comm
    from landscape.parallel.progress import progress_bar
    from landscape.problem.data.datasets import describe_data

    (options.checkpoint,) = options.checkpoints
    path = options.output or str(default_output(options.checkpoint, ".curvature.h5"))
    if current_comm().rank == 0:  # it is the one that writes; several would try out the place at one time
        check_curvature_writable(path, overwrite=options.overwrite)
    model, checkpoint, data = load_problem(options)
    model.to(pick_device(options.device))
    described = describe_model_options(options, model)
    origin = {"checkpoint": str(checkpoint.path), "sha256": checkpoint.sha256}
    plane, surface = _drawn(options, model)
    measuring = _measuring(options, settings)
    if options.dry_run:
        from landscape.commands.dry_run import describe_curvature_cost
        from landscape.curvature.cost import estimate_curvature_cost

        for name, each in data.items():
            say(describe_curvature_cost(name, estimate_curvature_cost(model, {name: each}, **measuring)))
        return 0
    reports = {}
    for name, each in data.items():
        with progress_bar(f"curvature of {name}", "products at most") as progress:
            report = measure_curvature(
                model, {name: each}, plane=plane, surface=surface, progress=progress, **measuring
            )
        problem = {**report.problem, "model": described, "data": describe_data(each, report.samples)}
        reports[name] = replace(report, problem=problem, origin=origin, path=path)
    if measuring["comm"].rank:
        return 0
    write_curvature(path, reports, made())
    show(print_curvature, curvature_facts(path, reports))
    say(f"wrote {path}")
    return 0


def _along_a_run(options: argparse.Namespace, settings: Settings) -> int:
    """Measure a run step by step; the file is written after each, and goes on where it was."""
    import os

    from landscape.commands.printed import show
    from landscape.commands.reports.curvature_tables import print_curvature_run, run_facts
    from landscape.errors import UsageError
    from landscape.files.reports.curvature_run_file import check_run_writable, read_curvature_run, write_curvature_run
    from landscape.parallel.comm import current_comm
    from landscape.parallel.progress import progress_bar
    from landscape.trajectory.curvature_steps import measure_run_curvature
    from landscape.trajectory.runs import TrainingRun, find_run, find_runs

    if options.dry_run:
        raise UsageError("--dry-run is of one network: name one checkpoint; each step of a run takes as long")
    if options.surface:
        raise UsageError("--surface is of one network; leave it out for a run, or name one checkpoint")
    comm = current_comm()
    how: dict[str, Any] = {"key": options.checkpoint_key, "trust": options.trust_checkpoint}
    runs: list[TrainingRun] = find_runs(options.checkpoints, **how) if comm.rank == 0 else []
    # Rank 0's files are everyone's: a training may write another one meanwhile.
    listed = comm.broadcast([(run.name, [record.path for record in run.records]) for run in runs])
    if len(listed) > 1:
        raise UsageError(
            f"curvature is measured along one run at a time, there are {', '.join(name for name, _ in listed)}"
        )
    ((name, paths),) = listed
    run = runs[0] if runs else find_run(paths, name=name, **how)
    options.checkpoint = str(run.records[-1].path)
    path = options.output or f"{run.name}.curvature.h5"
    if comm.rank == 0:
        check_run_writable(path, overwrite=options.overwrite)
    known = comm.rank == 0 and not options.overwrite and os.path.exists(path)
    found = read_curvature_run(path) if known else {}
    model, _, data = load_problem(options)
    model.to(pick_device(options.device))
    about, measuring = made(), _measuring(options, settings)
    with progress_bar(f"curvature of {run.name}", "steps") as progress:
        reports = measure_run_curvature(
            model,
            data,
            run,
            found=found,
            each_step=None if comm.rank else lambda so_far: write_curvature_run(path, so_far, about),
            progress=progress,
            **measuring,
        )
    show(print_curvature_run, run_facts(path, reports))
    say(f"wrote {path}")
    return 0


def _drawn(options: argparse.Namespace, model: nn.Module) -> tuple[Plane | None, Surface | None]:
    """Return what was drawn through this checkpoint, where a file of it is given."""
    from landscape.directions.direction_files import read_plane
    from landscape.errors import UsageError
    from landscape.files.store import read_surface
    from landscape.problem.params import digest

    if options.surface is None:
        return None, None
    surface = read_surface(options.surface)
    said = surface.origin.get("sha256")
    if said and said != digest(model.state_dict()):
        raise UsageError(
            f"{options.surface} was drawn around {surface.origin.get('checkpoint')} with other weights than "
            f"{options.checkpoint}: its plane does not go through this checkpoint"
        )
    return read_plane(model, options.surface, trust=options.trust_checkpoint), surface
