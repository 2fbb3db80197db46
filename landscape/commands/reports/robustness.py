"""Attack labelled samples at several strengths: how accuracy falls, and whether the attacks can be believed.

By one step along the gradient (FGSM), by projected steps (PGD) up the loss and up the margin, each accuracy with its
95 % interval; random changes, more steps, other starts and, if asked, another network's attacks test whether gradients
are masked. The accuracies are upper bounds: a better attack may find more.

    landscape robustness net.pt --model nets.py:net --data test=digits:test --epsilon 0.05,0.1,0.2 --clip 0:1
    landscape plot net.robustness.h5 -o robustness.pdf
    landscape robustness net.pt ... --epsilon 0.1 --save-examples adv.npz
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from landscape.commands.options import (
    add_problem_options,
    default_output,
    list_of,
    load_problem,
    pick_device,
)
from landscape.commands.reports.report_options import (
    add_checkpoint,
    add_device_option,
    add_output_options,
    add_sample_options,
    made_of,
)
from landscape.commands.words import say
from landscape.errors import UsageError

if TYPE_CHECKING:
    from torch import nn


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_checkpoint(parser)
    add_problem_options(parser)
    group = parser.add_argument_group("attacks")
    group.add_argument(
        "--epsilon",
        metavar="E,...",
        type=list_of(float, "strengths are numbers"),
        required=True,
        help="strengths, ascending: how far an input may be changed, in units of the data, before --normalize",
    )
    group.add_argument("--norm", choices=("linf", "l2"), default="linf", help="in which that distance is measured")
    group.add_argument("--steps", type=int, default=20, metavar="N", help="steps of PGD")
    group.add_argument("--restarts", type=int, default=2, metavar="N", help="random starts of PGD")
    group.add_argument("--random", type=int, default=10, metavar="N", help="random changes tried on each sample")
    group.add_argument("--clip", metavar="LOW:HIGH", help="the inputs' valid range, which attacks do not leave")
    group.add_argument(
        "--transfer", metavar="CHECKPOINT", help="other weights of the same network, whose attacks are tried, too"
    )
    group.add_argument("--seed", type=int, default=0, metavar="S", help="of random starts and changes")
    group = parser.add_argument_group("measuring")
    add_sample_options(group, batch_size="samples attacked at a time")
    add_device_option(group)
    output = add_output_options(parser, ".robustness.h5")
    output.add_argument(
        "--save-examples",
        metavar="FILE.npz",
        help="also write the samples as PGD changed them at the greatest strength, for --data adv=npz:FILE.npz",
    )


def run(options: argparse.Namespace) -> int:
    """Attack; print and store what was found."""
    from landscape.commands.printed import show
    from landscape.commands.reports.robustness_tables import print_robustness, robustness_facts
    from landscape.files.reports.robustness_file import ROBUSTNESS, write_robustness
    from landscape.inputs.input_space import parse_clip
    from landscape.inputs.robustness import robustness
    from landscape.parallel.progress import progress_bar

    if options.metric:
        raise UsageError("--metric says nothing here: what is measured under attack is whether the answer is right")
    path = options.output or str(default_output(options.checkpoint, ".robustness.h5"))
    ROBUSTNESS.check_writable(path, overwrite=options.overwrite)
    if options.save_examples:
        _require_free(options.save_examples, path, options.overwrite)
    model, checkpoint, data = load_problem(options)
    device = pick_device(options.device)
    model.to(device)
    names = ("norm", "loss", "samples", "sample_seed", "batch_size", "steps", "restarts", "seed")
    how: dict[str, Any] = {name: getattr(options, name) for name in names}
    how["clip"] = None if options.clip is None else parse_clip(options.clip)
    other = None if options.transfer is None else _other(options).to(device)
    with progress_bar("attacks", "strengths of batches") as progress:
        found = robustness(
            model, data, epsilons=options.epsilon, random=options.random, transfer=other, progress=progress, **how
        )
    found = replace(found, **made_of(found, options, model, checkpoint), path=path)
    write_robustness(path, found)
    show(print_robustness, robustness_facts(found))
    say(f"wrote {path}")
    if options.save_examples:
        _save_examples(options, model, data, how)
    return 0


def _other(options: argparse.Namespace) -> nn.Module:
    """Return the network whose attacks are tried on the first one."""
    from landscape.problem.model import load_model, parse_arguments

    arguments = parse_arguments(options.model_args)
    model, _ = load_model(
        options.model, arguments, options.transfer, key=options.checkpoint_key, trust=options.trust_checkpoint
    )
    return model


def _require_free(path: str, report: str, overwrite: bool) -> None:
    import os

    from landscape.files.atomic import check_place

    if not path.endswith(".npz"):
        raise UsageError(f"--save-examples {path}: examples are written as .npz, with arrays x and y")
    check_place(path)
    if os.path.realpath(path) == os.path.realpath(report):
        raise UsageError(f"--save-examples {path} is where the report goes; write one of them elsewhere")
    if os.path.exists(path) and not overwrite:
        raise UsageError(f"{path} is there already; --overwrite replaces it")


def _save_examples(options: argparse.Namespace, model: nn.Module, data: Any, how: dict[str, Any]) -> None:
    """Write a fixed set of adversarial examples, which a surface can be drawn over."""
    import io

    import numpy as np

    from landscape.files.atomic import replace_file
    from landscape.inputs.robustness import adversarial_examples

    inputs, classes = adversarial_examples(model, data, epsilon=options.epsilon[-1], **how)
    image = io.BytesIO()
    np.savez(image, x=inputs.numpy(), y=classes.numpy())
    replace_file(options.save_examples, image.getvalue())
    again = " (before normalisation: give --normalize again)" if options.normalize else ""
    say(f"wrote {options.save_examples}: {len(classes)} samples within {options.epsilon[-1]:g}{again}")
