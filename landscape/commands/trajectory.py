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
from typing import TYPE_CHECKING, Any

from landscape.commands.options import (
    add_measure_options,
    add_problem_options,
    command_line,
    describe_model_options,
    load_problem,
    pick_device,
)
from landscape.commands.run_planes import put_onto, require_fitting, write_plane_alone
from landscape.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

    from landscape.directions import Plane
    from landscape.runs import TrainingRun


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="checkpoints of a run: a folder, a pattern or files; several folders are several runs on one plane",
    )
    add_problem_options(parser, needs_data=False)
    group = parser.add_argument_group("plane")
    group.add_argument(
        "--plane",
        default="pca",
        metavar="SOURCE",
        help="pca: the runs' principal components; a file that holds directions; or A.pt,B.pt,C.pt: through three "
        "checkpoints, where A is at 0",
    )
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
    group.add_argument(
        "--move",
        choices=("weights", "states"),
        help="states: also running means and variances (default: weights; towards checkpoints: states)",
    )
    group.add_argument("--include", metavar="REGEX", help="move only tensors in whose name this is found")
    group.add_argument("--exclude", metavar="REGEX", help="leave tensors in whose name this is found")
    grid = parser.add_argument_group("grid (default: a square that holds the runs)")
    grid.add_argument("--x", metavar="MIN:MAX:NUM", help="points along the first direction")
    grid.add_argument("--y", metavar="MIN:MAX:NUM", help="and along the second")
    grid.add_argument("--points", type=int, metavar="N", help="along an axis (default: 41; 201 for a line)")
    grid.add_argument("--margin", type=float, default=0.15, metavar="SHARE", help="around the runs, of their extent")
    add_measure_options(parser)
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
    output.add_argument("--overwrite", action="store_true", help="start again a file that holds something else")
    output.add_argument(
        "--write-every", type=float, default=30.0, metavar="SECONDS", help="between two writes of the file"
    )
    output.add_argument(
        "--dry-run", action="store_true", help="say where the runs lie and what the surface would cost, and stop"
    )


def run(options: argparse.Namespace) -> int:
    """Measure; say what was written."""
    from landscape.comm import current_comm
    from landscape.commands.progress import progress_bar
    from landscape.commands.run_summary import describe_paths
    from landscape.record_losses import put_record
    from landscape.run_surface import evaluate_runs, plan_runs
    from landscape.runs import find_runs
    from landscape.shared_planes import plane_made_once

    sources = options.plane.split(",")
    require_fitting(options)
    _check(options, sources)
    runs = find_runs(options.runs, key=options.checkpoint_key, trust=options.trust_checkpoint)
    end = runs[0].records[-1]
    through = sources[0] if len(sources) > 1 else None
    options.checkpoint = str(options.origin or through or _about(options) or end.path)
    model, _, data = load_problem(options)
    if any(parameter.dtype == _half() for parameter in model.parameters()):
        # A run recorded in float16 to save space was trained, and is measured, in float32.
        model.float()
        if options.checkpoint == str(end.path):
            put_record(model, end)
    if options.onto:
        put_onto(options, model, runs)
        return 0
    model.to(pick_device(options.device))
    plane = plane_made_once(lambda: _plane(options, model, runs, sources))
    if options.plane_only:
        write_plane_alone(options, model, runs, plane)
        return 0
    batch_norm = options.batch_norm or _suitable_batch_norm(model, plane)
    settings: dict[str, Any] = {
        "x": options.x,
        "y": options.y,
        "points": options.points,
        "margin": options.margin,
        "path": options.output,
        "loss": options.loss,
        "metrics": options.metric,
        "samples": options.samples,
        "standard_error": options.standard_error,
        "tolerance": options.tolerance,
        "sample_seed": options.sample_seed,
        "batch_size": options.batch_size,
        "batch_norm": batch_norm,
        "batch_norm_data": options.batch_norm_data,
        "mode": options.mode,
        "weight_decay": options.weight_decay,
        "precision": options.precision,
        "precision_tolerance": options.precision_tolerance,
        "compile": options.compile,
        "overwrite": options.overwrite,
        "write_every": options.write_every,
        "checkpoint": options.checkpoint,
        "description": describe_model_options(options, model),
        "command": command_line(),
    }
    if options.dry_run:
        from landscape.commands.costs import describe_cost

        surface, cost = plan_runs(model, data, runs, plane, **settings)
        print(describe_paths(surface))
        print(describe_cost(cost))
        return 0
    from landscape.commands.summary import describe_result

    with progress_bar(f"evaluating the surface around {', '.join(each.name for each in runs)}") as progress:
        surface = evaluate_runs(model, data, runs, plane, progress=progress, **settings)
    if current_comm().rank == 0:
        print(describe_paths(surface))
        print(describe_result(surface))
        sys.stdout.flush()
    return 0


def _about(options: argparse.Namespace) -> str:
    """Return the checkpoint that the surface to put runs on is about."""
    if not options.onto:
        return ""
    from landscape.store import read_surface

    return str(read_surface(options.onto).origin.get("checkpoint", ""))


def _check(options: argparse.Namespace, sources: list[str]) -> None:
    """Refuse what does not go together, before anything is read."""
    if len(sources) not in (1, 3):
        raise UsageError(f"--plane {options.plane} names {len(sources)} checkpoints; a plane goes through three, A,B,C")
    if len(sources) == 3 and options.origin:
        raise UsageError("--origin does not go with --plane A,B,C, where the first of the three is the origin")
    if options.line and options.plane != "pca":
        raise UsageError(f"--line draws a line of its own; leave out --plane {options.plane}")
    components = options.plane == "pca" and options.line != "ends"
    if options.ignore is not None and not components:
        where = f"--plane {options.plane}" if options.plane != "pca" else "--line ends"
        raise UsageError(f"--ignore is for principal components and does not go with {where}; leave it out")
    if options.plane != "pca" and len(sources) == 1:
        for name in ("move", "include", "exclude"):
            if getattr(options, name) is not None:
                raise UsageError(
                    f"--{name} does not go with --plane {options.plane}: the directions in a file say themselves what "
                    "they move; leave it out"
                )
    if options.points is not None and options.points < 2:
        raise UsageError(f"--points is {options.points}, at least 2 along an axis are needed")
    if not options.margin >= 0:
        raise UsageError(f"--margin is {options.margin}, it has to be 0 or more")


def _plane(options: argparse.Namespace, model: nn.Module, runs: list[TrainingRun], sources: list[str]) -> Plane:
    """Return the directions that the options name."""
    from landscape.directions import checkpoint_plane, read_plane
    from landscape.trajectory import principal_plane

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
    if len(sources) == 1:
        plane = read_plane(model, options.plane, trust=options.trust_checkpoint)
        return plane.first(min(2, len(plane)))
    return checkpoint_plane(model, sources[1:], move=options.move, **chosen, **reading)


def _suitable_batch_norm(model: nn.Module, plane: Plane) -> str:
    """Return "recompute" where statistics would stay at theta*'s while weights move far from it."""
    from landscape.params import floating_buffers

    return "recompute" if plane.move == "weights" and floating_buffers(model) else "frozen"


def _half() -> Any:
    import torch

    return torch.float16
