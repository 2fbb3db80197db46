"""Walk along the gradient at each recorded step of a training run: how far the loss and the gradient change there.

At the weights of each record the loss and its gradient are taken again further along the gradient, by half a step of
gradient descent, one, two and four: the range of the loss, the change of the gradient, and its change per distance,
the effective smoothness (Santurkar et al. 2018).

    landscape walk run/*.pt --model nets.py:resnet20 --data train=digits --samples 500 -o run.walk.h5
    landscape walk run/*.pt ... --rate 0.1 --multiples 0.5,1,2,4 --mode train
    landscape plot with.walk.h5 without.walk.h5 --title "batch norm" --title none -o walks.pdf
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from landscape.commands.options import (
    add_problem_options,
    describe_model_options,
    list_of,
    load_problem,
    pick_device,
)
from landscape.commands.reports.report_options import (
    add_device_option,
    add_output_options,
    add_sample_options,
    made,
)
from landscape.commands.words import say
from landscape.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "records", nargs="+", metavar="RUN", help="checkpoints of one training run: a folder, a pattern or files"
    )
    add_problem_options(parser)
    group = parser.add_argument_group("walks")
    group.add_argument(
        "--rate", type=float, metavar="R", help="learning rate of a step (default: what each record was saved with)"
    )
    group.add_argument(
        "--multiples",
        metavar="M,...",
        type=list_of(float, "multiples are numbers"),
        default="0.5,1,2,4",  # which argparse passes through the type
        help="how far to walk, in steps of gradient descent",
    )
    group.add_argument(
        "--mode",
        choices=("eval", "train"),
        default="eval",
        help="train: batch norm's statistics are those of all samples at once, dropout draws the same along a walk",
    )
    group = parser.add_argument_group("measuring")
    add_sample_options(group, batch_size="samples in a pass")
    add_device_option(group)
    add_output_options(parser, ".walk.h5", named="the run's")


def run(options: argparse.Namespace) -> int:
    """Walk at each record; print and store what was found."""
    from landscape.commands.printed import show
    from landscape.commands.reports.walk_tables import print_walk, walk_facts
    from landscape.files.reports.walk_file import WALK, write_walk
    from landscape.parallel.progress import progress_bar
    from landscape.trajectory.runs import find_runs
    from landscape.trajectory.walk_steps import measure_run_walk

    if options.metric:
        raise UsageError("--metric says nothing here: what is measured along the gradient is the loss that it is of")
    runs = find_runs(options.records, key=options.checkpoint_key, trust=options.trust_checkpoint)
    if len(runs) > 1:
        raise UsageError(f"walks are along one run at a time, there are {', '.join(each.name for each in runs)}")
    (found,) = runs
    path = options.output or f"{found.name}.walk.h5"
    WALK.check_writable(path, overwrite=options.overwrite)
    options.checkpoint = str(found.records[-1].path)
    model, _, data = load_problem(options)
    model.to(pick_device(options.device))
    names = ("rate", "multiples", "mode", "loss", "samples", "sample_seed", "batch_size")
    how = {name: getattr(options, name) for name in names}
    with progress_bar(f"walks of {found.name}", "steps") as progress:
        walks = measure_run_walk(model, data, found, progress=progress, **how)
    problem = {**walks.problem, "model": describe_model_options(options, model)}
    origin = {"run": str(found.folder), "records": len(found.records)}
    walks = replace(walks, problem=problem, origin=origin, **made(), path=path)
    write_walk(path, walks)
    show(print_walk, walk_facts(walks))
    say(f"wrote {path}")
    return 0
