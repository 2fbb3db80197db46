"""Put training runs on a plane and measure the surface around them, into an HDF5 file.

Finds the plane in which most of a run takes place (principal components of its recorded weights), measures the loss
on a square that holds the path, and at each recorded step both the network's own loss and the plane's. Coordinates
are distances from the end of the run. A run that was cut short is completed by starting the same command again.

    landscape trajectory run/*.pt --model nets.py:resnet20 --data train=digits -o run.h5
    landscape trajectory sgd/ adam/ --model nets.py:resnet20 --data train=digits -o both.h5
    landscape plot run.h5
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from landscape.commands.options import (
    add_axes_option,
    add_measure_options,
    add_problem_options,
    add_subspace_options,
    add_writing_options,
    load_problem,
    measure_settings,
    pick_device,
)
from landscape.commands.surfaces.trajectory_steps import put_onto, require_fitting, write_plane_alone
from landscape.commands.words import say
from landscape.errors import UsageError
from landscape.surface.grid import MAX_POINTS

if TYPE_CHECKING:
    from torch import nn

    from landscape.directions.construct import Plane
    from landscape.trajectory.runs import TrainingRun


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="checkpoints of a run: a folder, a pattern or files; several folders are several runs on one plane",
    )
    parser.add_argument(
        "--unordered",
        action="store_true",
        help="the checkpoints are samples in no order, an ensemble say: drawn as points, through which no path leads",
    )
    add_problem_options(parser, needs_data=False)
    group = parser.add_argument_group("plane")
    group.add_argument(
        "--plane",
        default="pca",
        metavar="SOURCE",
        help="pca: the runs' principal components; local: velocity and acceleration at the step --at of the first run; "
        "a file that holds directions; or A.pt,B.pt,C.pt: through three checkpoints, where A is at 0",
    )
    group.add_argument("--at", type=int, metavar="STEP", help="the step that --plane local is about, as the run counts")
    group.add_argument(
        "--line",
        nargs="?",
        const="pca",
        choices=("pca", "ends"),
        help="a line instead: along the first principal component, or straight from the last checkpoint (0) to the "
        "first (1)",
    )
    group.add_argument(
        "--origin", metavar="CHECKPOINT", help="where coordinates are 0 (default: the end of the first run)"
    )
    group.add_argument(
        "--ignore",
        choices=("biasbn", "none"),
        help="biasbn: principal components leave biases and batch-norm scales where they are (default: none)",
    )
    add_axes_option(group)
    add_subspace_options(group)
    grid = parser.add_argument_group("grid (default: a square that holds the runs)")
    grid.add_argument("--x", metavar="MIN:MAX:NUM", help="points along the first direction")
    grid.add_argument("--y", metavar="MIN:MAX:NUM", help="and along the second")
    grid.add_argument("--points", type=int, metavar="N", help="along an axis (default: 41; 201 for a line)")
    grid.add_argument("--margin", type=float, default=0.15, metavar="SHARE", help="around the runs, of their extent")
    add_measure_options(parser)
    parser.add_argument(
        "--low-memory",
        action="store_true",
        help="copy no weights for a faster forward pass, and draw random directions of --plane FILE anew at each point",
    )
    parser.set_defaults(batch_norm=None)
    output = parser.add_argument_group("output")
    output.add_argument("-o", "--output", metavar="FILE", help="the surface file, with the runs in it")
    output.add_argument(
        "--plane-only",
        action="store_true",
        help="find the plane and where the runs lie on it, and stop: a file for evaluate --directions; needs no --data",
    )
    output.add_argument(
        "--onto",
        metavar="SURFACE",
        help="put the runs onto a surface that is there, into its file or a copy at -o; measures nothing, needs no "
        "--data",
    )
    add_writing_options(output, dry_run="say where the runs lie and what the surface would cost, and stop")


def run(options: argparse.Namespace) -> int:
    """Measure; say what was written."""
    import torch

    from landscape.commands.surfaces.summary import describe_paths, describe_result
    from landscape.parallel.comm import current_comm
    from landscape.parallel.progress import progress_bar
    from landscape.trajectory.local_plane import record_at
    from landscape.trajectory.record_losses import put_record
    from landscape.trajectory.run_surface import evaluate_runs, plan_runs
    from landscape.trajectory.runs import find_runs
    from landscape.trajectory.shared_planes import plane_made_once

    sources = options.plane.split(",")
    require_fitting(options)
    _check(options, sources)
    reading: dict[str, Any] = {"key": options.checkpoint_key, "trust": options.trust_checkpoint}
    runs = find_runs(options.runs, unordered=options.unordered, **reading)
    end = runs[0].records[-1]
    through = sources[0] if len(sources) > 1 else None
    about = record_at(runs[0], options.at) if options.plane == "local" else end
    options.checkpoint = str(options.origin or through or (options.onto and _about(options)) or about.path)
    model, _, data = load_problem(options)
    if any(parameter.dtype == torch.float16 for parameter in model.parameters()):
        # A run recorded in float16 to save space was trained, and is measured, in float32.
        model.float()
        if options.checkpoint == str(about.path):
            put_record(model, about)
    if options.onto:
        put_onto(options, model, runs)
        return 0
    model.to(pick_device(options.device))
    plane = plane_made_once(lambda: _plane(options, model, runs, sources))
    if options.plane_only:
        write_plane_alone(options, model, runs, plane)
        return 0
    options.batch_norm = options.batch_norm or suitable_batch_norm(model, plane)
    settings = {
        **measure_settings(options, model),
        "points": options.points,
        "margin": options.margin,
        "low_memory": options.low_memory,
        "path": options.output,
    }
    if options.dry_run:
        from landscape.commands.dry_run import describe_cost

        surface, cost = plan_runs(model, data, runs, plane, **settings)
        say(describe_paths(surface))
        say(describe_cost(cost, time.perf_counter() - options.began))
        return 0
    with progress_bar(f"evaluating the surface around {', '.join(each.name for each in runs)}") as progress:
        surface = evaluate_runs(model, data, runs, plane, progress=progress, **settings)
    if current_comm().rank == 0:
        say(describe_paths(surface))
        say(describe_result(surface))
        sys.stdout.flush()
    return 0


def _about(options: argparse.Namespace) -> str:
    """Return the checkpoint that the surface to put runs on is about."""
    from landscape.files.store import read_surface

    origin = read_surface(options.onto).origin
    if not origin.get("checkpoint") and "directions" in origin:
        raise UsageError(f"{options.onto} does not say which checkpoint it is about; name it by --origin")
    return str(origin.get("checkpoint", ""))


def _check(options: argparse.Namespace, sources: list[str]) -> None:
    """Refuse what does not go together, before anything is read."""
    if len(sources) not in (1, 3):
        raise UsageError(f"--plane {options.plane} names {len(sources)} checkpoints; a plane goes through three, A,B,C")
    if len(sources) == 3 and options.origin:
        raise UsageError("--origin does not go with --plane A,B,C, where the first of the three is the origin")
    if options.axes == "orthonormal" and len(sources) != 3:
        raise UsageError("--axes orthonormal is for the plane through three networks: --plane A.pt,B.pt,C.pt")
    if options.line == "ends" and options.unordered:
        raise UsageError("--line ends goes from the first checkpoint to the last, which --unordered ones do not have")
    if options.line and options.plane != "pca":
        raise UsageError(f"--line draws a line of its own; leave out --plane {options.plane}")
    if (options.plane == "local") != (options.at is not None):
        raise UsageError(
            "--plane local is about a step: name it by --at STEP"
            if options.plane == "local"
            else "--at STEP is for --plane local, the velocity and acceleration there; add it, or leave --at out"
        )
    if options.plane == "local" and options.origin:
        raise UsageError("--origin does not go with --plane local, where coordinates are about the step --at")
    components = options.plane == "pca" and options.line != "ends"
    if options.ignore is not None and not components:
        where = f"--plane {options.plane}" if options.plane != "pca" else "--line ends"
        raise UsageError(f"--ignore is for principal components and does not go with {where}; leave it out")
    if options.plane not in ("pca", "local") and len(sources) == 1:
        for name in ("move", "include", "exclude"):
            if getattr(options, name) is not None:
                raise UsageError(
                    f"--{name} does not go with --plane {options.plane}: the directions in a file say themselves what "
                    "they move; leave it out"
                )
    if options.points is not None and options.points < 2:
        raise UsageError(f"--points is {options.points}, at least 2 along an axis are needed")
    if options.points is not None and options.points > MAX_POINTS:
        raise UsageError(f"--points is {options.points}, at most {MAX_POINTS} along an axis are possible")
    if not options.margin >= 0:
        raise UsageError(f"--margin is {options.margin}, it has to be 0 or more")


def _plane(options: argparse.Namespace, model: nn.Module, runs: list[TrainingRun], sources: list[str]) -> Plane:
    """Return the directions that the options name."""
    from landscape.directions.construct import checkpoint_plane
    from landscape.directions.direction_files import read_plane
    from landscape.directions.orthonormal import orthonormal_plane
    from landscape.trajectory.local_plane import local_plane
    from landscape.trajectory.principal_plane import principal_plane

    chosen: dict[str, Any] = {"include": options.include, "exclude": options.exclude}
    reading: dict[str, Any] = {"key": options.checkpoint_key, "trust": options.trust_checkpoint}
    if options.line == "ends":
        return checkpoint_plane(model, [str(runs[0].records[0].path)], move=options.move, **chosen, **reading)
    if options.plane == "pca":
        return principal_plane(
            model,
            runs,
            components=1 if options.line else 2,
            ignore=options.ignore or "none",
            move=options.move or "weights",
            **chosen,
        )
    if options.plane == "local":
        return local_plane(model, runs[0], options.at, move=options.move or "weights", **chosen)
    if len(sources) == 1:
        plane = read_plane(model, options.plane, trust=options.trust_checkpoint)
        return plane.first(min(2, len(plane)))
    through = orthonormal_plane if options.axes == "orthonormal" else checkpoint_plane
    return through(model, sources[1:], move=options.move, **chosen, **reading)


def suitable_batch_norm(model: nn.Module, plane: Plane) -> str:
    """Return "recompute" where statistics would stay at theta*'s while weights move far from it."""
    from landscape.problem.params import floating_buffers

    return "recompute" if plane.move == "weights" and floating_buffers(model) else "frozen"
