"""Measure the loss on a grid around a checkpoint, into an HDF5 file.

A line, a plane or a volume through the trained weights: loss and accuracy of every data set at each point. A run
that was cut short is completed by starting the same command again.

    landscape evaluate net.pt --model nets.py:resnet20 --data train=digits --x=-1:1:51 --y=-1:1:51 -o net.h5
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from landscape.commands.options import (
    add_direction_options,
    add_measure_options,
    add_problem_options,
    add_writing_options,
    default_output,
    load_plane,
    load_problem,
    measure_settings,
    pick_device,
)
from landscape.commands.surfaces.input_options import add_input_options, load_input_problem, require_weight_space
from landscape.commands.words import say
from landscape.surface.grid import parse_range

if TYPE_CHECKING:
    from landscape.directions.construct import Plane


# Points unless asked otherwise.
LINE = "-1:1:51"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="the trained weights: .pt, .pth, .ckpt, .safetensors")
    add_problem_options(parser)
    grid = parser.add_argument_group("grid, in multiples of the directions: with filter normalisation, filter lengths")
    fitted = "; with --axes orthonormal a range that holds the networks"
    grid.add_argument(
        "--x", default=LINE, metavar="MIN:MAX:NUM", help=f"points along the first direction{fitted}, unless given"
    )
    grid.add_argument("--y", metavar="MIN:MAX:NUM", help=f"and the second, for a plane{fitted}")
    grid.add_argument("--z", metavar="MIN:MAX:NUM", help="and the third, for a volume")
    repeats = "measure K lines or planes, with seeds --seed, --seed + 1, ..."
    grid.add_argument("--repeats", type=int, default=1, metavar="K", help=repeats)
    add_direction_options(parser)
    add_input_options(parser)
    add_measure_options(parser)
    parser.add_argument(
        "--low-memory",
        action="store_true",
        help="draw random directions anew at each point instead of keeping them, and copy no weights: half the memory",
    )
    group = parser.add_argument_group("convexity map")
    group.add_argument(
        "--curvature", action="store_true", help="measure both ends of the Hessian's spectrum at each point, too"
    )
    group.add_argument(
        "--curvature-products", type=int, default=40, metavar="P", help="products with the Hessian a point, at most"
    )
    group.add_argument(
        "--eigenvalue-tolerance",
        type=float,
        default=0.02,
        metavar="E",
        help="residual of each end, relative to its size",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "-o", "--output", metavar="FILE", help="the file (default: the checkpoint's name with .h5, here)"
    )
    output.add_argument("--save-directions", action="store_true", help="keep the directions' tensors in the file")
    add_writing_options(output, dry_run="say what it would cost in points, time and memory, and stop")


def run(options: argparse.Namespace) -> int:
    """Measure; say what was written."""
    from landscape.parallel.progress import progress_bar

    ranges = [parse_range(text) for text in (options.x, options.y, options.z) if text is not None]
    model, checkpoint, data = load_problem(options)
    model.to(pick_device(options.device))
    changed: dict[str, Any] = {}
    if options.space == "input":
        network, data, plane, changed = load_input_problem(options, model, data, len(ranges))
    else:
        require_weight_space(options)
        # Not measured only to say what it costs: a random direction costs the same at every point.
        network, plane = model, load_plane(options, model, len(ranges), None if options.dry_run else data)
    if options.axes == "orthonormal":
        _fit_ranges(options, plane)
    measured = measure_settings(options, model) | changed
    model = network
    name = checkpoint.path
    del checkpoint  # its tensors are in the network, and would stay in memory beside it
    path = options.output or default_output(options.checkpoint, ".h5")
    names = ("z", "low_memory", "repeats", "save_directions")
    settings = {**measured, "path": path, **{name: getattr(options, name) for name in names}}
    if options.curvature:
        found = {"products": options.curvature_products, "tolerance": options.eigenvalue_tolerance}
        settings["quantities"] = {"curvature": found}
    if options.dry_run:
        from landscape.commands.dry_run import describe_cost
        from landscape.curvature.directions import is_measured
        from landscape.evaluation.evaluate import estimate_cost

        cost = estimate_cost(model, data, plane, **settings)
        measured_first = any(map(is_measured, (options.directions or "").split(",")))
        say(describe_cost(cost, None if measured_first else time.perf_counter() - options.began))
        return 0
    from landscape.commands.surfaces.summary import describe_networks, describe_result
    from landscape.evaluation.evaluate import evaluate

    unit = "points" if options.tolerance is None else "points at most"
    with progress_bar(f"evaluating {name}", unit) as progress:
        surface = evaluate(model, data, plane, progress=progress, **settings)
    for line in (describe_networks(surface), describe_result(surface)):
        say(line) if line else None
    sys.stdout.flush()
    return 0


def _fit_ranges(options: argparse.Namespace, plane: Plane) -> None:
    """Let the axes reach around the networks where no range was given: nobody knows distances beforehand."""
    from landscape.directions.orthonormal import network_coordinates
    from landscape.trajectory.principal_plane import square_around

    ranges = square_around(network_coordinates(plane), [1.0, 1.0])
    for name, (first, last) in zip("xy", ranges, strict=True):
        if getattr(options, name) in (None, LINE):
            setattr(options, name, f"{first}:{last}:{LINE.rpartition(':')[2]}")
