"""Measure the loss on a grid around a checkpoint, into an HDF5 file.

A line, a plane or a volume through the trained weights: loss and accuracy of every data set at each point. A run
that was cut short is completed by starting the same command again.

    landscape evaluate net.pt --model nets.py:resnet20 --data train=digits --x=-1:1:51 --y=-1:1:51 -o net.h5
"""

from __future__ import annotations

import argparse
import sys

from landscape.commands.options import (
    add_direction_options,
    add_measure_options,
    add_problem_options,
    command_line,
    default_output,
    describe_model_options,
    load_plane,
    load_problem,
    pick_device,
)
from landscape.grid import parse_range


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="the trained weights: .pt, .pth, .ckpt, .safetensors")
    add_problem_options(parser)
    grid = parser.add_argument_group("grid, in multiples of the directions: with filter normalisation, filter lengths")
    grid.add_argument("--x", default="-1:1:51", metavar="MIN:MAX:NUM", help="points along the first direction")
    grid.add_argument("--y", metavar="MIN:MAX:NUM", help="and the second, for a plane")
    grid.add_argument("--z", metavar="MIN:MAX:NUM", help="and the third, for a volume")
    grid.add_argument(
        "--repeats",
        type=int,
        default=1,
        metavar="K",
        help="measure K lines or planes, with seeds --seed, --seed + 1, ...",
    )
    add_direction_options(parser)
    add_measure_options(parser)
    parser.add_argument(
        "--low-memory",
        action="store_true",
        help="draw random directions anew at each point instead of keeping them, and copy no weights: half the memory",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o", "--output", metavar="FILE", help="the file (default: the checkpoint's name with .h5, here)"
    )
    output.add_argument("--overwrite", action="store_true", help="start again a file that holds something else")
    output.add_argument("--save-directions", action="store_true", help="keep the directions' tensors in the file")
    output.add_argument(
        "--write-every", type=float, default=30.0, metavar="SECONDS", help="between two writes of the file"
    )
    output.add_argument(
        "--dry-run", action="store_true", help="say what it would cost in points, time and memory, and stop"
    )


def run(options: argparse.Namespace) -> int:
    """Measure; say what was written."""
    from landscape.commands.progress import progress_bar

    ranges = [parse_range(text) for text in (options.x, options.y, options.z) if text is not None]
    model, checkpoint, data = load_problem(options)
    model.to(pick_device(options.device))
    plane = load_plane(options, model, len(ranges))
    name = checkpoint.path
    del checkpoint  # its tensors are in the network, and would stay in memory beside it
    path = options.output or default_output(options.checkpoint, ".h5")
    settings = {
        "x": options.x,
        "y": options.y,
        "z": options.z,
        "path": path,
        "loss": options.loss,
        "metrics": options.metric,
        "samples": options.samples,
        "sample_seed": options.sample_seed,
        "standard_error": options.standard_error,
        "tolerance": options.tolerance,
        "batch_size": options.batch_size,
        "batch_norm": options.batch_norm,
        "batch_norm_data": options.batch_norm_data,
        "mode": options.mode,
        "weight_decay": options.weight_decay,
        "precision": options.precision,
        "precision_tolerance": options.precision_tolerance,
        "compile": options.compile,
        "low_memory": options.low_memory,
        "repeats": options.repeats,
        "overwrite": options.overwrite,
        "save_directions": options.save_directions,
        "write_every": options.write_every,
        "checkpoint": options.checkpoint,
        "description": describe_model_options(options, model),
        "command": command_line(),
    }
    if options.dry_run:
        from landscape.commands.costs import describe_cost
        from landscape.evaluation import estimate_cost

        print(describe_cost(estimate_cost(model, data, plane, **settings)))
        return 0
    from landscape.commands.summary import describe_result
    from landscape.evaluation import evaluate

    unit = "points" if options.tolerance is None else "points at most"
    with progress_bar(f"evaluating {name}", unit) as progress:
        surface = evaluate(model, data, plane, progress=progress, **settings)
    print(describe_result(surface))
    sys.stdout.flush()
    return 0
